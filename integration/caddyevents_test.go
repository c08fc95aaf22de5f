package integration

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// TestEventsOfCaddysOwn: what Caddy does becomes an event, also after a reload, and
// what our own app tells only where that is asked for.
func TestEventsOfCaddysOwn(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	caddyfile := func(host string) string {
		return fmt.Sprintf(`{
	admin %s
	skip_install_trust
	webhooks {
		event_types caddy.cert_obtained ops.stopping
		egress {
			allow 127.0.0.1
			allow_http
		}
		endpoint ops %s
	}
	events {
		on cert_obtained webhook_publish
		on stopping webhook_publish ops.stopping
	}
}

https://%s:%s {
	tls internal
}
`, c.admin, customer.URL, host, port)
	}
	c.start(caddyfile("one.localhost"))
	obtained := func(host string) func() bool {
		return func() bool {
			for _, d := range customer.deliveries() {
				body := string(d.bytes())
				if strings.Contains(body, `"event":"caddy.cert_obtained"`) && strings.Contains(body, `"identifier":"`+host+`"`) {
					return true
				}
			}
			return false
		}
	}
	waitFor(t, "the first certificate to be told of", obtained("one.localhost"))
	if out, err := c.reload(caddyfile("two.localhost")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	waitFor(t, "the second certificate to be told of", obtained("two.localhost"))
	c.stop()
	// What Caddy emits while it stops is on disk, and delivered after the next start.
	c.start(caddyfile("two.localhost"))
	waitFor(t, "the end to be told of", func() bool {
		for _, d := range customer.deliveries() {
			if strings.Contains(string(d.bytes()), `"event":"ops.stopping"`) {
				return true
			}
		}
		return false
	})
	if out, err := c.validate(strings.Replace(caddyfile("one.localhost"), "caddy.cert_obtained ops", "ops", 1)); err == nil ||
		!strings.Contains(out, "add it to event_types of the global option webhooks") {
		t.Errorf("a type that is not among event_types is accepted: %v\n%s", err, out)
	}
}

// TestEventsHaveNowhereToGo: it is said at the start that there is no app to
// publish to, and not when the first event comes.
func TestEventsHaveNowhereToGo(t *testing.T) {
	c := newCaddy(t)
	const says = "add the global option webhooks"
	subscribed := fmt.Sprintf("{\n\tadmin %s\n\tevents {\n\t\ton cert_failed webhook_publish\n\t}\nOPTION}\n", c.admin)
	c.start(strings.Replace(subscribed, "OPTION", "", 1))
	waitFor(t, "it to be said that events have nowhere to go", func() bool { return strings.Contains(c.out.String(), says) })
	if out, err := c.reload(strings.Replace(subscribed, "OPTION", "\twebhooks {\n\t\tevent_types caddy.cert_failed\n\t}\n", 1)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.stop()
	if n := strings.Count(c.out.String(), says); n != 1 {
		t.Errorf("it is said %d times, want once, for the configuration that has no app", n)
	}
}
