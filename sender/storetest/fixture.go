package storetest

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// start is when the tests' time begins. Every store can keep its milliseconds.
var start = time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC)

// at is a time n milliseconds after the start.
func at(n int) time.Time { return start.Add(time.Duration(n) * time.Millisecond) }

// always is a time that everything is due at.
var always = at(1_000_000_000)

// manyBytes is more than the events of a test have together.
const manyBytes = 1 << 40

// fixture is an open store and its test.
type fixture struct {
	t       *testing.T
	harness Harness
	store   sender.Store
}

// open opens the store.
func (f *fixture) open() {
	f.t.Helper()
	store, err := f.harness.Open()
	if err != nil {
		f.t.Fatalf("Open: %v", err)
	}
	f.store = store
}

// close closes the store.
func (f *fixture) close() {
	f.t.Helper()
	if err := f.store.Close(); err != nil {
		f.t.Errorf("Close: %v", err)
	}
}

// reopen closes the store and opens it again.
func (f *fixture) reopen() {
	f.t.Helper()
	f.close()
	f.open()
}

// crash crashes the store and opens it again.
func (f *fixture) crash() {
	f.t.Helper()
	if err := f.harness.Crash(f.store); err != nil {
		f.t.Fatalf("Crash: %v", err)
	}
	f.open()
}

// event is an event to put, stored at the time given, to endpoints.
func event(id string, stored time.Time, endpoints ...string) sender.PutEvent {
	return sender.PutEvent{
		Event: &webhook.Event{
			ID: id, Type: "conversation.created", Timestamp: start,
			Data: []byte(`{"id":"` + id + `"}`),
		},
		StoredAt:    stored,
		EndpointIDs: endpoints,
	}
}

// put stores events, as one publication each, and returns their numbers.
func (f *fixture) put(events ...sender.PutEvent) []int64 {
	f.t.Helper()
	publications := make([]*sender.Publication, len(events))
	for i, e := range events {
		publications[i] = &sender.Publication{Events: []sender.PutEvent{e}}
	}
	f.publish(publications...)
	seqs := make([]int64, len(events))
	for i, p := range publications {
		if p.Err != nil {
			f.t.Fatalf("PutEvents: event %q: %v", p.Events[0].Event.ID, p.Err)
		}
		seqs[i] = p.Events[0].Seq
	}
	return seqs
}

// publish stores publications.
func (f *fixture) publish(publications ...*sender.Publication) {
	f.t.Helper()
	if err := f.store.PutEvents(f.t.Context(), publications); err != nil {
		f.t.Fatalf("PutEvents: %v", err)
	}
}

// settle settles outcomes.
func (f *fixture) settle(outcomes ...sender.Outcome) {
	f.t.Helper()
	if err := f.store.Settle(f.t.Context(), outcomes); err != nil {
		f.t.Fatalf("Settle: %v", err)
	}
}

// attempt is an attempt of the number given.
func attempt(number int, verdict sender.Verdict) *sender.Attempt {
	return &sender.Attempt{
		Number: number, StartedAt: at(number), Duration: webhook.Duration(25 * time.Millisecond),
		StatusCode: 200 + number, Verdict: verdict,
		Timings:        sender.Timings{FirstByte: webhook.Duration(24 * time.Millisecond)},
		RemoteAddr:     "192.0.2.1:443",
		RequestHeaders: http.Header{"Webhook-Id": {fmt.Sprint(number)}}, ResponseHeaders: http.Header{"Server": {"test"}},
	}
}

// succeeded is the outcome of a first attempt that succeeded.
func succeeded(seq int64, endpoint string) sender.Outcome {
	return sender.Outcome{Seq: seq, EndpointID: endpoint, Status: sender.Succeeded, Attempt: attempt(1, sender.VerdictSucceeded)}
}

// retry is the outcome of an attempt after which another one is due.
func retry(seq int64, endpoint string, number int, due time.Time) sender.Outcome {
	return sender.Outcome{Seq: seq, EndpointID: endpoint, Status: sender.Pending, Due: due, Attempt: attempt(number, sender.VerdictRetry)}
}

// putBack is the outcome of a delivery that was not attempted.
func putBack(seq int64, endpoint string, due time.Time) sender.Outcome {
	return sender.Outcome{Seq: seq, EndpointID: endpoint, Status: sender.Pending, Due: due}
}

// claim claims all deliveries of a kind that are ever due.
func (f *fixture) claim(endpoint string, retries bool) []*sender.Delivery {
	f.t.Helper()
	return f.query(sender.ClaimQuery{EndpointID: endpoint, Retries: retries, Now: always, Limit: 1 << 20, Bytes: manyBytes}).Deliveries
}

// query claims what a query asks for.
func (f *fixture) query(q sender.ClaimQuery) sender.Claimed {
	f.t.Helper()
	claimed, err := f.store.Claim(f.t.Context(), q)
	if err != nil {
		f.t.Fatalf("Claim(%+v): %v", q, err)
	}
	return claimed
}

// wantClaim claims all deliveries of a kind and compares their events' IDs.
func (f *fixture) wantClaim(endpoint string, retries bool, ids ...string) {
	f.t.Helper()
	if diff := gocmp.Diff(ids, idsOf(f.claim(endpoint, retries))); diff != "" {
		f.t.Errorf("claimed for %s, retries %t (-want +got):\n%s", endpoint, retries, diff)
	}
}

// idsOf are the IDs of the deliveries' events.
func idsOf(deliveries []*sender.Delivery) []string {
	var ids []string
	for _, d := range deliveries {
		ids = append(ids, d.Event.ID)
	}
	return ids
}

// backlog is the store's backlog, by endpoint.
func (f *fixture) backlog() []sender.Backlog {
	f.t.Helper()
	backlog, err := f.store.Backlog(f.t.Context())
	if err != nil {
		f.t.Fatalf("Backlog: %v", err)
	}
	return sorted(backlog)
}

// sorted sorts a backlog by endpoint.
func sorted(backlog []sender.Backlog) []sender.Backlog {
	slices.SortFunc(backlog, func(a, b sender.Backlog) int { return cmp.Compare(a.EndpointID, b.EndpointID) })
	return backlog
}

// record is what the store knows of an event of the empty tenant.
func (f *fixture) record(id string) *sender.EventRecord {
	f.t.Helper()
	record, err := f.store.Event(f.t.Context(), "", id)
	if err != nil {
		f.t.Fatalf("Event(%q): %v", id, err)
	}
	return record
}

// exists tells whether the store has an event of the empty tenant.
func (f *fixture) exists(id string) bool {
	f.t.Helper()
	exists, err := has(f.t.Context(), f.store, id)
	if err != nil {
		f.t.Fatalf("Event(%q): %v", id, err)
	}
	return exists
}

// wantStates compares the deliveries of an event, written as state does.
func (f *fixture) wantStates(id string, states ...string) {
	f.t.Helper()
	var got []string
	for _, d := range f.record(id).Deliveries {
		got = append(got, state(d))
	}
	if diff := gocmp.Diff(states, got); diff != "" {
		f.t.Errorf("deliveries of %s (-want +got):\n%s", id, diff)
	}
}

// state writes a delivery as "endpoint status attempts/settled", and when it
// is due if it is pending, in milliseconds from the start.
func state(d sender.DeliveryRecord) string {
	s := fmt.Sprintf("%s %s %d/%d", d.EndpointID, d.Status, d.Attempts, len(d.History))
	if d.Status == sender.Pending {
		s += fmt.Sprintf(" %d", d.Due.Sub(start).Milliseconds())
	}
	return s
}

// purge purges and compares how many went.
func (f *fixture) purge(before time.Time, limit, want int) {
	f.t.Helper()
	f.purgeOf(sender.PurgeQuery{Before: before, Limit: limit}, want)
}

// purgeOf purges what a query asks for and compares how many went.
func (f *fixture) purgeOf(q sender.PurgeQuery, want int) {
	f.t.Helper()
	n, err := f.store.Purge(f.t.Context(), q)
	if err != nil {
		f.t.Fatalf("Purge: %v", err)
	}
	if n != want {
		f.t.Errorf("Purge(limit %d) = %d, want %d", q.Limit, n, want)
	}
}

// ended is a context that has ended.
func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
