package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// subscribed is a configuration with a store whose events app has the
// subscriptions given, each the names of events and a handler.
func subscribed(t *testing.T, store string, webhooks map[string]any, subscriptions ...map[string]any) []byte {
	t.Helper()
	webhooks["store"] = map[string]any{"module": "sqlite", "path": store}
	return configuration(t, store, "", map[string]any{
		"webhooks": webhooks, "events": map[string]any{"subscriptions": subscriptions},
	})
}

// on is a subscription to events of a name, or to all if it is empty.
func on(name, eventType string) map[string]any {
	return map[string]any{"events": []string{name}, "handlers": []any{map[string]any{"handler": "webhook_publish", "type": eventType}}}
}

// emit emits an event of Caddy's, as a module of the running configuration does,
// or as Caddy itself when there is none.
func emit(t *testing.T, origin caddy.Module, name string, data map[string]any) {
	t.Helper()
	ctx := caddy.ActiveContext()
	app, err := ctx.App("events")
	if err != nil {
		t.Fatal(err)
	}
	if a, ok := origin.(*App); ok {
		ctx = a.ctx
	}
	app.(*caddyevents.App).Emit(ctx, name, data)
}

var uuids = regexp.MustCompile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

// publishedEvents waits until the store has n events, and returns them as their
// types, IDs and data. Of the IDs, what differs from time to time is left out.
func publishedEvents(t *testing.T, path string, n int) (list []string) {
	t.Helper()
	store := engineOf(t, path).store
	var page sender.DeliveryPage
	await(t, fmt.Sprintf("%d events are published", n), func() bool {
		var err error
		if page, err = store.Deliveries(t.Context(), sender.DeliveryQuery{Limit: 100, OldestFirst: true}); err != nil {
			t.Fatal(err)
		}
		return len(page.Deliveries) >= n
	})
	for _, d := range page.Deliveries {
		record, err := store.Delivery(t.Context(), d.Seq, d.EndpointID)
		if err != nil {
			t.Fatal(err)
		}
		id := uuids.ReplaceAllString(record.Event.ID, "uuid")
		list = append(list, fmt.Sprintf("%s %s %s", record.Event.Type, id, record.Event.Data))
	}
	return list
}

// everything is an endpoint for all events that are never delivered.
func everything() []any {
	return []any{map[string]any{"id": "all", "url": "https://webhooks.invalid/"}}
}

// TestCaddysEventsArePublished: events are published under the type of the
// subscription, or their own name, with their data as JSON.
func TestCaddysEventsArePublished(t *testing.T) {
	path := storePath(t)
	load(t, subscribed(t, path, map[string]any{"event_types": []string{"*"}, "endpoints": everything()},
		on("cert_obtained", ""), on("cert_failed", "ops.cert_failed"), on("cert_failed", "ops.cert_failed_too"), on("odd name!", "")))
	emit(t, nil, "cert_obtained", map[string]any{"identifier": "example.com", "renewal": false, "strange": func() {}})
	emit(t, nil, "cert_failed", map[string]any{"error": errors.New("no answer")})
	emit(t, nil, "unheard", nil)
	emit(t, nil, "odd name!", nil)
	want := []string{
		`caddy.cert_obtained uuid {"identifier":"example.com","renewal":false}`,
		`ops.cert_failed uuid-6cf6068b {"error":"no answer"}`,
		`ops.cert_failed_too uuid-a27fb7dd {"error":"no answer"}`,
		`caddy.odd.name_ uuid {}`,
	}
	got := publishedEvents(t, path, len(want))
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// TestOwnEventsAreNotPublished: what the app tells of itself is published only
// where it is named, and not about a delivery of an event that was published so.
func TestOwnEventsAreNotPublished(t *testing.T) {
	path := storePath(t)
	load(t, subscribed(t, path, map[string]any{"event_types": []string{"*"}, "endpoints": everything()},
		on("", "all.events"), on("webhook_delivery_failed", "ops.delivery_failed")))
	app, err := caddy.ActiveContext().App("webhooks")
	if err != nil {
		t.Fatal(err)
	}
	ours := app.(*App)
	emit(t, ours, "webhook_endpoint_disabled", map[string]any{"endpoint": "a"})
	emit(t, ours, "something", nil)
	emit(t, nil, "webhook_of_another_module", nil)
	emit(t, ours, "webhook_delivery_failed", map[string]any{"event_id": ownEventID + "1"})
	emit(t, ours, "webhook_delivery_failed", map[string]any{"event_id": "evt_1"})
	emit(t, nil, "other", map[string]any{"last": true})
	var got []string
	await(t, "each handler has published its last one", func() bool {
		got = publishedEvents(t, path, 2)
		all := strings.Join(got, "\n")
		return strings.Contains(all, `"last":true`) && strings.Contains(all, "ops.")
	})
	// What Caddy itself emits on starting is among those of "all.events".
	got = slices.DeleteFunc(got, func(s string) bool { return strings.HasPrefix(s, "all.events ") && !strings.Contains(s, "endpoint") })
	if diff := cmp.Diff([]string{`ops.delivery_failed caddy_webhooks:uuid-d462324b {"event_id":"evt_1"}`}, got); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// TestNoEndlessLoop: a delivery that fails is told of, the delivery of that event
// fails, too, and that is the end of it.
func TestNoEndlessLoop(t *testing.T) {
	customer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.Header.Get("Webhook-Id"), "good") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer customer.Close()
	path := storePath(t)
	load(t, subscribed(t, path, map[string]any{
		"event_types": []string{"*"},
		"retry":       []string{"1ms"},
		"egress":      map[string]any{"allow": []string{"127.0.0.1"}, "allow_http": true},
		"endpoints":   []any{map[string]any{"id": "a", "url": customer.URL}},
	}, on("webhook_delivery_failed", "ops.failed")))
	s := engineOf(t, path).sender
	// Failures are told of one after the other. So when the second one has been
	// published, whatever has come of the first one, and of those that are about
	// it, has been published before.
	publish := func(id string) {
		t.Helper()
		if _, err := s.Publish(t.Context(), webhook.Event{ID: id, Type: "message.created", Data: []byte("1")}); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(status sender.Status, n int) func() bool {
		return func() bool {
			page, err := engineOf(t, path).store.Deliveries(t.Context(), sender.DeliveryQuery{Statuses: []sender.Status{status}, Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			return len(page.Deliveries) == n
		}
	}
	publish("one")
	await(t, "it has failed, and so has the event about it", ended(sender.Failed, 2))
	publish("good") // so that the endpoint is not left alone for a while
	await(t, "another one was delivered", ended(sender.Succeeded, 1))
	publish("two")
	await(t, "it has failed, and so has the event about it", ended(sender.Failed, 4))
	got := publishedEvents(t, path, 5)
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], " ")
	}
	if diff := cmp.Diff([]string{"message.created", "ops.failed", "message.created", "message.created", "ops.failed"}, got); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// await waits for a condition, for a time that only a broken program needs.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting until %s", what)
		}
	}
}

// TestEventTypesOfCaddysEvents: a type that could never be published is told of
// when the configuration is loaded, and one that turns up later, once.
func TestEventTypesOfCaddysEvents(t *testing.T) {
	path := storePath(t)
	for _, subscription := range []map[string]any{on("cert_obtained", ""), on("", "ops.cert_obtained"), on("cert_obtained", "Ops")} {
		err := caddy.Load(subscribed(t, path, map[string]any{}, subscription), true)
		if err == nil || !strings.Contains(err.Error(), "events: webhook_publish: event type ") {
			t.Errorf("%v is accepted: %v", subscription, err)
		}
	}
	load(t, subscribed(t, path, map[string]any{"event_types": []string{"caddy.known"}, "endpoints": everything()}, on("", "")))
	for range 3 {
		emit(t, nil, "unknown", nil)
	}
	emit(t, nil, "known", nil)
	if diff := cmp.Diff([]string{"caddy.known uuid {}"}, publishedEvents(t, path, 1)); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// TestEventsWithoutTheApp: without it, events are not published, and nothing
// breaks.
func TestEventsWithoutTheApp(t *testing.T) {
	config := configuration(t, storePath(t), "", map[string]any{"events": map[string]any{"subscriptions": []any{on("", "")}}})
	var members map[string]any
	if err := json.Unmarshal(config, &members); err != nil {
		t.Fatal(err)
	}
	delete(members["apps"].(map[string]any), "webhooks")
	config, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	load(t, config)
	emit(t, nil, "something", nil)
}

// TestEventsAreNotHeldUp: whoever emits an event does not wait for it to be
// published, however many there are, and what was queued is published when the
// configuration ends.
func TestEventsAreNotHeldUp(t *testing.T) {
	h := new(PublishEvent)
	if err := h.Provision(caddy.ActiveContext()); err != nil {
		t.Fatal(err)
	}
	h.app = &App{started: make(chan struct{}), over: make(chan struct{}), store: &SQLite{path: storePath(t)}}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2 * maxEventQueue {
			e, err := caddy.NewEvent(caddy.ActiveContext(), "tls_get_certificate", nil)
			if err != nil {
				t.Error(err)
			}
			if err := h.Handle(context.Background(), e); err != nil {
				t.Error(err)
			}
		}
	}()
	<-done // or the test times out
	if n := len(h.queue); n < maxEventQueue-1 {
		t.Errorf("%d events wait", n)
	}
	close(h.app.over)
	if err := h.Cleanup(); err != nil {
		t.Error(err)
	}
	if n := len(h.queue); n != 0 {
		t.Errorf("%d events still wait at the end", n)
	}
}
