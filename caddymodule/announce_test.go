package caddymodule

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
)

// TestNoticesBecomeEvents: what a handler of Caddy's events is told.
func TestNoticesBecomeEvents(t *testing.T) {
	store := storePath(t)
	load(t, configuration(t, store, "only", nil))
	tests := []struct {
		notice sender.Notice
		want   event
	}{
		{
			sender.Notice{Kind: sender.NoticeDeliveryFailed, EndpointID: "crm", Tenant: "acme", EventID: "evt_1", EventType: "message.created", Attempts: 10, Reason: "the answer was 500"},
			event{"only", "webhook_delivery_failed", "webhooks", map[string]any{"endpoint": "crm", "tenant": "acme", "event_id": "evt_1", "event": "message.created", "attempts": 10, "reason": "the answer was 500"}},
		},
		{
			sender.Notice{Kind: sender.NoticeEndpointDisabled, EndpointID: "crm", Reason: "the answer was 410"},
			event{"only", "webhook_endpoint_disabled", "webhooks", map[string]any{"endpoint": "crm", "tenant": "", "reason": "the answer was 410"}},
		},
		{
			sender.Notice{Kind: sender.NoticeEndpointEnabled, EndpointID: "crm"},
			event{"only", "webhook_endpoint_enabled", "webhooks", map[string]any{"endpoint": "crm", "tenant": "", "reason": ""}},
		},
	}
	for _, tt := range tests {
		engineOf(t, store).announcer.tell(tt.notice)
		if diff := cmp.Diff([]event{tt.want}, takeEvents()); diff != "" {
			t.Errorf("wanted (-) and heard (+) differ:\n%s", diff)
		}
	}
}

// TestNoticesGoToTheConfigurationInForce guards that a notice is told once, to
// the newest configuration that has come into force: not to one that is still
// starting and then rejected, nor to one that has ended.
func TestNoticesGoToTheConfigurationInForce(t *testing.T) {
	store := storePath(t)
	told := func(where string, want ...string) {
		t.Helper()
		var by []string
		for _, e := range takeEvents() {
			by = append(by, e.By)
		}
		if diff := cmp.Diff(want, by); diff != "" {
			t.Errorf("%s: wanted (-) and told (+) differ:\n%s", where, diff)
		}
	}
	tell := func() {
		engineOf(t, store).announcer.tell(sender.Notice{Kind: sender.NoticeEndpointDisabled, EndpointID: "crm"})
	}

	load(t, configuration(t, store, "first", nil))
	tell()
	told("at first", "first")

	load(t, configuration(t, store, "second", nil))
	tell()
	told("after a reload", "second")

	onTrouble = tell
	defer func() { onTrouble = func() {} }()
	for range 8 { // the order in which apps start is random
		if err := caddy.Load(configuration(t, store, "rejected", map[string]any{"webhooks_test_troublemaker": map[string]any{}}), true); err == nil {
			t.Fatal("a configuration that cannot start was accepted")
		}
		told("while a configuration is rejected", "second")
		tell()
		told("after it was rejected", "second")
	}
}

// TestEventMayReload: what is done on an event may be a reload, which must not
// wait for the event.
func TestEventMayReload(t *testing.T) {
	store := storePath(t)
	load(t, configuration(t, store, "first", nil))
	next := configuration(t, store, "second", nil)
	events.Lock()
	events.do = func() {
		if err := caddy.Load(next, true); err != nil {
			t.Error(err)
		}
	}
	events.Unlock()
	engineOf(t, store).announcer.tell(sender.Notice{Kind: sender.NoticeEndpointDisabled, EndpointID: "crm"})
	events.Lock()
	events.do = nil
	events.Unlock()
	takeEvents()
	engineOf(t, store).announcer.tell(sender.Notice{Kind: sender.NoticeEndpointDisabled, EndpointID: "crm"})
	if heard := takeEvents(); len(heard) != 1 || heard[0].By != "second" {
		t.Errorf("after the reload was heard: %+v", heard)
	}
}

// TestNoticeWaitsForAConfiguration: the sender starts a moment before its
// configuration runs as a whole, and has notices at once when deliveries fail
// that were waiting.
func TestNoticeWaitsForAConfiguration(t *testing.T) {
	t.Run("that comes into force", func(t *testing.T) {
		n, app, got := newAnnouncer(), new(App), make(chan *App)
		go func() { got <- n.newest() }()
		n.add(app)
		if newest := <-got; newest != app {
			t.Errorf("%p is told, want %p", newest, app)
		}
	})
	t.Run("that never does", func(t *testing.T) {
		n, app, got := newAnnouncer(), new(App), make(chan *App)
		n.add(app)
		n.remove(app)
		go func() { got <- n.newest() }()
		n.close()
		if newest := <-got; newest != nil {
			t.Errorf("%p is told after the end", newest)
		}
	})
}
