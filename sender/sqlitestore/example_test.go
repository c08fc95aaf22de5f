package sqlitestore_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

func ExampleOpen() {
	folder, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	store, err := sqlitestore.Open(filepath.Join(folder, "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	now := time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC)
	publication := &sender.Publication{Events: []sender.PutEvent{{
		Event:       &webhook.Event{ID: "evt_1", Type: "conversation.created", Timestamp: now, Data: []byte(`{"id":"conv_123"}`)},
		StoredAt:    now,
		EndpointIDs: []string{"crm"},
	}}}
	if err := store.PutEvents(context.Background(), []*sender.Publication{publication}); err != nil {
		log.Fatal(err)
	}
	record, err := store.Event(context.Background(), "", "evt_1")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(record.Deliveries[0].EndpointID, record.Deliveries[0].Status)
	// Output: crm pending
}
