package signer

import (
	"errors"

	"github.com/manysends/caddy-webhooks/receiver"
)

// ErrConfig is wrapped by every error about a configuration that cannot be
// used. The message names the field, what is wrong and what to do.
var ErrConfig = errors.New("invalid configuration")

// DefaultMaxSize is the default of [Config].MaxSize: 1 MiB.
const DefaultMaxSize = 1 << 20

// Config is what a [Signer] is told. Provider and Secrets must be set.
type Config struct {
	// Provider says as whom requests are signed; see receiver.Providers. Those
	// whose signature is inside the body, or is made by rules of their own that
	// no template can express, are refused.
	Provider string `json:"provider,omitempty"`

	// Template says how requests are signed when Provider is "custom", which
	// needs it; no other provider takes one.
	Template *receiver.Template `json:"template,omitempty"`

	// Secrets are the keys to sign with, the newest first. Where a request of
	// the provider can hold several signatures, all of them sign, so that
	// receivers can change over one after the other; otherwise there may be
	// one only. Where the provider signs with a private key, it is a private
	// key: as PEM, or for Ed25519 as its seed of 32 bytes.
	Secrets []string `json:"secrets,omitempty"`

	// Key says how the secrets are written, where that differs from what the
	// provider usually does: raw, hex, base64, whsec or sha256. Default: the
	// provider's way; see receiver.Template.
	Key string `json:"key,omitempty"`

	// ID is the event ID, for providers that send it in a header. In Caddy it
	// may hold placeholders, such as {http.request.header.X-Event-Id}. Default,
	// also where it is empty for a request: the ID that the request has
	// already, or else a new one.
	ID string `json:"id,omitempty"`

	// URL is the address that requests are sent to, as the receiver knows it,
	// for providers that sign it; they need it, and the others do not take it.
	URL string `json:"url,omitempty"`

	// MaxSize is how large a body may be, in bytes. Default: 1 MiB.
	MaxSize int64 `json:"max_size,omitempty"`
}

// Validate says what is wrong with the configuration: one sentence for each
// problem, all of them joined. The errors wrap [ErrConfig], those about a
// secret also webhook.ErrKey, and those about a provider that cannot be
// imitated also receiver.ErrOneWay. No message holds a secret.
func (c Config) Validate() error {
	_, err := c.resolve()
	return err
}
