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

	// Endpoints are the subscriptions. They are read-only at run time.
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

	// Memory bounds the deliveries that wait in memory, in bytes of their
	// events; what is over waits in the store. Default: 64 MiB.
	Memory int64 `json:"memory,omitempty"`
}

// The defaults of [Config] and [Endpoint].
const (
	DefaultTimeout     = 30 * time.Second
	DefaultRetention   = 30 * 24 * time.Hour
	DefaultConcurrency = 16
	DefaultMemory      = 64 << 20
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
		return fmt.Errorf("retry: wait %d is %s: every wait must be longer than zero, such as 5s", i+1, retry[i])
	}
	if timeout < 0 {
		return fmt.Errorf("timeout: %s is negative: write a time such as 30s", timeout)
	}
	return nil
}
