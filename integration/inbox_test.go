package integration

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// inboxCaddyfile is a durable inbox for GitHub in front of an application.
func inboxCaddyfile(admin, site, application string) string {
	return fmt.Sprintf(`{
	admin %s
	webhooks {
		event_types *
		max_backlog 5
		retry 100ms 100ms 100ms 100ms 1s 1s 1s 1s 1s 1s 1s 1s
		egress {
			allow 127.0.0.1
			allow_http
		}
		endpoint app %s/github {
			events github.*
			format raw
		}
	}
}

http://%s {
	webhook_receive github {
		secret %s
	}
	webhook_publish github.{http.webhook.type} {
		headers X-GitHub-* X-Hub-Signature-256
	}
}
`, admin, application, site, githubSecret)
}

// TestDurableInbox: while the application is down, GitHub is answered at once, and
// told to come again when there is no more room; nothing that was answered 2xx is
// lost by SIGKILL; and when the application is up, it gets every event once, as
// GitHub has sent it.
func TestDurableInbox(t *testing.T) {
	application := freeAddress(t) // nobody listens yet
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := inboxCaddyfile(c.admin, site, "http://"+application)
	c.start(caddyfile)

	bodyOf := func(n int) string {
		return fmt.Sprintf("{ \"number\" : %d,\n\"e\":\"\\u00e9 \xe2\x80\xa8\",\"big\":1e21 }\n", n)
	}
	deliver := func(n int) received {
		t.Helper()
		headers := github(githubSecret, "delivery-"+strconv.Itoa(n), bodyOf(n))
		headers["Content-Type"] = "application/json; charset=utf-8"
		headers["Cookie"] = "session=1"
		return send(t, "http://"+site+"/", headers, []byte(bodyOf(n)))
	}
	for n := range 5 {
		want := fmt.Sprintf("{\"id\":\"delivery-%d\"}\n", n)
		if got := deliver(n); got.status != http.StatusAccepted || got.body != want || got.header.Get("Content-Type") != "application/json" {
			t.Fatalf("event %d was answered %d %q, want 202 %q", n, got.status, got.body, want)
		}
	}
	if got := deliver(2); got.status != http.StatusOK || !got.duplicate {
		t.Errorf("a copy was answered %d, duplicate: %t", got.status, got.duplicate)
	}
	for range 2 { // what could not be stored is not remembered as processed
		if got := deliver(5); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || got.duplicate {
			t.Errorf("an event without room for it was answered %d, Retry-After %q, duplicate: %t", got.status, got.header.Get("Retry-After"), got.duplicate)
		}
	}
	c.kill()
	app := newSink(t, application)
	c.start(caddyfile)
	waitFor(t, "the events to arrive", func() bool { return len(app.ids()) == 5 })
	waitFor(t, "room for another event", func() bool { return deliver(5).status == http.StatusAccepted })
	waitFor(t, "the last event to arrive", func() bool { return len(app.ids()) == 6 })
	// The receiver has forgotten this one in the crash; the store has not.
	if got := deliver(1); got.status != http.StatusOK || got.duplicate || got.body != "{\"id\":\"delivery-1\"}\n" {
		t.Errorf("after a crash a copy was answered %d %q", got.status, got.body)
	}
	for _, d := range app.deliveries() {
		var n int
		if _, err := fmt.Sscanf(d.Headers.Get("Webhook-Id"), "delivery-%d", &n); err != nil {
			t.Fatalf("the ID is %q: %v", d.Headers.Get("Webhook-Id"), err)
		}
		if string(d.bytes()) != bodyOf(n) {
			t.Errorf("the application got %q, want %q", d.bytes(), bodyOf(n))
		}
		for name, want := range map[string]string{
			"Content-Type": "application/json; charset=utf-8", "X-Github-Event": "push", "X-Github-Delivery": fmt.Sprintf("delivery-%d", n),
			"X-Hub-Signature-256": github(githubSecret, "", bodyOf(n))["X-Hub-Signature-256"], "Cookie": "",
		} {
			if got := d.Headers.Get(name); got != want {
				t.Errorf("event %d: %s is %q, want %q", n, name, got, want)
			}
		}
	}
	for id, n := range app.ids() {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
}

// TestInboxTypesAreKnown: an event type that stands in the configuration and could
// never be published is told of when it is loaded.
func TestInboxTypesAreKnown(t *testing.T) {
	c := newCaddy(t)
	for eventType, want := range map[string]string{
		"github.push":     `webhook_publish: event type "github.push" is unknown: add it to event_types of the global option webhooks`,
		"Push":            `webhook_publish: event type "Push" is malformed: use lower-case words`,
		"message.created": "Valid configuration",
	} {
		out, err := c.validate(fmt.Sprintf("{\n\tadmin %s\n\twebhooks\n}\n\nhttp://localhost:8080 {\n\twebhook_publish %s\n}\n", c.admin, eventType))
		if !strings.Contains(strings.ReplaceAll(out, `\"`, `"`), want) || (err == nil) != (want == "Valid configuration") {
			t.Errorf("%s: %v\n%s\nwant %q", eventType, err, out, want)
		}
	}
}
