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

	// Secrets are the keys that requests may be signed with: "whsec_" for
	// HMAC-SHA256 or "whpk_" for Ed25519. Several are for changing over:
	// any of them will do.
	Secrets []string `json:"secrets,omitempty"`

	// MaxSize is how large a body may be, in bytes. Default: 1 MiB.
	MaxSize int64 `json:"max_size,omitempty"`

	// Tolerance is how far the signed timestamp may be from now, before or
	// after. Default: 5m. A negative value turns the check off.
	Tolerance webhook.Duration `json:"tolerance,omitzero"`

	// IPRate limits the requests of each client address before anything is
	// verified. Default: no limit.
	IPRate *webhook.Rate `json:"ip_rate,omitempty"`

	// Rate limits the authentic requests of each source. Default: no limit.
	Rate *SourceRate `json:"rate,omitempty"`

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
	// it the oldest are forgotten. An ID takes about 200 bytes.
	// Default: 1,000,000.
	Capacity int `json:"capacity,omitempty"`
}

// The defaults of [Config] and [Dedupe].
const (
	DefaultMaxSize   = 1 << 20
	DefaultTolerance = 5 * time.Minute
	DefaultTTL       = 24 * time.Hour
	DefaultWait      = 10 * time.Second
	DefaultCapacity  = 1_000_000
)
