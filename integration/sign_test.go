package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// signingCaddyfile has two sites: what is sent to outer is signed and passed to
// inner, where a receiver of the same provider checks it.
func signingCaddyfile(admin, outer, signing, upstreams, inner, receiving, application string) string {
	return fmt.Sprintf(`{
	admin %s
}

http://%s {
	%s
	reverse_proxy %s
	handle_errors {
		respond "refused with {err.status_code}"
	}
}

http://%s {
	%s
	reverse_proxy %s {
		header_up X-Seen "{http.webhook.provider} {http.webhook.id}"
	}
}
`, admin, outer, signing, upstreams, inner, receiving, application)
}

// TestSignedOnTheWay has requests of all kinds signed by one site and checked by
// another: what is accepted there is exactly what was sent.
func TestSignedOnTheWay(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	c.env = []string{"GITHUB_SECRET=" + githubSecret}
	outer, inner := freeAddress(t), freeAddress(t)
	c.start(signingCaddyfile(c.admin, outer, `rewrite * /hooks{uri}
	request_header -X-Removed
	webhook_sign github {env.GITHUB_SECRET} {
		max_size 64KiB
	}`,
		inner+` {
		header_up X-Added here
	}`, inner, `webhook_receive github {
		secret {env.GITHUB_SECRET}
		dedupe off
	}`, app.URL))
	// So much the server reads of a body that is refused before it closes the
	// connection; of more the client may see that alone, and no answer.
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<12)
	tests := []struct {
		name    string
		method  string
		headers map[string]string
		body    []byte
		chunked bool
		id      string // that the receiver sees; empty: a new one
		status  int
	}{
		{name: "plain", body: []byte(nastyData)},
		{name: "with an ID of its own", headers: map[string]string{"X-GitHub-Delivery": "delivery-1"}, body: []byte("{}"), id: "delivery-1"},
		{name: "with a forged signature", headers: map[string]string{"X-Hub-Signature-256": "sha256=" + strings.Repeat("0", 64)}, body: []byte("{}")},
		{name: "that has the signature removed", headers: map[string]string{"Connection": "close, X-Hub-Signature-256"}, body: []byte("{}")},
		{name: "as large as allowed", body: large},
		{name: "in chunks", body: large, chunked: true},
		{name: "without a body"},
		{name: "of length unknown and without a body", chunked: true},
		{name: "compressed", headers: map[string]string{"Content-Encoding": "gzip"}, body: gzipped(t, nastyData)},
		{name: "that waits to be asked", headers: map[string]string{"Expect": "100-continue"}, body: []byte("{}")},
		{name: "too large", body: append(large, 'x'), status: 413},
		{name: "too large, in chunks", body: append(large, 'x'), chunked: true, status: 413},
		// It is signed and passed on, and the receiver takes no GET.
		{name: "GET", method: http.MethodGet, status: 405},
	}
	arrived := 0
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, answer := exchange(t, requestOf(t, outer, tt.method, tt.headers, tt.body, tt.chunked))
			if want := max(tt.status, 200); resp.StatusCode != want {
				t.Fatalf("answered %d %s, want %d", resp.StatusCode, answer, want)
			}
			if tt.status == 413 && string(answer) != "refused with 413" {
				t.Errorf("handle_errors did not answer: %s", answer)
			}
			all := app.deliveries()
			if tt.status != 0 {
				if len(all) != arrived {
					t.Error("it has arrived")
				}
				return
			}
			arrived++
			if len(all) != arrived {
				t.Fatalf("%d requests have arrived, want %d", len(all), arrived)
			}
			last := all[arrived-1]
			if !bytes.Equal(last.bytes(), tt.body) {
				t.Errorf("%d bytes have arrived of %d, or others", len(last.bytes()), len(tt.body))
			}
			id := last.Headers.Get("X-GitHub-Delivery")
			if seen := last.Headers.Get("X-Seen"); seen != "github "+id || id == "" || tt.id != "" && id != tt.id {
				t.Errorf("the receiver saw %q, and the ID is %q", seen, id)
			}
			if last.Headers.Get("X-Added") != "here" {
				t.Error("header_up was not heeded")
			}
		})
	}
}

// requestOf makes a request as a client of the outer site does.
func requestOf(t *testing.T, site, method string, headers map[string]string, content []byte, chunked bool) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	var body io.Reader
	if content != nil || chunked {
		body = bytes.NewReader(content)
	}
	if chunked {
		body = struct{ io.Reader }{body} // whose length nobody can tell
	}
	if method == "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+site+"/in?a=1", body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	return req
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSignedForTheOfficialLibrary has an application check with the library of
// Standard Webhooks what Caddy has signed, with two secrets, of which it knows
// one. The first upstream is not there, so each request is tried again.
func TestSignedForTheOfficialLibrary(t *testing.T) {
	needPeers(t)
	const otherSecret = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	app := newSink(t, "")
	c := newCaddy(t)
	outer, inner, nobody := freeAddress(t), freeAddress(t), freeAddress(t)
	c.start(signingCaddyfile(c.admin, outer, `webhook_sign standard `+otherSecret+` `+testSecret+` {
		id {header.X-Event-Id}
	}`, nobody+" "+app.URL+` {
		lb_policy first
		fail_duration 30s
		lb_try_duration 10s
		lb_try_interval 10ms
	}`, inner, "", app.URL))
	for _, headers := range []map[string]string{nil, {"X-Event-Id": "evt_mine"}, {"Webhook-Id": "evt_own"}, {"X-Event-Id": "evt_mine", "Webhook-Id": "evt_own"}} {
		resp, answer := exchange(t, requestOf(t, outer, "", headers, []byte(nastyData), false))
		if resp.StatusCode != 200 {
			t.Fatalf("answered %d %s", resp.StatusCode, answer)
		}
	}
	resp, answer := exchange(t, requestOf(t, outer, "", map[string]string{"X-Event-Id": "evt.1"}, nil, false))
	if resp.StatusCode != 400 || string(answer) != "refused with 400" {
		t.Errorf("an ID with a dot is answered %d %s", resp.StatusCode, answer)
	}
	var lines bytes.Buffer
	all := app.deliveries()
	for i, want := range []string{"", "evt_mine", "evt_own", "evt_mine"} {
		if i >= len(all) {
			t.Fatalf("%d requests have arrived", len(all))
		}
		if id := all[i].Headers.Get("Webhook-Id"); id == "" || want != "" && id != want {
			t.Errorf("the ID is %q, want %q", id, want)
		}
		all[i].Secret = testSecret
		if err := json.NewEncoder(&lines).Encode(all[i]); err != nil {
			t.Fatal(err)
		}
	}
	results := runPeer(t, lines.Bytes(), "node", "verify.mjs")
	if len(results) != len(all) {
		t.Errorf("the library checked %d requests of %d", len(results), len(all))
	}
	for _, r := range results {
		if !r.HeadersOK {
			t.Errorf("the library refuses %s: %s", r.ID, r.Error)
		}
	}
}

// TestSignedAgain has requests that a provider has signed signed anew in another
// way, under the ID that they came with.
func TestSignedAgain(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	outer, inner := freeAddress(t), freeAddress(t)
	c.start(signingCaddyfile(c.admin, outer, `webhook_receive github {
		secret `+githubSecret+`
	}
	webhook_sign standard `+testSecret+` {
		id {http.webhook.id}
	}`, inner, inner, `webhook_receive standard {
		secret `+testSecret+`
	}`, app.URL))
	if got := send(t, "http://"+outer, github(githubSecret, "delivery-1", nastyData), []byte(nastyData)); got.status != 200 {
		t.Fatalf("answered %d %s", got.status, got.body)
	}
	all := app.deliveries()
	if len(all) != 1 || all[0].Headers.Get("X-Seen") != "standard delivery-1" || string(all[0].bytes()) != nastyData {
		t.Errorf("what has arrived is %+v", all)
	}
}

// TestSigningSecretFromAFile signs with the secret that a file holds now, and
// with the one before while it holds none that can be used.
func TestSigningSecretFromAFile(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	outer, inner := freeAddress(t), freeAddress(t)
	file := filepath.Join(c.home, "secret")
	write := func(secret string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("the-first-secret\n")
	c.start(signingCaddyfile(c.admin, outer, "webhook_sign github {file."+file+"}", app.URL, inner, "", app.URL))
	const body = "{}"
	signedWith := func(secret string) bool {
		resp, answer := exchange(t, requestOf(t, outer, "", nil, []byte(body), false))
		if resp.StatusCode != 200 {
			t.Fatalf("answered %d %s", resp.StatusCode, answer)
		}
		all := app.deliveries()
		return all[len(all)-1].Headers.Get("X-Hub-Signature-256") == "sha256="+hexHMAC(secret, body)
	}
	if !signedWith("the-first-secret") {
		t.Error("it is not signed with the secret in the file")
	}
	write("the-second-secret\n")
	waitFor(t, "the second secret to sign", func() bool { return signedWith("the-second-secret") })
	write("")
	waitFor(t, "the file without a secret to be noticed", func() bool {
		if !signedWith("the-second-secret") {
			t.Fatal("it is not signed with the secret before")
		}
		return strings.Contains(c.out.String(), "the secrets cannot be read again")
	})
	write("the-third-secret\n")
	waitFor(t, "the third secret to sign", func() bool { return signedWith("the-third-secret") })
}

// TestSigningIsRefused guards that what cannot work is refused when the
// configuration is loaded, with a sentence that says what to do.
func TestSigningIsRefused(t *testing.T) {
	c := newCaddy(t)
	for signing, want := range map[string]string{
		"webhook_sign github":                  "secrets is empty: give the secret to sign with",
		"webhook_sign github {env.NOT_SET}":    "secret 1: the placeholder in it cannot be replaced",
		"webhook_sign adyen 0011":              "provider adyen cannot be imitated: its signature is inside the body, or made by rules that no template can express",
		"webhook_sign figma a":                 "provider figma cannot be imitated: its signature is in no header",
		"webhook_sign trello a":                "url is not set, and provider trello signs it",
		"webhook_sign github a b":              "secrets has 2, and a request of provider github has room for 1: keep the newest",
		"webhook_sign standard not-a-secret":   `secrets[0]: unusable key: a secret starts with "whsec_"`,
		"webhook_sign custom a":                "template is not set: provider custom needs it",
		"webhook_sign nobody a":                `provider "nobody" is unknown`,
		"webhook_sign stripe a {\n\t\tid x\n}": "id is set, and provider stripe sends no ID in a header: leave id out",
	} {
		caddyfile := fmt.Sprintf("{\n\tadmin %s\n}\n\nhttp://127.0.0.1:1 {\n\t%s\n\treverse_proxy 127.0.0.1:2\n}\n", c.admin, signing)
		out, err := c.validate(caddyfile)
		// It is JSON, or not, by where Caddy logs to.
		if said := strings.ReplaceAll(out, `\"`, `"`); err == nil || !strings.Contains(said, want) || !strings.Contains(said, "webhook_sign: ") {
			t.Errorf("%s: wanted an error with %q, got %v:\n%s", signing, want, err, out)
		}
	}
}
