package sender

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Outbox is what a [Store] is as well when applications can leave events in it
// by other means than the sender, such as a transaction of their own. A sender
// that was started takes them in.
type Outbox interface {
	// DrainOutbox publishes what is left in the store, in the order it was left
	// there, until ctx ends. Publish is [Sender.Publish]. An event for which it
	// wraps [ErrInvalid] or [ErrConflict] is set aside, and holds up no other; on
	// other errors it is tried again later. An event that is published is taken
	// away afterwards, so that after a crash in between it is published a second
	// time, under the same ID.
	DrainOutbox(ctx context.Context, publish func(context.Context, ...webhook.Event) ([]Receipt, error))

	// CountOutbox counts what is left in the store, up to a number of each that
	// can be counted in no time.
	CountOutbox(ctx context.Context) (OutboxCount, error)
}

// OutboxCount is how many events are in an [Outbox].
type OutboxCount struct {
	// Waiting are those to be published.
	Waiting int64 `json:"waiting"`

	// Invalid are those that cannot be, and were set aside.
	Invalid int64 `json:"invalid"`
}

// drainOutbox takes in what is left in the store until the sender is closed, if
// anything can be. It begins once.
func (s *Sender) drainOutbox() {
	if o, has := s.store.(Outbox); has {
		s.draining.Do(func() {
			s.workers.Go(func() { o.DrainOutbox(s.background, s.Publish) })
		})
	}
}

// outboxPatience is how long a scrape waits for what is in the outbox.
const outboxPatience = 2 * time.Second

// countOutbox counts what is in the outbox; nil when there is none, or when it
// cannot be told.
func (s *Sender) countOutbox(ctx context.Context) *OutboxCount {
	o, has := s.store.(Outbox)
	if !has {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, outboxPatience)
	defer cancel()
	count, err := o.CountOutbox(ctx)
	if err != nil {
		return nil
	}
	return &count
}

var outboxDesc = prometheus.NewDesc("caddy_webhooks_outbox_events",
	"Events in the outbox, which wait or cannot be published.", []string{"state"}, nil)

func (m *metrics) collectOutbox(to chan<- prometheus.Metric) {
	if m.outbox == nil {
		return
	}
	if count := m.outbox(); count != nil {
		to <- prometheus.MustNewConstMetric(outboxDesc, prometheus.GaugeValue, float64(count.Waiting), "waiting")
		to <- prometheus.MustNewConstMetric(outboxDesc, prometheus.GaugeValue, float64(count.Invalid), "invalid")
	}
}
