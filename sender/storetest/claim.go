package storetest

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
)

func testClaimOrder(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2), "a"), event("3", at(3), "a"), event("4", at(4), "a"),
		event("5", at(4), "a"), event("6", at(3), "a"), event("7", at(0), "a", "b"))
	f.settle(retry(seqs[0], "a", 1, at(50)), retry(seqs[1], "a", 1, at(40)), retry(seqs[6], "a", 1, at(40)))
	f.reopen()
	tests := []struct {
		endpoint string
		retries  bool
		now      time.Time
		want     []string
		next     time.Time
	}{
		{"a", false, at(2), nil, at(3)},
		{"a", true, at(39), nil, at(40)},
		{"a", false, at(3), []string{"3", "6"}, at(4)},
		{"a", false, at(3), nil, at(4)},
		{"a", false, at(4), []string{"4", "5"}, time.Time{}},
		{"a", true, at(40), []string{"2", "7"}, at(50)},
		{"a", true, at(60), []string{"1"}, time.Time{}},
		{"a", false, at(60), nil, time.Time{}},
		{"b", true, at(60), nil, time.Time{}},
		{"b", false, at(0), []string{"7"}, time.Time{}},
		{"nobody", false, at(60), nil, time.Time{}},
	}
	for i, test := range tests {
		claimed := f.query(sender.ClaimQuery{EndpointID: test.endpoint, Retries: test.retries, Now: test.now, Limit: 100, Bytes: manyBytes})
		if diff := cmp.Diff(test.want, idsOf(claimed.Deliveries)); diff != "" {
			f.t.Errorf("claim %d (-want +got):\n%s", i, diff)
		}
		if !claimed.Next.Equal(test.next) {
			f.t.Errorf("claim %d: Next is %v, want %v", i, claimed.Next, test.next)
		}
	}
}

func testClaimLimits(f *fixture) {
	events := make([]sender.PutEvent, 8)
	for i := range events {
		events[i] = event(fmt.Sprint(i), at(i), "a")
		events[i].Event.Data = []byte("12345")
	}
	events[4].Event.Data = []byte("1234567890")
	f.put(events...)
	f.reopen()
	tests := []struct {
		limit int
		bytes int64
		want  []string
		next  time.Time
	}{
		{1, manyBytes, []string{"0"}, at(1)},
		{10, 14, []string{"1", "2"}, at(3)},
		{10, 0, []string{"3"}, at(4)},
		{10, 9, []string{"4"}, at(5)},
		{1, 4, []string{"5"}, at(6)},
		{10, 10, []string{"6", "7"}, time.Time{}},
		{10, 10, nil, time.Time{}},
	}
	for i, test := range tests {
		claimed := f.query(sender.ClaimQuery{EndpointID: "a", Now: at(6 + i), Limit: test.limit, Bytes: test.bytes})
		if diff := cmp.Diff(test.want, idsOf(claimed.Deliveries)); diff != "" {
			f.t.Errorf("claim %d (-want +got):\n%s", i, diff)
		}
		if !claimed.Next.Equal(test.next) {
			f.t.Errorf("claim %d: Next is %v, want %v", i, claimed.Next, test.next)
		}
	}
}

func testClaimHolds(f *fixture) {
	seqs := f.put(event("1", at(1), "a", "b"), event("2", at(2), "a"))
	f.reopen()
	f.wantClaim("a", false, "1", "2")
	f.wantClaim("a", false)
	f.wantClaim("b", false, "1")
	if backlog := f.backlog(); len(backlog) != 0 {
		f.t.Errorf("Backlog has %v although all is held", backlog)
	}
	f.settle(retry(seqs[1], "a", 1, at(3)))
	f.wantClaim("a", false)
	f.wantClaim("a", true, "2")
}

func testClaimWhole(f *fixture) {
	e := event("e", at(1), "a", "b")
	e.Event.Tenant, e.Event.ContentType, e.Event.TraceParent = "t", "text/plain", "trace"
	e.Event.Timestamp = start.Add(123456789)
	e.Event.Headers = http.Header{"X-Topic": {"t", ""}, "Content-Encoding": {"gzip"}}
	seq := f.put(e)[0]
	f.settle(retry(seq, "b", 1, at(7)))
	f.settle(retry(seq, "b", 2, at(9)))
	f.reopen()
	got := append(f.claim("a", false), f.claim("b", true)...)
	want := []*sender.Delivery{
		{Event: e.Event, Seq: seq, StoredAt: at(1), EndpointID: "a", Status: sender.Pending, Due: at(1)},
		{Event: e.Event, Seq: seq, StoredAt: at(1), EndpointID: "b", Status: sender.Pending, Attempts: 2, Due: at(9)},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.t.Errorf("claimed (-want +got):\n%s", diff)
	}
}

// testClaimEarlier guards against an implementation that remembers where it
// has stopped looking.
func testClaimEarlier(f *fixture) {
	var events []sender.PutEvent
	for i := range 20 {
		events = append(events, event(fmt.Sprint(i), at(i), "a"))
	}
	seqs := f.put(events...)
	f.reopen()
	claim := func(limit int, retries bool) []string {
		f.t.Helper()
		return idsOf(f.query(sender.ClaimQuery{EndpointID: "a", Retries: retries, Now: always, Limit: limit, Bytes: manyBytes}).Deliveries)
	}
	claim(10, false)
	f.settle(putBack(seqs[7], "a", at(7)), putBack(seqs[3], "a", at(3)), retry(seqs[5], "a", 1, at(5)))
	if diff := cmp.Diff([]string{"3", "7", "10"}, claim(3, false)); diff != "" {
		f.t.Errorf("claimed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"5"}, claim(3, true)); diff != "" {
		f.t.Errorf("retries claimed (-want +got):\n%s", diff)
	}
	f.settle(retry(seqs[8], "a", 1, at(4)), putBack(seqs[0], "a", at(0)))
	if diff := cmp.Diff([]sender.Backlog{{EndpointID: "a", FirstTries: at(0), Retries: at(4)}}, f.backlog()); diff != "" {
		f.t.Errorf("Backlog (-want +got):\n%s", diff)
	}
	// An event that is stored late may be due first.
	late := f.put(event("late", at(-5), "a"))[0]
	f.settle(putBack(late, "a", at(-5)))
	if diff := cmp.Diff([]string{"late", "0", "11"}, claim(3, false)); diff != "" {
		f.t.Errorf("claimed (-want +got):\n%s", diff)
	}
}

func testBacklog(f *fixture) {
	if backlog := f.backlog(); len(backlog) != 0 {
		f.t.Errorf("an empty store has the backlog %v", backlog)
	}
	seqs := f.put(event("1", at(1), "a", "b", "c", "d"), event("2", at(2), "a", "b"), event("3", at(3), "b", "e"))
	f.settle(
		retry(seqs[0], "a", 1, at(30)), retry(seqs[1], "a", 1, at(20)),
		putBack(seqs[1], "b", at(2)), putBack(seqs[2], "b", at(3)), retry(seqs[0], "b", 1, at(40)),
		succeeded(seqs[0], "c"),
		sender.Outcome{Seq: seqs[0], EndpointID: "d", Status: sender.Blocked, Attempt: attempt(1, sender.VerdictBlocked)},
	)
	want := []sender.Backlog{
		{EndpointID: "a", Retries: at(20)},
		{EndpointID: "b", FirstTries: at(2), Retries: at(40)},
	}
	if diff := cmp.Diff(want, f.backlog()); diff != "" {
		f.t.Errorf("Backlog (-want +got):\n%s", diff)
	}
	f.query(sender.ClaimQuery{EndpointID: "b", Now: always, Limit: 1})
	f.query(sender.ClaimQuery{EndpointID: "a", Retries: true, Now: always, Limit: 2, Bytes: manyBytes})
	want = []sender.Backlog{{EndpointID: "b", FirstTries: at(3), Retries: at(40)}}
	if diff := cmp.Diff(want, f.backlog()); diff != "" {
		f.t.Errorf("Backlog after claims (-want +got):\n%s", diff)
	}
	f.reopen()
	want = []sender.Backlog{
		{EndpointID: "a", Retries: at(20)},
		{EndpointID: "b", FirstTries: at(2), Retries: at(40)},
		{EndpointID: "e", FirstTries: at(3)},
	}
	if diff := cmp.Diff(want, f.backlog()); diff != "" {
		f.t.Errorf("Backlog after reopening (-want +got):\n%s", diff)
	}
}

// unblock unblocks and compares how many there were.
func (f *fixture) unblock(endpoint string, due time.Time, want int) {
	f.t.Helper()
	n, err := f.store.Unblock(f.t.Context(), endpoint, due)
	if err != nil {
		f.t.Fatalf("Unblock: %v", err)
	}
	if n != want {
		f.t.Errorf("Unblock(%s) = %d, want %d", endpoint, n, want)
	}
}

func testUnblock(f *fixture) {
	seqs := f.put(event("1", at(1), "a", "b"), event("2", at(2), "a"), event("3", at(3), "a"), event("4", at(4), "a"))
	blocked := func(seq int64, endpoint string, a *sender.Attempt) sender.Outcome {
		return sender.Outcome{Seq: seq, EndpointID: endpoint, Status: sender.Blocked, Attempt: a}
	}
	f.settle(
		blocked(seqs[0], "a", attempt(1, sender.VerdictBlocked)), blocked(seqs[0], "b", attempt(1, sender.VerdictBlocked)),
		blocked(seqs[1], "a", nil), succeeded(seqs[2], "a"), putBack(seqs[3], "a", at(4)),
	)
	f.wantClaim("a", false, "4")
	f.unblock("a", at(3), 2)
	f.unblock("a", at(9), 0)
	f.unblock("nobody", at(9), 0)
	f.wantStates("1", "a pending 1/1 3", "b blocked 1/1")
	f.wantStates("2", "a pending 0/0 3")
	f.wantStates("3", "a succeeded 1/1")
	f.wantClaim("a", true, "1")
	f.wantClaim("a", false, "2")
	f.wantClaim("b", true)
	f.crash()
	f.wantClaim("a", true, "1")
	f.wantClaim("a", false, "2", "4")
	f.unblock("b", at(5), 1)
	f.reopen()
	f.wantClaim("b", true, "1")
	if _, err := f.store.Unblock(ended(), "a", at(1)); err == nil {
		f.t.Error("Unblock returned no error although its context has ended")
	}
}

func testUnblockMany(f *fixture) {
	const n = 2500
	var events []sender.PutEvent
	for i := range n {
		events = append(events, event(fmt.Sprint(i), at(i), "a"))
	}
	var outcomes []sender.Outcome
	for _, seq := range f.put(events...) {
		outcomes = append(outcomes, sender.Outcome{Seq: seq, EndpointID: "a", Status: sender.Blocked, Attempt: attempt(1, sender.VerdictBlocked)})
	}
	f.settle(outcomes...)
	f.unblock("a", at(7), n)
	claimed := f.claim("a", true)
	if len(claimed) != n {
		f.t.Fatalf("claimed %d, want %d", len(claimed), n)
	}
	if !slices.IsSortedFunc(claimed, func(a, b *sender.Delivery) int { return int(a.Seq - b.Seq) }) {
		f.t.Error("deliveries that are due together are not in the order of their events")
	}
}
