package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
)

func testEventNotFound(f *fixture) {
	f.put(event("e", at(1), "a"))
	for _, name := range [][2]string{{"", "E"}, {"", ""}, {"t", "e"}, {"e", ""}} {
		if record, err := f.store.Event(f.t.Context(), name[0], name[1]); !errors.Is(err, sender.ErrNotFound) {
			f.t.Errorf("Event(%q, %q) = %v, %v, want ErrNotFound", name[0], name[1], record, err)
		}
	}
}

// testNoText asks for IDs that databases take for no text. They come from URLs, so
// that whoever may look at anything can ask for them: nothing has them, and
// nothing is wrong with the store.
func testNoText(f *fixture) {
	f.settle(retry(f.put(event("e", at(1), "a"))[0], "a", 1, at(2)))
	for _, id := range []string{"\x00", "e\x00", "\xff", "a\xc3"} {
		if record, err := f.store.Event(f.t.Context(), "", id); !errors.Is(err, sender.ErrNotFound) {
			f.t.Errorf("Event(%q) = %v, %v, want ErrNotFound", id, record, err)
		}
		if record, err := f.store.Event(f.t.Context(), id, "e"); !errors.Is(err, sender.ErrNotFound) {
			f.t.Errorf("the event of the tenant %q = %v, %v, want ErrNotFound", id, record, err)
		}
		if record, err := f.store.Delivery(f.t.Context(), 1, id); !errors.Is(err, sender.ErrNotFound) {
			f.t.Errorf("Delivery(1, %q) = %v, %v, want ErrNotFound", id, record, err)
		}
		for _, q := range []sender.DeliveryQuery{{EndpointIDs: []string{id}, Limit: 10}, {Tenant: &id, Limit: 10}} {
			if page, err := f.store.Deliveries(f.t.Context(), q); err != nil || len(page.Deliveries) > 0 {
				f.t.Errorf("Deliveries of %q: %v, %v, want none", id, page.Deliveries, err)
			}
		}
		f.wantCounters(sender.CounterQuery{Step: sender.StepMinute, EndpointIDs: []string{id}})
	}
}

func testEventOrder(f *fixture) {
	f.put(event("0", at(0), "m", "z", "a"))
	seq := f.put(event("e", at(1), "z", "a", "m"))[0]
	f.settle(retry(seq, "m", 1, at(2)))
	f.settle(retry(seq, "m", 2, at(3)), succeeded(seq, "a"))
	f.wantStates("e", "z pending 0/0 1", "a succeeded 1/1", "m pending 2/2 3")
	record := f.record("e")
	for i, a := range record.Deliveries[2].History {
		if a.Number != i+1 {
			f.t.Errorf("attempt %d is number %d", i, a.Number)
		}
	}
	for _, d := range record.Deliveries {
		if d.Seq != seq || d.Event == nil || d.Event.ID != "e" {
			f.t.Errorf("delivery to %s is of event %v, number %d, want e, %d", d.EndpointID, d.Event, d.Seq, seq)
		}
	}
}

// fill puts events in all states and returns what is known of them.
func fill(f *fixture) map[string]*sender.EventRecord {
	f.t.Helper()
	seqs := f.put(event("1", at(1), "a", "b"), event("2", at(2), "b"), event("3", at(3), "a"), event("4", at(4)))
	f.settle(succeeded(seqs[0], "a"), retry(seqs[1], "b", 1, at(20)),
		sender.Outcome{Seq: seqs[2], EndpointID: "a", Status: sender.Failed, Attempt: attempt(1, sender.VerdictRetry)})
	records := map[string]*sender.EventRecord{}
	for _, id := range []string{"1", "2", "3", "4"} {
		records[id] = f.record(id)
	}
	return records
}

func testReopen(f *fixture) { testSurvives(f, f.reopen) }
func testCrash(f *fixture)  { testSurvives(f, f.crash) }

func testSurvives(f *fixture, again func()) {
	want := fill(f)
	for range 2 {
		again()
		for id, record := range want {
			if diff := cmp.Diff(record, f.record(id)); diff != "" {
				f.t.Errorf("event %s (-want +got):\n%s", id, diff)
			}
		}
	}
	f.wantClaim("b", false, "1")
	f.wantClaim("b", true, "2")
	p := &sender.Publication{Events: []sender.PutEvent{conflicting("4")}}
	f.publish(p)
	if !errors.Is(p.Err, sender.ErrConflict) {
		f.t.Errorf("Err = %v, want ErrConflict", p.Err)
	}
}

func testHoldsEnd(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2), "a"))
	f.settle(retry(seqs[1], "a", 1, at(3)))
	for _, again := range []func(){f.reopen, f.crash} {
		again()
		f.wantClaim("a", false, "1")
		f.wantClaim("a", true, "2")
		f.wantClaim("a", false)
		f.wantClaim("a", true)
	}
	f.crash()
	claimed := f.claim("a", true)
	if len(claimed) != 1 || claimed[0].Attempts != 1 {
		f.t.Errorf("claimed %v, want event 2 with its attempt", idsOf(claimed))
	}
}

func testUnknownEndpoint(f *fixture) {
	seqs := f.put(event("1", at(1), "gone", "a"))
	f.settle(succeeded(seqs[0], "a"))
	for range 3 {
		f.reopen()
		f.purge(always, 10, 0)
		f.wantStates("1", "gone pending 0/0 1", "a succeeded 1/1")
	}
	f.wantClaim("gone", false, "1")
}

// calls are one call of each method but Close.
func calls(ctx context.Context, store sender.Store) map[string]error {
	e := &sender.Publication{Events: []sender.PutEvent{event("call", at(1), "a")}}
	errs := map[string]error{
		"PutEvents": store.PutEvents(ctx, []*sender.Publication{e}),
		"Settle":    store.Settle(ctx, []sender.Outcome{succeeded(1, "a")}),
	}
	_, errs["Claim"] = store.Claim(ctx, sender.ClaimQuery{EndpointID: "a", Now: always, Limit: 1})
	_, errs["Backlog"] = store.Backlog(ctx)
	_, errs["Unblock"] = store.Unblock(ctx, "a", always)
	_, errs["Event"] = store.Event(ctx, "", "call")
	_, errs["Purge"] = store.Purge(ctx, sender.PurgeQuery{Before: at(1), Limit: 1})
	_, errs["Pending"] = store.Pending(ctx)
	_, errs["CancelAll"] = store.CancelAll(ctx, "nobody")
	errs["Override"] = store.Override(ctx, []sender.Override{{Seq: 1, EndpointID: "nobody", Status: sender.Cancelled}})
	_, errs["Missing"] = store.Missing(ctx, sender.MissingQuery{EndpointID: "nobody", Limit: 1})
	errs["AddDeliveries"] = store.AddDeliveries(ctx, []sender.NewDelivery{{Seq: 1, EndpointID: "nobody"}})
	_, errs["Deliveries"] = store.Deliveries(ctx, sender.DeliveryQuery{Limit: 1})
	_, errs["Delivery"] = store.Delivery(ctx, 1, "a")
	_, errs["Counters"] = store.Counters(ctx, sender.CounterQuery{Step: sender.StepMinute})
	errs["PurgeCounters"] = store.PurgeCounters(ctx, sender.StepMinute, start)
	_, errs["Documents"] = store.Documents(ctx, "k")
	errs["PutDocuments"] = store.PutDocuments(ctx, []*sender.Document{{Kind: "k", ID: "1"}})
	errs["DeleteDocument"] = store.DeleteDocument(ctx, "k", "1")
	_, errs["Size"] = store.Size(ctx)
	return errs
}

func testClosed(f *fixture) {
	closed := f.store
	f.put(event("e", at(1), "a"))
	for range 2 {
		f.close()
	}
	for name, err := range calls(f.t.Context(), closed) {
		if !errors.Is(err, sender.ErrStoreClosed) {
			f.t.Errorf("%s after Close = %v, want ErrStoreClosed", name, err)
		}
	}
	f.open()
	f.wantClaim("a", false, "e")
}

func testContext(f *fixture) {
	f.put(event("e", at(1), "a"))
	f.reopen()
	for name, err := range calls(ended(), f.store) {
		if !errors.Is(err, context.Canceled) {
			f.t.Errorf("%s = %v, want the context's error", name, err)
		}
	}
	f.wantClaim("a", false, "e") // nothing was claimed
}

func testConcurrent(f *fixture) {
	const putters, batches, perBatch = 3, 12, 5
	endpoints := []string{"a", "b"}
	var left atomic.Int64
	left.Store(putters * batches * perBatch * int64(len(endpoints)))
	ctx, store := f.t.Context(), f.store
	var wg sync.WaitGroup
	fail := func(what string, err error) bool {
		if err != nil {
			f.t.Errorf("%s: %v", what, err)
			left.Store(0)
		}
		return err != nil
	}
	for p := range putters {
		wg.Go(func() {
			for b := range batches {
				var publications []*sender.Publication
				for i := range perBatch {
					publications = append(publications, &sender.Publication{
						Events: []sender.PutEvent{event(fmt.Sprintf("%d-%d-%d", p, b, i), at(b), endpoints...)},
					})
				}
				if fail("PutEvents", store.PutEvents(ctx, publications)) {
					return
				}
				var outcomes []sender.Outcome
				for i, pub := range publications {
					seq := pub.Events[0].Seq
					outcomes = append(outcomes, putBack(seq, "a", at(b)))
					if i%2 == 0 {
						outcomes = append(outcomes, retry(seq, "b", 1, at(b)))
					} else {
						outcomes = append(outcomes, succeeded(seq, "b"))
						left.Add(-1)
					}
				}
				if fail("Settle", store.Settle(ctx, outcomes)) {
					return
				}
			}
		})
	}
	for _, kind := range []struct {
		endpoint string
		retries  bool
	}{{"a", false}, {"a", false}, {"b", true}, {"b", true}} {
		wg.Go(func() {
			for left.Load() > 0 {
				claimed, err := store.Claim(ctx, sender.ClaimQuery{EndpointID: kind.endpoint, Retries: kind.retries, Now: always, Limit: 4, Bytes: manyBytes})
				if fail("Claim", err) {
					return
				}
				var outcomes []sender.Outcome
				for _, d := range claimed.Deliveries {
					o := succeeded(d.Seq, d.EndpointID)
					o.Attempt = attempt(d.Attempts+1, sender.VerdictSucceeded)
					outcomes = append(outcomes, o)
				}
				if fail("Settle", store.Settle(ctx, outcomes)) {
					return
				}
				left.Add(-int64(len(outcomes)))
			}
		})
	}
	wg.Go(func() {
		for left.Load() > 0 {
			_, err := store.Event(ctx, "", "0-0-0")
			if !errors.Is(err, sender.ErrNotFound) && fail("Event", err) {
				return
			}
			_, err = store.Backlog(ctx)
			if fail("Backlog", err) {
				return
			}
			_, err = store.Purge(ctx, sender.PurgeQuery{Before: start, Limit: 10})
			if fail("Purge", err) {
				return
			}
		}
	})
	wg.Wait()
	for p := range putters {
		for b := range batches {
			for i := range perBatch {
				attempts := [2]string{"2/2", "1/1"}[i%2]
				f.wantStates(fmt.Sprintf("%d-%d-%d", p, b, i), "a succeeded 1/1", "b succeeded "+attempts)
			}
		}
	}
}

// testCloseConcurrent: a call beside Close either has happened, or has not and
// says so.
func testCloseConcurrent(f *fixture) {
	const putters = 4
	stored := make([][]string, putters)
	store := f.store
	var wg sync.WaitGroup
	var some sync.WaitGroup
	some.Add(putters)
	for p := range putters {
		wg.Go(func() {
			for i := 0; ; i++ {
				if i == 3 {
					some.Done()
				}
				id := fmt.Sprintf("%d-%d", p, i)
				pub := &sender.Publication{Events: []sender.PutEvent{event(id, at(1), "a")}}
				err := store.PutEvents(f.t.Context(), []*sender.Publication{pub})
				if err != nil {
					if !errors.Is(err, sender.ErrStoreClosed) {
						f.t.Errorf("PutEvents beside Close = %v, want ErrStoreClosed", err)
					}
					if i < 3 {
						some.Done()
					}
					return
				}
				stored[p] = append(stored[p], id)
			}
		})
	}
	some.Wait()
	var closers sync.WaitGroup
	for range 2 {
		closers.Go(f.close)
	}
	closers.Wait()
	wg.Wait()
	f.open()
	n := 0
	for _, ids := range stored {
		for _, id := range ids {
			f.wantStates(id, "a pending 0/0 1")
			n++
		}
	}
	if claimed := f.claim("a", false); len(claimed) != n {
		f.t.Errorf("%d events are there, %d were stored", len(claimed), n)
	}
}
