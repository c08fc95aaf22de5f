package sqlitestore

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// start is when the tests' time begins.
var start = time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC)

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

// kilobyte is an event's data.
var kilobyte = []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)

// batch is n publications of one event each, numbered from first.
func batch(n, first int, endpoints ...string) []*sender.Publication {
	publications := make([]*sender.Publication, n)
	for i := range publications {
		publications[i] = &sender.Publication{Events: []sender.PutEvent{{
			Event: &webhook.Event{
				ID: fmt.Sprintf("evt_0192f0c1a2b37c4d8e5f6071%08x", first+i), Type: "conversation.created",
				Timestamp: start, Data: kilobyte,
			},
			StoredAt: start.Add(time.Duration(first+i) * time.Millisecond), EndpointIDs: endpoints,
		}}}
	}
	return publications
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
	outcomes := make([]sender.Outcome, len(publications))
	for i, p := range publications {
		outcomes[i] = o
		outcomes[i].Seq, outcomes[i].EndpointID = p.Events[0].Seq, endpoint
	}
	if err := s.Settle(background, outcomes); err != nil {
		tb.Fatal(err)
	}
}

// delivered is the outcome of a first attempt that succeeded.
var delivered = sender.Outcome{Status: sender.Succeeded, Attempt: &sender.Attempt{
	Number: 1, StartedAt: start, Duration: webhook.Duration(3 * time.Millisecond), StatusCode: 200,
	Verdict: sender.VerdictSucceeded, ResponseBody: []byte(`{"ok":true}`),
}}

// renumber gives the events of a batch new IDs.
func renumber(publications []*sender.Publication, first int) {
	const digits = "0123456789abcdef"
	for i, p := range publications {
		id := []byte("evt_0192f0c1a2b37c4d8e5f607100000000")
		for n, at := first+i, len(id)-1; n > 0; n, at = n>>4, at-1 {
			id[at] = digits[n&15]
		}
		p.Events[0].Event.ID = string(id)
		p.Events[0].StoredAt = start.Add(time.Duration(first+i) * time.Millisecond)
	}
}

// fill stores n events for one endpoint, in large batches.
func fill(tb testing.TB, s *Store, n int) {
	for first := 0; first < n; first += 1000 {
		put(tb, s, batch(min(1000, n-first), first, "a"))
	}
}
