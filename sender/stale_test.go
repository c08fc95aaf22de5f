package sender_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestGoneFromBefore: a 410 that comes from where the endpoint used to be does
// not stop it where it is now.
func TestGoneFromBefore(t *testing.T) {
	h := newHanging(t)
	before := newPeer(t, func(w http.ResponseWriter, r *http.Request, n int) {
		h.answer(w, r, n)
		w.WriteHeader(410)
	})
	after := newPeer(t, nil)
	r := newRig(t, toPeers(before))
	r.publish("first")
	<-h.entered
	r.config.Endpoints = toPeers(after).Endpoints
	r.apply()
	h.letGo()
	r.settled("first", "a", 1)
	r.publish("second")
	r.delivered("a", "first", "second")
	before.waitFor(t, 1)
}

// TestFailuresFromBefore: attempts that fail where the endpoint used to be do
// not open the breaker of where it is now.
func TestFailuresFromBefore(t *testing.T) {
	h := newHanging(t)
	before := newPeer(t, func(w http.ResponseWriter, r *http.Request, n int) {
		h.answer(w, r, n)
		w.Header().Set("Retry-After", "600")
		w.WriteHeader(503)
	})
	after := newPeer(t, nil)
	r := newRig(t, toPeers(before))
	ids := numbered(16)
	r.publish(ids...)
	for range ids {
		<-h.entered
	}
	r.config.Endpoints = toPeers(after).Endpoints
	r.apply()
	h.letGo()
	for _, id := range ids {
		r.settled(id, "a", 1)
	}
	r.publish("next")
	r.delivered("a", "next")
}

// TestBlockedFromBefore: a delivery that the old rules refused, and whose
// outcome is recorded only after the new rules hold, is not left behind.
func TestBlockedFromBefore(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p)
	c.Endpoints[0].URL = localhost(t, p)
	c.Endpoints[0].Timeout = patience
	c.Egress.Allow = nil
	r := &rig{t: t, clock: newFakeClock(), config: c}
	faulty := &faultyStore{}
	r.wrap = faulty.around
	r.open()
	r.start()
	faulty.fail(faultSettle)
	r.publish("e")
	until(t, "the delivery is refused", func() bool { return faulty.failures(faultSettle) > 0 })
	r.config.Egress.Allow = []string{"localhost"}
	r.apply()
	faulty.fail(0)
	until(t, "the store is tried again", func() bool { r.clock.advance(time.Second); return r.Unsettled() == 0 })
	r.delivered("a", "e")
	if d := r.record("e", "a"); d.History[0].Verdict != sender.VerdictBlocked || d.Attempts != 2 {
		t.Errorf("%+v", d)
	}
}

// TestEgressHoldsForOpenConnections: a connection that was made under other
// rules is not used any more under these.
func TestEgressHoldsForOpenConnections(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p)
	c.Endpoints[0].URL = localhost(t, p)
	r := newRig(t, c)
	r.publish("first")
	<-h.entered
	r.config.Egress.Allow = nil
	r.apply()
	r.publish("second")
	if d := r.settled("second", "a", 1); d.Status != sender.Blocked {
		t.Fatalf("with the rules changed, the second is %s", d.Status)
	}
	h.letGo() // the first one's connection becomes free
	r.delivered("a", "first")
	r.publish("third")
	if d := r.settled("third", "a", 1); d.Status != sender.Blocked {
		t.Errorf("with the rules changed, the third is %s: it went over a connection from before", d.Status)
	}
	p.waitFor(t, 1)
}

// TestConnectionsOutliveApply: a new configuration does not cost every
// endpoint its open connections when the rules are the same.
func TestConnectionsOutliveApply(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	for i, id := range numbered(5) {
		r.config.Endpoints[0].Description = id
		if i == 3 {
			r.config.Endpoints[0].Timeout = webhook.Duration(time.Minute)
		}
		r.apply()
		r.publish(id)
		r.delivered("a", id)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opened != 1 {
		t.Errorf("%d connections for 5 deliveries one after the other, want 1", p.opened)
	}
}

// TestStaleConnection: a server that closes a kept connection just as the next
// delivery goes out costs the delivery no attempt and no wait: it is sent over
// a new one, under the same webhook-id.
func TestStaleConnection(t *testing.T) {
	p := newPeer(t, nil)
	p.answer = func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 2 {
			hijack(t, w, "") // closes without an answer
		}
	}
	r := newRig(t, toPeers(p))
	r.publish("first")
	r.delivered("a", "first")
	r.publish("second")
	if d := r.settled("second", "a", 1); d.Status != sender.Succeeded {
		t.Errorf("the second is %s after %+v", d.Status, d.History)
	}
	p.waitFor(t, 3)
}
