package integration

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// received is the answer to a request that a provider sends.
type received struct {
	status    int
	duplicate bool
	header    http.Header
	body      string
}

// send sends a request with headers as a provider does.
func send(t *testing.T, url string, headers map[string]string, body []byte) received {
	t.Helper()
	got, err := trySend(t, url, headers, body)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// trySend is send for where a connection may be closed, as by a reload.
func trySend(t *testing.T, url string, headers map[string]string, body []byte) (received, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return received{}, err
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := oneOff.Do(req)
	if err != nil {
		return received{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return received{resp.StatusCode, resp.Header.Get("Webhook-Duplicate") == "true", resp.Header, string(answer)}, err
}

// hexHMAC is how most providers sign.
func hexHMAC(secret, content string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(content))
	return hex.EncodeToString(mac.Sum(nil))
}

// The secrets that the tests sign with.
const (
	githubSecret = "github-secret-of-the-tests"
	stripeSecret = "whsec_stripe-secret-of-the-tests"
	slackSecret  = "slack-secret-of-the-tests"
)

func github(secret, id, body string) map[string]string {
	return map[string]string{
		"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": id,
		"X-Hub-Signature-256": "sha256=" + hexHMAC(secret, body),
	}
}

func stripe(secret, body string) map[string]string {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	return map[string]string{"Content-Type": "application/json", "Stripe-Signature": "t=" + now + ",v1=" + hexHMAC(secret, now+"."+body)}
}

func slack(secret, body string) map[string]string {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	return map[string]string{
		"Content-Type": "application/json", "X-Slack-Request-Timestamp": now,
		"X-Slack-Signature": "v0=" + hexHMAC(secret, "v0:"+now+":"+body),
	}
}

// receiverCaddyfile has a receiver in front of an application, which is told
// what Caddy knows of a request.
func receiverCaddyfile(admin, site, application, receivers string) string {
	return fmt.Sprintf(`{
	admin %s
}

http://%s {
	%s
	reverse_proxy %s {
		header_up X-Seen "{http.webhook.provider} {http.webhook.id} {http.webhook.type} {http.webhook.duplicate} {http.webhook.reason} {http.webhook.enforced}"
	}
}
`, admin, site, receivers, application)
}

// TestProvidersInFrontOfAnApplication has three providers send to a real Caddy:
// what they sign arrives unchanged and once, whatever else does not, an event
// that the application failed on is let through again, and Slack's handshake is
// answered without the application.
func TestProvidersInFrontOfAnApplication(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	c.env = []string{"GITHUB_SECRET=" + githubSecret, "STRIPE_SECRET=" + stripeSecret, "SLACK_SECRET=" + slackSecret}
	site := freeAddress(t)
	c.start(receiverCaddyfile(c.admin, site, app.URL, `webhook_receive /github github {
		secret {env.GITHUB_SECRET}
	}
	webhook_receive /stripe stripe {
		secret {env.STRIPE_SECRET}
	}
	webhook_receive /slack slack {
		secret {env.SLACK_SECRET}
	}`))
	slackEvent := `{"type":"event_callback","event_id":"Ev1","event":{"type":"message"}}`
	stripeEvent := `{"id":"evt_1","type":"charge.succeeded"}`
	tests := []struct {
		name, body string
		sign       func(secret, id, body string) map[string]string
		secret     string
		seen       string
	}{
		{"github", nastyData, github, githubSecret, "github delivery-1 push false  true"},
		{"stripe", stripeEvent, func(secret, _, body string) map[string]string { return stripe(secret, body) }, stripeSecret, "stripe evt_1 charge.succeeded false  true"},
		{"slack", slackEvent, func(secret, _, body string) map[string]string { return slack(secret, body) }, slackSecret, "slack Ev1 message false  true"},
	}
	arrived := 0
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			url := "http://" + site + "/" + tt.name
			for name, headers := range map[string]map[string]string{
				"unsigned":     {"Content-Type": "application/json"},
				"wrong secret": tt.sign("guessed", "delivery-0", tt.body),
				"other body":   tt.sign(tt.secret, "delivery-0", tt.body+" "),
			} {
				if got := send(t, url, headers, []byte(tt.body)); got.status != http.StatusUnauthorized || got.body != "" {
					t.Errorf("%s: answered %d %q, want 401 and nothing else", name, got.status, got.body)
				}
			}
			app.setAnswer(500)
			if got := send(t, url, tt.sign(tt.secret, "delivery-1", tt.body), []byte(tt.body)); got.status != 500 {
				t.Fatalf("the application failed, and the answer is %d", got.status)
			}
			app.setAnswer(200)
			if got := send(t, url, tt.sign(tt.secret, "delivery-1", tt.body), []byte(tt.body)); got.status != 200 || got.duplicate {
				t.Fatalf("the retry was answered %d, duplicate: %t", got.status, got.duplicate)
			}
			// The ID of GitHub is not signed, so another one changes nothing.
			for _, id := range []string{"delivery-1", "delivery-2"} {
				if got := send(t, url, tt.sign(tt.secret, id, tt.body), []byte(tt.body)); got.status != 200 || !got.duplicate {
					t.Errorf("a copy was answered %d, duplicate: %t", got.status, got.duplicate)
				}
			}
			arrived += 2
			all := app.deliveries()
			if len(all) != arrived {
				t.Fatalf("the application got %d requests, want %d", len(all), arrived)
			}
			last := all[len(all)-1]
			if string(last.bytes()) != tt.body {
				t.Errorf("the application got the body %q", last.bytes())
			}
			if seen := last.Headers.Get("X-Seen"); seen != tt.seen {
				t.Errorf("the placeholders are %q, want %q", seen, tt.seen)
			}
		})
	}
	challenge := `{"token":"t","challenge":"3eZbrw1aB","type":"url_verification"}`
	if got := send(t, "http://"+site+"/slack", slack(slackSecret, challenge), []byte(challenge)); got.status != 200 || got.body != "3eZbrw1aB" {
		t.Errorf("the handshake was answered %d %q", got.status, got.body)
	}
	if n := len(app.deliveries()); n != arrived {
		t.Errorf("the application got the handshake too: %d requests, want %d", n, arrived)
	}
}

// TestObserving lets everything through and says what it would have done.
func TestObserving(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(receiverCaddyfile(c.admin, site, app.URL, "webhook_receive github {\n\t\tsecret "+githubSecret+"\n\t\tenforce off\n\t\theaders\n\t}"))
	const body = `{"a":1}`
	for i, tt := range []struct {
		headers map[string]string
		seen    string
	}{
		{map[string]string{"X-Webhook-Id": "made-up"}, "github   false signature_missing false"},
		{github("guessed", "delivery-1", body), "github   false signature_mismatch false"},
		{github(githubSecret, "delivery-1", body), "github delivery-1 push false  true"},
		{github(githubSecret, "delivery-1", body), "github delivery-1 push true  false"},
	} {
		if got := send(t, "http://"+site, tt.headers, []byte(body)); got.status != 200 || got.duplicate {
			t.Errorf("request %d was answered %d, duplicate: %t", i, got.status, got.duplicate)
		}
		all := app.deliveries()
		if len(all) != i+1 {
			t.Fatalf("request %d did not arrive", i)
		}
		last := all[i].Headers
		if seen := last.Get("X-Seen"); seen != tt.seen {
			t.Errorf("request %d: the placeholders are %q, want %q", i, seen, tt.seen)
		}
		if id := last.Get("X-Webhook-Id"); (id == "delivery-1") != (i >= 2) || id == "made-up" {
			t.Errorf("request %d: the application was told the ID %q", i, id)
		}
	}
}

// TestReceiverLimits: clients are told of the limits and when to come again.
func TestReceiverLimits(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(receiverCaddyfile(c.admin, site, app.URL,
		"webhook_receive github {\n\t\tsecret "+githubSecret+"\n\t\trate 1/h burst 2 by {header.X-Shard}\n\t\trate 3/h\n\t}"))
	// By the shard of each request, what is answered: the third of a shard is
	// over its limit, and the fourth of all over that of all.
	for i, tt := range []struct {
		shard, ratelimit string
		status           int
	}{
		{"a", `"rate_0";r=1;t=3600, "rate_1";r=2;t=1200`, 200},
		{"a", `"rate_0";r=0;t=3600, "rate_1";r=1;t=1200`, 200},
		{"a", "", 429},
		{"b", "", 200},
		{"b", "", 429},
	} {
		body := fmt.Sprintf(`{"n":%d}`, i)
		headers := github(githubSecret, "delivery-"+strconv.Itoa(i), body)
		headers["X-Shard"] = tt.shard
		got := send(t, "http://"+site, headers, []byte(body))
		if got.status != tt.status {
			t.Errorf("request %d was answered %d, want %d", i, got.status, tt.status)
		}
		if policy := got.header.Get("RateLimit-Policy"); policy != `"rate_0";q=2;w=7200, "rate_1";q=3;w=3600` {
			t.Errorf("request %d: the policy is %q", i, policy)
		}
		if limit := got.header.Get("RateLimit"); i == 0 && limit != tt.ratelimit {
			t.Errorf("request %d: the limit is %q, want %q", i, limit, tt.ratelimit)
		}
		wait, err := strconv.Atoi(got.header.Get("Retry-After"))
		if over := tt.status == 429; over != (err == nil && wait > 0 && wait <= 3600) {
			t.Errorf("request %d: Retry-After is %q", i, got.header.Get("Retry-After"))
		}
	}
	if n := len(app.deliveries()); n != 3 {
		t.Errorf("%d requests arrived, want 3", n)
	}
}

// TestCustomTemplate describes a sender that no provider is for. Some names in
// its content are shorthands of Caddy's, which must not be replaced.
func TestCustomTemplate(t *testing.T) {
	const secret = "custom-secret-of-the-tests"
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(receiverCaddyfile(c.admin, site, app.URL, `webhook_receive custom {
		name acme
		secret `+secret+`
		template {
			content "{method} {path} {header.X-Acme-Topic} {timestamp}.{body}"
			signature header X-Acme-Signature {
				prefix v1=
				list ,
			}
			timestamp header X-Acme-Signature {
				prefix t=
				list ,
			}
			id json event.id
			type header X-Acme-Topic
		}
	}`))
	sign := func(path, topic string, at time.Time, body string) map[string]string {
		ts := strconv.FormatInt(at.Unix(), 10)
		return map[string]string{
			"X-Acme-Topic":     topic,
			"X-Acme-Signature": "t=" + ts + ", v1=" + hexHMAC("old", "") + ", v1=" + hexHMAC(secret, "POST "+path+" "+topic+" "+ts+"."+body),
		}
	}
	const body = `{"event":{"id":7},"x":1}`
	now := time.Now()
	for _, tt := range []struct {
		name, path, topic string
		at                time.Time
		status            int
		duplicate         bool
	}{
		{"signed for another path", "/other", "order.paid", now, 401, false},
		{"too old", "/in", "order.paid", now.Add(-time.Hour), 401, false},
		{"right", "/in", "order.paid", now, 200, false},
		{"again", "/in", "order.paid", now.Add(time.Second), 200, true},
	} {
		got := send(t, "http://"+site+"/in", sign(tt.path, tt.topic, tt.at, body), []byte(body))
		if got.status != tt.status || got.duplicate != tt.duplicate {
			t.Errorf("%s: answered %d, duplicate: %t", tt.name, got.status, got.duplicate)
		}
	}
	all := app.deliveries()
	if len(all) != 1 {
		t.Fatalf("%d requests arrived, want 1", len(all))
	}
	if seen, want := all[0].Headers.Get("X-Seen"), "custom 7 order.paid false  true"; seen != want {
		t.Errorf("the placeholders are %q, want %q", seen, want)
	}
}

// TestCompressedBody: the signature of some senders covers the body before it
// was compressed. The application gets it as it was verified.
func TestCompressedBody(t *testing.T) {
	app := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(receiverCaddyfile(c.admin, site, app.URL,
		"webhook_receive github {\n\t\tsecret "+githubSecret+"\n\t\tmax_size 1KiB\n\t\tdecompress on\n\t}"))
	compressed := func(body []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write(body); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	headers := github(githubSecret, "delivery-1", nastyData)
	headers["Content-Encoding"] = "gzip"
	if got := send(t, "http://"+site, headers, compressed([]byte(nastyData))); got.status != 200 {
		t.Fatalf("answered %d", got.status)
	}
	bomb := bytes.Repeat([]byte(" "), 1<<20)
	headers = github(githubSecret, "delivery-2", string(bomb))
	headers["Content-Encoding"] = "gzip"
	if got := send(t, "http://"+site, headers, compressed(bomb)); got.status != 413 {
		t.Errorf("a body that grows over max_size was answered %d, want 413", got.status)
	}
	all := app.deliveries()
	if len(all) != 1 {
		t.Fatalf("%d requests arrived, want 1", len(all))
	}
	if got := string(all[0].bytes()); got != nastyData || all[0].Headers.Get("Content-Encoding") != "" {
		t.Errorf("the application got %q with Content-Encoding %q", got, all[0].Headers.Get("Content-Encoding"))
	}
}
