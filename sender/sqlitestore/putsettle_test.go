package sqlitestore

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// commits is how many transactions the log holds.
func commits(t *testing.T, s *Store) (n int) {
	t.Helper()
	// SQLite, "Database File Format", 4: a header of 32 bytes, then frames. The
	// second number of a frame that ends a transaction is not 0.
	const header, frameHeader, page = 32, 24, 4096
	log, err := os.ReadFile(s.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	for at := header; at+frameHeader+page <= len(log); at += frameHeader + page {
		if binary.BigEndian.Uint32(log[at+4:]) != 0 {
			n++
		}
	}
	return n
}

// outcomeOf is that of a delivery to endpoint a, with an answer of some size.
func outcomeOf(p *sender.Publication, answer int) []sender.Outcome {
	attempt := *delivered.Attempt
	attempt.ResponseBody = make([]byte, answer)
	o := delivered
	o.Seq, o.EndpointID, o.Attempt = p.Events[0].Seq, "a", &attempt
	return []sender.Outcome{o}
}

// TestPutAndSettleIsOne: publications and outcomes are stored by one transaction.
func TestPutAndSettleIsOne(t *testing.T) {
	s := openTemp(t)
	first := batch(2, 0, "a")
	put(t, s, first)
	before := commits(t, s)
	if err := s.PutAndSettle(background, batch(3, 10, "a", "new"), outcomeOf(first[0], 10)); err != nil {
		t.Fatal(err)
	}
	if got := commits(t, s) - before; got != 1 {
		t.Errorf("both together made %d transactions, want 1", got)
	}
	put(t, s, batch(3, 20, "a"))
	if err := s.Settle(background, outcomeOf(first[1], 10)); err != nil {
		t.Fatal(err)
	}
	if got := commits(t, s) - before; got != 3 {
		t.Errorf("each by itself made %d transactions, want 2", got-1)
	}
}

// TestPutAndSettleFull: when there is no room for both, nothing is kept, and that
// for which there is room can still be stored by itself.
func TestPutAndSettleFull(t *testing.T) {
	const large = 100 << 10
	tests := []struct {
		name         string
		data, answer int
	}{
		{"the event is too large", large, 10},
		{"the answer is too large", 10, large},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := openTemp(t)
			first := batch(1, 0, "a")
			put(t, s, first)
			limitPages(t, s, pages(t, s)+5)
			before := s.memory()
			publications, outcomes := batch(1, 1, "a", "new"), outcomeOf(first[0], test.answer)
			e := &publications[0].Events[0]
			e.Event.Data = make([]byte, test.data)
			if err := s.PutAndSettle(background, publications, outcomes); !errors.Is(err, sender.ErrStoreFull) {
				t.Fatalf("PutAndSettle = %v, want ErrStoreFull", err)
			}
			if e.Seq != 0 {
				t.Errorf("the refused event has Seq %d", e.Seq)
			}
			wantMemory(t, s, before)
			if got := errors.Is(s.PutEvents(background, publications), sender.ErrStoreFull); got != (test.data == large) {
				t.Errorf("the event by itself: full = %t", got)
			}
			if got := errors.Is(s.Settle(background, outcomes), sender.ErrStoreFull); got != (test.answer == large) {
				t.Errorf("the outcome by itself: full = %t", got)
			}
			want := sender.Pending
			if test.answer < large {
				want = sender.Succeeded
			}
			record, err := s.Event(background, "", first[0].Events[0].Event.ID)
			if err != nil || record.Deliveries[0].Status != want {
				t.Errorf("the first delivery is %v, want %v, %v", record.Deliveries[0].Status, want, err)
			}
			_, err = s.Event(background, "", e.Event.ID)
			if errors.Is(err, sender.ErrNotFound) != (test.data == large) {
				t.Errorf("the event: %v", err)
			}
		})
	}
}

// TestPutAndSettleEndsMidway: a call that has done its work and may not commit it
// leaves nothing of either, in the file or in memory.
func TestPutAndSettleEndsMidway(t *testing.T) {
	s := openTemp(t)
	first := batch(2, 0, "a", "b")
	put(t, s, first)
	if err := s.Settle(background, outcomeOf(first[1], 10)); err != nil {
		t.Fatal(err)
	}
	before := s.memory()
	publications := append(batch(1, 10), batch(2, 11, "a", "new")...)
	err := s.PutAndSettle(&endingContext{background, 1}, publications, outcomeOf(first[0], 10))
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("PutAndSettle = %v, want the context's error", err)
	}
	wantMemory(t, s, before)
	// The sums of what both change are kept as well.
	if err := s.PutAndSettle(background, publications, outcomeOf(first[0], 10)); err != nil {
		t.Fatal(err)
	}
	want := before
	want.Endpoints["new"], want.Last = 3, 3
	want.NextSeq += 3
	want.Pending["a"]++ // two more, and one less
	want.Pending["new"] = 2
	delete(want.Held, deliveryKey{first[0].Events[0].Seq, 1})
	want.Events[0].count--
	for _, p := range publications[1:] {
		seq := p.Events[0].Seq
		want.Held[deliveryKey{seq, 1}], want.Held[deliveryKey{seq, 3}] = heldUnwritten, heldUnwritten
		want.Events = append(want.Events, unwrittenEvent{seq, 2})
	}
	wantMemory(t, s, want)
}

// TestPutAndSettleRefuses: an outcome that makes no sense is an error of the
// caller, and nothing is stored with it.
func TestPutAndSettleRefuses(t *testing.T) {
	s := openTemp(t)
	publications := batch(1, 0, "a")
	publications[0].Events[0].Seq = 7 // of a call before
	if err := s.PutAndSettle(background, publications, []sender.Outcome{{Seq: 1, EndpointID: "a"}}); err == nil {
		t.Error("an unknown status was taken")
	}
	if publications[0].Events[0].Seq != 0 {
		t.Error("the event has a number")
	}
	if _, err := s.Event(background, "", publications[0].Events[0].Event.ID); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("the event: %v, want ErrNotFound", err)
	}
}
