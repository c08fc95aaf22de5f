package caddymodule

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

func init() { caddy.RegisterModule(new(namesake)) }

// namesake is an app that has events called as Caddy's own are.
type namesake struct {
	ctx    caddy.Context
	events *caddyevents.App
}

func (*namesake) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks_test_namesake", New: func() caddy.Module { return new(namesake) }}
}

func (n *namesake) Provision(ctx caddy.Context) error {
	app, err := ctx.App("events")
	if err != nil {
		return err
	}
	n.ctx, n.events = ctx, app.(*caddyevents.App)
	return nil
}

func (n *namesake) Start() error {
	for _, name := range []string{"started", "stopping", "started"} {
		n.events.Emit(n.ctx, name, nil)
	}
	return nil
}

func (*namesake) Stop() error { return nil }

// TestEventsOfTheSameName: what other modules call started and stopping is neither
// the start of a configuration nor its end.
func TestEventsOfTheSameName(t *testing.T) {
	load(t, configuration(t, storePath(t), "", map[string]any{"webhooks_test_namesake": struct{}{}, "webhook_receivers": struct{}{}}))
	app, err := caddy.ActiveContext().App("webhooks")
	if err != nil {
		t.Fatal(err)
	}
	a := app.(*App)
	select {
	case <-a.started:
	default:
		t.Error("it has not started")
	}
	select {
	case <-a.over:
		t.Error("it is over")
	default:
	}
	if _, err := a.senderFor(t.Context()); err != nil {
		t.Error(err)
	}
}
