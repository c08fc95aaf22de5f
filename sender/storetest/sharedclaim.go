package storetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// testClaimRace: several instances claim and settle the same deliveries. None is
// in the hands of two at once, and each is settled once.
func testClaimRace(f *sharedFixture) {
	const n = 300
	instances := []*fixture{f.open(), f.open(), f.open()}
	var events []sender.PutEvent
	for i := range n {
		events = append(events, event(fmt.Sprint(i), at(i), "a"))
	}
	var back []sender.Outcome
	for _, seq := range instances[0].put(events...) {
		back = append(back, putBack(seq, "a", at(1)))
	}
	instances[0].settle(back...)
	var held sync.Map
	var settled atomic.Int64
	var wg sync.WaitGroup
	until := time.Now().Add(patience)
	for i, x := range instances {
		wg.Go(func() {
			for settled.Load() < n && time.Now().Before(until) && !f.t.Failed() {
				claimed, err := x.store.Claim(f.t.Context(), sender.ClaimQuery{EndpointID: "a", Now: always, Limit: 7, Bytes: manyBytes})
				if err != nil {
					f.t.Errorf("Claim: %v", err)
					return
				}
				var outcomes []sender.Outcome
				for j, d := range claimed.Deliveries {
					if by, twice := held.LoadOrStore(d.Seq, i); twice {
						f.t.Errorf("event %s is held by the instances %v and %d", d.Event.ID, by, i)
					}
					if o := putBack(d.Seq, "a", at(2)); j%3 == 2 {
						outcomes = append(outcomes, o)
					} else {
						outcomes = append(outcomes, succeeded(d.Seq, "a"))
					}
				}
				for _, o := range outcomes {
					held.Delete(o.Seq)
					if o.Status == sender.Succeeded {
						settled.Add(1)
					}
				}
				if err := x.store.Settle(f.t.Context(), outcomes); err != nil {
					f.t.Errorf("Settle: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	if settled.Load() != n {
		f.t.Errorf("%d deliveries were settled, want %d", settled.Load(), n)
	}
	for i := range n {
		instances[1].wantStates(fmt.Sprint(i), "a succeeded 1/1")
	}
	instances[2].wantPending(map[string]int64{})
}

func testHeldByOther(f *sharedFixture) {
	a, b := f.open(), f.open()
	seqs := a.put(event("1", at(1), "x"), event("2", at(2), "x"), event("3", at(3), "x"))
	held := retry(seqs[1], "x", 1, at(2))
	held.Held = true
	a.settle(held, putBack(seqs[2], "x", at(3)))
	b.wantClaim("x", true)
	b.wantClaim("x", false, "3")
	a.wantClaim("x", false)
	b.override([]sender.Override{
		{Seq: seqs[0], EndpointID: "x", Status: sender.Cancelled}, {Seq: seqs[1], EndpointID: "x", Status: sender.Cancelled},
	}, "no", "no")
	a.override([]sender.Override{{Seq: seqs[2], EndpointID: "x", Status: sender.Pending, Due: at(1)}}, "no")
	a.cancelAll("x", 0)
	// What one does not hold, it does not put back, nor takes without an attempt.
	held = putBack(seqs[1], "x", at(1))
	b.settle(putBack(seqs[1], "x", at(1)), putBack(seqs[0], "x", at(1)))
	held.Held = true
	b.settle(held)
	b.wantClaim("x", true)
	b.wantClaim("x", false)
	a.settle(putBack(seqs[1], "x", at(2)))
	b.wantClaim("x", true, "2")
}

// holdMuch has an instance hold deliveries in every way, and returns the numbers
// of their events: 1 was never recorded, 2 was claimed, 3 was attempted and kept.
func holdMuch(x *fixture) []int64 {
	x.t.Helper()
	seqs := x.put(event("1", at(1), "a", "b"), event("2", at(2), "a"), event("3", at(3), "a"))
	kept := retry(seqs[2], "a", 1, at(30))
	kept.Held = true
	x.settle(putBack(seqs[1], "a", at(2)), kept, succeeded(seqs[0], "b"))
	x.wantClaim("a", false, "2")
	return seqs
}

// wantFreed waits until another instance can claim what was held by holdMuch.
func (f *sharedFixture) wantFreed(x *fixture) {
	f.t.Helper()
	first, retries := map[string]bool{}, 0
	f.eventually("all that it held is free", func() bool {
		for _, d := range x.claim("a", false) {
			first[d.Event.ID] = true
		}
		for _, d := range x.claim("a", true) {
			if retries++; d.Event.ID != "3" || d.Attempts != 1 {
				f.t.Errorf("event %s is claimed for a retry with %d attempts", d.Event.ID, d.Attempts)
			}
		}
		return len(first) == 2 && first["1"] && first["2"] && retries == 1
	})
	x.wantClaim("b", false)
	x.wantPending(map[string]int64{"a": 3})
	x.wantStates("1", "a pending 0/0 1", "b succeeded 1/1")
}

func testCloseFrees(f *sharedFixture) {
	a, b := f.open(), f.open()
	w := f.watch(b, nil)
	holdMuch(a)
	b.wantClaim("a", false)
	w.clear()
	f.gone(a)
	a.close()
	f.wantFreed(b)
	w.wants(f, sender.Change{Kind: sender.ChangeBacklog, ID: "a"})
}

func testDeathFrees(f *sharedFixture) {
	a, b := f.open(), f.open()
	w := f.watch(b, nil)
	holdMuch(a)
	b.wantClaim("a", false)
	w.clear()
	f.die(a)
	f.wantFreed(b)
	w.wants(f, sender.Change{Kind: sender.ChangeBacklog, ID: "a"})
}
