package storetest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// has tells whether a store has an event of the empty tenant.
func has(ctx context.Context, store sender.Store, id string) (bool, error) {
	_, err := store.Event(ctx, "", id)
	if errors.Is(err, sender.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func testEventWhole(f *fixture) {
	data := []byte(`{"text":"\u0000 é 世界"}`)
	events := []*webhook.Event{
		{ID: "whole", Type: "message.created", Timestamp: start.Add(123456789), Tenant: "", Data: data,
			ContentType: "application/json", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
		{ID: "plain", Type: "a", Timestamp: start, Data: []byte("0")},
		{ID: "raw", Type: "a", Timestamp: start, Data: []byte{0, 0xff, 0xfe, '\n', 0}, ContentType: "application/octet-stream"},
		{ID: "empty", Type: "a", Timestamp: start},
		{ID: "headers", Type: "a", Timestamp: start, Data: []byte("x"), ContentType: "text/plain",
			Headers: http.Header{"Content-Encoding": {"gzip"}, "X-Github-Event": {"push"}, "X-Many": {"é", "", "2"}}},
		{ID: "large", Type: "a", Timestamp: start, Data: []byte(strings.Repeat("x", 100_000))},
		{ID: "early", Type: "a", Timestamp: time.Date(1, 1, 1, 0, 0, 0, 1, time.UTC), Data: []byte("0")},
		{ID: "late", Type: "a", Timestamp: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC), Data: []byte("0")},
	}
	stored := start.Add(1234567 * time.Microsecond)
	for _, e := range events {
		f.put(sender.PutEvent{Event: e, StoredAt: stored, EndpointIDs: []string{"a"}})
	}
	for _, want := range events {
		got := f.record(want.ID)
		if diff := cmp.Diff(want, got.Event, cmpopts.EquateEmpty()); diff != "" {
			f.t.Errorf("event %s (-want +got):\n%s", want.ID, diff)
		}
		for name, kept := range map[string]time.Time{"StoredAt": got.StoredAt, "Due": got.Deliveries[0].Due} {
			if d := stored.Sub(kept); d <= -time.Millisecond || d >= time.Millisecond {
				f.t.Errorf("event %s: %s is %v, want %v to the millisecond", want.ID, name, kept, stored)
			}
		}
	}
}

func testPutHolds(f *fixture) {
	f.put(event("e", at(5), "a", "b"))
	f.wantStates("e", "a pending 0/0 5", "b pending 0/0 5")
	f.wantClaim("a", false)
	f.wantClaim("b", false)
	f.wantClaim("a", true)
	if backlog := f.backlog(); len(backlog) != 0 {
		f.t.Errorf("Backlog has %v although all is held", backlog)
	}
}

func testNoEndpoints(f *fixture) {
	f.put(event("e", at(5)))
	f.wantStates("e")
	f.reopen()
	f.wantStates("e")
	f.purge(at(6), 10, 1)
}

func testNoOtherEndpoints(f *fixture) {
	f.put(event("1", at(1), "a"), event("2", at(2), "b"))
	f.reopen()
	f.wantClaim("a", false, "1")
	f.wantClaim("b", false, "2")
	f.wantClaim("c", false)
}

func testSeqGrows(f *fixture) {
	seqs := f.put(event("1", at(9)), event("2", at(8)), event("3", at(7)))
	f.reopen()
	seqs = append(seqs, f.put(event("4", at(6)), event("5", at(5)))...)
	f.crash()
	seqs = append(seqs, f.put(event("6", at(4)))...)
	for i := 1; i < len(seqs); i++ {
		if seqs[i] <= seqs[i-1] {
			f.t.Fatalf("numbers %v do not grow", seqs)
		}
	}
}

func testDuplicates(f *fixture) {
	first := sender.PutEvent{
		Event:    &webhook.Event{ID: "e", Type: "a.b", Timestamp: start, Data: []byte("[1]"), ContentType: "text/plain", TraceParent: "t1"},
		StoredAt: at(1), EndpointIDs: []string{"a"}, TimestampGiven: true,
	}
	seq := f.put(first)[0]
	tests := []struct {
		name     string
		change   func(*sender.PutEvent)
		conflict bool
	}{
		{"the same", func(*sender.PutEvent) {}, false},
		{"another type", func(e *sender.PutEvent) { e.Event.Type = "a.c" }, true},
		{"other data", func(e *sender.PutEvent) { e.Event.Data = []byte("[2]") }, true},
		{"data in other bytes", func(e *sender.PutEvent) { e.Event.Data = []byte("[1] ") }, true},
		{"no data", func(e *sender.PutEvent) { e.Event.Data = nil }, true},
		{"another content type", func(e *sender.PutEvent) { e.Event.ContentType = "text/html" }, true},
		{"no content type", func(e *sender.PutEvent) { e.Event.ContentType = "" }, true},
		{"another timestamp, given", func(e *sender.PutEvent) { e.Event.Timestamp = start.Add(time.Nanosecond) }, true},
		{"another second, given", func(e *sender.PutEvent) { e.Event.Timestamp = start.Add(time.Second) }, true},
		{"the same timestamp in another zone", func(e *sender.PutEvent) { e.Event.Timestamp = start.In(time.FixedZone("x", 3600)) }, false},
		{"another timestamp, not given", func(e *sender.PutEvent) {
			e.Event.Timestamp, e.TimestampGiven = start.Add(time.Second), false
		}, false},
		{"other data, no timestamp given", func(e *sender.PutEvent) {
			e.Event.Data, e.TimestampGiven = []byte("[2]"), false
		}, true},
		{"another trace", func(e *sender.PutEvent) { e.Event.TraceParent = "t2" }, false},
		{"other headers", func(e *sender.PutEvent) { e.Event.Headers = http.Header{"Date": {"now"}} }, false},
		{"other endpoints", func(e *sender.PutEvent) { e.EndpointIDs = []string{"b", "c"} }, false},
		{"stored at another time", func(e *sender.PutEvent) { e.StoredAt = at(77) }, false},
	}
	for _, test := range tests {
		again := first
		copied := *first.Event
		again.Event = &copied
		test.change(&again)
		p := &sender.Publication{Events: []sender.PutEvent{again}}
		f.publish(p)
		switch {
		case test.conflict && (!errors.Is(p.Err, sender.ErrConflict) || !strings.Contains(p.Err.Error(), `"e"`)):
			f.t.Errorf("%s: Err = %v, want one that wraps ErrConflict and names the ID", test.name, p.Err)
		case !test.conflict && (p.Err != nil || !p.Events[0].Duplicate || p.Events[0].Seq != seq):
			f.t.Errorf("%s: Err = %v, Duplicate = %t, Seq = %d, want a duplicate of %d", test.name, p.Err, p.Events[0].Duplicate, p.Events[0].Seq, seq)
		}
	}
	if diff := cmp.Diff(first.Event, f.record("e").Event); diff != "" {
		f.t.Errorf("the first event has changed (-want +got):\n%s", diff)
	}
	f.wantStates("e", "a pending 0/0 1")
}

func testDuplicateInBatch(f *fixture) {
	one := &sender.Publication{Events: []sender.PutEvent{event("e", at(1), "a"), event("e", at(2), "a")}}
	two := &sender.Publication{Events: []sender.PutEvent{event("e", at(3), "a")}}
	f.publish(one, two)
	if one.Err != nil || two.Err != nil {
		f.t.Fatalf("Err = %v and %v, want none", one.Err, two.Err)
	}
	events := []sender.PutEvent{one.Events[0], one.Events[1], two.Events[0]}
	for i, e := range events {
		if e.Duplicate != (i > 0) || e.Seq != events[0].Seq || e.Seq == 0 {
			f.t.Errorf("event %d: Duplicate = %t, Seq = %d of %d", i, e.Duplicate, e.Seq, events[0].Seq)
		}
	}
	f.wantStates("e", "a pending 0/0 1")
}

func testDuplicateStoresNothing(f *fixture) {
	seq := f.put(event("e", at(1), "a"))[0]
	f.settle(succeeded(seq, "a"))
	f.put(event("e", at(2), "a", "b"))
	f.reopen()
	f.wantStates("e", "a succeeded 1/1")
	f.wantClaim("a", false)
	f.wantClaim("b", false)
}

func testTenants(f *fixture) {
	other := event("e", at(2), "b")
	other.Event.Tenant, other.Event.Data = "t", []byte("2")
	seqs := f.put(event("e", at(1), "a"), other)
	if seqs[0] == seqs[1] {
		f.t.Errorf("events of two tenants have the same number")
	}
	f.wantStates("e", "a pending 0/0 1")
	record, err := f.store.Event(f.t.Context(), "t", "e")
	if err != nil {
		f.t.Fatal(err)
	}
	if diff := cmp.Diff(other.Event, record.Event); diff != "" {
		f.t.Errorf("event of the other tenant (-want +got):\n%s", diff)
	}
	if _, err := f.store.Event(f.t.Context(), sender.AnyTenant, "e"); !errors.Is(err, sender.ErrAmbiguous) {
		f.t.Errorf("the event of any tenant, of which two have it: %v, want ErrAmbiguous", err)
	}
	alone := event("alone", at(3), "b")
	alone.Event.Tenant = "t"
	f.put(alone)
	record, err = f.store.Event(f.t.Context(), sender.AnyTenant, "alone")
	if err != nil {
		f.t.Fatal(err)
	}
	if diff := cmp.Diff(alone.Event, record.Event); diff != "" || len(record.Deliveries) != 1 {
		f.t.Errorf("the event of any tenant, of which one has it (-want +got):\n%s\ndeliveries: %+v", diff, record.Deliveries)
	}
	if _, err := f.store.Event(f.t.Context(), sender.AnyTenant, "nothing"); !errors.Is(err, sender.ErrNotFound) {
		f.t.Errorf("the event of any tenant, of which none has it: %v, want ErrNotFound", err)
	}
}

// conflicting is an event of the ID with content that no other one has.
func conflicting(id string) sender.PutEvent {
	e := event(id, at(9), "a", "z")
	e.Event.Data = []byte(`"conflict"`)
	return e
}

func testConflictWhole(f *fixture) {
	f.put(event("old", at(1), "a"))
	p := &sender.Publication{Events: []sender.PutEvent{
		event("1", at(2), "a", "b"), event("old", at(2), "a"), event("2", at(2), "c"), conflicting("old"), event("3", at(2), "a"),
	}}
	f.publish(p)
	if !errors.Is(p.Err, sender.ErrConflict) || !strings.Contains(p.Err.Error(), `"old"`) {
		f.t.Errorf("Err = %v, want one that wraps ErrConflict and names the ID", p.Err)
	}
	for _, id := range []string{"1", "2", "3"} {
		if f.exists(id) {
			f.t.Errorf("event %s was stored, although its publication was not", id)
		}
	}
	f.crash()
	f.wantClaim("a", false, "old")
	f.wantClaim("b", false)
	f.wantClaim("c", false)
	// An event that contradicts another one of its publication.
	p = &sender.Publication{Events: []sender.PutEvent{event("4", at(3), "a"), conflicting("4")}}
	f.publish(p)
	if !errors.Is(p.Err, sender.ErrConflict) || f.exists("4") {
		f.t.Errorf("Err = %v, stored = %t, want ErrConflict and nothing stored", p.Err, f.exists("4"))
	}
}

func testConflictAlone(f *fixture) {
	f.put(event("old", at(1), "a"))
	publications := []*sender.Publication{
		{Events: []sender.PutEvent{event("1", at(2), "a")}},
		{Events: []sender.PutEvent{event("2", at(2), "a"), conflicting("old")}},
		{Events: []sender.PutEvent{event("3", at(2), "a")}},
	}
	f.publish(publications...)
	for i, conflict := range []bool{false, true, false} {
		if got := errors.Is(publications[i].Err, sender.ErrConflict); got != conflict {
			f.t.Errorf("publication %d: Err = %v", i, publications[i].Err)
		}
	}
	f.reopen()
	f.wantClaim("a", false, "old", "1", "3")
	// Err is set each time.
	publications[1].Events = []sender.PutEvent{event("4", at(2), "a")}
	f.publish(publications[1])
	if publications[1].Err != nil || !f.exists("4") {
		f.t.Errorf("Err = %v, stored = %t, want it stored", publications[1].Err, f.exists("4"))
	}
}

func testDuplicateOfConflict(f *fixture) {
	f.put(event("old", at(1), "a"))
	refused := &sender.Publication{Events: []sender.PutEvent{event("new", at(2), "a"), conflicting("old")}}
	same := &sender.Publication{Events: []sender.PutEvent{event("new", at(3), "b")}}
	f.publish(refused, same)
	if !errors.Is(refused.Err, sender.ErrConflict) {
		f.t.Errorf("Err = %v, want ErrConflict", refused.Err)
	}
	if e := same.Events[0]; same.Err != nil || e.Duplicate || e.Seq == 0 {
		f.t.Errorf("Err = %v, Duplicate = %t, Seq = %d, want it stored", same.Err, e.Duplicate, e.Seq)
	}
	f.wantStates("new", "b pending 0/0 3")
	// Other content is as good once the first one was refused.
	refused = &sender.Publication{Events: []sender.PutEvent{event("newer", at(2), "a"), conflicting("old")}}
	other := &sender.Publication{Events: []sender.PutEvent{conflicting("newer")}}
	f.publish(refused, other)
	if other.Err != nil || other.Events[0].Duplicate {
		f.t.Errorf("Err = %v, Duplicate = %t, want it stored", other.Err, other.Events[0].Duplicate)
	}
}

func testPutAtomic(f *fixture) {
	p := &sender.Publication{Events: []sender.PutEvent{event("e", at(1), "a")}}
	if err := f.store.PutEvents(ended(), []*sender.Publication{p}); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("PutEvents = %v, want the context's error", err)
	}
	if f.exists("e") {
		f.t.Error("the event was stored in spite of the error")
	}
	f.publish(p)
	if p.Err != nil || p.Events[0].Duplicate {
		f.t.Errorf("Err = %v, Duplicate = %t, want it stored now", p.Err, p.Events[0].Duplicate)
	}
}
