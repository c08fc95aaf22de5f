package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// missing lists all events that an endpoint has no delivery of.
func (f *fixture) missing(q sender.MissingQuery) []sender.MissingEvent {
	f.t.Helper()
	all, err := missingAll(f.t.Context(), f.store, q)
	if err != nil {
		f.t.Fatalf("Missing(%+v): %v", q, err)
	}
	return all
}

// wantMissing compares the IDs of the events that an endpoint has no delivery
// of, separated by spaces, in pages of every size.
func (f *fixture) wantMissing(q sender.MissingQuery, want string) {
	f.t.Helper()
	for _, q.Limit = range []int{1, 2, 3, 1000} {
		for _, q.Bytes = range []int64{0, 25, manyBytes} {
			var got []string
			for _, e := range f.missing(q) {
				got = append(got, e.Event.ID)
			}
			if !slices.Equal(got, strings.Fields(want)) {
				f.t.Errorf("Missing(%+v) has %v, want %s", q, got, want)
			}
		}
	}
}

// add adds deliveries and compares what is said of each.
func (f *fixture) add(deliveries []sender.NewDelivery, want ...bool) {
	f.t.Helper()
	if err := f.store.AddDeliveries(f.t.Context(), deliveries); err != nil {
		f.t.Fatalf("AddDeliveries: %v", err)
	}
	for i, d := range deliveries {
		if d.Added != want[i] {
			f.t.Errorf("the delivery of event number %d to %s was added: %t, want %t", d.Seq, d.EndpointID, d.Added, want[i])
		}
	}
}

// newDelivery is a delivery to add.
func newDelivery(seq int64, endpoint string, due time.Time) sender.NewDelivery {
	return sender.NewDelivery{Seq: seq, EndpointID: endpoint, Due: due}
}

func testMissingSelects(f *fixture) {
	lists(f)
	tests := []struct {
		query sender.MissingQuery
		want  string
	}{
		{sender.MissingQuery{EndpointID: "a"}, ""},
		{sender.MissingQuery{EndpointID: "a", Tenant: "t"}, "5"},
		{sender.MissingQuery{EndpointID: "b", Tenant: "t"}, "2 5"},
		{sender.MissingQuery{EndpointID: "c"}, "1 3 4 6"},
		{sender.MissingQuery{EndpointID: "c", Tenant: "t"}, ""},
		{sender.MissingQuery{EndpointID: "nobody"}, "1 3 4 6"},
		{sender.MissingQuery{EndpointID: "nobody", Tenant: "t"}, "2 5"},
		{sender.MissingQuery{EndpointID: "nobody", Tenant: "nobody"}, ""},
		{sender.MissingQuery{EndpointID: "c", Types: []webhook.Pattern{"x.*"}}, "1 4"},
		{sender.MissingQuery{EndpointID: "c", Types: []webhook.Pattern{"x", "y"}}, "3 6"},
		{sender.MissingQuery{EndpointID: "c", Types: []webhook.Pattern{"z"}}, ""},
		{sender.MissingQuery{EndpointID: "c", From: at(3), To: at(6)}, "3 4"},
		{sender.MissingQuery{EndpointID: "c", From: at(4)}, "4 6"},
		{sender.MissingQuery{EndpointID: "c", To: at(3)}, "1"},
		{sender.MissingQuery{EndpointID: "c", From: at(7)}, ""},
		{sender.MissingQuery{EndpointID: "b", Tenant: "t", From: at(3), Types: []webhook.Pattern{"*"}}, "5"},
	}
	for _, again := range []func(){func() {}, f.crash} {
		again()
		for _, test := range tests {
			f.wantMissing(test.query, test.want)
		}
	}
}

func testMissingWhole(f *fixture) {
	e := event("e", at(1), "a")
	e.Event.Tenant, e.Event.ContentType, e.Event.TraceParent = "t", "text/plain", "trace"
	e.Event.Timestamp = start.Add(123456789)
	e.Event.Headers = http.Header{"X-Topic": {"t"}}
	seq := f.put(e)[0]
	head := *e.Event
	head.Data, head.Headers = nil, nil
	for whole, want := range map[bool]*webhook.Event{false: &head, true: e.Event} {
		got := f.missing(sender.MissingQuery{EndpointID: "b", Tenant: "t", Limit: 10, Bytes: manyBytes, Whole: whole})
		if diff := cmp.Diff([]sender.MissingEvent{{Seq: seq, StoredAt: at(1), Event: want}}, got); diff != "" {
			f.t.Errorf("Missing, whole %t (-want +got):\n%s", whole, diff)
		}
	}
}

func testMissingPages(f *fixture) {
	var events []sender.PutEvent
	for i := range 5 {
		events = append(events, event(fmt.Sprint(i), at(i))) // of 10 bytes each
	}
	seqs := f.put(events...)
	q := sender.MissingQuery{EndpointID: "a", Limit: 3, Bytes: 25}
	for _, want := range [][]string{{"0", "1"}, {"2", "3"}, {"4"}} {
		page, err := f.store.Missing(f.t.Context(), q)
		if err != nil {
			f.t.Fatalf("Missing: %v", err)
		}
		var got []string
		for _, e := range page.Events {
			got = append(got, e.Event.ID)
		}
		if !slices.Equal(got, want) || page.More != (want[0] != "4") {
			f.t.Errorf("the page after %d has %v, more %t, want %v", q.After, got, page.More, want)
		}
		q.After = page.Last
	}
	if q.After != seqs[4] {
		f.t.Errorf("the last page ends at %d, want %d", q.After, seqs[4])
	}
	// What is stored later comes after the last page, and what came to an end
	// before it does not come again.
	f.put(event("5", at(5)), event("6", at(6), "a"))
	f.purge(always, 3, 3)
	f.wantMissing(q, "5")
	q.After = 0
	f.wantMissing(q, "3 4 5")
}

func testAddDeliveries(f *fixture) {
	seqs := f.put(event("1", at(1), "b"), event("2", at(2)), event("3", at(3), "a"))
	f.add([]sender.NewDelivery{newDelivery(seqs[0], "a", at(7)), newDelivery(seqs[1], "new", at(5)), newDelivery(seqs[1], "a", at(6))}, true, true, true)
	check := func() {
		f.t.Helper()
		f.wantStates("1", "b pending 0/0 1", "a pending 0/0 7")
		f.wantStates("2", "new pending 0/0 5", "a pending 0/0 6")
		f.wantPending(map[string]int64{"a": 3, "b": 1, "new": 1})
		f.wantList(sender.DeliveryQuery{}, "3/a 2/new 2/a 1/b 1/a")
		f.wantList(sender.DeliveryQuery{EndpointIDs: []string{"a"}, Statuses: []sender.Status{sender.Pending}}, "3/a 2/a 1/a")
		f.wantMissing(sender.MissingQuery{EndpointID: "a"}, "")
		f.wantMissing(sender.MissingQuery{EndpointID: "new"}, "1 3")
		if d, err := f.store.Delivery(f.t.Context(), seqs[1], "new"); err != nil || state(*d) != "new pending 0/0 5" {
			f.t.Errorf("the added delivery is %+v, %v", d, err)
		}
	}
	check()
	// They are held by nobody, unlike those that were just put.
	if diff := cmp.Diff([]sender.Backlog{{EndpointID: "a", FirstTries: at(6)}, {EndpointID: "new", FirstTries: at(5)}}, f.backlog()); diff != "" {
		f.t.Errorf("Backlog (-want +got):\n%s", diff)
	}
	f.crash()
	check()
	claimed := f.claim("new", false)
	if len(claimed) != 1 || claimed[0].Attempts != 0 || !claimed[0].Due.Equal(at(5)) || !claimed[0].StoredAt.Equal(at(2)) || string(claimed[0].Event.Data) != `{"id":"2"}` {
		f.t.Errorf("claimed for the new endpoint: %+v", claimed)
	}
	f.wantClaim("a", false, "3", "2", "1")
	f.settle(succeeded(seqs[0], "a"), retry(seqs[1], "a", 1, at(9)), succeeded(seqs[1], "new"))
	f.wantStates("1", "b pending 0/0 1", "a succeeded 1/1")
	f.wantStates("2", "new succeeded 1/1", "a pending 1/1 9")
	f.wantPending(map[string]int64{"a": 2, "b": 1})
	f.crash()
	f.wantStates("1", "b pending 0/0 1", "a succeeded 1/1")
	f.wantStates("2", "new succeeded 1/1", "a pending 1/1 9")
	f.wantClaim("a", false, "3")
	f.wantClaim("a", true, "2")
}

// testAddPassesOver: what there is already stays as it is, and what is added
// twice is there once.
func testAddPassesOver(f *fixture) {
	everyState(f)
	held := f.put(event("held", at(1), "a"))[0]
	var seqs []int64
	var deliveries []sender.NewDelivery
	for _, d := range f.list(sender.DeliveryQuery{Limit: 100, EndpointIDs: []string{"a"}}) {
		seqs = append(seqs, d.Seq)
		deliveries = append(deliveries, newDelivery(d.Seq, "a", at(99)))
	}
	before := map[string][]sender.DeliveryRecord{}
	for i := range len(seqs) - 1 {
		before[fmt.Sprint(i)] = f.record(fmt.Sprint(i)).Deliveries
	}
	for _, again := range []func(){func() {}, f.crash} {
		again()
		f.add(slices.Clone(deliveries), make([]bool, len(deliveries))...)
		for id, want := range before {
			if diff := cmp.Diff(want, f.record(id).Deliveries); diff != "" {
				f.t.Errorf("deliveries of %s (-want +got):\n%s", id, diff)
			}
		}
	}
	twice := newDelivery(held, "c", at(5))
	f.add([]sender.NewDelivery{twice, newDelivery(held+1000, "c", at(5)), newDelivery(-1, "c", at(5)), twice}, true, false, false, false)
	f.add([]sender.NewDelivery{twice}, false)
	f.crash()
	f.add([]sender.NewDelivery{twice}, false)
	f.wantStates("held", "a pending 0/0 1", "c pending 0/0 5")
	f.wantClaim("c", false, "held")
	f.settle(succeeded(held, "c"))
	f.add([]sender.NewDelivery{twice}, false)
	f.wantStates("held", "a pending 0/0 1", "c succeeded 1/1")
	f.wantClaim("c", false)
}

func testAddAtomic(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2)))
	deliveries := []sender.NewDelivery{newDelivery(seqs[0], "b", at(3)), newDelivery(seqs[1], "new", at(3))}
	if err := f.store.AddDeliveries(ended(), deliveries); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("AddDeliveries = %v, want the context's error", err)
	}
	f.wantStates("1", "a pending 0/0 1")
	f.wantStates("2")
	f.wantPending(map[string]int64{"a": 1})
	f.add(deliveries, true, true)
	f.wantPending(map[string]int64{"a": 1, "b": 1, "new": 1})
}

// testAddEarlier guards against an implementation that remembers where it has
// stopped looking.
func testAddEarlier(f *fixture) {
	seqs := f.put(event("1", at(1)), event("2", at(2), "a"), event("3", at(3), "a"))
	f.settle(putBack(seqs[1], "a", at(10)), putBack(seqs[2], "a", at(11)))
	f.wantClaim("a", false, "2", "3")
	f.add([]sender.NewDelivery{newDelivery(seqs[0], "a", at(4))}, true)
	if diff := cmp.Diff([]sender.Backlog{{EndpointID: "a", FirstTries: at(4)}}, f.backlog()); diff != "" {
		f.t.Errorf("Backlog (-want +got):\n%s", diff)
	}
	f.wantClaim("a", false, "1")
}

// testAddPurge guards against an implementation that remembers what may go.
func testAddPurge(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2)), event("3", at(3), "a"))
	f.settle(succeeded(seqs[0], "a"))
	f.purge(at(2), 10, 1) // 1
	f.add([]sender.NewDelivery{newDelivery(seqs[0], "b", at(1)), newDelivery(seqs[1], "b", at(1))}, false, true)
	f.purge(always, 10, 0)
	f.wantClaim("b", false, "2")
	f.settle(succeeded(seqs[1], "b"))
	f.purge(always, 10, 1)
	if f.exists("2") || !f.exists("3") {
		f.t.Error("the event did not go whose added delivery has ended, or another did")
	}
	f.settle(succeeded(seqs[2], "a"))
	f.purge(always, 10, 1)
	f.crash()
	f.purge(always, 10, 0)
	f.wantPending(map[string]int64{})
}

// testAddConcurrent: deliveries are added while events are put, settled and
// purged; each is there once or its event is gone.
func testAddConcurrent(f *fixture) {
	const batches, perBatch = 20, 10
	ctx, store := f.t.Context(), f.store
	put := make(chan []int64, batches)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(put)
		for b := range batches {
			var publications []*sender.Publication
			var outcomes []sender.Outcome
			for i := range perBatch {
				publications = append(publications, &sender.Publication{Events: []sender.PutEvent{event(fmt.Sprint(b*perBatch+i), at(b), "a")}})
			}
			if err := store.PutEvents(ctx, publications); err != nil {
				f.t.Errorf("PutEvents: %v", err)
				return
			}
			var seqs []int64
			for _, p := range publications {
				seqs = append(seqs, p.Events[0].Seq)
				outcomes = append(outcomes, succeeded(p.Events[0].Seq, "a"))
			}
			put <- seqs
			if err := store.Settle(ctx, outcomes); err != nil {
				f.t.Errorf("Settle: %v", err)
				return
			}
		}
	})
	var mu sync.Mutex
	added := map[int64]int{}
	for range 2 {
		wg.Go(func() {
			for seqs := range put {
				for range 2 {
					var deliveries []sender.NewDelivery
					for _, seq := range seqs {
						deliveries = append(deliveries, newDelivery(seq, "b", at(1)))
					}
					if err := store.AddDeliveries(ctx, deliveries); err != nil {
						f.t.Errorf("AddDeliveries: %v", err)
						return
					}
					mu.Lock()
					for _, d := range deliveries {
						if d.Added {
							added[d.Seq]++
						}
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Go(func() {
		for range batches {
			if _, err := store.Purge(ctx, sender.PurgeQuery{Before: always, Limit: 3}); err != nil {
				f.t.Errorf("Purge: %v", err)
				return
			}
		}
	})
	wg.Wait()
	claimed := f.claim("b", false)
	for _, d := range claimed {
		if added[d.Seq] != 1 {
			f.t.Errorf("the delivery of event number %d was added %d times", d.Seq, added[d.Seq])
		}
	}
	if len(claimed) != len(added) {
		f.t.Errorf("%d deliveries were added, %d are there", len(added), len(claimed))
	}
	f.wantPending(map[string]int64{"b": int64(len(added))})
}

// testAddRace: of instances that add the same deliveries at once, one adds each.
func testAddRace(f *sharedFixture) {
	const rounds, perRound = 10, 5
	instances := []*fixture{f.open(), f.open(), f.open()}
	for round := range rounds {
		var events []sender.PutEvent
		for i := range perRound {
			events = append(events, event(fmt.Sprint(round, "-", i), at(i), "a"))
		}
		seqs := instances[round%3].put(events...)
		added := make([][]sender.NewDelivery, len(instances))
		var wg sync.WaitGroup
		for i, x := range instances {
			for n := range perRound { // in another order each
				added[i] = append(added[i], newDelivery(seqs[(n+i)%perRound], "b", at(9)))
			}
			wg.Go(func() {
				if err := x.store.AddDeliveries(f.t.Context(), added[i]); err != nil {
					f.t.Errorf("AddDeliveries: %v", err)
				}
			})
		}
		wg.Wait()
		by := map[int64]int{}
		for _, d := range slices.Concat(added...) {
			if d.Added {
				by[d.Seq]++
			}
		}
		for _, seq := range seqs {
			if by[seq] != 1 {
				f.t.Errorf("the delivery of event number %d was added by %d instances", seq, by[seq])
			}
		}
	}
	f.wantPendingOf(instances[0], "b", rounds*perRound)
	instances[0].wantStates("0-0", "a pending 0/0 0", "b pending 0/0 9")
}

// testAddSeen: what one adds the others are told of, see and can claim, also
// when its event is in the hands of the first.
func testAddSeen(f *sharedFixture) {
	a, b := f.open(), f.open()
	w := f.watch(b, nil)
	seq := a.put(event("1", at(1), "x"))[0]
	w.clear()
	a.add([]sender.NewDelivery{newDelivery(seq, "y", at(2))}, true)
	w.wants(f, sender.Change{Kind: sender.ChangeBacklog, ID: "y"})
	b.wantStates("1", "x pending 0/0 1", "y pending 0/0 2")
	b.wantClaim("y", false, "1")
	b.settle(succeeded(seq, "y"))
	a.settle(succeeded(seq, "x"))
	a.wantStates("1", "x succeeded 1/1", "y succeeded 1/1")
	b.add([]sender.NewDelivery{newDelivery(seq, "z", at(2))}, true)
	a.purge(always, 10, 0)
	f.die(a)
	b.wantClaim("z", false, "1")
}
