package storetest

import (
	"cmp"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// someQuery draws a listing.
func someQuery(t *rapid.T) sender.DeliveryQuery {
	q := sender.DeliveryQuery{
		OldestFirst: rapid.Bool().Draw(t, "oldest first"),
		Limit:       rapid.SampledFrom([]int{1, 2, 3, 100}).Draw(t, "limit"),
	}
	chosen := func(what string) bool { return rapid.Bool().Draw(t, what) }
	if chosen("by tenant") {
		tenant := someTenants.Draw(t, "tenant")
		q.Tenant = &tenant
	}
	if chosen("by endpoint") {
		q.EndpointIDs = rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "nobody"}), 1, 3).Draw(t, "endpoints")
	}
	if chosen("by status") {
		aStatus := rapid.Custom(func(t *rapid.T) sender.Status {
			return sender.Status(rapid.IntRange(int(sender.Pending), int(sender.Cancelled)).Draw(t, "status"))
		})
		q.Statuses = rapid.SliceOfN(aStatus, 1, 3).Draw(t, "statuses")
	}
	if chosen("by type") {
		q.Types = rapid.SliceOfN(rapid.SampledFrom([]webhook.Pattern{"a", "a.*", "b.c", "*"}), 1, 2).Draw(t, "types")
	}
	if chosen("from") {
		q.From = someTimes.Draw(t, "from")
	}
	if chosen("to") {
		q.To = someTimes.Draw(t, "to")
	}
	return q
}

// deliveries compares a listing, page by page. The store's pages may be shorter.
func (w *walk) deliveries(t *rapid.T) {
	q := someQuery(t)
	got, err := listAll(t.Context(), w.store, q)
	if err != nil {
		t.Fatalf("Deliveries(%+v): %v", q, err)
	}
	for i := range got {
		got[i].Seq = w.toModel[got[i].Seq]
	}
	want, err := listAll(t.Context(), w.model, q)
	if err != nil {
		t.Fatalf("Deliveries of the model: %v", err)
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Deliveries(%+v) (-want +got):\n%s", q, diff)
	}
	for _, d := range want {
		w.compareDelivery(t, d.Seq, d.EndpointID)
	}
}

// missing compares what an endpoint has no delivery of, page by page.
func (w *walk) missing(t *rapid.T) {
	listing := someQuery(t)
	q := sender.MissingQuery{
		EndpointID: rapid.SampledFrom([]string{"a", "b", "c", "nobody"}).Draw(t, "endpoint"), Tenant: someTenants.Draw(t, "tenant"),
		Types: listing.Types, From: listing.From, To: listing.To, Limit: listing.Limit,
		Bytes: rapid.SampledFrom([]int64{0, 12, manyBytes}).Draw(t, "bytes"), Whole: rapid.Bool().Draw(t, "whole"),
	}
	got, err := missingAll(t.Context(), w.store, q)
	if err != nil {
		t.Fatalf("Missing(%+v): %v", q, err)
	}
	for i := range got {
		got[i].Seq = w.toModel[got[i].Seq]
	}
	want, err := missingAll(t.Context(), w.model, q)
	if err != nil {
		t.Fatalf("Missing of the model: %v", err)
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Missing(%+v) (-want +got):\n%s", q, diff)
	}
}

// compareDelivery compares what is known of one delivery.
func (w *walk) compareDelivery(t *rapid.T, seq int64, endpointID string) {
	got, err := w.store.Delivery(t.Context(), w.toStore[seq], endpointID)
	if err != nil {
		t.Fatalf("Delivery: %v", err)
	}
	got.Seq = seq
	want, err := w.model.Delivery(t.Context(), seq, endpointID)
	if err != nil {
		t.Fatalf("Delivery of the model: %v", err)
	}
	if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("Delivery (-want +got):\n%s", diff)
	}
}

// comparePending compares how many deliveries are pending.
func (w *walk) comparePending(t *rapid.T) {
	got, err := pendingOf(t.Context(), w.store)
	if err != nil {
		t.Fatalf("Pending: %v", err)
	}
	want, err := pendingOf(t.Context(), w.model)
	if diff := gocmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("Pending (-want +got):\n%s%v", diff, err)
	}
}

// compareCounters compares what was counted.
func (w *walk) compareCounters(t *rapid.T) {
	for _, step := range []sender.Step{sender.StepMinute, sender.StepHour} {
		got, err := w.store.Counters(t.Context(), sender.CounterQuery{Step: step})
		if err != nil {
			t.Fatalf("Counters: %v", err)
		}
		want, err := w.model.Counters(t.Context(), sender.CounterQuery{Step: step})
		if err != nil {
			t.Fatalf("Counters of the model: %v", err)
		}
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("counters of a %s (-want +got):\n%s", step, diff)
		}
	}
}

// sortedDocuments sorts documents by ID.
func sortedDocuments(documents []sender.Document) []sender.Document {
	slices.SortFunc(documents, func(a, b sender.Document) int { return cmp.Compare(a.ID, b.ID) })
	return documents
}
