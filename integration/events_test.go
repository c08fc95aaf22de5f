package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// event is an event of Caddy's events app, as it logs each at level debug.
type event struct {
	Logger, Msg, Name, Origin string
	Data                      map[string]any
}

// events are those of our app that Caddy has logged.
func (c *caddy) events() (list []event) {
	c.t.Helper()
	for line := range strings.Lines(c.out.String()) {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil && e.Logger == "events" && e.Msg == "event" && strings.HasPrefix(e.Name, "webhook_") {
			list = append(list, e)
		}
	}
	return list
}

// TestCaddyTellsOfTrouble: what a person may have to see to becomes an event of
// Caddy's, once, also after reloads.
func TestCaddyTellsOfTrouble(t *testing.T) {
	customer := newSink(t, "")
	customer.answer = func(n int) int {
		switch {
		case n <= 2:
			return 500
		case n == 3:
			return 410
		}
		return 200
	}
	c := newCaddy(t)
	site := freeAddress(t)
	ann := account{t, site + "/settings/webhooks", "ann"}
	with := func(options string) string {
		caddyfile := settingsCaddyfile(c.admin, site, options+"\n\t\tretry 50ms")
		return strings.Replace(caddyfile, "\twebhooks {", "\tdebug\n\twebhooks {", 1)
	}
	c.start(with("timeout 20s"))
	if out, err := c.reload(with("timeout 21s")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := c.reload(with("timeout 22s") + cannotStart); err == nil {
		t.Fatal("a configuration that cannot start was accepted")
	}
	e := ann.newEndpoint(customer.URL)
	want := func(n int, name string, data map[string]any) {
		t.Helper()
		waitFor(t, name, func() bool { return len(c.events()) >= n })
		list := c.events()
		if len(list) > n {
			t.Fatalf("there are more events than expected: %+v", list)
		}
		got := list[n-1]
		if reason, _ := got.Data["reason"].(string); name != "webhook_endpoint_enabled" && reason == "" {
			t.Errorf("%s comes without a reason: %+v", name, got)
		}
		delete(got.Data, "reason")
		data["endpoint"], data["tenant"] = e.ID, "ann"
		if got.Name != name || got.Origin != "webhooks" {
			t.Errorf("the event is %s of %s, want %s of webhooks", got.Name, got.Origin, name)
		}
		if diff := cmp.Diff(data, got.Data); diff != "" {
			t.Errorf("%s: wanted (-) and told (+) differ:\n%s", name, diff)
		}
	}
	id := ann.publish(exampleEvent)
	want(1, "webhook_delivery_failed", map[string]any{"event_id": id, "event": "conversation.created", "attempts": 2.0})
	ann.publish(exampleEvent)
	want(2, "webhook_endpoint_disabled", map[string]any{})
	ann.want(200, "POST", "/api/endpoints/"+e.ID+"/activate", "", nil)
	want(3, "webhook_endpoint_enabled", map[string]any{})
}
