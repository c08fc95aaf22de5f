package storetest

import (
	"context"
	"errors"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
)

// document is a document of the kind k, changed from a version.
func document(id string, version int64, data string) *sender.Document {
	return &sender.Document{Kind: "k", ID: id, Version: version, Data: []byte(data)}
}

// putDocuments stores documents.
func (f *fixture) putDocuments(documents ...*sender.Document) {
	f.t.Helper()
	if err := f.store.PutDocuments(f.t.Context(), documents); err != nil {
		f.t.Fatalf("PutDocuments: %v", err)
	}
}

// wantDocuments compares the documents of a kind, by ID.
func (f *fixture) wantDocuments(kind string, want ...*sender.Document) {
	f.t.Helper()
	documents, err := documentsOf(f.t.Context(), f.store, kind)
	if err != nil {
		f.t.Fatalf("Documents: %v", err)
	}
	var got []*sender.Document
	for i := range documents {
		got = append(got, &documents[i])
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.t.Errorf("documents of kind %q (-want +got):\n%s", kind, diff)
	}
}

func testDocuments(f *fixture) {
	f.wantDocuments("k")
	f.putDocuments()
	one, two := document("1", 0, "one"), document("2", 0, "")
	other := &sender.Document{Kind: "other", ID: "1", Data: []byte{0, 0xff}}
	f.putDocuments(one, two)
	f.putDocuments(other)
	for range 2 {
		f.wantDocuments("k", document("1", 1, "one"), document("2", 1, ""))
		f.wantDocuments("other", &sender.Document{Kind: "other", ID: "1", Version: 1, Data: []byte{0, 0xff}})
		f.wantDocuments("")
		f.wantDocuments("K")
		f.crash()
	}
	one.Data = []byte("changed")
	f.putDocuments(one)
	f.wantDocuments("k", document("1", 2, "changed"), document("2", 1, ""))
	for _, name := range [][2]string{{"k", "2"}, {"k", "2"}, {"k", "nothing"}, {"nothing", "1"}} {
		if err := f.store.DeleteDocument(f.t.Context(), name[0], name[1]); err != nil {
			f.t.Fatalf("DeleteDocument: %v", err)
		}
	}
	f.crash()
	f.wantDocuments("k", document("1", 2, "changed"))
	f.wantDocuments("other", &sender.Document{Kind: "other", ID: "1", Version: 1, Data: []byte{0, 0xff}})
}

func testDocumentsStale(f *fixture) {
	d := document("1", 0, "1")
	for version := int64(1); version <= 3; version++ {
		f.putDocuments(d)
		if d.Version != version {
			f.t.Fatalf("the version is %d, want %d", d.Version, version)
		}
	}
	for _, version := range []int64{0, 1, 2, 4, -2} {
		stale := document("1", version, "stale")
		if err := f.store.PutDocuments(f.t.Context(), []*sender.Document{stale}); !errors.Is(err, sender.ErrStale) || stale.Version != version {
			f.t.Errorf("a change from version %d: %v, want ErrStale; the version is %d now", version, err, stale.Version)
		}
	}
	none := document("2", 1, "stale")
	if err := f.store.PutDocuments(f.t.Context(), []*sender.Document{none}); !errors.Is(err, sender.ErrStale) {
		f.t.Errorf("a change of what is not there: %v, want ErrStale", err)
	}
	f.wantDocuments("k", document("1", 3, "1"))
	whatever, fresh := document("1", sender.AnyVersion, "any"), document("2", sender.AnyVersion, "new")
	f.putDocuments(whatever, fresh)
	f.wantDocuments("k", document("1", 4, "any"), document("2", 1, "new"))
	if whatever.Version != 4 || fresh.Version != 1 {
		f.t.Errorf("the versions are %d and %d, want 4 and 1", whatever.Version, fresh.Version)
	}
	if err := f.store.DeleteDocument(f.t.Context(), "k", "1"); err != nil {
		f.t.Fatalf("DeleteDocument: %v", err)
	}
	if err := f.store.PutDocuments(f.t.Context(), []*sender.Document{whatever}); !errors.Is(err, sender.ErrStale) {
		f.t.Errorf("a change of what was deleted: %v, want ErrStale", err)
	}
	f.putDocuments(document("1", 0, "again"))
	f.wantDocuments("k", document("1", 1, "again"), document("2", 1, "new"))
}

func testDocumentsAtomic(f *fixture) {
	f.putDocuments(document("1", 0, "1"))
	documents := []*sender.Document{document("1", 1, "2"), document("2", 0, "2"), document("1", 1, "3")}
	if err := f.store.PutDocuments(f.t.Context(), documents); !errors.Is(err, sender.ErrStale) {
		f.t.Errorf("PutDocuments = %v, want ErrStale: the second change was not made from the first", err)
	}
	if err := f.store.PutDocuments(ended(), documents[:2]); !errors.Is(err, context.Canceled) {
		f.t.Errorf("PutDocuments = %v, want the context's error", err)
	}
	for i, version := range []int64{1, 0, 1} {
		if documents[i].Version != version {
			f.t.Errorf("document %d has version %d although nothing was stored, want %d", i, documents[i].Version, version)
		}
	}
	f.wantDocuments("k", document("1", 1, "1"))
	f.crash()
	f.wantDocuments("k", document("1", 1, "1"))
	documents[2].Version = 2
	f.putDocuments(documents...)
	f.crash()
	f.wantDocuments("k", document("1", 3, "3"), document("2", 1, "2"))
}

func testSize(f *fixture) {
	size := func() int64 {
		f.t.Helper()
		n, err := f.store.Size(f.t.Context())
		if err != nil {
			f.t.Fatalf("Size: %v", err)
		}
		return n
	}
	const much = 1 << 20
	before := size()
	e := event("e", at(1))
	e.Event.Data = make([]byte, much)
	for i := range e.Event.Data {
		e.Event.Data[i] = byte(i * i >> 3)
	}
	f.put(e)
	full := size()
	if full < before+much {
		f.t.Errorf("with %d bytes more the size went from %d to %d", much, before, full)
	}
	f.reopen()
	if n := size(); n < before+much {
		f.t.Errorf("reopened, the size is %d, it was %d", n, full)
	}
	f.purge(always, 1, 1)
	if n := size(); n > full-much {
		f.t.Errorf("without them it went from %d to %d", full, n)
	}
}
