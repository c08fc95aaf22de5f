package sender_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// outboxStore is a store in which events are left.
type outboxStore struct {
	sender.Store
	t      *testing.T
	left   chan webhook.Event
	taken  chan string
	drains atomic.Int32
	ended  chan struct{}
}

func (o *outboxStore) DrainOutbox(ctx context.Context, publish func(context.Context, ...webhook.Event) ([]sender.Receipt, error)) {
	o.drains.Add(1)
	defer close(o.ended)
	for {
		select {
		case e := <-o.left:
			if _, err := publish(ctx, e); err != nil {
				o.t.Error(err)
			}
			o.taken <- e.ID
		case <-ctx.Done():
			return
		}
	}
}

func (*outboxStore) CountOutbox(context.Context) (sender.OutboxCount, error) {
	return sender.OutboxCount{Waiting: 3, Invalid: 2}, nil
}

// TestOutboxIsDrained leaves an event in a store that has an outbox: it is
// delivered, and what is in there is told.
func TestOutboxIsDrained(t *testing.T) {
	store := &outboxStore{t: t, left: make(chan webhook.Event), taken: make(chan string), ended: make(chan struct{})}
	r := &rig{t: t, config: toPeers(newPeer(t, nil))}
	r.wrap = func(s sender.Store) sender.Store {
		store.Store = s
		return store
	}
	r.open()
	for range 2 {
		r.start()
	}
	store.left <- event("left")
	<-store.taken
	r.delivered("a", "left")
	const want = `# HELP caddy_webhooks_outbox_events Events in the outbox, which wait or cannot be published.
# TYPE caddy_webhooks_outbox_events gauge
caddy_webhooks_outbox_events{state="invalid"} 2
caddy_webhooks_outbox_events{state="waiting"} 3
`
	if err := testutil.CollectAndCompare(r.Collector(), strings.NewReader(want), "caddy_webhooks_outbox_events"); err != nil {
		t.Error(err)
	}
	if o, err := r.Overview(t.Context()); err != nil || o.Outbox == nil || *o.Outbox != (sender.OutboxCount{Waiting: 3, Invalid: 2}) {
		t.Errorf("Overview has the outbox %v, %v", o.Outbox, err)
	}
	r.close()
	<-store.ended
	if n := store.drains.Load(); n != 1 {
		t.Errorf("the outbox was drained by %d, want 1", n)
	}
}
