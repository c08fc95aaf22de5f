package storetest

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// RunSource checks that what can be copied from a store is all that is in it.
// For each test open makes an empty store, and source opens it to be copied
// after it has been closed.
func RunSource(t *testing.T, open func(t *testing.T) (store sender.Store, source func() (sender.CopySource, error))) {
	t.Run("all that is in it, in order", func(t *testing.T) {
		store, reopen := open(t)
		m := &model{}
		populate(t, store)
		populate(t, m)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		source, err := reopen()
		if err != nil {
			t.Fatalf("opening the source: %v", err)
		}
		defer source.Close()
		// Read in small steps, so that there are several.
		got, want := readSource(t, source, 3), readSource(t, modelSource{m.next()}, 1000)
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("what is read (-want +got):\n%s", diff)
		}
		if err := errors.Join(ofCall(source.Inventory(ended())), ofCall(source.CopyEvents(ended(), 0, 1, 1))); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}
	})
	t.Run("bounded by bytes", func(t *testing.T) {
		store, reopen := open(t)
		populate(t, store)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		source, err := reopen()
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		if events, err := source.CopyEvents(t.Context(), 0, 1000, 1); len(events) != 1 || err != nil {
			t.Errorf("with room for one byte: %d events, %v, want 1", len(events), err)
		}
	})
}

func ofCall[T any](_ T, err error) error { return err }

// contents are all that a source has. Numbers of events are by rank, since
// stores may begin with any.
type contents struct {
	Inventory sender.Inventory
	Documents []sender.Document
	Events    []sender.StoredEvent
	Counters  []sender.Counter
}

// readSource reads all that a source has, by steps of up to limit.
func readSource(t *testing.T, source sender.CopySource, limit int) (c contents) {
	t.Helper()
	var err error
	fail := func() {
		t.Helper()
		if err != nil {
			t.Fatalf("reading the source: %v", err)
		}
	}
	c.Inventory, err = source.Inventory(t.Context())
	fail()
	for {
		var after sender.Document
		if n := len(c.Documents); n > 0 {
			after = c.Documents[n-1]
		}
		var documents []sender.Document
		documents, err = source.CopyDocuments(t.Context(), after, limit)
		fail()
		if c.Documents = append(c.Documents, documents...); len(documents) == 0 {
			break
		}
	}
	for after := int64(0); ; {
		var events []sender.StoredEvent
		events, err = source.CopyEvents(t.Context(), after, limit, manyBytes)
		fail()
		if len(events) == 0 {
			break
		}
		if after = events[len(events)-1].Seq; len(events) > limit {
			t.Errorf("%d events at once, want up to %d", len(events), limit)
		}
		c.Events = append(c.Events, events...)
	}
	for _, step := range []sender.Step{sender.StepMinute, sender.StepHour} {
		for after := (time.Time{}); ; {
			var counters []sender.Counter
			counters, err = source.CopyCounters(t.Context(), step, after)
			fail()
			if len(counters) == 0 {
				break
			}
			after = counters[0].Start
			slices.SortFunc(counters, func(a, b sender.Counter) int {
				return cmp.Or(cmp.Compare(a.EndpointID, b.EndpointID), cmp.Compare(a.Type, b.Type))
			})
			c.Counters = append(c.Counters, counters...)
		}
	}
	for i := range c.Events {
		if seq := c.Events[i].Seq; i > 0 && seq <= c.Events[i-1].Seq || seq > c.Inventory.LastSeq {
			t.Errorf("event number %d: numbers must grow, up to %d", seq, c.Inventory.LastSeq)
		}
	}
	for i := range c.Events {
		c.Events[i].Seq = int64(i + 1)
		for j := range c.Events[i].Deliveries {
			c.Events[i].Deliveries[j].Seq = int64(i + 1)
		}
	}
	c.Inventory.LastSeq = 0
	return c
}

// populate puts something of everything into an empty store. The event stored
// last is gone again.
func populate(t *testing.T, store sender.Store) {
	t.Helper()
	f := &fixture{t: t, store: store}
	whole := sender.PutEvent{
		Event: &webhook.Event{ID: "whole", Type: "message.created", Tenant: "t", Timestamp: start.Add(123456789), Data: []byte{0, 0xff, '\n'},
			ContentType: "application/octet-stream", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
			Headers: http.Header{"X-Github-Event": {"push"}, "X-Many": {"é", "", "2"}}},
		StoredAt: at(1), EndpointIDs: []string{"b", "a"},
	}
	other := event("whole", at(2), "a") // of another tenant
	f.put(whole, other, event("nowhere", at(3)))
	for n := range 12 {
		f.put(event(string(rune('k'+n)), at(30+n), "a", "strict"))
	}
	seq := func(id string, endpoints ...string) int64 { return f.put(event(id, at(4), endpoints...))[0] }

	part := seq("part", "a", "b", "gone")
	f.settle(succeeded(part, "b"), retry(part, "gone", 1, at(50)))
	retried := seq("retried", "a")
	f.settle(retry(retried, "a", 1, at(60)))
	late := retry(retried, "a", 2, at(70))
	late.Attempt.StartedAt, late.Type = start.Add(2*time.Hour), "message.created"
	late.Attempt.Error, late.Attempt.ResponseBody, late.Attempt.ResponseHeaders = "it did not like it", []byte("no"), http.Header{"Server": {"x"}}
	f.settle(late)
	back := seq("back", "a")
	f.settle(putBack(back, "a", at(4)))
	ends := func(id string, status sender.Status) int64 {
		n := seq(id, "ends")
		f.settle(sender.Outcome{Seq: n, EndpointID: "ends", Status: status, Attempt: attempt(1, sender.VerdictRetry)})
		return n
	}
	ends("failed", sender.Failed)
	ends("blocked", sender.Blocked)
	f.override([]sender.Override{
		{Seq: ends("cancelled", sender.Blocked), EndpointID: "ends", Status: sender.Cancelled},
		{Seq: ends("again", sender.Failed), EndpointID: "ends", Status: sender.Pending, Due: at(80)},
	}, "attempted", "attempted")

	for _, d := range []*sender.Document{{Kind: "endpoint", ID: "a", Data: []byte("1")}, {Kind: "endpoint", ID: "b", Data: []byte{0, 1}},
		{Kind: "health", ID: "a", Data: []byte("{}")}, {Kind: "replay", ID: "r", Data: []byte("3")}, {Kind: "replay", ID: "r2", Data: []byte("4")}} {
		for range 2 {
			if err := store.PutDocuments(t.Context(), []*sender.Document{d}); err != nil {
				t.Fatal(err)
			}
		}
	}
	f.put(event("purged", at(-5)))
	f.purge(at(-4), 10, 1)
}
