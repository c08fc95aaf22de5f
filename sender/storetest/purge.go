package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/manysends/caddy-webhooks/sender"
)

func testPurge(f *fixture) {
	seqs := f.put(event("succeeded", at(1), "a", "b"), event("pending", at(1), "a", "b"), event("retried", at(1), "a"),
		event("blocked", at(1), "a"), event("ended", at(1), "a", "b"), event("nowhere", at(1)), event("edge", at(10)), event("new", at(11)))
	f.settle(
		succeeded(seqs[0], "a"), succeeded(seqs[0], "b"), succeeded(seqs[1], "a"), retry(seqs[2], "a", 1, at(2)),
		sender.Outcome{Seq: seqs[3], EndpointID: "a", Status: sender.Blocked},
		sender.Outcome{Seq: seqs[4], EndpointID: "a", Status: sender.Failed, Attempt: attempt(1, sender.VerdictRetry)},
		sender.Outcome{Seq: seqs[4], EndpointID: "b", Status: sender.Cancelled},
	)
	f.purge(at(0), 10, 0)
	f.purge(at(10), 0, 0)
	f.purge(at(10), 10, 3)
	want := map[string]bool{"pending": true, "retried": true, "blocked": true, "edge": true, "new": true}
	check := func() {
		f.t.Helper()
		for _, id := range []string{"succeeded", "pending", "retried", "blocked", "ended", "nowhere", "edge", "new"} {
			if f.exists(id) != want[id] {
				f.t.Errorf("event %s exists: %t, want %t", id, !want[id], want[id])
			}
		}
	}
	check()
	f.crash()
	check()
	f.purge(at(10), 10, 0)
	check()
	f.wantStates("pending", "a succeeded 1/1", "b pending 0/0 1")
}

func testPurgeLimit(f *fixture) {
	f.put(event("3", at(3)), event("1", at(1)), event("2", at(2)), event("5", at(5)), event("4", at(4)))
	for i, step := range []struct {
		limit, want int
	}{{2, 2}, {1, 1}, {2, 2}, {2, 0}} {
		f.purge(at(9), step.limit, step.want)
		left := []int{3, 4, 6, 6}[i]
		for id := 1; id <= 5; id++ {
			if f.exists(fmt.Sprint(id)) != (id >= left) {
				f.t.Errorf("after step %d, event %d exists: %t", i, id, id < left)
			}
		}
	}
}

// testPurgeLater guards against an implementation that remembers what had to
// stay.
func testPurgeLater(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2)), event("3", at(3), "a"), event("4", at(4)), event("5", at(5)))
	f.purge(at(9), 1, 1)
	f.settle(succeeded(seqs[0], "a"))
	f.purge(at(9), 1, 1)
	if f.exists("1") || !f.exists("4") {
		f.t.Errorf("the oldest event did not go first")
	}
	f.purge(at(9), 1, 1)
	f.put(event("0", at(0)))
	f.purge(at(9), 1, 1)
	if f.exists("0") || !f.exists("5") {
		f.t.Errorf("the oldest event did not go first")
	}
	f.purge(at(9), 10, 1)
	f.settle(sender.Outcome{Seq: seqs[2], EndpointID: "a", Status: sender.Blocked})
	f.purge(at(9), 10, 0)
	f.unblock("a", at(9), 1)
	f.purge(at(9), 10, 0)
	f.settle(succeeded(seqs[2], "a"))
	f.purge(at(9), 10, 1)
}

func testPurgeTenant(f *fixture) {
	of := func(tenant string, e sender.PutEvent) sender.PutEvent {
		e.Event.Tenant = tenant
		return e
	}
	a, b, none := "a", "b", ""
	seqs := f.put(
		of(a, event("1", at(1), "x")), of(b, event("2", at(1))), of(a, event("3", at(3))), of(a, event("4", at(9))),
		event("5", at(2)), of(b, event("6", at(4), "x")), of(a, event("7", at(4))), event("8", at(4)),
	)
	of2 := func(tenant *string, limit int) sender.PurgeQuery {
		return sender.PurgeQuery{Before: at(9), Limit: limit, Tenant: tenant}
	}
	left := func(want string) {
		f.t.Helper()
		var got string
		for i, e := range []string{a, b, a, a, none, b, a, none} {
			id := fmt.Sprint(i + 1)
			if _, err := f.store.Event(f.t.Context(), e, id); err == nil {
				got += id
			} else if !errors.Is(err, sender.ErrNotFound) {
				f.t.Fatalf("Event: %v", err)
			}
		}
		if got != want {
			f.t.Errorf("events %s are left, want %s", got, want)
		}
	}
	f.purgeOf(of2(&a, 1), 1)
	left("1245678")
	f.purgeOf(of2(&a, 10), 1)
	left("124568")
	f.settle(succeeded(seqs[0], "x"))
	f.purgeOf(of2(&b, 10), 1)
	left("14568")
	f.purgeOf(of2(&a, 10), 1) // it had to stay, and may go now
	left("4568")
	f.purgeOf(of2(&none, 1), 1)
	left("468")
	f.put(of(b, event("2", at(0))))
	f.purgeOf(of2(&none, 10), 1)
	left("246")
	nobody := "nobody"
	f.purgeOf(of2(&nobody, 10), 0)
	f.crash()
	f.purgeOf(of2(nil, 10), 1)
	left("46")
}

func testPurgeNumbers(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2), "a"))
	f.settle(succeeded(seqs[0], "a"), succeeded(seqs[1], "a"))
	f.purge(at(9), 10, 2)
	f.reopen()
	other := event("2", at(3), "a")
	other.Event.Data = []byte(`"another"`)
	again := f.put(other)[0]
	if again <= seqs[1] {
		f.t.Errorf("number %d is used again", again)
	}
	f.wantStates("2", "a pending 0/0 3") // without the attempts of the first
	f.settle(succeeded(again, "a"))
	f.purge(at(9), 10, 1)
	f.crash()
	if next := f.put(event("3", at(4)))[0]; next <= again {
		f.t.Errorf("number %d is used again", next)
	}
}

// testPurgeConcurrent: events are purged while others make deliveries pending
// again that have ended; each event is gone or has its delivery.
func testPurgeConcurrent(f *fixture) {
	const batches, perBatch, limit = 20, 10, 5
	ctx, store := f.t.Context(), f.store
	put := make(chan []int64, batches)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(put)
		for b := range batches {
			var outcomes []sender.Outcome
			var seqs []int64
			for i := range perBatch {
				p := &sender.Publication{Events: []sender.PutEvent{event(fmt.Sprint(b*perBatch+i), at(b), "a")}}
				if err := store.PutEvents(ctx, []*sender.Publication{p}); err != nil {
					f.t.Errorf("PutEvents: %v", err)
					return
				}
				seqs = append(seqs, p.Events[0].Seq)
				outcomes = append(outcomes, succeeded(p.Events[0].Seq, "a"))
			}
			if err := store.Settle(ctx, outcomes); err != nil {
				f.t.Errorf("Settle: %v", err)
				return
			}
			put <- seqs
		}
	})
	var mu sync.Mutex
	pending := map[int64]bool{}
	for range 2 {
		wg.Go(func() {
			for seqs := range put {
				overrides := all(seqs[:perBatch/2], sender.Override{Status: sender.Pending, Due: at(1)})
				if err := store.Override(ctx, overrides); err != nil {
					f.t.Errorf("Override: %v", err)
					return
				}
				mu.Lock()
				for _, o := range overrides {
					if o.Applied {
						pending[o.Seq] = true
					}
				}
				mu.Unlock()
			}
		})
	}
	purged := 0
	wg.Go(func() {
		for range batches {
			n, err := store.Purge(ctx, sender.PurgeQuery{Before: always, Limit: limit})
			if err != nil {
				f.t.Errorf("Purge: %v", err)
				return
			}
			purged += n
		}
	})
	wg.Wait()
	claimed := f.claim("a", true)
	for _, d := range claimed {
		if !pending[d.Seq] {
			f.t.Errorf("the delivery of event number %d is pending, and nobody has made it so", d.Seq)
		}
	}
	if len(claimed) != len(pending) {
		f.t.Errorf("%d deliveries were made pending, %d are", len(pending), len(claimed))
	}
	f.wantPending(map[string]int64{"a": int64(len(pending))})
	f.purge(always, batches*perBatch, batches*perBatch-purged-len(pending))
}
