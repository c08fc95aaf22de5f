package sender_test

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

// fillStep is how many events of a filled store are stored at once.
const fillStep = 1000

// fillStore makes a store in which n events of so many bytes of data wait for
// endpoints, each for one of them, in turns. It returns its path.
func fillStore(t testing.TB, n, size int, endpoints ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "filled.db")
	store := openStore(t, path)
	for first := 0; first < n; first += fillStep {
		putEvents(t, store, min(fillStep, n-first), size, func(i int) string { return endpoints[(first+i)%len(endpoints)] })
	}
	// As the deliveries have been in the hands of this process, they have no
	// rows of their own yet: opening writes them.
	for range 2 {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		store = openStore(t, path)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func openStore(t testing.TB, path string) *sqlitestore.Store {
	t.Helper()
	store, err := sqlitestore.Open(path, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// putEvents stores n events in one transaction, each for one endpoint.
func putEvents(t testing.TB, store sender.Store, n, size int, endpoint func(i int) string) []*sender.Publication {
	t.Helper()
	now := time.Now()
	data := []byte(`{"text":"` + strings.Repeat("x", max(size-len(`{"text":""}`), 0)) + `"}`)
	publications := make([]*sender.Publication, n)
	for i := range publications {
		id, err := webhook.NewEventID(now, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		publications[i] = &sender.Publication{Events: []sender.PutEvent{{
			Event:    &webhook.Event{ID: id, Type: "message.created", Timestamp: now, Data: data},
			StoredAt: now, EndpointIDs: []string{endpoint(i)},
		}}}
	}
	if err := store.PutEvents(context.Background(), publications); err != nil {
		t.Fatal(err)
	}
	return publications
}
