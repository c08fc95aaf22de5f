package sender_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	secretText      = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	otherSecretText = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
)

// rig is a sender on the embedded store, in a time of its own.
type rig struct {
	*sender.Sender
	t      testing.TB
	clock  *fakeClock // nil: the computer's
	path   string
	wrap   func(sender.Store) sender.Store
	store  sender.Store
	config sender.Config
	logger *slog.Logger
	random io.Reader // nil: the computer's
	notify func(sender.Notice)
	opened bool
}

// toPeers is a configuration with an endpoint for each peer, on loopback, named
// after the letters.
func toPeers(peers ...*peer) sender.Config {
	c := sender.Config{
		EventTypes: []webhook.EventType{{Name: "*"}},
		Egress:     sender.Egress{Allow: []string{"127.0.0.1", "::1"}, AllowHTTP: true},
	}
	for i, p := range peers {
		c.Endpoints = append(c.Endpoints, sender.Endpoint{ID: string(rune('a' + i)), URL: p.URL + "/hooks", Secrets: []string{secretText}})
	}
	return c
}

// newRig starts a sender whose time stands still.
func newRig(t testing.TB, config sender.Config) *rig {
	t.Helper()
	r := &rig{t: t, clock: newFakeClock(), config: config}
	r.open()
	r.start()
	return r
}

// newDrawnRig is a rig whose waits are all varied alike.
func newDrawnRig(t testing.TB, config sender.Config, draw sender.Draw) *rig {
	t.Helper()
	r := &rig{t: t, clock: newFakeClock(), config: config, random: draw}
	r.open()
	r.start()
	return r
}

// open opens the store, at first an empty one, and makes a sender on it.
func (r *rig) open() {
	r.t.Helper()
	if r.path == "" {
		r.path = filepath.Join(r.t.TempDir(), "webhooks.db")
		r.t.Cleanup(r.close)
	}
	store, err := sqlitestore.Open(r.path, sqlitestore.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	r.store = store
	if r.wrap != nil {
		r.store = r.wrap(store)
	}
	o := sender.Options{Logger: r.logger, Random: r.random, Notify: r.notify}
	if r.clock != nil {
		o.Clock = r.clock
	}
	if r.Sender, err = sender.New(r.config, r.store, o); err != nil {
		r.t.Fatal(errors.Join(err, store.Close()))
	}
	r.opened = true
}

func (r *rig) start() {
	r.t.Helper()
	if err := r.Start(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// stop lets the attempts under way finish.
func (r *rig) stop() {
	r.t.Helper()
	if err := r.Stop(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// close ends the sender and the store.
func (r *rig) close() {
	if !r.opened {
		return
	}
	r.opened = false
	if err := errors.Join(r.Sender.Close(), r.store.Close()); err != nil {
		r.t.Error(err)
	}
}

// restart is what a restart of the process does.
func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.open()
	r.start()
}

func (r *rig) apply() {
	r.t.Helper()
	if err := r.Apply(r.config); err != nil {
		r.t.Fatal(err)
	}
}

// publish publishes an event for each ID, one after the other.
func (r *rig) publish(ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		if _, err := r.Publish(r.t.Context(), event(id)); err != nil {
			r.t.Fatal(err)
		}
	}
}

func event(id string) webhook.Event {
	return webhook.Event{ID: id, Type: "message.created", Data: []byte(`{"name":"` + id + `"}`)}
}

// numbered are n event IDs that sort in their order.
func numbered(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("event-%06d", i))
	}
	return ids
}

// record is what the store knows of an event's delivery to an endpoint; the
// zero value when it has not heard of it yet.
func (r *rig) record(id, endpoint string) sender.DeliveryRecord {
	r.t.Helper()
	e, err := r.store.Event(context.Background(), "", id)
	if err != nil {
		r.t.Fatalf("event %s: %v", id, err)
	}
	for _, d := range e.Deliveries {
		if d.EndpointID == endpoint {
			return d
		}
	}
	return sender.DeliveryRecord{}
}

// settled waits until the store knows of n attempts of an event at an
// endpoint, and returns its record.
func (r *rig) settled(id, endpoint string, n int) (d sender.DeliveryRecord) {
	r.t.Helper()
	until(r.t, fmt.Sprintf("the store knows of %d attempts of %s at %s", n, id, endpoint), func() bool {
		d = r.record(id, endpoint)
		return len(d.History) >= n
	})
	if len(d.History) != n {
		r.t.Fatalf("%d attempts of %s at %s are recorded, want %d: %+v", len(d.History), id, endpoint, n, d.History)
	}
	return d
}

// delivered waits until an event has been delivered to an endpoint.
func (r *rig) delivered(endpoint string, ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		until(r.t, "event "+id+" is delivered to "+endpoint, func() bool { return r.record(id, endpoint).Status == sender.Succeeded })
	}
}

// fail publishes events one after the other to an endpoint that fails, so that
// each is a failure in a row.
func (r *rig) fail(endpoint string, ids ...string) {
	r.t.Helper()
	for _, id := range ids {
		r.publish(id)
		r.settled(id, endpoint, 1)
	}
}

// idle waits until nothing waits in memory and nothing is under way.
func (r *rig) idle(endpoints ...string) {
	r.t.Helper()
	until(r.t, "nothing waits in memory", func() bool {
		for _, id := range endpoints {
			if waiting, running := r.Waiting(id); waiting+running > 0 {
				return false
			}
		}
		return r.Unsettled() == 0
	})
	if n := r.Memory(); n != 0 {
		r.t.Errorf("nothing waits in memory, yet %d bytes are counted", n)
	}
}
