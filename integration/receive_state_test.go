package integration

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// githubReceiver is a receiver with further settings and a name.
func githubReceiver(settings string) string {
	return "webhook_receive github {\n\t\tname hooks\n\t\tsecret " + githubSecret + "\n\t\t" + settings + "\n\t}"
}

// githubEvent is the nth event, as GitHub sends it.
func githubEvent(n int) (header map[string]string, body []byte) {
	body = fmt.Appendf(nil, `{"n":%d}`, n)
	return github(githubSecret, fmt.Sprintf("delivery-%d", n), string(body)), body
}

// githubSender returns a function that sends the nth event and tells whether it
// was taken for a duplicate.
func githubSender(t *testing.T, site string) func(n int) bool {
	t.Helper()
	return func(n int) bool {
		t.Helper()
		header, body := githubEvent(n)
		got := send(t, "http://"+site, header, body)
		if got.status != 200 {
			t.Fatalf("event %d was answered %d", n, got.status)
		}
		return got.duplicate
	}
}

// TestEventsAreKnownAfterACrash kills Caddy the hard way: with persist, the next
// one knows what the first one has processed, in the file by default and in one
// that is named.
func TestEventsAreKnownAfterACrash(t *testing.T) {
	for name, persist := range map[string]string{"default": "persist", "named": "persist {env.SEEN}"} {
		t.Run(name, func(t *testing.T) {
			app := newSink(t, "")
			c := newCaddy(t)
			file := filepath.Join(c.home, "data", "caddy", "webhooks", "hooks.seen")
			if name == "named" {
				file = filepath.Join(c.home, "elsewhere", "my.seen")
			}
			c.env = []string{"SEEN=" + file}
			site := freeAddress(t)
			caddyfile := receiverCaddyfile(c.admin, site, app.URL, githubReceiver("dedupe {\n\t\t\t"+persist+"\n\t\t}"))
			c.start(caddyfile)
			event := githubSender(t, site)
			empty := fileSize(t, file)
			if event(1) {
				t.Fatal("the first event is taken for a duplicate")
			}
			// It is there about a second later; how it looks is not our business.
			waitFor(t, "the event to be in the file", func() bool { return fileSize(t, file) > empty })
			c.kill()

			c.start(caddyfile)
			if !event(1) {
				t.Error("the event is not known after a crash")
			}
			if event(2) {
				t.Error("a new event is taken for a duplicate after a crash")
			}
			c.stop()
			c.start(caddyfile)
			if !event(2) {
				t.Error("an event is not known after an orderly restart")
			}
			if n := len(app.deliveries()); n != 2 {
				t.Errorf("the application got %d requests, want 2", n)
			}
		})
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// TestReceiverMemoryOverReloads: the file of seen events is locked by the
// running Caddy, and neither `caddy validate` nor a configuration that is
// rejected gets in its way or takes another file away from anybody. A reload
// keeps what is known; one with another file begins with what is in that one.
func TestReceiverMemoryOverReloads(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	first, second := filepath.Join(c.home, "first.seen"), filepath.Join(c.home, "second.seen")
	with := func(dedupe string) string {
		return receiverCaddyfile(c.admin, site, app.URL, githubReceiver("dedupe "+dedupe))
	}
	in := func(file string) string { return "{\n\t\t\tpersist " + file + "\n\t\t}" }
	c.start(with(in(first)))
	event := githubSender(t, site)
	event(1)
	scrape := func(when string) {
		t.Helper()
		const name = `caddy_webhooks_received_total{provider="github",receiver="hooks",verdict="accepted"}`
		if got, ok := c.metric(name); !ok || got < 1 {
			t.Errorf("%s: %s is %v, %t", when, name, got, ok)
		}
	}

	if out, err := c.validate(with(in(first))); err != nil {
		t.Errorf("`caddy validate` beside a running Caddy must pass, but: %v\n%s", err, out)
	}
	other := newCaddy(t)
	out, err := other.command("run", "--config", other.write(receiverCaddyfile(other.admin, freeAddress(t), app.URL, githubReceiver("dedupe "+in(first)))), "--adapter", "caddyfile").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the file of seen events is in use: "+first) {
		t.Errorf("another Caddy on the same file: %v\n%s", err, out)
	}

	for _, tt := range []struct {
		name, caddyfile string
		accepted        bool
		message         string
	}{
		{"changed setting", with("2h " + in(first)), true, ""},
		{"rejected with the same file because another app cannot start", with("3h "+in(first)) + cannotStart, false, ""},
		{"rejected with another file because another app cannot start", with("4h "+in(second)) + cannotStart, false, ""},
		{"a file in a place that cannot be", with("5h " + in("/proc/no/such.seen")), false, "webhook_receive hooks: the folder for the file of seen events cannot be made"},
		{"a file that is something else", with("6h " + in(filepath.Join(c.home, "Caddyfile"))), false, "webhook_receive hooks: the file of seen events"},
		{"changed again", with("7h " + in(first)), true, ""},
	} {
		out, err := c.reload(tt.caddyfile)
		if (err == nil) != tt.accepted || !strings.Contains(out, tt.message) {
			t.Fatalf("%s: %v\n%s", tt.name, err, out)
		}
		if !event(1) {
			t.Errorf("%s: the event is not known any more", tt.name)
		}
		scrape(tt.name)
	}
	// The rejected configurations have left the second file to whoever wants it.
	other.start(receiverCaddyfile(other.admin, freeAddress(t), app.URL, githubReceiver("dedupe "+in(second))))
	if out, err := c.reload(with(in(second))); err == nil || !strings.Contains(out, "the file of seen events is in use: "+second) {
		t.Errorf("a reload with a file of another Caddy: %v\n%s", err, out)
	}
	other.stop()

	if out, err := c.reload(with(in(second))); err != nil {
		t.Fatalf("a reload with another file: %v\n%s", err, out)
	}
	if event(1) {
		t.Error("the event is known although it is in the first file")
	}
	event(2)
	if !event(2) {
		t.Error("an event is not known after the file has changed")
	}
	scrape("after the file has changed")
	// The first file is free again when its last user has gone.
	if out, err := c.reload(with(in(first))); err != nil {
		t.Fatalf("a reload with the first file: %v\n%s", err, out)
	}
	if !event(1) {
		t.Error("what is in the first file is not known when it is back")
	}
	if out, err := c.reload(with("8h")); err != nil {
		t.Fatalf("a reload without a file: %v\n%s", err, out)
	}
	if event(1) || !event(1) {
		t.Error("in memory alone an event is not known once it has been there")
	}
}

// TestReceiverMetricsCountOverReloads scrapes Caddy's admin endpoint.
func TestReceiverMetricsCountOverReloads(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	with := func(size string) string {
		return receiverCaddyfile(c.admin, site, app.URL, githubReceiver("max_size "+size)+"\n\twebhook_receive /slack slack {\n\t\tsecret "+slackSecret+"\n\t}")
	}
	c.start(with("1MiB"))
	event := githubSender(t, site)
	n := 0
	counts := func(when string) {
		t.Helper()
		n++
		event(n)
		event(n)
		send(t, "http://"+site, github("guessed", "delivery-0", "{}"), []byte("{}"))
		for name, want := range map[string]float64{
			`caddy_webhooks_received_total{provider="github",receiver="hooks",verdict="accepted"}`:                 float64(n),
			`caddy_webhooks_received_total{provider="github",receiver="hooks",verdict="duplicate"}`:                float64(n),
			`caddy_webhooks_verify_failures_total{provider="github",reason="signature_mismatch",receiver="hooks"}`: float64(n),
			`caddy_webhooks_claims_in_flight{receiver="hooks"}`:                                                    0,
			`caddy_webhooks_claims_in_flight{receiver="slack"}`:                                                    0,
			`caddy_webhooks_persist_errors_total{receiver="hooks"}`:                                                0,
			`caddy_webhooks_secret_matches_total{index="0",receiver="hooks"}`:                                      float64(2 * n),
		} {
			// A request is answered a moment before all of it is counted.
			waitFor(t, fmt.Sprintf("%s: %s to be %v", when, name, want), func() bool {
				got, ok := c.metric(name)
				return ok && got == want
			})
		}
	}
	counts("at first")
	for _, tt := range []struct {
		name, caddyfile string
		accepted        bool
	}{
		{"after a reload", with("2MiB"), true},
		{"after another app could not start", with("3MiB") + cannotStart, false},
		{"after the settings were refused", with("4MiB\n\t\ttolerance 5m"), false},
		{"after another reload", with("5MiB"), true},
	} {
		if out, err := c.reload(tt.caddyfile); (err == nil) != tt.accepted {
			t.Fatalf("%s: %v\n%s", tt.name, err, out)
		}
		counts(tt.name)
	}
}

// TestSecretFileIsReadAgain rotates a secret by writing its file, which needs
// no reload. A file that is missing or empty changes nothing.
func TestSecretFileIsReadAgain(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	file := filepath.Join(c.home, "secret")
	write := func(secret string) {
		t.Helper()
		// Renaming is how files are put in the place of others at once.
		if err := os.WriteFile(file+".new", []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	status := func(secret string) int {
		t.Helper()
		n++
		body := fmt.Sprintf(`{"n":%d}`, n)
		return send(t, "http://"+site, github(secret, "delivery", body), []byte(body)).status
	}
	logged := func(text string) int { return strings.Count(c.out.String(), text) }

	write("the-first\n")
	c.start(receiverCaddyfile(c.admin, site, app.URL, "webhook_receive github {\n\t\tsecret {file."+file+"}\n\t}"))
	if got := status("the-first"); got != 200 {
		t.Fatalf("the first secret: %d", got)
	}
	write("the-other\n") // of the same size
	waitFor(t, "the new secret to pass", func() bool { return status("the-other") == 200 })
	if got := status("the-first"); got != http.StatusUnauthorized {
		t.Errorf("the old secret after the change: %d", got)
	}

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the missing file to be logged", func() bool { return logged("the secrets cannot be read again") == 1 })
	write("")
	waitFor(t, "the empty file to be logged", func() bool { return logged("the secrets cannot be read again") == 2 })
	if got := status("the-other"); got != 200 {
		t.Errorf("the secret that was in force: %d", got)
	}
	time.Sleep(5 * time.Second) // long enough to look again twice, which must not be logged
	if n := logged("the secrets cannot be read again"); n != 2 {
		t.Errorf("what is wrong with the file was logged %d times, want once for each", n)
	}
	write("the-third")
	waitFor(t, "the third secret to pass", func() bool { return status("the-third") == 200 })

	// A reload must not bring an old secret back, nor leave anybody who would.
	if out, err := c.reload(receiverCaddyfile(c.admin, site, app.URL, "webhook_receive github {\n\t\tsecret {file."+file+"}\n\t\tmax_size 2MiB\n\t}")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write("the-fourth")
	waitFor(t, "the fourth secret to pass", func() bool { return status("the-fourth") == 200 })
	if out := c.out.String(); strings.Contains(out, "the-other") || strings.Contains(out, "the-third") {
		t.Error("a secret is in the log")
	}
}
