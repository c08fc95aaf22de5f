package sender

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// ErrConfig is wrapped by every error about a configuration that cannot be
// used. The message names the field, what is wrong and what to do.
var ErrConfig = errors.New("invalid configuration")

// Config is what a [Sender] is told. The zero value is valid: it accepts the
// ManySends event types and delivers them to nobody.
type Config struct {
	// EventTypes is the catalogue of types that may be published; others are
	// refused. The name "*" accepts every well-formed type. Default: the
	// ManySends catalogue, [webhook.ManySendsEventTypes].
	EventTypes []webhook.EventType `json:"event_types,omitempty"`

	// Endpoints are subscriptions that are read-only at run time, beside those
	// that are made with [Sender.CreateEndpoint].
	Endpoints []Endpoint `json:"endpoints,omitempty"`

	// Retry is how long to wait after each failed attempt, in turn; when it is
	// used up the delivery has failed. Each wait is varied by 20 % either way.
	// Default: 5s 5m 30m 2h 5h 10h 14h 20h 24h, as Standard Webhooks advises.
	Retry []webhook.Duration `json:"retry,omitempty"`

	// Timeout bounds one attempt as a whole: connecting, sending, waiting and
	// reading the answer. Default: 30s.
	Timeout webhook.Duration `json:"timeout,omitzero"`

	// Retention is how long an event is kept after it was published, together
	// with its deliveries, unless one of them is still pending. Default: 30d.
	Retention webhook.Duration `json:"retention,omitzero"`

	// Egress says which addresses deliveries may connect to.
	Egress Egress `json:"egress,omitzero"`

	// DisableAfter is how long an endpoint may go without a success, and with
	// failures, before it is disabled; see [StateDisabled]. -1 means never.
	// Default: 5d.
	DisableAfter webhook.Duration `json:"disable_after,omitzero"`

	// MaxBacklog is how many deliveries may be pending, over all endpoints.
	// When there are as many, further events are refused until there are fewer;
	// what was accepted is safe. What waits for an endpoint that is not in the
	// configuration any more does not count. Default: no limit.
	MaxBacklog int64 `json:"max_backlog,omitempty"`

	// MaxSize is how large the store may grow, in bytes. When it is larger,
	// finished events are deleted before their retention ends, the oldest
	// first; when that does not help, further events are refused. Default: no
	// limit.
	MaxSize int64 `json:"max_size,omitempty"`

	// EncryptionKeys seal the endpoints that are made at run time, with their
	// secrets, in the store (AES-256-GCM): base64 of 32 random bytes each, the
	// newest first. All of them open; the first one seals. Default: they are
	// stored in the clear, in a file that only its owner can read.
	EncryptionKeys []string `json:"encryption_keys,omitempty"`

	// Memory bounds the deliveries that wait in memory, in about the bytes that
	// they take there; what is over waits in the store. Default: 64 MiB.
	Memory int64 `json:"memory,omitempty"`
}

// The defaults of [Config] and [Endpoint].
const (
	DefaultTimeout      = 30 * time.Second
	DefaultRetention    = 30 * 24 * time.Hour
	DefaultConcurrency  = 16
	DefaultDisableAfter = 5 * 24 * time.Hour
	DefaultMemory       = 64 << 20
)

// DefaultRetry is the default retry schedule: that of Standard Webhooks,
// "Deliverability and reliability".
func DefaultRetry() []webhook.Duration {
	hours := func(n int) webhook.Duration { return webhook.Duration(time.Duration(n) * time.Hour) }
	return []webhook.Duration{
		webhook.Duration(5 * time.Second), webhook.Duration(5 * time.Minute), webhook.Duration(30 * time.Minute),
		hours(2), hours(5), hours(10), hours(14), hours(20), hours(24),
	}
}

// Validate says what is wrong with the configuration, if anything. Errors wrap
// [ErrConfig].
func (c *Config) Validate() error {
	_, err := compile(c)
	return err
}

// checkSchedule says what is wrong with the waits and the timeout that a
// configuration or an endpoint sets.
func checkSchedule(retry []webhook.Duration, timeout webhook.Duration) error {
	if i := slices.IndexFunc(retry, func(d webhook.Duration) bool { return d <= 0 }); i >= 0 {
		return &FieldError{"retry", fmt.Errorf("wait %d is %s: every wait must be longer than zero, such as 5s", i+1, retry[i])}
	}
	if timeout < 0 {
		return &FieldError{"timeout", fmt.Errorf("%s is negative: write a time such as 30s", timeout)}
	}
	return nil
}
