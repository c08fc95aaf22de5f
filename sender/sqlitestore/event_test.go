package sqlitestore

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/storedtest"
)

// What stores are tested with.
var (
	start     = storedtest.Start
	kilobyte  = storedtest.Kilobyte
	delivered = storedtest.Delivered
	batch     = storedtest.Batch
	renumber  = storedtest.Renumber
)

// background is the context of calls that are not cancelled.
var background = context.Background()

// openTemp opens a store in a new folder.
func openTemp(tb testing.TB) *Store {
	tb.Helper()
	s, err := Open(filepath.Join(tb.TempDir(), "webhooks.db"), Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// put stores publications.
func put(tb testing.TB, s *Store, publications []*sender.Publication) {
	tb.Helper()
	if err := s.PutEvents(background, publications); err != nil {
		tb.Fatal(err)
	}
}

// settleAll settles deliveries of publications to one endpoint.
func settleAll(tb testing.TB, s *Store, publications []*sender.Publication, endpoint string, o sender.Outcome) {
	tb.Helper()
	if err := s.Settle(background, storedtest.Outcomes(publications, endpoint, o)); err != nil {
		tb.Fatal(err)
	}
}

// fill stores n events for one endpoint, in large batches.
func fill(tb testing.TB, s *Store, n int) {
	for first := 0; first < n; first += 1000 {
		put(tb, s, batch(min(1000, n-first), first, "a"))
	}
}
