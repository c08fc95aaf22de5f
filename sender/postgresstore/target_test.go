package postgresstore

import (
	"context"
	"errors"
	"testing"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/storetest"
)

// TestTarget runs the conformance suite.
func TestTarget(t *testing.T) {
	storetest.RunTarget(t, func(t *testing.T) storetest.TargetHarness {
		o := options(t, postgrestest.Shared(t).URL())
		return storetest.TargetHarness{
			Target: func() (sender.CopyTarget, error) { return OpenTarget(context.Background(), o) },
			Open:   func() (sender.Store, error) { return Open(context.Background(), o) },
		}
	})
}

// TestTargetIsUsed: nothing is copied into a store that senders use.
func TestTargetIsUsed(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	open(t, o)
	target, err := OpenTarget(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	if _, err := target.BeginCopy(t.Context(), "sqlite:/hooks.db"); !errors.Is(err, sender.ErrStoreInUse) {
		t.Errorf("BeginCopy = %v, want ErrStoreInUse", err)
	}
}

// TestTwoCopiesAtOnce: one of them has to give up, whatever it does next.
func TestTwoCopiesAtOnce(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	var targets [2]*Target
	for i := range targets {
		target, err := OpenTarget(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		if _, err := target.BeginCopy(t.Context(), "sqlite:/hooks.db"); err != nil {
			t.Fatal(err)
		}
		targets[i] = target
	}
	e := sender.StoredEvent{Seq: 7, EventRecord: sender.EventRecord{Event: batch(1, 1)[0].Events[0].Event, StoredAt: start}}
	if err := targets[0].PutEvents(t.Context(), []sender.StoredEvent{e}); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"PutEvents":    targets[1].PutEvents(t.Context(), []sender.StoredEvent{e}),
		"PutDocuments": targets[1].PutDocuments(t.Context(), []sender.Document{{Kind: "k", ID: "1"}}),
		"EndCopy":      targets[1].EndCopy(t.Context(), 7),
	} {
		if !errors.Is(err, errCopying) {
			t.Errorf("%s of the second = %v, want that another process copies", what, err)
		}
	}
	if err := targets[0].EndCopy(t.Context(), 1<<40); err == nil {
		t.Error("a number of another partition was taken")
	}
	if err := targets[0].EndCopy(t.Context(), 9); err != nil {
		t.Fatal(err)
	}
	if err := targets[1].PutEvents(t.Context(), []sender.StoredEvent{e}); !errors.Is(err, errCopying) {
		t.Errorf("PutEvents after the other has ended = %v", err)
	}
}

// TestTargetIsWornOut guards that a copy is refused at its beginning into a schema
// whose first partition, in which what is copied would have to lie, is gone or about
// to go: of its first events, the IDs are not deleted any more.
func TestTargetIsWornOut(t *testing.T) {
	for name, wear := range map[string]func(*Store){
		"gone": func(s *Store) {
			for range 2 {
				tomorrow(t, s)
			}
			postgrestest.Shared(t).Exec(t, postgrestest.Shared(t).URL(), s.in(`UPDATE {s}.partitions SET begun = begun - interval '2 hours'`))
			if err := s.renew(background, s.keeper.number()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Purge(background, sender.PurgeQuery{Before: start, Limit: 10}); err != nil {
				t.Fatal(err)
			}
		},
		"about to go": func(s *Store) {
			postgrestest.Shared(t).Exec(t, postgrestest.Shared(t).URL(), s.in(`UPDATE {s}.partitions SET purged = 7 WHERE number = 0`))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t)
			wear(s)
			o := Options{URL: s.pool.Config().ConnString(), Schema: s.schema}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			target, err := OpenTarget(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			if _, err := target.BeginCopy(t.Context(), "sqlite:/hooks.db"); !errors.Is(err, sender.ErrNotEmpty) {
				t.Errorf("BeginCopy = %v, want ErrNotEmpty", err)
			}
		})
	}
}
