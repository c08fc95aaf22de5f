package sender_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestDeliverOnTheWire checks every byte of a delivery in every format.
func TestDeliverOnTheWire(t *testing.T) {
	const head = `{"event":"conversation.created","timestamp":"2024-03-05T10:29:00Z","data":{"z":1.0,"a":"\u2028"}`
	tests := []struct {
		format      webhook.Format
		secrets     []string
		contentType string
		body        string
		bodySigned  bool
		signatures  []string // the version of each
	}{
		{webhook.FormatManySends, []string{secretText}, "application/json", head, true, []string{"v1"}},
		{webhook.FormatManySends, []string{otherSecretText, secretText, signingKeyText}, "application/json", head, true, []string{"v1", "v1", "v1a"}},
		{webhook.FormatManySends, []string{signingKeyText, secretText}, "application/json", head, true, []string{"v1a", "v1"}},
		{webhook.FormatManySends, []string{signingKeyText}, "application/json", head + "}", false, []string{"v1a"}},
		{webhook.FormatManySends, nil, "application/json", head + "}", false, nil},
		{webhook.FormatStandard, []string{secretText}, "application/json", `{"type":"conversation.created","timestamp":"2024-03-05T10:29:00Z","data":{"z":1.0,"a":"\u2028"}}`, false, []string{"v1"}},
		{webhook.FormatCloudEvents, []string{secretText}, "application/cloudevents+json; charset=utf-8", `{"specversion":"1.0","id":"evt_1","source":"/webhooks","type":"conversation.created","time":"2024-03-05T10:29:00Z","datacontenttype":"application/json","data":{"z":1.0,"a":"\u2028"}}`, false, []string{"v1"}},
		{webhook.FormatRaw, []string{secretText}, "application/json", `{"z":1.0,"a":"\u2028"}`, false, []string{"v1"}},
	}
	for _, test := range tests {
		t.Run(string(test.format)+" "+strings.Join(test.signatures, " "), func(t *testing.T) {
			p := newPeer(t, nil)
			c := toPeers(p)
			c.Endpoints[0].Format, c.Endpoints[0].Secrets = test.format, test.secrets
			r := newRig(t, c)
			const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			if _, err := r.Publish(t.Context(), webhook.Event{
				ID: "evt_1", Type: "conversation.created", Timestamp: r.clock.Now().Add(-time.Minute),
				Data: []byte(` { "z" : 1.0 , "a" : "\u2028" } `), TraceParent: parent,
			}); err != nil {
				t.Fatal(err)
			}
			r.delivered("a", "evt_1")
			p.waitFor(t, 1)
			got := p.all()[0]
			if got.method != http.MethodPost || got.uri != "/hooks" || "http://"+got.host != p.URL {
				t.Errorf("%s %s at %s", got.method, got.uri, got.host)
			}
			for name, want := range map[string]string{
				"Content-Type": test.contentType, "webhook-id": "evt_1", "webhook-timestamp": "1709634600", "Traceparent": parent,
				"Accept-Encoding": "", "Authorization": "", "Idempotency-Key": "",
			} {
				if value := got.header.Get(name); value != want {
					t.Errorf("header %s is %q, want %q", name, value, want)
				}
			}
			if agent := got.header.Get("User-Agent"); !strings.HasPrefix(agent, "caddy-webhooks/") {
				t.Errorf("User-Agent is %q", agent)
			}
			body := string(got.body)
			if test.bodySigned {
				newest := test.secrets[0]
				if newest == signingKeyText {
					newest = test.secrets[1]
				}
				if _, err := webhook.VerifyBody([]*webhook.Secret{parseSecret(t, newest)}, got.body); err != nil {
					t.Errorf("the signature in the body: %v", err)
				}
				body = body[:len(body)-webhook.BodySignatureLength]
			}
			if body != test.body {
				t.Errorf("the body is %s, want %s", body, test.body)
			}
			var versions []string
			for signature := range strings.FieldsSeq(got.header.Get("webhook-signature")) {
				version, _, _ := strings.Cut(signature, ",")
				versions = append(versions, version)
			}
			if diff := cmp.Diff(test.signatures, versions); diff != "" {
				t.Errorf("signatures (-want +got):\n%s", diff)
			}
			for _, s := range test.secrets {
				if _, err := webhook.Verify([]webhook.Verifier{verifierOf(t, s)}, got.header, got.body, r.clock.Now(), time.Second); err != nil {
					t.Errorf("the signature of %.6s…: %v", s, err)
				}
			}
		})
	}
}

// signingKeyText is a signing key: the seed alone.
const signingKeyText = "whsk_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func parseSecret(t *testing.T, s string) *webhook.Secret {
	t.Helper()
	secret, err := webhook.ParseSecret(s)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// verifierOf is what a receiver needs to verify what s has signed.
func verifierOf(t *testing.T, s string) webhook.Verifier {
	t.Helper()
	signer, err := webhook.ParseSigner(s)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := signer.(*webhook.SigningKey); ok {
		return key.VerifyingKey()
	}
	return signer.(*webhook.Secret)
}

// TestVerdicts has a row for every kind of answer, and for none.
func TestVerdicts(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	_, _ = zip.Write(make([]byte, 10<<20))
	_ = zip.Close()
	long := strings.Repeat("x", 100<<10)
	const broke = "the answer broke off: "

	answerStatus := func(code int) func(*testing.T, http.ResponseWriter, *http.Request) {
		return func(_ *testing.T, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	tests := []struct {
		name   string
		answer func(t *testing.T, w http.ResponseWriter, r *http.Request)
		late   bool // the sender's time has to run out
		want   sender.Verdict
		code   int
		body   string
		err    string // how the error begins
	}{
		{name: "200", answer: answerStatus(200), want: sender.VerdictSucceeded, code: 200},
		{name: "204", answer: answerStatus(204), want: sender.VerdictSucceeded, code: 204},
		{name: "299", answer: answerStatus(299), want: sender.VerdictSucceeded, code: 299},
		{name: "301 is not followed", want: sender.VerdictRetry, code: 301,
			answer: func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(301)
			},
			err: "the endpoint answered 301: redirects are not followed, so set the endpoint's URL to the final one"},
		{name: "307 is not followed", want: sender.VerdictRetry, code: 307,
			answer: func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(307)
			},
			err: "the endpoint answered 307: redirects are not followed"},
		{name: "400", answer: answerStatus(400), want: sender.VerdictRetry, code: 400, err: "the endpoint answered 400"},
		{name: "404", answer: answerStatus(404), want: sender.VerdictRetry, code: 404, err: "the endpoint answered 404"},
		{name: "410", answer: answerStatus(410), want: sender.VerdictGone, code: 410, err: "the endpoint answered 410"},
		{name: "500 with a body", want: sender.VerdictRetry, code: 500, body: "out of order", err: "the endpoint answered 500",
			answer: func(_ *testing.T, w http.ResponseWriter, _ *http.Request) { http.Error(w, "out of order", 500) }},
		{name: "200 after early hints", want: sender.VerdictSucceeded, code: 200, body: "ok",
			answer: func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusEarlyHints)
				_, _ = w.Write([]byte("ok"))
			}},
		{name: "101 is no success", want: sender.VerdictRetry, code: 101, err: "the endpoint answered 101",
			answer: func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
				hijack(t, w, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: webhooks\r\n\r\n")
			}},
		{name: "16 KiB are kept", want: sender.VerdictSucceeded, code: 200, body: long[:16<<10],
			answer: func(_ *testing.T, w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(long)) }},
		{name: "an endless body counts by its status", want: sender.VerdictSucceeded, code: 200, body: long[:16<<10],
			answer: func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					_, _ = w.Write([]byte(long))
				}
			}},
		{name: "an endless body of a failure", want: sender.VerdictRetry, code: 500, body: long[:16<<10], err: "the endpoint answered 500",
			answer: func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(500)
				for r.Context().Err() == nil {
					_, _ = w.Write([]byte(long))
				}
			}},
		{name: "a gzip bomb is not inflated", want: sender.VerdictSucceeded, code: 200, body: bomb.String(),
			answer: func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Encoding", "gzip")
				_, _ = w.Write(bomb.Bytes())
			}},
		{name: "a body that is shorter than declared", want: sender.VerdictRetry, code: 200, body: "partial", err: broke + "unexpected EOF",
			answer: func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
				hijack(t, w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npartial")
			}},
		{name: "a chunked body that breaks off", want: sender.VerdictRetry, code: 200, body: "partial", err: broke + "unexpected EOF",
			answer: func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte("partial"))
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}},
		{name: "no answer at all", want: sender.VerdictRetry, err: "EOF",
			answer: func(t *testing.T, w http.ResponseWriter, _ *http.Request) { hijack(t, w, "") }},
		{name: "no HTTP", want: sender.VerdictRetry, err: `net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0`,
			answer: func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
				hijack(t, w, "SSH-2.0-"+strings.Repeat("x", 3000)+"\r\n\r\n")
			}},
		{name: "headers without end", want: sender.VerdictRetry, err: "net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 65536 bytes; aborted",
			answer: func(t *testing.T, w http.ResponseWriter, _ *http.Request) {
				hijack(t, w, "HTTP/1.1 200 OK\r\n"+strings.Repeat("X: "+long[:1000]+"\r\n", 100)+"\r\n")
			}},
		{name: "headers that do not come", late: true, want: sender.VerdictRetry, err: "no complete answer in time: the limit is 30s",
			answer: func(_ *testing.T, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
		{name: "a body that does not come", late: true, want: sender.VerdictRetry, code: 200, err: "no complete answer in time: the limit is 30s",
			answer: func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "100")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}},
		{name: "a dripping body", late: true, want: sender.VerdictRetry, code: 200, err: "no complete answer in time: the limit is 30s",
			answer: func(_ *testing.T, w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					_, _ = w.Write([]byte("x"))
					_ = http.NewResponseController(w).Flush()
					time.Sleep(time.Millisecond)
				}
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			begun := make(chan struct{}, 10)
			p := newPeer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
				begun <- struct{}{}
				test.answer(t, w, r)
			})
			r := newRig(t, toPeers(p))
			r.publish("e")
			<-begun
			if test.late {
				if test.code != 0 {
					time.Sleep(20 * time.Millisecond) // either way it is too late; this lets the status come
				}
				r.clock.advance(30 * time.Second)
			}
			d := r.settled("e", "a", 1)
			got := d.History[0]
			if got.Number != 1 || got.Verdict != test.want {
				t.Errorf("attempt %d: %s, want attempt 1: %s (%s)", got.Number, got.Verdict, test.want, got.Error)
			}
			if got.StatusCode != test.code && (!test.late || got.StatusCode != 0) {
				t.Errorf("status %d, want %d", got.StatusCode, test.code)
			}
			if !strings.HasPrefix(got.Error, test.err) || test.err == "" && got.Error != "" {
				t.Errorf("the error is %.300q, want %q", got.Error, test.err)
			}
			if len(got.Error) > 1100 {
				t.Errorf("the error has %d bytes", len(got.Error))
			}
			if !test.late && strings.TrimSpace(string(got.ResponseBody)) != test.body {
				t.Errorf("%d bytes of the body are kept: %.40q, want %d: %.40q", len(got.ResponseBody), got.ResponseBody, len(test.body), test.body)
			}
			want := map[sender.Verdict]sender.Status{sender.VerdictSucceeded: sender.Succeeded}[test.want]
			if want == 0 {
				want = sender.Pending
			}
			if d.Status != want || d.Attempts != 1 {
				t.Errorf("the delivery is %s after %d attempts, want %s after 1", d.Status, d.Attempts, want)
			}
			p.waitFor(t, 1)
			if got := p.all()[0].uri; got != "/hooks" {
				t.Errorf("requested %s", got)
			}
		})
	}
}

// TestVerdictNoConnection: what does not even become an HTTP exchange.
func TestVerdictNoConnection(t *testing.T) {
	closed := newPeer(t, nil)
	closed.Close()
	unknown := newPeer(t, nil)
	unknown.Close()
	secure := &peer{}
	secure.Server = newTLSServer(t, secure)

	c := toPeers(closed, unknown, secure)
	c.Endpoints[1].URL = "http://name.invalid/"
	r := newRig(t, c)
	r.publish("e")
	for endpoint, want := range map[string]string{
		"a": "connection refused",
		"b": "name.invalid",
		"c": "certificate",
	} {
		d := r.settled("e", endpoint, 1)
		if a := d.History[0]; a.Verdict != sender.VerdictRetry || a.StatusCode != 0 || !strings.Contains(a.Error, want) || d.Status != sender.Pending {
			t.Errorf("%s: %+v, want a retry for %q", endpoint, a, want)
		}
	}
	if n := secure.count(); n != 0 {
		t.Errorf("%d deliveries went over a connection that is not trusted", n)
	}
}
