package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
)

func testListPages(f *fixture) {
	lists(f)
	q := sender.DeliveryQuery{Limit: 4}
	want := [][]string{{"6/a", "6/b", "5/c", "4/b"}, {"4/a", "3/a", "3/b", "2/c"}, {"2/a", "1/a", "1/b"}}
	var cursors []string
	for i, names := range want {
		page, err := f.store.Deliveries(f.t.Context(), q)
		if err != nil {
			f.t.Fatalf("Deliveries: %v", err)
		}
		if got := namesOf(page.Deliveries); !slices.Equal(got, names) {
			f.t.Errorf("page %d has %v, want %v", i, got, names)
		}
		q.Cursor = page.Next
		cursors = append(cursors, page.Next)
	}
	if q.Cursor != "" {
		f.t.Errorf("after the last page there is the cursor %q", q.Cursor)
	}
	// A cursor can be used again, and by another process.
	f.crash()
	q.Cursor = cursors[0]
	page, err := f.store.Deliveries(f.t.Context(), q)
	if err != nil || !slices.Equal(namesOf(page.Deliveries), want[1]) || page.Next != cursors[1] {
		f.t.Errorf("the second page has %v, %v, want %v", namesOf(page.Deliveries), err, want[1])
	}
}

// testListChanging: what has been listed is not listed again, and what is listed
// later is not left out, whatever happens between two pages.
func testListChanging(f *fixture) {
	lists(f)
	next := func(q *sender.DeliveryQuery, want ...string) {
		f.t.Helper()
		page, err := f.store.Deliveries(f.t.Context(), *q)
		if err != nil {
			f.t.Fatalf("Deliveries: %v", err)
		}
		if got := namesOf(page.Deliveries); !slices.Equal(got, want) {
			f.t.Errorf("the page has %v, want %v", got, want)
		}
		q.Cursor = page.Next
	}
	newest, oldest := sender.DeliveryQuery{Limit: 4}, sender.DeliveryQuery{Limit: 3, OldestFirst: true}
	next(&newest, "6/a", "6/b", "5/c", "4/b")
	next(&oldest, "1/a", "1/b", "2/c")
	seq := f.put(event("7", at(7), "a", "b"))[0]
	f.settle(succeeded(seq, "a"), retry(seq-1, "a", 1, at(9)), succeeded(seq-1, "b"))
	f.cancelAll("b", 2)
	f.purge(at(2), 10, 1) // 1
	next(&newest, "4/a", "3/a", "3/b", "2/c")
	next(&oldest, "2/a", "3/a", "3/b")
	f.purge(always, 2, 2) // 3 and 4
	next(&newest, "2/a")
	next(&oldest, "5/c", "6/a", "6/b")
	next(&oldest, "7/a", "7/b")
	if newest.Cursor != "" || oldest.Cursor != "" {
		f.t.Errorf("after the last page there are the cursors %q and %q", newest.Cursor, oldest.Cursor)
	}
}

func testListMany(f *fixture) {
	const n = 1000
	endpoints := make([]string, 100)
	for i := range endpoints {
		endpoints[i] = fmt.Sprint("e", i)
	}
	var events []sender.PutEvent
	for i := range n { // those of the first endpoint are many
		to := []string{endpoints[1+i%99], endpoints[0], endpoints[1+(i+1)%99]}
		events = append(events, event(fmt.Sprint(i), at(i), to[:2+i%2]...))
	}
	status := func(i int) sender.Status { return sender.Status(i%7%5) + sender.Pending }
	for _, half := range []int{0, n / 2} {
		f.crash()
		var outcomes []sender.Outcome
		for i, seq := range f.put(events[half : half+n/2]...) {
			if i += half; i%3 == 0 {
				continue
			}
			for _, endpoint := range events[i].EndpointIDs {
				outcomes = append(outcomes, sender.Outcome{Seq: seq, EndpointID: endpoint, Status: status(i), Due: at(i)})
			}
		}
		f.settle(outcomes...)
	}
	for _, wanted := range [][]sender.Status{nil, {sender.Pending}, {sender.Failed, sender.Blocked, sender.Cancelled}, {sender.Succeeded}} {
		for _, count := range []int{0, 1, 7, 70, 100} {
			q := sender.DeliveryQuery{EndpointIDs: endpoints[:count], Statuses: wanted, Limit: 100}
			var want []string
			for i := n - 1; i >= 0; i-- {
				is := sender.Pending
				if i%3 != 0 {
					is = status(i)
				}
				for _, endpoint := range events[i].EndpointIDs {
					if (count == 0 || slices.Contains(endpoints[:count], endpoint)) && (wanted == nil || slices.Contains(wanted, is)) {
						want = append(want, events[i].Event.ID+"/"+endpoint)
					}
				}
			}
			if got := namesOf(f.list(q)); !slices.Equal(got, want) {
				f.t.Errorf("of %d endpoints and the statuses %v, %d deliveries are listed, want %d", count, wanted, len(got), len(want))
			}
			q.OldestFirst = true
			if got := namesOf(f.list(q)); !slices.Equal(got, inOrder(want, true)) {
				f.t.Errorf("oldest first, of %d endpoints and the statuses %v, %d deliveries are listed, want %d", count, wanted, len(got), len(want))
			}
		}
	}
}

func testListCursor(f *fixture) {
	lists(f)
	page, err := f.store.Deliveries(f.t.Context(), sender.DeliveryQuery{Limit: 1})
	if err != nil {
		f.t.Fatalf("Deliveries: %v", err)
	}
	for _, cursor := range []string{"?", "x", " " + page.Next, page.Next + "x", strings.Repeat("A", 1000), "\x00", "é"} {
		page, err := f.store.Deliveries(f.t.Context(), sender.DeliveryQuery{Limit: 1, Cursor: cursor})
		if !errors.Is(err, sender.ErrCursor) || page.Deliveries != nil {
			f.t.Errorf("with the cursor %q: %v, %v, want ErrCursor", cursor, page, err)
		}
	}
}

// testListConcurrent: a delivery is listed once, however it is being stored and
// settled meanwhile.
func testListConcurrent(f *fixture) {
	const n = 300
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0 // events that are known to be stored
	known := func() int {
		mu.Lock()
		defer mu.Unlock()
		return stored
	}
	wg.Go(func() {
		for i := range n {
			p := &sender.Publication{Events: []sender.PutEvent{event(fmt.Sprint(i), at(i), "b", "a")}}
			err := f.store.PutEvents(f.t.Context(), []*sender.Publication{p})
			seq := p.Events[0].Seq
			if err == nil {
				mu.Lock()
				stored = i + 1
				mu.Unlock()
				err = f.store.Settle(f.t.Context(), []sender.Outcome{succeeded(seq, "a"), retry(seq, "b", 1, at(i))})
			}
			if err != nil {
				f.t.Errorf("storing and settling: %v", err)
				return
			}
		}
	})
	for seen := 0; seen < n && !f.t.Failed(); {
		for _, q := range []sender.DeliveryQuery{{EndpointIDs: []string{"a"}}, {}, {EndpointIDs: []string{"b"}, Statuses: []sender.Status{sender.Pending}}} {
			q.Limit, q.OldestFirst = 2*n, true
			seen = known()
			listed := namesOf(f.list(q))
			endpoints := q.EndpointIDs
			if endpoints == nil {
				endpoints = []string{"b", "a"}
			}
			var want []string
			for i := range max(len(listed)/len(endpoints), seen) {
				for _, endpoint := range endpoints {
					want = append(want, fmt.Sprint(i, "/", endpoint))
				}
			}
			if !slices.Equal(listed, want) {
				f.t.Errorf("Deliveries(%+v) beside other calls (-want +got):\n%s", q, cmp.Diff(want, listed))
			}
		}
	}
	wg.Wait()
}
