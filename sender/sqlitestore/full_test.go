package sqlitestore

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// limitPages sets how large the file may grow; SQLite then fails as it does on
// a full disk.
func limitPages(t *testing.T, s *Store, pages int64) {
	t.Helper()
	w := <-s.writer
	defer func() { s.writer <- w }()
	if err := pragmas(w.conn, fmt.Sprintf("max_page_count=%d", pages)); err != nil {
		t.Fatal(err)
	}
}

// pages is how large the file is.
func pages(t *testing.T, s *Store) int64 {
	t.Helper()
	w := <-s.writer
	defer func() { s.writer <- w }()
	n, err := number(w.conn, "PRAGMA page_count")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// memory is what a writer knows, in a form that can be compared.
type memory struct {
	Held      map[deliveryKey]hold
	Events    []unwrittenEvent
	Endpoints map[string]int64
	Pending   map[string]int64
	Last      int64
	NextSeq   int64
	LowWater  int64
}

func (s *Store) memory() memory {
	w := <-s.writer
	defer func() { s.writer <- w }()
	m := memory{Held: map[deliveryKey]hold{}, Endpoints: map[string]int64{}, Pending: map[string]int64{}, Last: w.endpoints.last, NextSeq: w.nextSeq, LowWater: w.lowWater}
	for key, held := range w.holds.held {
		m.Held[key] = held
	}
	for _, e := range w.holds.events {
		if e.count > 0 {
			m.Events = append(m.Events, e)
		}
	}
	for id, l := range w.endpoints.byID {
		if w.endpoints.byNumber[l.number] == l {
			m.Endpoints[id] = l.number
		}
		if l.pending != 0 || l.change != 0 {
			m.Pending[id] = l.pending + 1_000_000*l.change // no transaction is under way
		}
	}
	return m
}

// TestFull: on a full disk calls fail with ErrStoreFull, everything is as
// before, and it goes on when there is room.
func TestFull(t *testing.T) {
	s := openTemp(t)
	first := batch(50, 0, "a", "b")
	put(t, s, first)
	limitPages(t, s, pages(t, s)+5)
	before := s.memory()

	refused := batch(50, 50, "b", "c", "new")
	err := s.PutEvents(background, refused)
	if !errors.Is(err, sender.ErrStoreFull) || !strings.Contains(err.Error(), s.Path()) {
		t.Fatalf("PutEvents = %v, want ErrStoreFull and the file's name", err)
	}
	for _, p := range refused {
		if e := p.Events[0]; e.Seq != 0 || e.Duplicate || p.Err != nil {
			t.Fatalf("a refused event has Seq %d, Duplicate %t, Err %v", e.Seq, e.Duplicate, p.Err)
		}
	}
	var outcomes []sender.Outcome
	for _, p := range first {
		o := delivered
		attempt := *o.Attempt
		attempt.ResponseBody = kilobyte
		o.Seq, o.EndpointID, o.Attempt = p.Events[0].Seq, "a", &attempt
		outcomes = append(outcomes, o)
	}
	if err := s.Settle(background, outcomes); !errors.Is(err, sender.ErrStoreFull) {
		t.Fatalf("Settle = %v, want ErrStoreFull", err)
	}
	wantMemory(t, s, before)
	if _, err := s.Event(background, "", refused[0].Events[0].Event.ID); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("a refused event is there: %v", err)
	}

	limitPages(t, s, 1<<30)
	put(t, s, refused)
	if err := s.Settle(background, outcomes); err != nil {
		t.Fatal(err)
	}
	path := s.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for endpoint, want := range map[string]int{"a": 0, "b": 100, "c": 50, "new": 50} {
		claimed, err := s.Claim(background, sender.ClaimQuery{EndpointID: endpoint, Now: start.AddDate(1, 0, 0), Limit: 1000, Bytes: 1 << 30})
		if err != nil || len(claimed.Deliveries) != want {
			t.Errorf("%s has %d pending deliveries, want %d, %v", endpoint, len(claimed.Deliveries), want, err)
		}
	}
}

// TestSettleRefuses: an outcome that makes no sense is an error of the caller.
func TestSettleRefuses(t *testing.T) {
	s := openTemp(t)
	put(t, s, batch(1, 0, "a"))
	for want, o := range map[string]sender.Outcome{
		"the outcome for event number 1 has the unknown status(0)": {Seq: 1, EndpointID: "a"},
		"the outcome for event number 1 has the unknown status(9)": {Seq: 1, EndpointID: "a", Status: 9},
		"the outcome for event number 1 has attempt number 0: they count from 1": {
			Seq: 1, EndpointID: "a", Status: sender.Succeeded, Attempt: &sender.Attempt{}},
	} {
		if err := s.Settle(background, []sender.Outcome{o}); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("Settle = %v, want %q", err, want)
		}
	}
}
