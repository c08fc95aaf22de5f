package storetest

import (
	"context"
	"errors"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
)

// TargetHarness opens one store, to be copied into and to be used.
type TargetHarness struct {
	// Target opens it to be copied into. Neither way it is open already.
	Target func() (sender.CopyTarget, error)

	// Open opens it to be used.
	Open func() (sender.Store, error)
}

// RunTarget checks that a store that another one was copied into is the same.
// For each test open makes a harness with an empty store of its own.
func RunTarget(t *testing.T, open func(t *testing.T) TargetHarness) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, TargetHarness)
	}{
		{"the copy is the same", testCopySame},
		{"broken off at every call", testCopyBrokenOff},
		{"what is not empty is refused", testCopyNotEmpty},
		{"another copy is refused", testCopyOther},
		{"a copy that differs is not released", testCopyMiscounted},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// source is a populated model.
func source(t *testing.T) modelSource {
	m := &model{}
	populate(t, m)
	return modelSource{m.next()}
}

// copyInto copies a source, once.
func copyInto(t *testing.T, h TargetHarness, from sender.CopySource) (original, copied sender.Inventory, err error) {
	t.Helper()
	target, err := h.Target()
	if err != nil {
		t.Fatalf("opening the target: %v", err)
	}
	defer func() {
		if err := target.Close(); err != nil {
			t.Errorf("closing the target: %v", err)
		}
	}()
	return sender.CopyStore(t.Context(), from, target, nil)
}

func testCopySame(t *testing.T, h TargetHarness) {
	from := source(t)
	var kinds []string
	target, err := h.Target()
	if err != nil {
		t.Fatal(err)
	}
	original, copied, err := sender.CopyStore(t.Context(), from, target, func(p sender.CopyProgress) {
		kinds = append(kinds, p.Kind)
	})
	if err := errors.Join(err, target.Close()); err != nil {
		t.Fatalf("CopyStore: %v", err)
	}
	if original != copied || copied.Events == 0 || copied.LastSeq == 0 {
		t.Errorf("counted %+v and %+v", original, copied)
	}
	if len(kinds) < 3 || kinds[0] != "documents" || kinds[1] != "events" {
		t.Errorf("progress was told of %q", kinds)
	}
	wantSame(t, h, from)
}

// wantSame compares the finished copy with the source, and uses it.
func wantSame(t *testing.T, h TargetHarness, from modelSource) {
	t.Helper()
	store, err := h.Open()
	if err != nil {
		t.Fatalf("opening the copy: %v", err)
	}
	f := &fixture{t: t, store: store}
	defer f.close()
	seqs := map[string]int64{}
	for _, e := range from.events {
		want, err := from.Event(t.Context(), e.Event.Tenant, e.Event.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := store.Event(t.Context(), e.Event.Tenant, e.Event.ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("event %s (-want +got):\n%s", e.Event.ID, diff)
		}
		seqs[e.Event.ID] = e.Seq
	}
	for _, q := range []sender.DeliveryQuery{{}, {OldestFirst: true}, {EndpointIDs: []string{"ends"}}, {Statuses: []sender.Status{sender.Failed, sender.Blocked}}} {
		q.Limit = 4
		wantSameOf(t, "a listing", f.store, from.model, func(s sender.Store) ([]sender.DeliverySummary, error) { return listAll(t.Context(), s, q) })
	}
	for _, step := range []sender.Step{sender.StepMinute, sender.StepHour} {
		wantSameOf(t, "counters of a "+step.String(), store, from.model, func(s sender.Store) ([]sender.Counter, error) {
			return s.Counters(t.Context(), sender.CounterQuery{Step: step})
		})
	}
	for _, kind := range []string{"endpoint", "health", "replay"} {
		wantSameOf(t, "documents", store, from.model, func(s sender.Store) ([]sender.Document, error) {
			documents, err := s.Documents(t.Context(), kind)
			return sortedDocuments(documents), err
		})
	}
	wantSameOf(t, "what is pending", store, from.model, func(s sender.Store) (any, error) { return pendingOf(t.Context(), s) })
	wantSameOf(t, "the backlog", store, from.model, func(s sender.Store) ([]sender.Backlog, error) {
		backlog, err := s.Backlog(t.Context())
		return sorted(backlog), err
	})
	for _, endpoint := range []string{"a", "b", "strict", "ends", "gone"} {
		for _, retries := range []bool{false, true} {
			q := sender.ClaimQuery{EndpointID: endpoint, Retries: retries, Now: always, Limit: 100, Bytes: manyBytes}
			wantSameOf(t, "what "+endpoint+" is due", store, from.model, func(s sender.Store) (sender.Claimed, error) { return s.Claim(t.Context(), q) })
		}
	}
	// It goes on from there.
	f.settle(retry(seqs["retried"], "a", 3, at(90)))
	f.wantStates("retried", "a pending 3/3 90")
	if next := f.put(event("new", at(100), "a")); next[0] <= from.last {
		t.Errorf("the next event has number %d, want one after %d", next[0], from.last)
	}
	if err := store.PutDocuments(t.Context(), []*sender.Document{{Kind: "health", ID: "a", Version: 2}}); err != nil {
		t.Errorf("a document of the version that was copied cannot be changed: %v", err)
	}
}

// wantSameOf compares what a store and a model answer.
func wantSameOf[T any](t *testing.T, what string, store sender.Store, m *model, ask func(sender.Store) (T, error)) {
	t.Helper()
	got, err := ask(store)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	want, err := ask(m)
	if err != nil {
		t.Fatalf("%s of the model: %v", what, err)
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// errBroken is why a copy was broken off.
var errBroken = errors.New("broken off")

// brokenSource gives three events at once, and breaks off after some calls.
type brokenSource struct {
	modelSource
	left int
}

func (b *brokenSource) CopyEvents(ctx context.Context, after int64, _ int, size int64) ([]sender.StoredEvent, error) {
	if b.left--; b.left < 0 {
		return nil, errBroken
	}
	return b.modelSource.CopyEvents(ctx, after, 3, size)
}

func (b *brokenSource) CopyDocuments(ctx context.Context, after sender.Document, _ int) ([]sender.Document, error) {
	if b.left--; b.left < 0 {
		return nil, errBroken
	}
	return b.modelSource.CopyDocuments(ctx, after, 2)
}

// testCopyBrokenOff breaks a copy off after a few steps, again and again. What
// was copied before counts for the next time, and nobody can use the store
// meanwhile.
func testCopyBrokenOff(t *testing.T, h TargetHarness) {
	from := source(t)
	for n := 0; ; n++ {
		_, _, err := copyInto(t, h, &brokenSource{modelSource: from, left: 5})
		if err == nil && n < 2 {
			t.Error("the copy was not broken off")
		}
		if err == nil {
			break
		}
		if !errors.Is(err, errBroken) || n > len(from.events) {
			t.Fatalf("copying, time %d: %v", n, err)
		}
		if store, err := h.Open(); !errors.Is(err, sender.ErrIncomplete) {
			t.Errorf("opening half a copy: %v, want ErrIncomplete", err)
			if err == nil {
				store.Close()
			}
		}
	}
	wantSame(t, h, from)
}

func testCopyNotEmpty(t *testing.T, h TargetHarness) {
	store, err := h.Open()
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, store: store}
	if err := store.PutDocuments(t.Context(), []*sender.Document{{Kind: "endpoint", ID: "a"}}); err != nil {
		t.Fatal(err)
	}
	f.close()
	wantNotEmpty := func(what string) {
		t.Helper()
		if _, _, err := copyInto(t, h, source(t)); !errors.Is(err, sender.ErrNotEmpty) {
			t.Errorf("copying into a store with %s: %v, want ErrNotEmpty", what, err)
		}
	}
	wantNotEmpty("a document")
	if f.store, err = h.Open(); err != nil {
		t.Fatalf("the refusal has left the store unusable: %v", err)
	}
	if err := f.store.DeleteDocument(t.Context(), "endpoint", "a"); err != nil {
		t.Fatal(err)
	}
	f.put(event("1", at(1)))
	f.close()
	wantNotEmpty("an event")
	if f.store, err = h.Open(); err != nil {
		t.Fatalf("the refusal has left the store unusable: %v", err)
	}
	f.purge(always, 1, 1)
	f.close()
	if _, _, err := copyInto(t, h, source(t)); err != nil {
		t.Errorf("copying into a store that is empty again: %v", err)
	}
	wantNotEmpty("a finished copy")
}

// otherSource is another store with the same content.
type otherSource struct{ modelSource }

func (otherSource) Name() string { return "another" }

func testCopyOther(t *testing.T, h TargetHarness) {
	from := source(t)
	if _, _, err := copyInto(t, h, &brokenSource{modelSource: from, left: 5}); !errors.Is(err, errBroken) {
		t.Fatal(err)
	}
	if _, _, err := copyInto(t, h, otherSource{from}); !errors.Is(err, sender.ErrNotEmpty) {
		t.Errorf("going on with another store's copy: %v, want ErrNotEmpty", err)
	}
	if _, _, err := copyInto(t, h, from); err != nil {
		t.Fatalf("going on: %v", err)
	}
	wantSame(t, h, from)
}

// lyingSource says that it has an attempt more.
type lyingSource struct{ modelSource }

func (l lyingSource) Inventory(ctx context.Context) (sender.Inventory, error) {
	i, err := l.modelSource.Inventory(ctx)
	i.Attempts++
	return i, err
}

func testCopyMiscounted(t *testing.T, h TargetHarness) {
	if _, _, err := copyInto(t, h, lyingSource{source(t)}); !errors.Is(err, sender.ErrMiscounted) {
		t.Errorf("CopyStore = %v, want ErrMiscounted", err)
	}
	if store, err := h.Open(); !errors.Is(err, sender.ErrIncomplete) {
		t.Errorf("opening a copy that differs: %v, want ErrIncomplete", err)
		if err == nil {
			store.Close()
		}
	}
}
