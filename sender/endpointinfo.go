package sender

import (
	"fmt"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// State is where an endpoint is in its life.
type State uint8

// The states of an endpoint.
const (
	// StateInactive: made, or deactivated by a person, and not active. New
	// events are not for it; deliveries that it has already wait.
	StateInactive State = iota + 1

	// StateTested: inactive, and a test of it as it is now has succeeded.
	StateTested

	// StateActive: it gets events.
	StateActive

	// StatePaused: active, but left alone for a while, because it keeps failing
	// or has asked for it. Its events wait.
	StatePaused

	// StateDisabled: the sender has given it up: it answered 410, or nothing
	// but failures for days. Its events are kept, and wait until somebody
	// activates it again.
	StateDisabled
)

var stateNames = [...]string{StateInactive: "inactive", StateTested: "tested", StateActive: "active", StatePaused: "paused", StateDisabled: "disabled"}

// String is the state as it is written everywhere.
func (s State) String() string {
	if int(s) < len(stateNames) && stateNames[s] != "" {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// MarshalText writes the state as [State.String] does.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// EndpointInfo is an endpoint with what the sender knows of it.
type EndpointInfo struct {
	// Endpoint is its settings, without the secrets.
	Endpoint

	// ReadOnly tells that the endpoint stands in the configuration and can be
	// changed there alone.
	ReadOnly bool `json:"read_only"`

	// State is where it is in its life.
	State State `json:"state"`

	// Reason says in one sentence why it is paused or disabled.
	Reason string `json:"reason,omitempty"`

	// PausedUntil is when a paused endpoint is tried again.
	PausedUntil time.Time `json:"paused_until,omitzero"`

	// Signed tells that deliveries are signed.
	Signed bool `json:"signed"`

	// PublicKeys are those that check its Ed25519 signatures ("whpk_"), the
	// newest first.
	PublicKeys []string `json:"public_keys,omitempty"`

	// PreviousSecretUntil is until when the secret before the last rotation
	// signs as well; zero when there is none.
	PreviousSecretUntil time.Time `json:"previous_secret_until,omitzero"`

	// CreatedAt and UpdatedAt are when its settings were made and last changed;
	// zero for a read-only one.
	CreatedAt time.Time `json:"created_at,omitzero"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`

	// TestedAt is when a test of it as it is now succeeded.
	TestedAt time.Time `json:"tested_at,omitzero"`

	// LastSuccessAt and LastFailureAt are when attempts last ended that way, as
	// far as is known; FailingSince is the first failure after the last success.
	LastSuccessAt time.Time `json:"last_success_at,omitzero"`
	LastFailureAt time.Time `json:"last_failure_at,omitzero"`
	FailingSince  time.Time `json:"failing_since,omitzero"`

	// Pending is how many deliveries wait for it or are under way.
	Pending int64 `json:"pending"`
}

// EndpointSecret is a secret of an endpoint, revealed.
type EndpointSecret struct {
	// Secret is "whsec_…" or "whsk_…".
	Secret string `json:"secret"`

	// CreatedAt is when it was set; zero if it stands in the configuration.
	CreatedAt time.Time `json:"created_at,omitzero"`

	// ExpiresAt is until when it signs; zero means without end.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// Signing is what kind of secret is made for an endpoint.
type Signing string

// The kinds of secrets.
const (
	// SigningHMAC makes a shared secret ("whsec_", HMAC-SHA256). It is the
	// default.
	SigningHMAC Signing = "hmac"

	// SigningEd25519 makes a signing key ("whsk_", Ed25519), whose public half
	// is all that a receiver needs.
	SigningEd25519 Signing = "ed25519"

	// SigningNone makes no secret: deliveries are not signed.
	SigningNone Signing = "none"
)

// Rotation says how an endpoint's secret is replaced.
type Rotation struct {
	// Secret is the new one; empty means that one is made.
	Secret string `json:"secret,omitempty"`

	// Signing is what kind is made. Default: that of the present secret.
	Signing Signing `json:"signing,omitempty"`

	// Overlap is how long the present secret goes on to sign beside the new
	// one. Default: 24h. Negative: not at all.
	Overlap webhook.Duration `json:"overlap,omitzero"`
}
