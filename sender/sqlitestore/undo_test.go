package sqlitestore

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
)

// endingContext is a context that ends after it was asked a few times.
type endingContext struct {
	context.Context
	left int
}

func (c *endingContext) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// wantMemory compares what the writer knows.
func wantMemory(t *testing.T, s *Store, want memory) {
	t.Helper()
	same := cmp.AllowUnexported(deliveryKey{}, unwrittenEvent{})
	if diff := cmp.Diff(want, s.memory(), same, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("memory (-want +got):\n%s", diff)
	}
}

// TestContextEndsMidway: a call that has done its work and may not commit it
// leaves nothing, neither in the file nor in memory.
func TestContextEndsMidway(t *testing.T) {
	s := openTemp(t)
	first := batch(3, 0, "a", "b")
	put(t, s, first)
	before := s.memory()
	// The first of these goes nowhere, so that the numbers of events with
	// deliveries have a gap.
	refused := append(batch(1, 10), batch(2, 11, "a", "new")...)
	if err := s.PutEvents(&endingContext{background, 1}, refused); !errors.Is(err, context.Canceled) {
		t.Fatalf("PutEvents = %v, want the context's error", err)
	}
	wantMemory(t, s, before)
	o := delivered
	o.Seq, o.EndpointID = first[0].Events[0].Seq, "a"
	if err := s.Settle(&endingContext{background, 1}, []sender.Outcome{o}); !errors.Is(err, context.Canceled) {
		t.Fatalf("Settle = %v, want the context's error", err)
	}
	wantMemory(t, s, before)
	for _, p := range append(first, refused...) {
		record, err := s.Event(background, "", p.Events[0].Event.ID)
		switch {
		case p.Events[0].Seq == 0 && !errors.Is(err, sender.ErrNotFound):
			t.Errorf("a refused event is there: %v", err)
		case p.Events[0].Seq > 0 && (err != nil || record.Deliveries[0].Status != sender.Pending):
			t.Errorf("a delivery was settled: %v", err)
		}
	}

	again := batch(1, 20, "a")
	put(t, s, again)
	seq := again[0].Events[0].Seq
	want := before
	want.NextSeq++
	want.Pending["a"]++
	want.Held[deliveryKey{seq, 1}] = heldUnwritten
	want.Events = append(want.Events, unwrittenEvent{seq, 1})
	wantMemory(t, s, want)
}

// TestTakenBackIsForgotten: a publication that is not stored leaves no hold,
// which would keep the mark from rising.
func TestTakenBackIsForgotten(t *testing.T) {
	s := openTemp(t)
	put(t, s, batch(1, 0, "a"))
	want := s.memory()
	conflict := batch(1, 0, "a")[0].Events[0]
	conflict.Event.Data = []byte("other")
	p := &sender.Publication{Events: []sender.PutEvent{batch(1, 1, "a")[0].Events[0], batch(1, 2, "a")[0].Events[0], conflict}}
	put(t, s, []*sender.Publication{p})
	if !errors.Is(p.Err, sender.ErrConflict) {
		t.Fatalf("Err = %v, want ErrConflict", p.Err)
	}
	want.NextSeq += 2 // numbers may be left out
	wantMemory(t, s, want)
}

// TestUnblockEndsMidway: what could not be unblocked is still known to be
// blocked.
func TestUnblockEndsMidway(t *testing.T) {
	s := openTemp(t)
	publications := batch(3, 0, "a")
	put(t, s, publications)
	blocked := delivered
	blocked.Status = sender.Blocked
	settleAll(t, s, publications, "a", blocked)
	if _, err := s.Unblock(&endingContext{background, 2}, "a", start); !errors.Is(err, context.Canceled) {
		t.Fatalf("Unblock = %v, want the context's error", err)
	}
	for _, want := range []int{3, 0} {
		if n, err := s.Unblock(background, "a", start); n != want || err != nil {
			t.Errorf("Unblock = %d, %v, want %d", n, err, want)
		}
	}
}
