package caddymodule

import (
	"log/slog"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestRejectedSettingsAreNeverInForce guards what is published while a
// configuration starts that is then rejected: it goes to the endpoints of the
// one in force. It used to go to those of the rejected one, and so to nobody
// when that one had none.
func TestRejectedSettingsAreNeverInForce(t *testing.T) {
	store := storePath(t)
	with := func(endpoint string, further map[string]any) []byte {
		apps := map[string]any{"webhooks": map[string]any{
			"store":     map[string]any{"module": "sqlite", "path": store},
			"endpoints": []any{map[string]any{"id": endpoint, "url": "https://crm.invalid/"}},
		}}
		for name, app := range further {
			apps[name] = app
		}
		return configuration(t, store, "", apps)
	}
	endpoints := func() (ids []string) {
		t.Helper()
		s := engineOf(t, store).sender
		receipts, err := s.Publish(t.Context(), webhook.Event{Type: "message.created", Data: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		record, err := s.Event(t.Context(), "", receipts[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range record.Deliveries {
			ids = append(ids, d.EndpointID)
		}
		return ids
	}
	goTo := func(when, want string) {
		t.Helper()
		if got := endpoints(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: events go to %v, want %s", when, got, want)
		}
	}

	load(t, with("first", nil))
	goTo("at first", "first")
	load(t, with("second", nil))
	goTo("after a reload", "second")
	onTrouble = func() { goTo("while a configuration is rejected", "second") }
	defer func() { onTrouble = func() {} }()
	for range 8 { // the order in which apps start is random
		if err := caddy.Load(with("rejected", map[string]any{"webhooks_test_troublemaker": map[string]any{}}), true); err == nil {
			t.Fatal("a configuration that cannot start was accepted")
		}
		goTo("after it was rejected", "second")
	}
	load(t, with("third", nil))
	goTo("after another reload", "third")
}

// TestSettingsComeIntoForceWithoutEvents: a handler may keep Caddy from telling
// that a configuration has started. Its settings are in force when the one
// before has stopped.
func TestSettingsComeIntoForceWithoutEvents(t *testing.T) {
	store := &SQLite{path: storePath(t)}
	before, after := &App{settings: sender.Config{Timeout: webhook.Duration(1e9)}}, &App{settings: sender.Config{Timeout: webhook.Duration(2e9)}}
	e, err := acquireEngine(store, before.settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = releaseEngine(store) }()
	for _, step := range []struct {
		name  string
		do    func(*App) error
		app   *App
		force *App
	}{
		{"the first one starts", e.attach, before, before},
		{"another one starts", e.attach, after, before},
		{"the first one stops", e.detach, before, after},
		{"the first one stops again", e.detach, before, after},
		{"the last one stops", e.detach, after, nil},
	} {
		if err := step.do(step.app); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if e.inForce != step.force {
			t.Errorf("%s: %p is in force, want %p", step.name, e.inForce, step.force)
		}
	}
}
