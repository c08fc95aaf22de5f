package sender_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestRateLimit: the burst goes out at once and the rest as the time comes for
// it, in order.
func TestRateLimit(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p)
	c.Endpoints[0].Rate = &webhook.Rate{Events: 2, Burst: 3}
	c.Endpoints[0].Concurrency = 1 // so that the peer sees them in order
	r := newRig(t, c)
	ids := numbered(13)
	r.publish(ids...)
	p.waitFor(t, 3)
	begin := r.clock.Now()
	for n := 4; n <= len(ids); n++ {
		at := begin.Add(time.Duration(n-3) * 500 * time.Millisecond)
		r.clock.advanceTo(r.clock.alarm(t, at).Add(-time.Millisecond))
		r.delivered("a", ids[:n-1]...)
		p.waitFor(t, n-1)
		until(t, "the next one goes out", func() bool { r.clock.advanceTo(at.Add(2 * time.Millisecond)); return p.count() >= n })
		p.waitFor(t, n)
	}
	r.delivered("a", ids...)
	if got := p.ids(); !slices.Equal(got, ids) {
		t.Errorf("delivered %q, want %q", got, ids)
	}
	r.idle("a")
}

// TestConcurrencyLimit: no more attempts than that are under way at once, and
// as many as that are.
func TestConcurrencyLimit(t *testing.T) {
	for _, limit := range []int{1, 3, sender.DefaultConcurrency} {
		h := newHanging(t)
		p := newPeer(t, h.answer)
		c := toPeers(p)
		if limit != sender.DefaultConcurrency {
			c.Endpoints[0].Concurrency = limit
		}
		r := newRig(t, c)
		ids := numbered(100)
		r.publish(ids...)
		for range limit {
			<-h.entered
		}
		if waiting, running := r.Waiting("a"); waiting != len(ids)-limit || running != limit {
			t.Errorf("limit %d: %d waiting and %d running", limit, waiting, running)
		}
		h.letGo()
		r.delivered("a", ids...)
		if p.most > limit {
			t.Errorf("limit %d: %d at once", limit, p.most)
		}
	}
}

// TestSlowEndpointAlone: an endpoint that does not answer costs the others
// nothing.
func TestSlowEndpointAlone(t *testing.T) {
	h := newHanging(t)
	slow, healthy := newPeer(t, h.answer), newPeer(t, nil)
	r := newRig(t, toPeers(slow, healthy))
	ids := numbered(300)
	r.publish(ids...)
	r.delivered("b", ids...)
	if n := slow.count(); n != sender.DefaultConcurrency {
		t.Errorf("the slow one has %d requests, want %d", n, sender.DefaultConcurrency)
	}
	h.letGo()
	r.delivered("a", ids...)
}

// TestBothKindsMove: where there is work of both kinds and not enough room for
// it, neither first tries nor retries wait until the other kind has run out,
// whatever it is that is short.
func TestBothKindsMove(t *testing.T) {
	for _, concurrency := range []int{1, 2, 16} {
		var failing atomic.Bool
		failing.Store(true)
		p := newPeer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			if failing.Load() && strings.HasPrefix(r.Header.Get("webhook-id"), "retry") {
				w.WriteHeader(500)
			}
		})
		c := toPeers(p)
		c.Endpoints[0].Concurrency = concurrency
		c.Endpoints[0].Timeout = patience
		c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
		r := newRig(t, c)
		var tries, retries []string
		for _, n := range numbered(18) {
			tries, retries = append(tries, "first-"+n), append(retries, "retry-"+n)
		}
		for _, id := range retries {
			r.publish(id)
			r.settled(id, "a", 1)
			r.publish("good-" + id) // the breaker stays closed
			r.delivered("a", "good-"+id)
		}
		failing.Store(false)
		// From now on it is the rate that is short.
		r.config.Endpoints[0].Rate = &webhook.Rate{Events: 1, Per: webhook.Duration(time.Hour), Burst: 1}
		r.apply()
		p.waitFor(t, 36)
		r.publish(tries...)
		r.clock.advance(2 * time.Hour)
		until(t, "all of both kinds wait in memory, but two", func() bool { waiting, _ := r.Waiting("a"); return waiting == 34 })
		for n := 1; n <= 16; n++ {
			until(t, "the next one goes out", func() bool { r.clock.advance(10 * time.Minute); return p.count() >= 36+n })
		}
		count := make(map[string]int)
		for _, id := range p.ids()[36:] {
			kind, _, _ := strings.Cut(id, "-")
			count[kind]++
		}
		if count["first"] < 3 || count["retry"] < 3 {
			t.Errorf("concurrency %d: of %d attempts, %d were first tries and %d retries", concurrency, p.count()-36, count["first"], count["retry"])
		}
	}
}

// TestOverflow: what does not fit into the lane waits in the store, and is all
// delivered in the end, the oldest first.
func TestOverflow(t *testing.T) {
	sender.SetLaneLength(t, 8, 4)
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 1 // so that the peer sees them in order
	r := newRig(t, c)
	ids := numbered(200)
	r.publish(ids...)
	<-h.entered
	until(t, "the rest is in the store", func() bool { return r.Unsettled() == 0 })
	if waiting, _ := r.Waiting("a"); waiting > 8 {
		t.Errorf("%d wait in a lane of 8", waiting)
	}
	h.letGo()
	r.delivered("a", ids...)
	p.waitFor(t, len(ids))
	if got := p.ids(); !slices.Equal(got, ids) {
		t.Errorf("delivered out of order: %q", got)
	}
	r.idle("a")
}

// TestOverflowOfMemory: large events are bounded by their bytes.
func TestOverflowOfMemory(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p, p)
	c.Memory = 80 << 10 // less than 10 KiB for a lane
	r := newRig(t, c)
	ids := numbered(100)
	for _, id := range ids {
		e := event(id)
		e.Data = []byte(`"` + strings.Repeat("x", 3000) + `"`)
		if _, err := r.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if n := r.Memory(); n > 20<<10 {
			t.Fatalf("%d bytes wait in memory, want 20 KiB at most", n)
		}
	}
	h.letGo()
	r.delivered("a", ids...)
	r.delivered("b", ids...)
	p.waitFor(t, 200)
	r.idle("a", "b")
}

// TestMemoryIsShared: however small the events are and however many lanes are
// full, they leave some of the memory to one that has been idle. It guards
// against counting no more than the events' data, and against shares that add
// up to more than all.
func TestMemoryIsShared(t *testing.T) {
	const lanes = 16
	r, p, letGo := manyFull(t, lanes)
	c := r.config
	ids := numbered(300)
	for _, id := range ids {
		r.publish(id)
	}
	waiting := 0
	for _, e := range c.Endpoints {
		n, _ := r.Waiting(e.ID)
		if waiting += n; n == 0 {
			t.Errorf("nothing waits in memory for %s", e.ID)
		}
	}
	if most := int(c.Memory / 640); waiting > most {
		t.Errorf("%d deliveries wait in memory, want %d at most", waiting, most)
	}
	// Of lanes that may each have an eighth of what is left, 16 have two thirds.
	if n := r.Memory(); n > c.Memory*7/10 {
		t.Errorf("the lanes have taken %d bytes of %d", n, c.Memory)
	}
	letGo()
	p.waitFor(t, lanes*len(ids))
	for _, e := range c.Endpoints {
		r.idle(e.ID)
	}
}

// TestBacklogLeavesMemory: what comes out of the store fills no more than half of
// the memory, so that the lanes that keep up are not pushed out of it by those
// that lag behind.
func TestBacklogLeavesMemory(t *testing.T) {
	const lanes = 16
	r, p, letGo := manyFull(t, lanes)
	r.stop()
	ids := numbered(300)
	r.publish(ids...)
	r.start()
	until(t, "every lane has taken something out of the store", func() bool {
		for _, e := range r.config.Endpoints {
			if waiting, running := r.Waiting(e.ID); waiting == 0 || running == 0 {
				return false
			}
		}
		return true
	})
	// Each lane may have one delivery in any case.
	if n, most := r.Memory(), r.config.Memory/2+lanes*1000; n > most {
		t.Errorf("what was in the store takes %d bytes of memory, want %d at most", n, most)
	}
	letGo()
	p.waitFor(t, lanes*len(ids))
	for _, e := range r.config.Endpoints {
		r.idle(e.ID)
	}
}

// manyFull starts a sender with 1 MiB of memory and a number of endpoints, each
// of which answers one request at a time, and nothing until they are let go.
func manyFull(t *testing.T, lanes int) (_ *rig, _ *peer, letGo func()) {
	release := make(chan struct{})
	letGo = sync.OnceFunc(func() { close(release) })
	p := newPeer(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(letGo)
	c := toPeers(slices.Repeat([]*peer{p}, lanes)...)
	for i := range c.Endpoints {
		c.Endpoints[i].Concurrency = 1
	}
	c.Memory = 1 << 20
	return newRig(t, c), p, letGo
}

// TestOverflowOfOneLargeEvent: an event that is larger than all the memory
// that may be used is delivered all the same.
func TestOverflowOfOneLargeEvent(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p)
	c.Memory = 1
	r := newRig(t, c)
	r.stop()
	ids := numbered(20)
	r.publish(ids...)
	r.start()
	r.delivered("a", ids...)
	p.waitFor(t, len(ids))
	r.idle("a")
}

// TestLongWaitIsRecorded: a delivery that waits long in memory gets its row in
// the store, once, and is still delivered once.
func TestLongWaitIsRecorded(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 1
	c.Endpoints[0].Timeout = webhook.Duration(time.Hour)
	r := newRig(t, c)
	ids := numbered(10)
	r.publish(ids...)
	<-h.entered
	for range 10 {
		r.clock.advance(5 * time.Second)
		time.Sleep(5 * time.Millisecond) // for upkeep; the test holds without it
	}
	h.letGo()
	r.delivered("a", ids...)
	p.waitFor(t, len(ids))
	r.idle("a")
}

// TestRetention: an event goes when its time is up, unless a delivery of it is
// pending.
func TestRetention(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("webhook-id") == "pending" {
			w.WriteHeader(410)
		}
	})
	c := toPeers(p)
	c.Retention = webhook.Duration(time.Hour)
	r := newRig(t, c)
	r.publish("done")
	r.delivered("a", "done")
	r.publish("pending")
	r.settled("pending", "a", 1)
	r.clock.advance(59 * time.Minute)
	r.record("done", "a")
	until(t, "the event is gone", func() bool {
		r.clock.advance(time.Minute)
		_, err := r.store.Event(t.Context(), "", "done")
		return err != nil
	})
	if d := r.record("pending", "a"); d.Status != sender.Pending {
		t.Errorf("the pending delivery is %s", d.Status)
	}
}
