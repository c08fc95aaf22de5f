package storetest

import (
	"context"
	"errors"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/manysends/caddy-webhooks/sender"
)

func (w *walk) purge(t *rapid.T) {
	q := sender.PurgeQuery{Before: someTimes.Draw(t, "before"), Limit: rapid.IntRange(1, 4).Draw(t, "limit")}
	if rapid.Bool().Draw(t, "of a tenant") {
		tenant := someTenants.Draw(t, "tenant")
		q.Tenant, q.Limit = &tenant, 100 // whether times or numbers tell which is oldest is the store's affair
	}
	got, err := w.store.Purge(t.Context(), q)
	if err != nil {
		t.Fatalf("Purge: %v", err)
	}
	want, err := w.model.Purge(t.Context(), q)
	if got != want || err != nil {
		t.Fatalf("Purge(%+v) = %d, want %d, %v", q, got, want, err)
	}
}

func (w *walk) cancelAll(t *rapid.T) {
	endpoint := someEndpoints.Draw(t, "endpoint")
	got, err := w.store.CancelAll(t.Context(), endpoint)
	if err != nil {
		t.Fatalf("CancelAll: %v", err)
	}
	want, err := w.model.CancelAll(t.Context(), endpoint)
	if got != want || err != nil {
		t.Fatalf("CancelAll(%s) = %d, want %d, %v", endpoint, got, want, err)
	}
}

// someOverride draws an override of a delivery that exists, or nearly.
func (w *walk) someOverride(t *rapid.T) sender.Override {
	o := sender.Override{
		Seq: 1, EndpointID: someEndpoints.Draw(t, "endpoint"), Due: someTimes.Draw(t, "due"),
		Status: rapid.SampledFrom([]sender.Status{sender.Pending, sender.Pending, sender.Cancelled}).Draw(t, "status"),
	}
	if len(w.model.events) > 0 {
		o.Seq = rapid.SampledFrom(w.model.events).Draw(t, "event").Seq
	}
	return o
}

// inStore is the store's number of an event of the model. One that is none of the
// model's is none of the store's either.
func (w *walk) inStore(seq int64) int64 {
	if n, found := w.toStore[seq]; found {
		return n
	}
	return -1
}

func (w *walk) override(t *rapid.T) {
	want := rapid.SliceOfN(rapid.Custom(w.someOverride), 1, 5).Draw(t, "overrides")
	got := slices.Clone(want)
	for i := range got {
		got[i].Seq = w.inStore(got[i].Seq)
	}
	if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
		if err := w.store.Override(ended(), got); !errors.Is(err, context.Canceled) {
			t.Fatalf("Override = %v, want the context's error", err)
		}
		return
	}
	if err := w.store.Override(t.Context(), got); err != nil {
		t.Fatalf("Override: %v", err)
	}
	if err := w.model.Override(t.Context(), want); err != nil {
		t.Fatalf("Override of the model: %v", err)
	}
	for i, o := range want {
		if got[i].Applied != o.Applied || got[i].Applied && got[i].Attempted != o.Attempted {
			t.Fatalf("override %d is %+v, want %+v", i, got[i], o)
		}
	}
}

// addDeliveries adds deliveries of events that exist, or nearly.
func (w *walk) addDeliveries(t *rapid.T) {
	aDelivery := rapid.Custom(func(t *rapid.T) sender.NewDelivery {
		o := w.someOverride(t)
		return sender.NewDelivery{Seq: o.Seq, EndpointID: o.EndpointID, Due: o.Due}
	})
	want := rapid.SliceOfN(aDelivery, 1, 5).Draw(t, "deliveries")
	got := slices.Clone(want)
	for i := range got {
		got[i].Seq = w.inStore(got[i].Seq)
	}
	if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
		if err := w.store.AddDeliveries(ended(), got); !errors.Is(err, context.Canceled) {
			t.Fatalf("AddDeliveries = %v, want the context's error", err)
		}
		return
	}
	if err := w.store.AddDeliveries(t.Context(), got); err != nil {
		t.Fatalf("AddDeliveries: %v", err)
	}
	if err := w.model.AddDeliveries(t.Context(), want); err != nil {
		t.Fatalf("AddDeliveries of the model: %v", err)
	}
	for i, d := range want {
		if got[i].Added != d.Added {
			t.Fatalf("delivery %d is %+v, want %+v", i, got[i], d)
		}
	}
}

// documents puts and deletes documents, and compares all that are there.
func (w *walk) documents(t *rapid.T) {
	const kind = "k"
	aDocument := rapid.Custom(func(t *rapid.T) *sender.Document {
		return &sender.Document{
			Kind: kind, ID: rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "document"),
			Version: rapid.Int64Range(sender.AnyVersion, 2).Draw(t, "version"),
			Data:    []byte{rapid.Byte().Draw(t, "data")},
		}
	})
	if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
		id := aDocument.Draw(t, "deleted").ID
		if err := errors.Join(w.store.DeleteDocument(t.Context(), kind, id), w.model.DeleteDocument(t.Context(), kind, id)); err != nil {
			t.Fatalf("DeleteDocument: %v", err)
		}
	}
	want := rapid.SliceOfN(aDocument, 1, 2).Draw(t, "documents")
	got := make([]*sender.Document, len(want))
	for i, d := range want {
		copied := *d
		got[i] = &copied
	}
	wantErr, gotErr := w.model.PutDocuments(t.Context(), want), w.store.PutDocuments(t.Context(), got)
	if errors.Is(gotErr, sender.ErrStale) != (wantErr != nil) || gotErr != nil && wantErr == nil {
		t.Fatalf("PutDocuments = %v, want %v", gotErr, wantErr)
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("documents put (-want +got):\n%s", diff)
	}
	gotAll, err := documentsOf(t.Context(), w.store, kind)
	if err != nil {
		t.Fatalf("Documents: %v", err)
	}
	wantAll, err := documentsOf(t.Context(), w.model, kind)
	if diff := gocmp.Diff(wantAll, gotAll); diff != "" || err != nil {
		t.Fatalf("documents (-want +got):\n%s%v", diff, err)
	}
}
