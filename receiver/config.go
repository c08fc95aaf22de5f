package receiver

import (
	"errors"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// ErrConfig is wrapped by every error about a configuration that cannot be
// used. The message names the field, what is wrong and what to do.
var ErrConfig = errors.New("invalid configuration")

// Config is what a [Receiver] is told. Provider and Secrets must be set.
type Config struct {
	// Name is the scope that event IDs are remembered and limits are counted
	// in. Receivers with different names do not know of each other's events.
	Name string `json:"name,omitempty"`

	// Provider says whose signature rules apply; see [Providers].
	Provider string `json:"provider,omitempty"`

	// Template says how requests are signed when Provider is "custom", which
	// needs it; no other provider takes one.
	Template *Template `json:"template,omitempty"`

	// Handshake names how a sender makes sure that the endpoint is there, when
	// Provider is "custom": cloudevents, event_grid, meta, microsoft_graph,
	// okta, websub and so on. Other providers have their own. Default: none.
	Handshake string `json:"handshake,omitempty"`

	// Secrets are the keys that requests may be signed with, as the provider
	// shows them. Several are for changing over: any of them will do.
	Secrets []string `json:"secrets,omitempty"`

	// Key says how the secrets are written, where that differs from what the
	// provider usually does: raw, hex, base64 or whsec. Default: the
	// provider's; see [Template.Key].
	Key string `json:"key,omitempty"`

	// URL is the address that the provider was told, for those that sign it,
	// such as "https://hooks.example.com/twilio". Default: the one that the
	// request was sent to.
	URL string `json:"url,omitempty"`

	// Parameters are what some providers need besides secrets, by name; see
	// [Provider.Parameters].
	Parameters map[string]string `json:"parameters,omitempty"`

	// EnforceOff lets requests through that would have been refused for their
	// method, their signature, their age or a limit, and only tells of them, so
	// that the receiver can be tried in front of a running application.
	// Duplicates are let through as well, and told of. Events that succeed are
	// remembered. Requests that are too large are refused all the same.
	EnforceOff bool `json:"enforce_off,omitempty"`

	// Decompress says that the signature covers the body as it was before it
	// was compressed: one with Content-Encoding gzip or deflate is decompressed,
	// up to MaxSize, verified, and passed on decompressed. Default: the
	// provider's habit.
	Decompress *bool `json:"decompress,omitempty"`

	// MaxSize is how large a body may be, in bytes. Default: 1 MiB.
	MaxSize int64 `json:"max_size,omitempty"`

	// Tolerance is how far the signed timestamp may be from now, before or
	// after. Default: 5m. A negative value turns the check off.
	Tolerance webhook.Duration `json:"tolerance,omitzero"`

	// IPRate limits the requests of each client address before anything is
	// verified. Default: no limit.
	IPRate *webhook.Rate `json:"ip_rate,omitempty"`

	// Rates limit the authentic requests of each source; a request must be
	// within all of them. Default: no limit.
	Rates []SourceRate `json:"rates,omitempty"`

	// Headers tells the application what is known of an authentic request, in
	// the header fields X-Webhook-Provider, X-Webhook-Id, X-Webhook-Type and
	// X-Webhook-Timestamp (Unix seconds). Fields of these names that the
	// request brought along are removed.
	Headers bool `json:"headers,omitempty"`

	// Dedupe says how duplicates are found.
	Dedupe Dedupe `json:"dedupe,omitzero"`
}

// SourceRate is a limit per source.
type SourceRate struct {
	webhook.Rate

	// By names the source that a request counts against. In Caddy it may hold
	// placeholders, such as {client_ip}. Default: all requests of the receiver
	// count against one limit.
	By string `json:"by,omitempty"`
}

// Dedupe says how duplicates are found and for how long events are remembered.
// The zero value remembers up to 1,000,000 events for 24 hours.
type Dedupe struct {
	// Off lets duplicates through to the application.
	Off bool `json:"off,omitempty"`

	// TTL is how long a processed event ID is remembered. Default: 24h. It
	// should be more than twice the tolerance: a request that was captured
	// can be replayed until its timestamp is too old.
	TTL webhook.Duration `json:"ttl,omitzero"`

	// Wait is how long a duplicate waits for the request that is being
	// processed. Default: 10s. A negative value means not at all.
	Wait webhook.Duration `json:"wait,omitzero"`

	// Capacity is how many processed event IDs are remembered at most; over
	// it the oldest are forgotten. An ID takes about 200 bytes. An event of
	// google_pubsub or paypal counts twice: its content is remembered as well.
	// Default: 1,000,000, or what CapacityBytes has room for.
	Capacity int `json:"capacity,omitempty"`

	// CapacityBytes bounds the memory of processed event IDs instead, in
	// bytes. Only one of the two may be set. Default: Capacity bounds it.
	CapacityBytes int64 `json:"capacity_bytes,omitempty"`

	// Persist is a file in which processed event IDs are kept over a restart.
	// After a crash, those of the last second may be missing. Default: they are
	// kept in memory alone.
	Persist string `json:"persist,omitempty"`
}

// The defaults of [Config] and [Dedupe].
const (
	DefaultMaxSize   = 1 << 20
	DefaultTolerance = 5 * time.Minute
	DefaultTTL       = 24 * time.Hour
	DefaultWait      = 10 * time.Second
	DefaultCapacity  = 1_000_000
)
