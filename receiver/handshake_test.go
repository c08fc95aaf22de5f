package receiver

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// greetingBench is a bench whose provider makes sure of endpoints in one way.
func greetingBench(t *testing.T, h handshake, parameters map[string]string) *bench {
	t.Helper()
	b := newBench(t, testConfig("standard"))
	b.config.Parameters = parameters
	row := *b.provider
	row.handshake = h
	b.provider = &row
	return b
}

// signedBody is an authentic request with any body.
func (b *bench) signedBody(t *testing.T, id, body string) *http.Request {
	t.Helper()
	secret, err := webhook.ParseSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(body))
	webhook.SetHeaders(r.Header, []webhook.Signer{secret}, id, b.clock.Now(), []byte(body))
	return r
}

func plainRequest(method, target, body string, header ...string) func(*testing.T, *bench) *http.Request {
	return func(*testing.T, *bench) *http.Request {
		r := httptest.NewRequest(method, target, strings.NewReader(body))
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
}

func signedRequestOf(body string, header ...string) func(*testing.T, *bench) *http.Request {
	return func(t *testing.T, b *bench) *http.Request {
		r := b.signedBody(t, "evt_1", body)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
}

// TestHandshakes sends handshakes and what only looks like one.
func TestHandshakes(t *testing.T) {
	long := strings.Repeat("x", maxChallenge+1)
	meta := map[string]string{"verify_token": "open sesame"}
	origins := map[string]string{"allowed_origin": "a.example, b.example", "allowed_rate": "120"}
	const validation = `[{"id":"1","eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"512d38b6","validationUrl":"https://x"}}]`
	for _, c := range []struct {
		name       string
		handshake  handshake
		parameters map[string]string
		request    func(*testing.T, *bench) *http.Request
		want       string // the body; with header: its name and value as well
		header     string
		reason     Reason // why it was refused instead
		through    bool   // it went to the application instead
	}{
		{name: "Slack", handshake: slackChallenge, request: signedRequestOf(`{"token":"t","challenge":"3eZbrw1aB","type":"url_verification"}`), want: "3eZbrw1aB"},
		{name: "Slack, unsigned", handshake: slackChallenge, request: plainRequest("POST", "/", `{"challenge":"x","type":"url_verification"}`), reason: ReasonSignatureMissing},
		{name: "Slack, an event", handshake: slackChallenge, request: signedRequestOf(`{"type":"event_callback","event":{"type":"url_verification"},"challenge":"x"}`), through: true},
		{name: "Slack, too long", handshake: slackChallenge, request: signedRequestOf(`{"type":"url_verification","challenge":"` + long + `"}`), through: true},

		{
			name: "Zoom", handshake: zoomChallenge, request: signedRequestOf(`{"payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"},"event_ts":1654503849680,"event":"endpoint.url_validation"}`),
			// printf %s qgg8vlvZRS6UYooatFL8Aw | openssl dgst -sha256 -hmac "$secret"
			want: `{"plainToken":"qgg8vlvZRS6UYooatFL8Aw","encryptedToken":"` + zoomAnswer + `"}`,
		},
		{name: "Zoom, unsigned", handshake: zoomChallenge, request: plainRequest("POST", "/", `{"payload":{"plainToken":"a"},"event":"endpoint.url_validation"}`), reason: ReasonSignatureMissing},
		{name: "Zoom, not a token", handshake: zoomChallenge, request: signedRequestOf(`{"payload":{"plainToken":"v0:1:{}"},"event":"endpoint.url_validation"}`), through: true},

		{name: "Discord", handshake: discordPing, request: signedRequestOf(`{"id":"1","type":1}`), want: `{"type":1}`},
		{name: "Discord, unsigned", handshake: discordPing, request: plainRequest("POST", "/", `{"type":1}`), reason: ReasonSignatureMissing},
		{name: "Discord, a command", handshake: discordPing, request: signedRequestOf(`{"type":2}`), through: true},

		{name: "Twitch", handshake: twitchChallenge, request: signedRequestOf(`{"challenge":"pogchamp-kappa"}`, "Twitch-Eventsub-Message-Type", "webhook_callback_verification"), want: "pogchamp-kappa"},
		{name: "Twitch, a notification", handshake: twitchChallenge, request: signedRequestOf(`{"challenge":"x"}`, "Twitch-Eventsub-Message-Type", "notification"), through: true},

		{name: "Meta", handshake: metaChallenge, parameters: meta, request: plainRequest("GET", "/?hub.mode=subscribe&hub.verify_token=open+sesame&hub.challenge=1158201444", ""), want: "1158201444"},
		{name: "Meta, wrong token", handshake: metaChallenge, parameters: meta, request: plainRequest("GET", "/?hub.mode=subscribe&hub.verify_token=open&hub.challenge=1", ""), reason: ReasonMethod},
		{name: "Meta, two tokens", handshake: metaChallenge, parameters: meta, request: plainRequest("GET", "/?hub.mode=subscribe&hub.verify_token=open+sesame&hub.verify_token=x&hub.challenge=1", ""), reason: ReasonMethod},
		{name: "Meta, no parameter", handshake: metaChallenge, request: plainRequest("GET", "/?hub.mode=subscribe&hub.verify_token=&hub.challenge=1", ""), reason: ReasonMethod},
		{name: "Meta, line break", handshake: metaChallenge, parameters: meta, request: plainRequest("GET", "/?hub.mode=subscribe&hub.verify_token=open+sesame&hub.challenge=a%0db", ""), reason: ReasonMethod},
		{name: "Meta, other method", handshake: metaChallenge, parameters: meta, request: plainRequest("PUT", "/?hub.mode=subscribe&hub.verify_token=open+sesame&hub.challenge=1", ""), reason: ReasonMethod},

		{name: "WebSub", handshake: webSubChallenge, parameters: map[string]string{"topic": "https://t.example/f"}, request: plainRequest("GET", "/?hub.mode=subscribe&hub.topic=https://t.example/f&hub.challenge=abc", ""), want: "abc"},
		{name: "WebSub, other topic", handshake: webSubChallenge, parameters: map[string]string{"topic": "https://t.example/f"}, request: plainRequest("GET", "/?hub.mode=subscribe&hub.topic=https://t.example/g&hub.challenge=abc", ""), reason: ReasonMethod},
		{name: "WebSub, cancelled", handshake: webSubChallenge, parameters: map[string]string{"topic": "https://t.example/f"}, request: plainRequest("GET", "/?hub.mode=unsubscribe&hub.topic=https://t.example/f&hub.challenge=abc", ""), reason: ReasonMethod},

		{name: "Dropbox", handshake: dropboxChallenge, request: plainRequest("GET", "/?challenge=<script>", ""), want: "<script>"},
		{name: "Dropbox, nothing", handshake: dropboxChallenge, request: plainRequest("GET", "/", ""), reason: ReasonMethod},
		{name: "Dropbox, too long", handshake: dropboxChallenge, request: plainRequest("GET", "/?challenge="+long, ""), reason: ReasonMethod},
		{name: "Dropbox, not UTF-8", handshake: dropboxChallenge, request: plainRequest("GET", "/?challenge=%ff", ""), reason: ReasonMethod},

		{name: "Okta", handshake: oktaChallenge, request: plainRequest("GET", "/", "", "X-Okta-Verification-Challenge", `Me_"r`), want: `{"verification":"Me_\"r"}`},
		{name: "Okta, nothing", handshake: oktaChallenge, request: plainRequest("GET", "/", ""), reason: ReasonMethod},

		{name: "X", handshake: twitterChallenge, request: plainRequest("GET", "/?crc_token=MDM5ZjAw", ""), want: `{"response_token":"sha256=` + twitterAnswer + `"}`},
		// Guards against an oracle: a signed body would be an event.
		{name: "X, an event to be signed", handshake: twitterChallenge, request: plainRequest("GET", "/?crc_token="+url.QueryEscape(`{"for_user_id":"1"}`), ""), reason: ReasonMethod},

		{name: "Graph", handshake: graphValidation, request: plainRequest("POST", "/?validationToken=Validation%3A+Testing+client", ""), want: "Validation: Testing client"},
		{name: "Graph, none", handshake: graphValidation, request: plainRequest("POST", "/?x=y", ""), reason: ReasonSignatureMissing},

		{name: "Event Grid", handshake: eventGridValidation, request: plainRequest("POST", "/", validation, "aeg-event-type", "SubscriptionValidation"), want: `{"validationResponse":"512d38b6"}`},
		{name: "Event Grid, a notification", handshake: eventGridValidation, request: plainRequest("POST", "/", validation, "aeg-event-type", "Notification"), reason: ReasonSignatureMissing},
		{name: "Event Grid, two events", handshake: eventGridValidation, request: plainRequest("POST", "/", validation[:len(validation)-1]+","+validation[1:], "aeg-event-type", "SubscriptionValidation"), reason: ReasonSignatureMissing},

		{name: "CloudEvents", handshake: cloudEventsPermission, parameters: origins, request: plainRequest("OPTIONS", "/", "", "WebHook-Request-Origin", "B.example"), header: "Webhook-Allowed-Origin: b.example"},
		{name: "CloudEvents, any", handshake: cloudEventsPermission, parameters: map[string]string{"allowed_origin": "*"}, request: plainRequest("OPTIONS", "/", "", "WebHook-Request-Origin", "evil.example"), header: "Webhook-Allowed-Origin: *"},
		{name: "CloudEvents, rate", handshake: cloudEventsPermission, parameters: origins, request: plainRequest("OPTIONS", "/", "", "WebHook-Request-Origin", "a.example"), header: "Webhook-Allowed-Rate: 120"},
		{name: "CloudEvents, other", handshake: cloudEventsPermission, parameters: origins, request: plainRequest("OPTIONS", "/", "", "WebHook-Request-Origin", "c.example"), reason: ReasonMethod},
		{name: "CloudEvents, none allowed", handshake: cloudEventsPermission, request: plainRequest("OPTIONS", "/", "", "WebHook-Request-Origin", "a.example"), reason: ReasonMethod},

		{name: "Asana", handshake: asanaSecret, parameters: map[string]string{"accept_hook_secret": "true"}, request: plainRequest("POST", "/", "{}", "X-Hook-Secret", "b537207f20cbfa02357cf448134da559"), header: "X-Hook-Secret: b537207f20cbfa02357cf448134da559"},
		{name: "Asana, not asked for", handshake: asanaSecret, request: plainRequest("POST", "/", "{}", "X-Hook-Secret", "b537207f20"), reason: ReasonSignatureMissing},
		{name: "Notion, not asked for", handshake: notionToken, request: plainRequest("POST", "/", `{"verification_token":"secret_x"}`), reason: ReasonSignatureMissing},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := greetingBench(t, c.handshake, c.parameters)
			w, err := b.send(c.request(t, b))
			if (b.calls == 1) != c.through {
				t.Errorf("the application was called %d times", b.calls)
			}
			var refusal *Refusal
			errors.As(err, &refusal)
			switch {
			case c.through:
				return
			case c.reason != "":
				if refusal == nil || refusal.Reason != c.reason {
					t.Errorf("error %v, want %s", err, c.reason)
				}
				return
			case err != nil || w.Code != http.StatusOK || w.Body.String() != c.want:
				t.Errorf("error %v, status %d, body %q: want %q", err, w.Code, w.Body, c.want)
			}
			if name, value, _ := strings.Cut(c.header, ": "); w.Header().Get(name) != value {
				t.Errorf("headers %v, want %s", w.Header(), c.header)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || strings.Contains(w.Header().Get("Content-Type"), "html") || c.want != "" && w.Header().Get("Content-Type") == "" {
				t.Errorf("headers %v would let a browser guess", w.Header())
			}
			if len(b.observed) != 1 || !b.observed[0].Handshake || b.observed[0].Reason != "" {
				t.Errorf("observed %+v, want a handshake", b.observed)
			}
			if got := b.state.Stats(); got.Claimed+got.Exact+got.Settled != 0 {
				t.Errorf("stats %+v: a handshake is no event", got)
			}
		})
	}
}

// zoomAnswer and twitterAnswer were made with openssl and [testSecret] as it
// is written: printf %s TOKEN | openssl dgst -sha256 -hmac SECRET.
const (
	zoomAnswer    = "fcad4ca3042b36c53f2ce9cfb093c69a024b5d6af66e281dec9378f14b0b3f85"
	twitterAnswer = "T50Wzud9q/yLQWV7dgejcp0JWLmNGUqbQ3b6vm58/N4="
)

// The token of Notion is for the operator alone, and the first one counts.
func TestNotionToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	b := greetingBench(t, notionToken, map[string]string{"verification_file": path})
	post := func(body string) error {
		w, err := b.send(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		if strings.Contains(w.Body.String(), "secret_") {
			t.Errorf("the answer to %s shows the token", body)
		}
		return err
	}
	for _, body := range []string{`{"verification_token":"secret_1","type":"page.created"}`, `{"verification_token":"secret\n1"}`, `{"verification_token":""}`} {
		if post(body) == nil {
			t.Errorf("%s was taken for a handshake", body)
		}
	}
	if err := post(`{"verification_token":"secret_tMr"}`); err != nil {
		t.Fatal(err)
	}
	if post(`{"verification_token":"secret_other"}`) == nil {
		t.Error("a second token was accepted")
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "secret_tMr\n" {
		t.Errorf("file %q, error %v", got, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v: others can read the token", info.Mode())
	}
}

// Handshakes cost a token of the address's limit, and those that are signed
// none of the source's.
func TestHandshakesAndLimits(t *testing.T) {
	once := perMinute(1, 1)
	b := greetingBench(t, dropboxChallenge, nil)
	b.ipRate = &once
	for i, want := range []Reason{"", ReasonIPRate} {
		_, err := b.send(httptest.NewRequest(http.MethodGet, "/?challenge=x", nil))
		var refusal *Refusal
		if errors.As(err, &refusal); (refusal == nil) != (want == "") || refusal != nil && refusal.Reason != want {
			t.Errorf("request %d: error %v, want %q", i, err, want)
		}
	}
	b = greetingBench(t, slackChallenge, nil)
	b.rates = []webhook.Rate{once}
	for range 3 {
		if _, err := b.send(b.signedBody(t, "evt_1", `{"type":"url_verification","challenge":"x"}`)); err != nil {
			t.Fatal(err)
		}
	}
	b.mustAccept(t, b.signed(t, 2))
}

// After a change of secrets, answers are made with the one that the provider
// used.
func TestHandshakeUsesTheMatchingSecret(t *testing.T) {
	b := greetingBench(t, zoomChallenge, nil)
	const body = `{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}`
	answers := make(map[string]bool)
	for _, with := range []string{testSecret, oldSecret} {
		secret, err := webhook.ParseSecret(with)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		webhook.SetHeaders(r.Header, []webhook.Signer{secret}, "evt_1", b.clock.Now(), []byte(body))
		w, err := b.send(r)
		if err != nil {
			t.Fatal(err)
		}
		answers[w.Body.String()] = true
	}
	if len(answers) != 2 {
		t.Errorf("answers %v: want one for each secret", answers)
	}
}

// FuzzHandshakes sends foreign bytes to all handshakes. What is sent back must
// be short and harmless.
func FuzzHandshakes(f *testing.F) {
	all := map[string]handshake{
		"slack": slackChallenge, "zoom": zoomChallenge, "discord": discordPing, "twitch": twitchChallenge, "meta": metaChallenge, "websub": webSubChallenge,
		"dropbox": dropboxChallenge, "okta": oktaChallenge, "twitter": twitterChallenge, "graph": graphValidation, "eventgrid": eventGridValidation,
		"cloudevents": cloudEventsPermission, "asana": asanaSecret,
	}
	f.Add("challenge=a&crc_token=b&hub.mode=subscribe&hub.verify_token=v&hub.challenge=c&validationToken=d", "x", []byte(`{"type":"url_verification","challenge":"x"}`))
	f.Add("", "SubscriptionValidation", []byte(`[{"eventType":"Microsoft.EventGrid.SubscriptionValidationEvent","data":{"validationCode":"c"}}]`))
	f.Fuzz(func(t *testing.T, query, header string, body []byte) {
		r := (&http.Request{Method: http.MethodPost, URL: &url.URL{RawQuery: query}, Header: http.Header{}}).WithContext(context.Background())
		for _, name := range []string{"X-Hook-Secret", "X-Okta-Verification-Challenge", "Webhook-Request-Origin", "Aeg-Event-Type", "Twitch-Eventsub-Message-Type"} {
			r.Header.Set(name, header)
		}
		g := &greeted{request: r, body: body, secret: "s", parameters: map[string]string{"verify_token": "v", "topic": "t", "allowed_origin": "a.example,*", "accept_hook_secret": "true"}}
		before := bytes.Clone(body)
		for name, h := range all {
			for _, greeting := range []greeting{h.get, h.options, h.post, h.signed} {
				if greeting == nil {
					continue
				}
				a := greeting(g)
				if a == nil {
					continue
				}
				if len(a.body) > 6*maxChallenge+200 || strings.ContainsAny(a.body, "\r\n\x00") {
					t.Errorf("%s sends %q back", name, a.body)
				}
				for _, value := range a.header {
					if strings.ContainsAny(value, "\r\n\x00") {
						t.Errorf("%s sets a header to %q", name, value)
					}
				}
			}
		}
		if diff := cmp.Diff(before, body); diff != "" {
			t.Error("the body was changed")
		}
	})
}

// challenged is a scheme whose provider expects something.
type challenged struct {
	scheme
	handled bool
	err     error
}

func (c challenged) handshake(context.Context, *inbound, proof) (bool, error) {
	return c.handled, c.err
}

// A scheme may have to do something for a handshake, which may fail.
func TestChallenge(t *testing.T) {
	for _, c := range []struct {
		name    string
		handled bool
		err     error
		calls   int
		status  int
		reason  Reason
	}{
		{name: "an event", calls: 1},
		{name: "a challenge", handled: true},
		{name: "that cannot be met now", err: errors.New("no route to host"), status: 503, reason: ReasonKeysUnavailable},
		{name: "that is a fraud", err: webhook.ErrSignatureMismatch, status: 401, reason: ReasonSignatureMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, testConfig("standard"))
			ring := *b.ring.Load()
			b.ring.Store(newKeyring(challenged{ring.scheme, c.handled, c.err}, ring.secrets))
			w, err := b.send(b.signed(t, 1))
			var refusal *Refusal
			errors.As(err, &refusal)
			if b.calls != c.calls || (refusal != nil) != (c.err != nil) {
				t.Fatalf("error %v, %d calls", err, b.calls)
			}
			if refusal != nil && (refusal.Status != c.status || refusal.Reason != c.reason) {
				t.Errorf("refused with %d for %s, want %d for %s", refusal.Status, refusal.Reason, c.status, c.reason)
			}
			if c.handled && (w.Code != 200 || w.Body.Len() != 0 || !b.observed[0].Handshake) {
				t.Errorf("status %d, body %q, observed %+v", w.Code, w.Body, b.observed)
			}
			// A forgery is no challenge.
			r, _ := requestSignedWith(t, foreignSecret, "standard", eventID(2), b.clock.Now(), []byte(`{}`))
			if _, err := b.send(r); !errors.Is(err, webhook.ErrSignatureMismatch) {
				t.Errorf("error %v for a forgery", err)
			}
		})
	}
}

// TestHandshakesThatAreNotConfirmed: the operator is told which parameter to look
// at, and the client nothing.
func TestHandshakesThatAreNotConfirmed(t *testing.T) {
	for _, c := range []struct{ provider, target, want string }{
		{"facebook", "/?hub.mode=subscribe&hub.verify_token=mistyped&hub.challenge=1", "compare the parameter verify_token with what the provider was given"},
		{"dropbox", "/?challenge=", "the method is GET, and the request is no handshake of the provider"},
		{"github", "/", "the method is not POST"},
	} {
		t.Run(c.provider, func(t *testing.T) {
			config := Config{Provider: c.provider, Secrets: []string{testSecret}}
			if c.provider == "facebook" {
				config.Parameters = map[string]string{"verify_token": "as-agreed"}
			}
			rc, err := New(config, Options{})
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			err = rc.Handle(w, httptest.NewRequest(http.MethodGet, c.target, http.NoBody), nil)
			var refusal *Refusal
			if !errors.As(err, &refusal) || refusal.Status != http.StatusMethodNotAllowed || !strings.Contains(refusal.Err.Error(), c.want) {
				t.Errorf("refused with %v, want 405 and %q", err, c.want)
			}
			if text := err.Error(); strings.Contains(text, "as-agreed") || strings.Contains(text, "mistyped") {
				t.Errorf("the refusal %q holds a token", text)
			}
		})
	}
}
