package storetest

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// The names in random calls: few, so that they meet.
var (
	someTenants   = rapid.SampledFrom([]string{"", "t"})
	someIDs       = rapid.SampledFrom([]string{"1", "2", "3", "4", "5", "6", "7", "8"})
	someEndpoints = rapid.SampledFrom([]string{"a", "b", "c"})
	someTypes     = rapid.SampledFrom([]string{"a", "a.b", "b.c"})
	someTimes     = rapid.Custom(func(t *rapid.T) time.Time { return at(rapid.IntRange(0, 20).Draw(t, "ms")) })
)

// walk makes the same random calls to a store and to a model.
type walk struct {
	harness Harness
	store   sender.Store
	model   *model

	// The numbers of events differ between the two.
	toStore, toModel map[int64]int64
	last             int64
}

// testModel checks that a store cannot be told from the model.
func testModel(t *testing.T, open func(t *testing.T) Harness) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &walk{harness: open(t), model: &model{}, toStore: map[int64]int64{}, toModel: map[int64]int64{}}
		w.open(rt)
		actions := map[string]func(*rapid.T){
			"PutEvents":  w.putEvents,
			"Settle":     w.settle,
			"Claim":      w.claim,
			"Unblock":    w.unblock,
			"CancelAll":  w.cancelAll,
			"Override":   w.override,
			"Add":        w.addDeliveries,
			"Deliveries": w.deliveries,
			"Missing":    w.missing,
			"Documents":  w.documents,
			"Purge":      w.purge,
			"Restart":    w.restart,
			"":           w.compare,
		}
		if _, joint := w.store.(sender.PutSettler); joint {
			actions["PutAndSettle"] = w.putAndSettle
		}
		rt.Repeat(actions)
		if err := w.store.Close(); err != nil {
			rt.Fatalf("Close: %v", err)
		}
	})
}

func (w *walk) open(t *rapid.T) {
	store, err := w.harness.Open()
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	w.store, w.model = store, w.model.next()
}

// restart closes or crashes the store and opens it again. It does so rarely,
// because that is what takes the time.
func (w *walk) restart(t *rapid.T) {
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0:
		if err := w.store.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
	case 1:
		if err := w.harness.Crash(w.store); err != nil {
			t.Fatalf("Crash: %v", err)
		}
	default:
		return
	}
	w.open(t)
}

// somePublications draws a batch.
func somePublications(t *rapid.T) []*sender.Publication {
	anEvent := rapid.Custom(func(t *rapid.T) sender.PutEvent {
		return sender.PutEvent{
			Event: &webhook.Event{
				ID: someIDs.Draw(t, "id"), Tenant: someTenants.Draw(t, "tenant"), Type: someTypes.Draw(t, "type"),
				Timestamp: someTimes.Draw(t, "timestamp"), Data: make([]byte, 4*rapid.IntRange(1, 2).Draw(t, "data")),
			},
			TimestampGiven: rapid.Bool().Draw(t, "timestamp given"),
			StoredAt:       someTimes.Draw(t, "stored at"),
			EndpointIDs:    rapid.SliceOfNDistinct(someEndpoints, 0, 3, rapid.ID).Draw(t, "endpoints"),
		}
	})
	aPublication := rapid.Custom(func(t *rapid.T) *sender.Publication {
		return &sender.Publication{Events: rapid.SliceOfN(anEvent, 1, 3).Draw(t, "events")}
	})
	return rapid.SliceOfN(aPublication, 1, 4).Draw(t, "publications")
}

func (w *walk) putEvents(t *rapid.T) { w.put(t, fails(t), w.store.PutEvents) }

// fails draws whether a call is to fail. Such a call leaves nothing.
func fails(t *rapid.T) bool { return rapid.IntRange(0, 9).Draw(t, "fails") == 0 }

// put has publications stored by a call.
func (w *walk) put(t *rapid.T, fails bool, put func(context.Context, []*sender.Publication) error) {
	want := somePublications(t)
	got := make([]*sender.Publication, len(want))
	for i, p := range want {
		got[i] = &sender.Publication{Events: slices.Clone(p.Events)}
	}
	if fails {
		if err := put(ended(), got); !errors.Is(err, context.Canceled) {
			t.Fatalf("putting events: %v, want the context's error", err)
		}
		return
	}
	if err := put(t.Context(), got); err != nil {
		t.Fatalf("putting events: %v", err)
	}
	if err := w.model.PutEvents(t.Context(), want); err != nil {
		t.Fatalf("PutEvents of the model: %v", err)
	}
	for i, p := range want {
		if errors.Is(got[i].Err, sender.ErrConflict) != (p.Err != nil) {
			t.Fatalf("publication %d: Err = %v, want %v", i, got[i].Err, p.Err)
		}
		for j, e := range p.Events {
			w.compareSeq(t, &e, &got[i].Events[j])
		}
	}
}

// compareSeq compares what PutEvents has set in an event, and notes a new
// number.
func (w *walk) compareSeq(t *rapid.T, want, got *sender.PutEvent) {
	if got.Duplicate != want.Duplicate {
		t.Fatalf("event %s: Duplicate = %t, want %t", got.Event.ID, got.Duplicate, want.Duplicate)
	}
	if want.Seq == 0 {
		return
	}
	if want.Duplicate {
		if got.Seq != w.toStore[want.Seq] {
			t.Fatalf("event %s is a duplicate of %d, want %d", got.Event.ID, got.Seq, w.toStore[want.Seq])
		}
		return
	}
	if got.Seq <= w.last {
		t.Fatalf("event %s has number %d, the one before had %d", got.Event.ID, got.Seq, w.last)
	}
	w.last = got.Seq
	w.toStore[want.Seq], w.toModel[got.Seq] = got.Seq, want.Seq
}

// someOutcome draws an outcome for a delivery that exists, or nearly.
func (w *walk) someOutcome(t *rapid.T) sender.Outcome {
	var e *modelEvent
	if len(w.model.events) > 0 {
		e = rapid.SampledFrom(w.model.events).Draw(t, "event")
	}
	if e == nil || len(e.deliveries) == 0 {
		return sender.Outcome{Seq: 1, EndpointID: someEndpoints.Draw(t, "endpoint"), Status: sender.Succeeded}
	}
	d := rapid.SampledFrom(e.deliveries).Draw(t, "delivery")
	o := sender.Outcome{
		Seq: d.Seq, EndpointID: d.EndpointID,
		Status: sender.Status(rapid.IntRange(int(sender.Pending), int(sender.Cancelled)).Draw(t, "status")),
		Held:   rapid.Bool().Draw(t, "held"),
		// The store may leave it as it is without an attempt.
		Due: d.Due,
	}
	if number := d.Attempts + rapid.IntRange(-1, 1).Draw(t, "attempt"); number > 0 {
		o.Attempt, o.Due = attempt(number, sender.VerdictRetry), someTimes.Draw(t, "due")
		o.Attempt.StartedAt = start.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "half minutes")) * 30 * time.Second)
		o.Type = e.Event.Type
	}
	return o
}

// someOutcomes draws a batch and, unless it is to fail, settles it in the model:
// one after the other, because each is drawn by what the one before has left.
func (w *walk) someOutcomes(t *rapid.T, fails bool) []sender.Outcome {
	var outcomes []sender.Outcome
	for range rapid.IntRange(1, 5).Draw(t, "outcomes") {
		o := w.someOutcome(t)
		if !fails {
			if err := w.model.Settle(t.Context(), []sender.Outcome{o}); err != nil {
				t.Fatalf("Settle of the model: %v", err)
			}
		}
		seq, found := w.toStore[o.Seq]
		if !found {
			seq = -1 // no event of the store either
		}
		o.Seq = seq
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func (w *walk) settle(t *rapid.T) {
	fails := fails(t)
	outcomes := w.someOutcomes(t, fails)
	ctx := t.Context()
	if fails {
		ctx = ended()
	}
	if err := w.store.Settle(ctx, outcomes); errors.Is(err, context.Canceled) != fails || !fails && err != nil {
		t.Fatalf("Settle = %v, fails: %t", err, fails)
	}
}

func (w *walk) putAndSettle(t *rapid.T) {
	fails := fails(t)
	outcomes := w.someOutcomes(t, fails)
	w.put(t, fails, func(ctx context.Context, publications []*sender.Publication) error {
		return w.store.(sender.PutSettler).PutAndSettle(ctx, publications, outcomes)
	})
}

func (w *walk) claim(t *rapid.T) {
	q := sender.ClaimQuery{
		EndpointID: someEndpoints.Draw(t, "endpoint"),
		Retries:    rapid.Bool().Draw(t, "retries"),
		Now:        someTimes.Draw(t, "now"),
		Limit:      rapid.IntRange(1, 5).Draw(t, "limit"),
		Bytes:      rapid.SampledFrom([]int64{0, 12, manyBytes}).Draw(t, "bytes"),
	}
	got, err := w.store.Claim(t.Context(), q)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	want, err := w.model.Claim(t.Context(), q)
	if err != nil {
		t.Fatalf("Claim of the model: %v", err)
	}
	for _, d := range got.Deliveries {
		d.Seq = w.toModel[d.Seq]
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Claim(%+v) (-want +got):\n%s", q, diff)
	}
}

func (w *walk) unblock(t *rapid.T) {
	endpoint, due := someEndpoints.Draw(t, "endpoint"), someTimes.Draw(t, "due")
	got, err := w.store.Unblock(t.Context(), endpoint, due)
	if err != nil {
		t.Fatalf("Unblock: %v", err)
	}
	want, err := w.model.Unblock(t.Context(), endpoint, due)
	if got != want || err != nil {
		t.Fatalf("Unblock(%s) = %d, want %d, %v", endpoint, got, want, err)
	}
}

// compare compares all that can be seen.
func (w *walk) compare(t *rapid.T) {
	byEndpoint := cmpopts.SortSlices(func(a, b sender.Backlog) bool { return cmp.Less(a.EndpointID, b.EndpointID) })
	got, err := w.store.Backlog(t.Context())
	if err != nil {
		t.Fatalf("Backlog: %v", err)
	}
	want, err := w.model.Backlog(t.Context())
	if err != nil {
		t.Fatalf("Backlog of the model: %v", err)
	}
	if diff := gocmp.Diff(want, got, byEndpoint, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Backlog (-want +got):\n%s", diff)
	}
	w.comparePending(t)
	w.compareCounters(t)
	for _, e := range w.model.events {
		w.compareEvent(t, e.Event.Tenant, e.Event.ID)
	}
	w.compareEvent(t, someTenants.Draw(t, "tenant"), someIDs.Draw(t, "id"))
	w.compareEvent(t, sender.AnyTenant, someIDs.Draw(t, "id of any tenant"))
}

// compareEvent compares what is known of an event.
func (w *walk) compareEvent(t *rapid.T, tenant, id string) {
	want, wantErr := w.model.Event(t.Context(), tenant, id)
	got, err := w.store.Event(t.Context(), tenant, id)
	switch {
	case err != nil && !errors.Is(err, sender.ErrNotFound) && !errors.Is(err, sender.ErrAmbiguous):
		t.Fatalf("Event: %v", err)
	case !errors.Is(err, wantErr):
		t.Fatalf("Event(%q, %q): %v, want %v", tenant, id, err, wantErr)
	}
	if got != nil {
		for i := range got.Deliveries {
			got.Deliveries[i].Seq = w.toModel[got.Deliveries[i].Seq]
		}
	}
	if reflect.DeepEqual(want, got) { // much faster than a Diff
		return
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("event %q of tenant %q (-want +got):\n%s", id, tenant, diff)
	}
}
