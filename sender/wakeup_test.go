package sender_test

import (
	"slices"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// TestStoredDuringClaim: a delivery that comes into the store after a claim
// has read it, but before the lane has the answer, is not forgotten.
func TestStoredDuringClaim(t *testing.T) {
	p := newPeer(t, nil)
	r, faulty := newFaultyRig(t, toPeers(p))
	r.stop()
	r.publish("first")
	until(t, "it is in the store", func() bool { return r.Unsettled() == 0 })
	read, goOn := make(chan struct{}), make(chan struct{})
	faulty.mu.Lock()
	faulty.done = func() {
		read <- struct{}{}
		<-goOn
	}
	faulty.mu.Unlock()
	r.start()
	<-read
	r.publish("second")
	until(t, "it is in the store", func() bool { return r.Unsettled() == 0 })
	time.Sleep(20 * time.Millisecond) // for the lane to hear of it; the test holds without it
	faulty.mu.Lock()
	faulty.done = nil
	faulty.mu.Unlock()
	close(goOn)
	r.delivered("a", "first", "second")
	p.waitFor(t, 2)
}

// TestNothingOvertakesOnTheWayToTheStore: while a delivery is on its way to
// the store for lack of room, a newer one does not take the room that there is
// by then.
func TestNothingOvertakesOnTheWayToTheStore(t *testing.T) {
	sender.SetLaneLength(t, 2, 2)
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 1
	r, faulty := newFaultyRig(t, c)
	goOn := make(chan struct{})
	faulty.call(func(call fault) error {
		if call == faultSettle {
			<-goOn
		}
		return nil
	})
	ids := numbered(6)
	r.publish(ids[:4]...) // one under way, two waiting, and one too many
	<-h.entered
	h.letGo()
	p.waitFor(t, 3)
	until(t, "the lane is empty", func() bool { waiting, running := r.Waiting("a"); return waiting+running == 0 })
	r.publish(ids[4:]...)
	faulty.call(nil)
	close(goOn)
	r.delivered("a", ids...)
	if got := p.ids(); !slices.Equal(got, ids) {
		t.Errorf("delivered %q, want %q", got, ids)
	}
	r.idle("a")
}
