package storetest

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// list lists all pages of a listing.
func (f *fixture) list(q sender.DeliveryQuery) []sender.DeliverySummary {
	f.t.Helper()
	listed, err := listAll(f.t.Context(), f.store, q)
	if err != nil {
		f.t.Fatalf("Deliveries(%+v): %v", q, err)
	}
	return listed
}

// wantList compares a listing, in pages of every size, with deliveries written
// as "event/endpoint", separated by spaces.
func (f *fixture) wantList(q sender.DeliveryQuery, want string) {
	f.t.Helper()
	names := strings.Fields(want)
	for _, q.Limit = range []int{1, 2, 3, 1000} {
		for _, q.OldestFirst = range []bool{false, true} {
			if got := namesOf(f.list(q)); !slices.Equal(got, inOrder(names, q.OldestFirst)) {
				f.t.Errorf("Deliveries(%+v) has %v, want %v", q, got, inOrder(names, q.OldestFirst))
			}
		}
	}
}

// inOrder are deliveries in the order of a listing, which were written with the
// newest first: the endpoints of an event stay in their order.
func inOrder(names []string, oldestFirst bool) []string {
	if !oldestFirst {
		return names
	}
	ordered := slices.Clone(names)
	slices.Reverse(ordered)
	for first := 0; first < len(ordered); {
		event, _, _ := strings.Cut(ordered[first], "/")
		end := first
		for end < len(ordered) && strings.HasPrefix(ordered[end], event+"/") {
			end++
		}
		slices.Reverse(ordered[first:end])
		first = end
	}
	return ordered
}

// namesOf are deliveries written as "event/endpoint".
func namesOf(listed []sender.DeliverySummary) []string {
	names := []string{}
	for _, d := range listed {
		names = append(names, d.Event.ID+"/"+d.EndpointID)
	}
	return names
}

func testListOrder(f *fixture) {
	f.wantList(sender.DeliveryQuery{}, "")
	// Neither the times nor the names are in the order of the events.
	seqs := f.put(event("5", at(9), "m", "z", "a"), event("3", at(3), "a", "z"), event("4", at(1)), event("1", at(7), "z"), event("2", at(2), "b", "a"))
	const want = "2/b 2/a 1/z 3/a 3/z 5/m 5/z 5/a"
	f.wantList(sender.DeliveryQuery{}, want)
	f.settle(retry(seqs[0], "a", 1, at(30)), succeeded(seqs[0], "z"), retry(seqs[1], "z", 1, at(20)),
		sender.Outcome{Seq: seqs[4], EndpointID: "a", Status: sender.Failed, Attempt: attempt(1, sender.VerdictRetry)})
	f.wantList(sender.DeliveryQuery{}, want)
	f.crash()
	f.wantList(sender.DeliveryQuery{}, want)
	f.wantList(sender.DeliveryQuery{EndpointIDs: []string{"a", "m", "z"}}, "2/a 1/z 3/a 3/z 5/m 5/z 5/a")
}

func testListSummary(f *fixture) {
	e := event("e", at(1), "b", "a", "c")
	e.Event.Tenant, e.Event.ContentType, e.Event.TraceParent = "t", "text/plain", "trace"
	e.Event.Timestamp = start.Add(123456789)
	e.Event.Headers = http.Header{"X-Topic": {"t"}}
	seq := f.put(e)[0]
	failed := retry(seq, "a", 2, at(0))
	failed.Status, failed.Attempt.Error, failed.Attempt.ResponseBody = sender.Failed, "no answer", []byte("body")
	f.settle(retry(seq, "a", 1, at(7)), retry(seq, "c", 1, at(8)))
	f.wantClaim("a", true, "e")
	f.settle(failed)
	head := *e.Event
	head.Data, head.Headers = nil, nil
	last := func(a sender.Attempt) *sender.Attempt {
		a.RequestHeaders, a.ResponseHeaders, a.ResponseBody = nil, nil, nil
		return &a
	}
	want := []sender.DeliverySummary{
		{Delivery: sender.Delivery{Event: &head, Seq: seq, StoredAt: at(1), EndpointID: "b", Status: sender.Pending, Due: at(1)}},
		{Delivery: sender.Delivery{Event: &head, Seq: seq, StoredAt: at(1), EndpointID: "a", Status: sender.Failed, Attempts: 2}, Last: last(*failed.Attempt)},
		{Delivery: sender.Delivery{Event: &head, Seq: seq, StoredAt: at(1), EndpointID: "c", Status: sender.Pending, Attempts: 1, Due: at(8)},
			Last: last(*attempt(1, sender.VerdictRetry))},
	}
	for range 2 {
		for _, q := range []sender.DeliveryQuery{
			{}, {EndpointIDs: []string{"a", "b", "c"}}, {Statuses: []sender.Status{sender.Pending, sender.Failed}}, {Tenant: &e.Event.Tenant},
		} {
			q.Limit = 10
			if diff := cmp.Diff(want, f.list(q)); diff != "" {
				f.t.Errorf("Deliveries(%+v) (-want +got):\n%s", q, diff)
			}
		}
		f.crash()
	}
}

// lists puts events in all states.
func lists(f *fixture) {
	f.t.Helper()
	t := func(e sender.PutEvent) sender.PutEvent {
		e.Event.Tenant = "t"
		return e
	}
	of := func(eventType string, e sender.PutEvent) sender.PutEvent {
		e.Event.Type = eventType
		return e
	}
	seqs := f.put(
		of("x.y", event("1", at(1), "a", "b")), t(of("x.z", event("2", at(2), "c", "a"))), of("y", event("3", at(3), "a", "b")),
		of("x.y", event("4", at(4), "b", "a")), t(of("y", event("5", at(5), "c"))), of("x", event("6", at(6), "a", "b")),
	)
	end := func(i int, endpoint string, status sender.Status) sender.Outcome {
		return sender.Outcome{Seq: seqs[i-1], EndpointID: endpoint, Status: status, Attempt: attempt(1, sender.VerdictRetry)}
	}
	f.settle(
		end(1, "a", sender.Succeeded), end(1, "b", sender.Failed), end(2, "a", sender.Cancelled), retry(seqs[1], "c", 1, at(20)),
		end(3, "a", sender.Failed), end(3, "b", sender.Blocked), putBack(seqs[3], "b", at(4)), end(4, "a", sender.Succeeded),
		end(5, "c", sender.Failed),
	) // those of 6 have no outcome
}

func testListSelects(f *fixture) {
	lists(f)
	t, none, nobody := "t", "", "nobody"
	statuses := func(s ...sender.Status) []sender.Status { return s }
	tests := []struct {
		query sender.DeliveryQuery
		want  string
	}{
		{sender.DeliveryQuery{}, "6/a 6/b 5/c 4/b 4/a 3/a 3/b 2/c 2/a 1/a 1/b"},
		{sender.DeliveryQuery{Tenant: &t}, "5/c 2/c 2/a"},
		{sender.DeliveryQuery{Tenant: &none}, "6/a 6/b 4/b 4/a 3/a 3/b 1/a 1/b"},
		{sender.DeliveryQuery{Tenant: &nobody}, ""},
		{sender.DeliveryQuery{EndpointIDs: []string{"b"}}, "6/b 4/b 3/b 1/b"},
		{sender.DeliveryQuery{EndpointIDs: []string{"c", "b", "c", "nobody"}}, "6/b 5/c 4/b 3/b 2/c 1/b"},
		{sender.DeliveryQuery{EndpointIDs: []string{"nobody"}}, ""},
		{sender.DeliveryQuery{EndpointIDs: []string{""}}, ""},
		{sender.DeliveryQuery{Statuses: statuses(sender.Pending)}, "6/a 6/b 4/b 2/c"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Blocked)}, "3/b"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Succeeded)}, "4/a 1/a"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Failed)}, "5/c 3/a 1/b"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Cancelled)}, "2/a"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Failed, sender.Blocked, sender.Failed)}, "5/c 3/a 3/b 1/b"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Failed, sender.Pending)}, "6/a 6/b 5/c 4/b 3/a 2/c 1/b"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Failed, sender.Succeeded)}, "5/c 4/a 3/a 1/a 1/b"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Pending), EndpointIDs: []string{"b"}}, "6/b 4/b"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Failed), EndpointIDs: []string{"b", "c"}}, "5/c 1/b"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Succeeded), EndpointIDs: []string{"a"}}, "4/a 1/a"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Failed, sender.Cancelled), Tenant: &t}, "5/c 2/a"},
		{sender.DeliveryQuery{Statuses: statuses(sender.Failed), Tenant: &none}, "3/a 1/b"},
		{sender.DeliveryQuery{EndpointIDs: []string{"a"}, Tenant: &t}, "2/a"},
		{sender.DeliveryQuery{Types: []webhook.Pattern{"x.y"}}, "4/b 4/a 1/a 1/b"},
		{sender.DeliveryQuery{Types: []webhook.Pattern{"x.*"}}, "4/b 4/a 2/c 2/a 1/a 1/b"},
		{sender.DeliveryQuery{Types: []webhook.Pattern{"x", "x.z"}}, "6/a 6/b 2/c 2/a"},
		{sender.DeliveryQuery{Types: []webhook.Pattern{"z"}}, ""},
		{sender.DeliveryQuery{Types: []webhook.Pattern{"*"}, Statuses: statuses(sender.Cancelled)}, "2/a"},
		{sender.DeliveryQuery{Types: []webhook.Pattern{"y"}, Statuses: statuses(sender.Failed), EndpointIDs: []string{"a"}, Tenant: &none}, "3/a"},
		{sender.DeliveryQuery{From: at(3), To: at(5)}, "4/b 4/a 3/a 3/b"},
		{sender.DeliveryQuery{From: at(3), To: at(5), EndpointIDs: []string{"a"}}, "4/a 3/a"},
		{sender.DeliveryQuery{From: at(3), To: at(5), Statuses: statuses(sender.Blocked, sender.Cancelled)}, "3/b"},
		{sender.DeliveryQuery{From: at(5)}, "6/a 6/b 5/c"},
		{sender.DeliveryQuery{To: at(2)}, "1/a 1/b"},
		{sender.DeliveryQuery{From: at(7)}, ""},
		{sender.DeliveryQuery{From: at(4), To: at(4)}, ""},
	}
	for _, again := range []func(){func() {}, f.crash} {
		again()
		for _, test := range tests {
			f.wantList(test.query, test.want)
		}
	}
}

func testListTimes(f *fixture) {
	// The hours are far apart, the events of one hour are not in order.
	hour := func(n, ms int) time.Time {
		return start.Add(time.Duration(n) * time.Hour).Add(time.Duration(ms) * time.Millisecond)
	}
	seqs := f.put(event("1", hour(0, 5), "a"), event("2", hour(0, 1), "a"), event("3", hour(5, 9), "a"), event("4", hour(5, 3), "a"),
		event("5", hour(5, 12), "a"), event("6", hour(10, 2), "a"), event("7", hour(10, 1), "a"))
	for i, seq := range seqs {
		f.settle(sender.Outcome{Seq: seq, EndpointID: "a", Status: [...]sender.Status{sender.Failed, sender.Cancelled}[i%2]})
	}
	tests := []struct {
		from, to time.Time
		want     string
	}{
		{hour(0, 5), hour(5, 4), "4/a 1/a"},
		{hour(5, 0), hour(6, 0), "5/a 4/a 3/a"},
		{hour(5, 9), hour(10, 2), "7/a 5/a 3/a"},
		{hour(5, 3).Add(1), hour(10, 1).Add(1), "7/a 5/a 3/a"},
		{hour(10, 2), time.Time{}, "6/a"},
		{time.Time{}, hour(0, 5), "2/a"},
		{hour(2, 0), hour(3, 0), ""},
		{hour(11, 0), hour(10, 0), ""},
		{hour(-100, 0), hour(100, 0), "7/a 6/a 5/a 4/a 3/a 2/a 1/a"},
	}
	for _, test := range tests {
		f.wantList(sender.DeliveryQuery{From: test.from, To: test.to}, test.want)
		f.wantList(sender.DeliveryQuery{From: test.from, To: test.to, EndpointIDs: []string{"a"}}, test.want)
		f.wantList(sender.DeliveryQuery{From: test.from, To: test.to, Statuses: []sender.Status{sender.Failed, sender.Cancelled}}, test.want)
	}
}

func testDelivery(f *fixture) {
	e := event("e", at(1), "b", "a")
	e.Event.Tenant = "t"
	seq := f.put(event("0", at(0), "a"), e)[1]
	f.settle(retry(seq, "a", 1, at(7)))
	f.wantClaim("a", true, "e")
	f.settle(retry(seq, "a", 2, at(8)))
	want := []*sender.DeliveryRecord{
		{Delivery: sender.Delivery{Event: e.Event, Seq: seq, StoredAt: at(1), EndpointID: "a", Status: sender.Pending, Attempts: 2, Due: at(8)},
			History: []sender.Attempt{*attempt(1, sender.VerdictRetry), *attempt(2, sender.VerdictRetry)}},
		{Delivery: sender.Delivery{Event: e.Event, Seq: seq, StoredAt: at(1), EndpointID: "b", Status: sender.Pending, Due: at(1)}},
	}
	for range 2 {
		for _, want := range want {
			got, err := f.store.Delivery(f.t.Context(), seq, want.EndpointID)
			if err != nil {
				f.t.Fatalf("Delivery: %v", err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				f.t.Errorf("delivery to %s (-want +got):\n%s", want.EndpointID, diff)
			}
		}
		f.crash()
	}
}

func testDeliveryNotFound(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2), "b"), event("3", at(3)))
	for _, name := range []struct {
		seq      int64
		endpoint string
	}{{seqs[0], "b"}, {seqs[1], "a"}, {seqs[2], "a"}, {seqs[0], "nobody"}, {seqs[0], ""}, {seqs[2] + 1000, "a"}, {0, "a"}, {-1, "a"}} {
		if d, err := f.store.Delivery(f.t.Context(), name.seq, name.endpoint); !errors.Is(err, sender.ErrNotFound) {
			f.t.Errorf("Delivery(%d, %q) = %v, %v, want ErrNotFound", name.seq, name.endpoint, d, err)
		}
	}
	f.settle(succeeded(seqs[0], "a"))
	f.purge(always, 1, 1)
	if d, err := f.store.Delivery(f.t.Context(), seqs[0], "a"); !errors.Is(err, sender.ErrNotFound) {
		f.t.Errorf("the delivery of a purged event is %v, %v, want ErrNotFound", d, err)
	}
}
