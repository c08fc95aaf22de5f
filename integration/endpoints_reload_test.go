package integration

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cannotStart is a site whose address cannot be listened on, so that the HTTP
// app fails to start after ours may have.
const cannotStart = "\nhttp://192.0.2.1:9 {\n\tbind 192.0.2.1\n\trespond ok\n}\n"

// TestEndpointsMadeAtRunTimeSurviveReload: they belong to the store, not to the
// configuration, so that no reload takes anything from them, be it accepted or
// rejected.
func TestEndpointsMadeAtRunTimeSurviveReload(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	ann := account{t, site + "/settings/webhooks", "ann"}
	c.start(settingsCaddyfile(c.admin, site, "timeout 20s"))
	active := ann.newEndpoint(customer.URL)
	inactive := ann.newEndpoint(customer.URL)
	ann.want(200, "POST", "/api/endpoints/"+inactive.ID+"/deactivate", "", nil)
	want := map[string]string{active.ID: "active", inactive.ID: "inactive"}

	for _, tt := range []struct {
		name, options, further string
		accepted               bool
	}{
		{"changed option", "timeout 21s", "", true},
		{"rejected because another app cannot start", "timeout 22s", cannotStart, false},
		{"rejected by the app itself", "retry 0s", "", false},
		{"changed again", "timeout 23s", "", true},
	} {
		if out, err := c.reload(settingsCaddyfile(c.admin, site, tt.options) + tt.further); (err == nil) != tt.accepted {
			t.Fatalf("%s: %v\n%s", tt.name, err, out)
		}
		if diff := cmp.Diff(want, ann.states()); diff != "" {
			t.Errorf("%s: wanted (-) and present states (+) differ:\n%s", tt.name, diff)
		}
		id := ann.publish(exampleEvent)
		waitFor(t, "the delivery", func() bool { return customer.ids()[id] > 0 })
		mustBeSigned(t, customer, active.Secret, id, "")
	}
}

// TestAnotherStoreHasItsOwnEndpoints reloads with another path of the store:
// the endpoints and events of the first one stay in it, and go on when it is
// back.
func TestAnotherStoreHasItsOwnEndpoints(t *testing.T) {
	customer := newSink(t, "")
	customer.answer = func(n int) int {
		if n <= 2 {
			return 500
		}
		return 200
	}
	c := newCaddy(t)
	site := freeAddress(t)
	ann := account{t, site + "/settings/webhooks", "ann"}
	// The second retry does not come while the other store is open.
	on := func(store string) string {
		return settingsCaddyfile(c.admin, site, "store sqlite "+c.home+"/"+store+".db\n\t\tretry 100ms 5s 5s")
	}
	c.start(on("first"))
	first := ann.newEndpoint(customer.URL)
	waiting := ann.publish(exampleEvent)
	waitFor(t, "the first attempts to fail", func() bool { return customer.ids()[waiting] == 2 })

	if out, err := c.reload(on("second")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if states := ann.states(); len(states) > 0 {
		t.Errorf("the second store has the endpoints %v", states)
	}
	ann.want(404, "GET", "/api/endpoints/"+first.ID, "", nil)
	second := ann.newEndpoint(customer.URL)
	id := ann.publish(exampleEvent)
	waitFor(t, "the delivery from the second store", func() bool { return customer.ids()[id] > 0 })
	mustBeSigned(t, customer, second.Secret, id, "")

	if out, err := c.reload(on("first")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff(map[string]string{first.ID: "active"}, ann.states()); diff != "" {
		t.Errorf("wanted (-) and present states (+) differ:\n%s", diff)
	}
	waitFor(t, "the delivery that was waiting in the first store", func() bool { return customer.ids()[waiting] > 2 })
	id = ann.publish(exampleEvent)
	waitFor(t, "the delivery from the first store", func() bool { return customer.ids()[id] > 0 })
	mustBeSigned(t, customer, first.Secret, id, "")
}

// TestEncryptionKeyIsChanged replaces the key as the documentation tells: the
// new one is put before the old one, and the old one is taken away at a later
// start. Without either, Caddy does not start, and says which key it misses.
func TestEncryptionKeyIsChanged(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	ann := account{t, site + "/settings/webhooks", "ann"}
	key := func(b string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(b, 32)))
	}
	c.env = []string{"OLD=" + key("o"), "NEW=" + key("n"), "OTHER=" + key("x")}
	with := func(keys string) string { return settingsCaddyfile(c.admin, site, "encryption_key "+keys) }
	c.start(with("{env.OLD}"))
	e := ann.newEndpoint(customer.URL)
	delivers := func(where string) {
		t.Helper()
		id := ann.publish(exampleEvent)
		waitFor(t, "the delivery "+where, func() bool { return customer.ids()[id] > 0 })
		mustBeSigned(t, customer, e.Secret, id, "")
	}
	delivers("with the old key")
	if out, err := c.reload(with("{env.NEW} {env.OLD}")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	delivers("with both keys")
	c.stop()
	c.start(with("{env.NEW}"))
	delivers("with the new key")
	c.stop()

	for name, caddyfile := range map[string]string{"another key": with("{env.OTHER}"), "no key": settingsCaddyfile(c.admin, site, "timeout 20s")} {
		out, err := c.command("run", "--config", c.write(caddyfile), "--adapter", "caddyfile").CombinedOutput()
		if err == nil {
			t.Fatalf("with %s Caddy started", name)
		}
		for _, want := range []string{"sealed with a key that is not configured", "encryption_key"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("with %s the error does not say %q:\n%s", name, want, out)
			}
		}
	}
}
