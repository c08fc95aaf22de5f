package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

func init() {
	caddy.RegisterModule(new(heard))
	caddy.RegisterModule(new(troublemaker))
}

// heard is a handler of events that writes them down under the name of its
// configuration.
type heard struct {
	By string `json:"by"`
}

// event is one that was heard.
type event struct {
	By, Name, Origin string
	Data             map[string]any
}

var events struct {
	sync.Mutex
	list []event
	do   func() // is called, if set, while the event is handled
}

func (*heard) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.webhooks_test", New: func() caddy.Module { return new(heard) }}
}

func (h *heard) Handle(_ context.Context, e caddy.Event) error {
	events.Lock()
	events.list = append(events.list, event{h.By, e.Name(), string(e.Origin().CaddyModule().ID), e.Data})
	do := events.do
	events.Unlock()
	if do != nil {
		do()
	}
	return nil
}

// takeEvents returns what was heard since it was last called.
func takeEvents() []event {
	events.Lock()
	defer events.Unlock()
	list := events.list
	events.list = nil
	return list
}

// troublemaker is an app that does not start.
type troublemaker struct{}

// onTrouble is called when the troublemaker is about to fail.
var onTrouble = func() {}

func (*troublemaker) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks_test_troublemaker", New: func() caddy.Module { return new(troublemaker) }}
}

func (*troublemaker) Start() error {
	onTrouble()
	return errors.New("trouble")
}

func (*troublemaker) Stop() error { return nil }

// configuration is a Caddy configuration with a store and a name that events
// are heard under.
func configuration(t *testing.T, store, by string, further map[string]any) []byte {
	t.Helper()
	apps := map[string]any{
		"webhooks": map[string]any{"store": map[string]any{"module": "sqlite", "path": store}},
		"events": map[string]any{"subscriptions": []any{map[string]any{
			"events":   []string{"webhook_delivery_failed", "webhook_endpoint_disabled", "webhook_endpoint_enabled"},
			"handlers": []any{map[string]any{"handler": "webhooks_test", "by": by}},
		}}},
	}
	for name, app := range further {
		apps[name] = app
	}
	config, err := json.Marshal(map[string]any{
		"admin":   map[string]any{"disabled": true, "config": map[string]any{"persist": false}},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{"writer": map[string]any{"output": "discard"}}}},
		"apps":    apps,
	})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// load loads a configuration, which stays until the test ends or loads another.
func load(t *testing.T, config []byte) {
	t.Helper()
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
		takeEvents()
	})
}

// storePath is a path for a store of the test's own.
func storePath(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "webhooks.db")
}

// engineOf is the running engine of a store.
func engineOf(t *testing.T, path string) *engine {
	t.Helper()
	e := runningEngine(&SQLite{path: path})
	if e == nil {
		t.Fatal("no engine is running")
	}
	return e
}

// Interface guards
var (
	_ caddyevents.Handler = (*heard)(nil)
	_ caddy.App           = (*troublemaker)(nil)
)
