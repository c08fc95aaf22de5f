package sender_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

func ExampleSender() {
	// The customer's site.
	received := make(chan string)
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received <- string(body)
	}))
	defer site.Close()

	dir, err := os.MkdirTemp("", "webhooks")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := sqlitestore.Open(filepath.Join(dir, "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	s, err := sender.New(sender.Config{
		Endpoints: []sender.Endpoint{{ID: "crm", URL: site.URL, Events: []string{"conversation.*"}}},
		// The site of this example is on loopback, without TLS.
		Egress: sender.Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true},
	}, store, sender.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	if err := s.Start(ctx); err != nil {
		log.Fatal(err)
	}

	receipts, err := s.Publish(ctx, webhook.Event{
		ID:   "evt_17",
		Type: "conversation.created",
		Data: []byte(`{"id": "conv_123"}`),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("published", receipts[0].ID)
	body := <-received
	fmt.Println("delivered", body[:strings.Index(body, ",")], "…", body[strings.Index(body, `"data"`):])
	// Output:
	// published evt_17
	// delivered {"event":"conversation.created" … "data":{"id":"conv_123"}}
}

func ExampleIntake() {
	dir, err := os.MkdirTemp("", "webhooks")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := sqlitestore.Open(filepath.Join(dir, "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	s, err := sender.New(sender.Config{}, store, sender.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	// It does not ask who is calling: put it behind whatever does.
	intake := &sender.Intake{Sender: func(context.Context) (*sender.Sender, error) { return s, nil }}
	publish := func(body string) {
		w := httptest.NewRecorder()
		intake.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/events", strings.NewReader(body)))
		fmt.Print(w.Code, " ", w.Body)
	}
	publish(`{"id":"evt_17","event":"message.created","data":{"text":"hello"}}`)
	publish(`{"id":"evt_17","event":"message.created","data":{"text":"hello"}}`)
	publish(`{"event":"message.sent","data":{}}`)
	// Output:
	// 202 {"id":"evt_17"}
	// 200 {"id":"evt_17"}
	// 422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"invalid event: event type \"message.sent\" is unknown: use one of the configured event types, or add it to event_types"}
}
