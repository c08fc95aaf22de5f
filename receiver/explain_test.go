package receiver

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/diagnose"
)

// explainSample explains a request as [Explain] does, with the sample's keys.
func explainSample(t *testing.T, s sample, cfg Config, r *http.Request, now time.Time) diagnose.Explanation {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	x := explaining{cfg: cfg, in: &inbound{request: r, url: cfg.URL, body: body, now: now}}
	if err := x.resolve(s.client); err != nil {
		t.Fatal(err)
	}
	if s.roots != nil {
		x.scheme.(*paypalScheme).roots = s.roots
	}
	e := x.run()
	if e.Verified != (e.Mistake == "") || e.Verified != (x.verdict == nil) {
		t.Errorf("verified %v, mistake %q, and the check says: %v", e.Verified, e.Mistake, x.verdict)
	}
	if !e.Verified && (e.Cause == "" || e.Remedy == "") {
		t.Errorf("refused without a word: %+v", e)
	}
	text := e.Cause + e.Remedy
	for _, c := range e.Checks {
		text += c.Text
	}
	if len(s.secret) > 8 && s.key == nil && strings.Contains(text, s.secret) {
		t.Errorf("the explanation holds the secret: %s", text)
	}
	return e
}

// TestExplainEveryProvider guards that the explanation of every provider's
// requests agrees with the check, and that the mistakes that can be made with
// any of them are found with all whose signatures cover what was changed.
func TestExplainEveryProvider(t *testing.T) {
	for _, s := range allSamples(t) {
		t.Run(s.provider, func(t *testing.T) {
			row := findProvider(s.provider)
			now := verifyNow
			good := attempt{secret: s.secret, key: s.key, id: "evt1", at: now}
			if e := explainSample(t, s, s.config(), s.request(good, "one"), now); !e.Verified {
				t.Fatalf("the good request: %+v", e)
			}

			stranger := good
			stranger.secret, stranger.key = s.wrong, s.wrongKey
			if s.secret != "" || s.wrongKey != nil {
				if e := explainSample(t, s, s.config(), s.request(stranger, "one"), now); e.Verified {
					t.Error("another secret is verified")
				}
			}
			if s.does(coveredTime) && s.grace == 0 && !row.Keyless { // keys may be too old as well
				e := explainSample(t, s, s.config(), s.request(good, "one"), now.Add(48*time.Hour))
				if e.Mistake != diagnose.MistakeTooOld {
					t.Errorf("two days later: %q: %s", e.Mistake, e.Cause)
				}
			}
			if s.does(coveredBody) && !row.Keyless && s.signBody == nil && !isTokenSample(row) {
				r := s.request(good, "one")
				body, _ := io.ReadAll(r.Body)
				setBody(r, string(body)+"\n")
				e := explainSample(t, s, s.config(), r, now)
				if e.Mistake != diagnose.MistakeBodyNewline && e.Mistake != "" {
					t.Errorf("a line break behind the body: %q: %s", e.Mistake, e.Cause)
				}
			}
			if s.key == nil && s.secret != "" && row.template != nil {
				cfg := s.config()
				cfg.Secrets = []string{s.secret + "\n"}
				e := explainSample(t, s, cfg, s.request(good, "one"), now)
				if e.Mistake != diagnose.MistakeSecretSpace {
					t.Errorf("a line break behind the secret: %q: %s", e.Mistake, e.Cause)
				}
			}
			if s.signBody == nil {
				r := s.request(good, "one")
				r.Header = http.Header{"Content-Type": {"application/json"}}
				if e := explainSample(t, s, s.config(), r, now); e.Verified {
					t.Error("verified without headers")
				}
			}
		})
	}
}

func isTokenSample(p *provider) bool {
	return p.template != nil && p.template.Algorithm == algorithmToken
}

// TestExplainMistakes guards what is told of mistakes with particular
// providers.
func TestExplainMistakes(t *testing.T) {
	now := time.Unix(1709634600, 0)
	const body = `{"action":"opened","id":7}`
	post := func(target, body string, headers ...string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(body))
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return r
	}
	github := func(key, body string) []string {
		return []string{"X-Hub-Signature-256", "sha256=" + hexSHA256(key, body), "X-Github-Delivery", "1", "X-Github-Event", "issues"}
	}
	tests := []struct {
		name    string
		cfg     Config
		request *http.Request
		body    string
		mistake diagnose.Mistake
		cause   string
	}{
		{"form", Config{Provider: "github", Secrets: []string{plainSecret}}, post("/", "", github(plainSecret, "payload=%7B%22action%22%3A%22opened%22%2C%22id%22%3A7%7D")...), body, diagnose.MistakeBodyWrapped, "form"},
		{"old header", Config{Provider: "github", Secrets: []string{plainSecret}}, post("/", "", "X-Hub-Signature", "sha1="+hexSHA1(plainSecret, body)), body, diagnose.MistakeAlgorithm, "hmac-sha1"},
		{"without prefix", Config{Provider: "github", Secrets: []string{plainSecret}}, post("/", "", "X-Hub-Signature-256", hexSHA256(plainSecret, body)), body, diagnose.MistakeSignatureForm, "prefix"},
		{"GET", Config{Provider: "github", Secrets: []string{plainSecret}}, httptest.NewRequest(http.MethodGet, "/", nil), "", diagnose.MistakeRequest, "GET"},
		{"too large", Config{Provider: "github", Secrets: []string{plainSecret}, MaxSize: 5}, post("/", "", github(plainSecret, body)...), body, diagnose.MistakeRequest, "max_size"},
		{"stripe in milliseconds", Config{Provider: "stripe", Secrets: []string{plainSecret}}, post("/", "", "Stripe-Signature", "t=1709634600000,v1="+hexSHA256(plainSecret, "1709634600.", body)), body, diagnose.MistakeTimestampForm, "Unix seconds"},
		{"stripe with an API key", Config{Provider: "stripe", Secrets: []string{"sk_live_0123456789abcdef"}}, post("/", "", "Stripe-Signature", "t=1709634600,v1="+hexSHA256(plainSecret, "1709634600.", body)), body, diagnose.MistakeSecretKind, "API key"},
		{"stripe's secret in base64", Config{Provider: "stripe", Secrets: []string{"whsec_c2VjcmV0"}}, post("/", "", "Stripe-Signature", "t=1709634600,v1="+hexSHA256("secret", "1709634600.", body)), body, diagnose.MistakeSecretForm, "base64 behind whsec_"},
		{"the signing URL", Config{Provider: "square", Secrets: []string{plainSecret}, URL: "https://example.com/hooks/"}, post("/", "", "X-Square-Hmacsha256-Signature", b64SHA256(plainSecret, "https://example.com/hooks", body)), body, diagnose.MistakeURL, "https://example.com/hooks,"},
		{"Twilio's URL", Config{Provider: "twilio", Secrets: []string{plainSecret}, URL: "http://example.com/sms"}, post("/sms", "", "X-Twilio-Signature", b64SHA1(plainSecret, "https://example.com/sms", "Bodyhi"), "Content-Type", "application/x-www-form-urlencoded"), "Body=hi", diagnose.MistakeURL, "https://example.com/sms,"},
		{"a token in quotes", Config{Provider: "gitlab_token", Secrets: []string{plainSecret}}, post("/", "", "X-Gitlab-Token", `"`+plainSecret+`"`), body, diagnose.MistakeSignatureForm, "quotes"},
		{"a token as a bearer", Config{Provider: "gitlab_token", Secrets: []string{plainSecret}}, post("/", "", "Authorization", "Bearer "+plainSecret), body, diagnose.MistakeSignatureElsewhere, "Authorization"},
		{"a key that is no key", Config{Provider: "discord", Secrets: []string{"not hex"}}, post("/", "", "X-Signature-Ed25519", hex.EncodeToString(make([]byte, 64)), "X-Signature-Timestamp", "1709634600"), body, diagnose.MistakeSecretUnusable, "Ed25519"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Explain(tt.cfg, tt.request, []byte(tt.body), now)
			if err != nil {
				t.Fatal(err)
			}
			if e.Verified || e.Mistake != tt.mistake || !strings.Contains(e.Cause, tt.cause) {
				t.Errorf("mistake %q, want %q; cause: %s; checks: %+v", e.Mistake, tt.mistake, e.Cause, e.Checks)
			}
		})
	}
}

// TestExplainRefusesConfig guards that a configuration that is wrong in itself
// is an error, and not an explanation.
func TestExplainRefusesConfig(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	for _, cfg := range []Config{{}, {Provider: "nobody", Secrets: []string{"a"}}, {Provider: "github"}, {Provider: "github", Secrets: []string{"a"}, MaxSize: -1}} {
		if _, err := Explain(cfg, r, nil, time.Unix(1709634600, 0)); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}
