package sender_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// patience is a timeout for tests in which the clock runs ahead of the attempts.
const patience = webhook.Duration(10000 * time.Hour)

func newFaultyRig(t *testing.T, c sender.Config) (*rig, *faultyStore) {
	t.Helper()
	for i := range c.Endpoints {
		c.Endpoints[i].Timeout = patience
	}
	faulty := &faultyStore{}
	r := &rig{t: t, clock: newFakeClock(), config: c, wrap: faulty.around}
	r.open()
	r.start()
	return r, faulty
}

// TestStoreCannotPut: a publisher is told, and nothing is delivered that was
// not stored.
func TestStoreCannotPut(t *testing.T) {
	p := newPeer(t, nil)
	r, faulty := newFaultyRig(t, toPeers(p))
	faulty.fail(faultPut)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			if _, err := r.Publish(t.Context(), webhook.Event{Type: "lost", Data: []byte("1")}); !errors.Is(err, errFaulty) {
				t.Errorf("Publish: %v, want the store's error", err)
			}
		})
	}
	all.Wait()
	faulty.fail(0)
	r.publish("e")
	r.delivered("a", "e")
	p.waitFor(t, 1)
	r.idle("a")
}

// TestStoreCannotSettle: while outcomes cannot be recorded deliveries are made
// all the same, and everything is recorded once the store is well again.
func TestStoreCannotSettle(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if r.Header.Get("webhook-id") == "retried" && n <= 3 {
			w.WriteHeader(500)
		}
	})
	r, faulty := newFaultyRig(t, toPeers(p))
	faulty.fail(faultSettle)
	ids := numbered(30)
	r.publish("retried")
	p.waitFor(t, 1)
	r.publish(ids...)
	p.waitFor(t, 31)
	for range 5 {
		n := faulty.failures(faultSettle)
		until(t, "it is tried again", func() bool { r.clock.advance(time.Second); return faulty.failures(faultSettle) > n })
	}
	faulty.fail(0)
	until(t, "all is recorded", func() bool { r.clock.advance(10 * time.Second); return r.Unsettled() == 0 })
	r.delivered("a", ids...)
	until(t, "the retry succeeds", func() bool {
		r.clock.advance(time.Minute)
		return r.record("retried", "a").Status == sender.Succeeded
	})
	p.waitFor(t, 32)
	r.idle("a")
}

// TestOutcomesRideWithPublications: outcomes are stored together with
// publications, and where that cannot be done each is stored by itself.
func TestOutcomesRideWithPublications(t *testing.T) {
	for name, faults := range map[string]fault{"together": 0, "apart": faultTogether} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, nil)
			faulty := &faultyStore{}
			faulty.fail(faults)
			r := &rig{t: t, clock: newFakeClock(), config: toPeers(p), wrap: func(s sender.Store) sender.Store {
				faulty.around(s)
				return jointFaultyStore{faulty}
			}}
			r.open()
			r.start()
			var tried atomic.Int64
			faulty.call(func(call fault) error {
				if call == faultTogether {
					tried.Add(1)
				}
				return nil
			})
			var ids []string
			until(t, "outcomes are to be stored with publications", func() bool {
				ids = append(ids, fmt.Sprint("event-", len(ids)))
				r.publish(ids[len(ids)-1])
				return tried.Load() >= 5
			})
			for _, id := range ids {
				r.settled(id, "a", 1)
			}
			r.delivered("a", ids...)
			p.waitFor(t, len(ids))
			r.idle("a")
		})
	}
}

// TestStoreCannotSettleAtStop: what cannot be recorded is delivered again, and
// Stop says so.
func TestStoreCannotSettleAtStop(t *testing.T) {
	sender.SetSettleGrace(t, 100*time.Millisecond)
	p := newPeer(t, nil)
	r, faulty := newFaultyRig(t, toPeers(p))
	faulty.fail(faultSettle)
	r.publish("e")
	p.waitFor(t, 1)
	err := r.Stop(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || !errorSays(err, "the last deliveries could not be recorded and will be made again: ") {
		t.Errorf("Stop: %v", err)
	}
	faulty.fail(0)
	until(t, "the outcome is recorded after all", func() bool { r.clock.advance(10 * time.Second); return r.Unsettled() == 0 })
}

func errorSays(err error, beginning string) bool {
	return err != nil && len(err.Error()) >= len(beginning) && err.Error()[:len(beginning)] == beginning
}

// TestStoreCannotClaim: what waits in the store is read again and again until
// it can be.
func TestStoreCannotClaim(t *testing.T) {
	p := newPeer(t, nil)
	r, faulty := newFaultyRig(t, toPeers(p))
	r.stop()
	ids := numbered(20)
	r.publish(ids...)
	faulty.fail(faultClaim)
	r.start()
	for range 3 {
		n := faulty.failures(faultClaim)
		until(t, "it is tried again", func() bool { r.clock.advance(time.Second); return faulty.failures(faultClaim) > n })
	}
	p.waitFor(t, 0)
	faulty.fail(0)
	until(t, "all is delivered", func() bool { r.clock.advance(time.Second); return p.count() == len(ids) })
	r.delivered("a", ids...)
	r.idle("a")
}

// TestStoreCannotStart: Start tells of the store's error, and can be called
// again.
func TestStoreCannotStart(t *testing.T) {
	p := newPeer(t, nil)
	faulty := &faultyStore{}
	r := &rig{t: t, clock: newFakeClock(), config: toPeers(p), wrap: faulty.around}
	r.open()
	r.publish("e")
	faulty.fail(faultBacklog)
	if err := r.Start(t.Context()); !errors.Is(err, errFaulty) {
		t.Errorf("Start: %v, want the store's error", err)
	}
	p.waitFor(t, 0)
	faulty.fail(0)
	r.start()
	r.delivered("a", "e")
}

// TestPublisherLeaves: a publisher that does not wait for its receipt gets the
// context's error; the events are stored as a whole or not at all.
func TestPublisherLeaves(t *testing.T) {
	p := newPeer(t, nil)
	r, faulty := newFaultyRig(t, toPeers(p))
	storing, goOn := make(chan struct{}), make(chan struct{})
	faulty.call(func(call fault) error {
		if call == faultPut {
			close(storing)
			<-goOn
		}
		return nil
	})
	ctx, leave := context.WithCancelCause(t.Context())
	gone := errors.New("the client has left")
	go func() {
		<-storing
		leave(gone)
	}()
	if _, err := r.Publish(ctx, event("e1"), event("e2")); !errors.Is(err, gone) {
		t.Errorf("Publish: %v, want the context's cause", err)
	}
	faulty.call(nil)
	close(goOn)
	until(t, "both are delivered", func() bool { return p.count() == 2 })
	r.delivered("a", "e1", "e2")
}

// TestPublishersWaitForWhatReturns: what goes to very many endpoints that take
// nothing just now returns to the store for each of them. That does not gather in
// memory without bound, however fast events are published.
func TestPublishersWaitForWhatReturns(t *testing.T) {
	const endpoints, events = 10_000, 8
	c := toPeers()
	for i := range endpoints {
		c.Endpoints = append(c.Endpoints, sender.Endpoint{ID: fmt.Sprint("e", i), URL: "http://127.0.0.1:9/"})
	}
	faulty := &faultyStore{}
	r := &rig{t: t, clock: newFakeClock(), config: c, wrap: faulty.around}
	r.open() // and nothing is delivered
	most := 0
	faulty.call(func(f fault) error {
		switch f {
		case faultSettle:
			time.Sleep(10 * time.Millisecond) // for a thousand at most
		case faultPut:
			most = max(most, r.Unsettled()) // one goroutine puts
		}
		return nil
	})
	r.publish(numbered(events)...)
	if limit := sender.MaxUnsettled + endpoints; most > limit {
		t.Errorf("%d outcomes had gathered when the next event was stored, want at most %d", most, limit)
	}
	// While the store takes nothing, nobody waits for it.
	faulty.fail(faultSettle)
	until(t, "recording fails", func() bool { return faulty.failures(faultSettle) > 0 })
	r.publish("a", "b", "c")
	faulty.fail(0)
	faulty.call(nil)
	until(t, "the store has all", func() bool { r.clock.advance(time.Second); return r.Unsettled() == 0 })
}
