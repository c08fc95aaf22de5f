package signer_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/signer"
)

const (
	testURL = "https://hooks.example.com/in?a=1"

	// testBody has what some providers look for in it.
	testBody = `{"id":"evt_in_body","type":"thing.done","webhookTimestamp":1709634600000,"data":{"text":"ä \u2028 <&>"}}`
)

var testTime = time.Unix(1709634600, 0)

// pair is a secret as the signer and as the receiver is given it.
type pair struct{ private, public string }

// newPair makes a new secret of the kind that the rules of a provider need.
func newPair(t testing.TB, rules *receiver.Signing) pair {
	t.Helper()
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		t.Fatal(err)
	}
	shared := func(s string) pair { return pair{s, s} }
	switch rules.Template.Algorithm {
	case "ed25519":
		key := ed25519.NewKeyFromSeed(raw)
		public := key.Public().(ed25519.PublicKey)
		switch rules.Template.Key {
		case "hex":
			return pair{hex.EncodeToString(raw), hex.EncodeToString(public)}
		case "base64":
			return pair{base64.StdEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(public)}
		}
		return pair{privatePEM(t, key), publicPEM(t, public)}
	case "ecdsa-p256-sha256":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return pair{privatePEM(t, key), publicPEM(t, key.Public())}
	case "rsa-sha256":
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		return pair{privatePEM(t, key), publicPEM(t, key.Public())}
	}
	switch rules.Template.Key {
	case "hex":
		return shared(hex.EncodeToString(raw))
	case "base64":
		return shared(base64.StdEncoding.EncodeToString(raw))
	case "whsec":
		return shared("whsec_" + base64.StdEncoding.EncodeToString(raw))
	}
	return shared("secret-" + hex.EncodeToString(raw))
}

func privatePEM(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func publicPEM(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// verdict is what a receiver makes of a request.
type verdict struct {
	receiver.Observation
	called bool
	body   string
}

// receive has a receiver check a request as it arrives over HTTP.
func receive(t testing.TB, cfg receiver.Config, now time.Time, r *http.Request) (v verdict) {
	t.Helper()
	cfg.Name = "test"
	state := receiver.NewState(receiver.StateOptions{})
	defer state.Close()
	rc, err := receiver.New(cfg, receiver.Options{
		State: state, Now: func() time.Time { return now },
		Observe: func(_ *http.Request, o receiver.Observation) { v.Observation = o },
	})
	if err != nil {
		t.Fatal(err)
	}
	rc.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		v.called = true
		body, _ := io.ReadAll(r.Body)
		v.body = string(body)
	})).ServeHTTP(httptest.NewRecorder(), arrived(t, r))
	return v
}

// arrived is a request as a server reads it that another one has sent.
func arrived(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.ContentLength != int64(len(body)) {
		t.Errorf("the length is %d, and the body has %d bytes", r.ContentLength, len(body))
	}
	in := httptest.NewRequest(r.Method, testURL, strings.NewReader(string(body)))
	in.Header = r.Header.Clone()
	return in
}

// configsOf are a signer and a receiver of a provider that belong together, or
// the error that says that it cannot be imitated.
func configsOf(t testing.TB, p receiver.Provider) (signer.Config, receiver.Config, pair, error) {
	t.Helper()
	out := signer.Config{Provider: p.Name}
	in := receiver.Config{Provider: p.Name}
	if p.Name == "custom" {
		out.Template = &receiver.Template{Signature: []receiver.Place{{Header: "X-Custom-Signature"}}}
		in.Template = out.Template
	}
	rules, err := in.Signing()
	if err != nil {
		return out, in, pair{}, err
	}
	keys := newPair(t, rules)
	out.Secrets, in.Secrets = []string{keys.private}, []string{keys.public}
	if rules.WithURL {
		out.URL, in.URL = testURL, testURL
	}
	for _, parameter := range p.Parameters {
		if parameter.Required {
			in.Parameters = map[string]string{parameter.Name: "a value"}
		}
	}
	return out, in, keys, out.Validate()
}

// leastInvertible is how many providers can at least be imitated.
const leastInvertible = 130

// TestWhatIsSignedIsAccepted guards what signing is for: for every provider
// that can be imitated, a receiver of the same provider and secret accepts what
// was signed, whatever the request brought along, and refuses it with another
// body or secret.
func TestWhatIsSignedIsAccepted(t *testing.T) {
	invertible := 0
	for _, p := range receiver.Providers() {
		t.Run(p.Name, func(t *testing.T) {
			out, in, _, err := configsOf(t, p)
			if errors.Is(err, receiver.ErrOneWay) {
				if !errors.Is(err, signer.ErrConfig) && !errors.Is(err, receiver.ErrConfig) {
					t.Errorf("not an error of the configuration: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			invertible++
			rules, _ := in.Signing()
			s := newSigner(t, out)
			r := httptest.NewRequest(http.MethodPost, testURL, strings.NewReader(testBody))
			forge(r.Header, rules)
			sign(t, s, r)
			signed := r.Clone(t.Context())
			v := receive(t, in, testTime, r)
			if !v.called || v.body != testBody {
				t.Fatalf("refused, because %s, with %v", v.Reason, r.Header)
			}
			if p.Timestamped && !v.Timestamp.Equal(testTime) {
				t.Errorf("the time of sending is read as %s, want %s", v.Timestamp, testTime)
			}
			for _, place := range rules.Template.ID {
				if place.Header != "" && v.ID == "" {
					t.Errorf("it has no ID: %v", r.Header)
				}
			}
			if rules.Template.Algorithm != "token" && !rules.Template.BodyUnsigned {
				signed.Body = io.NopCloser(strings.NewReader(strings.Replace(testBody, "text", "test", 1)))
				if receive(t, in, testTime, signed).called {
					t.Error("another body is accepted")
				}
			}
			rest, _ := r.GetBody()
			again := r.Clone(t.Context())
			again.Body = rest
			in.Secrets = []string{newPair(t, rules).public}
			if receive(t, in, testTime, again).called {
				t.Error("another secret is accepted")
			}
		})
	}
	if invertible < leastInvertible {
		t.Errorf("%d providers can be imitated, want at least %d", invertible, leastInvertible)
	}
	t.Logf("%d providers can be imitated", invertible)
}

// forge puts values into the places that are to be written, as a client might,
// and sets what else is signed.
func forge(h http.Header, rules *receiver.Signing) {
	for _, p := range append(append([]receiver.Place(nil), rules.Template.Signature...), rules.Template.Timestamp...) {
		if p.Header != "" {
			name := strings.ReplaceAll(p.Header, "{n}", "7")
			h.Add(name, p.Prefix+"1709600000")
			h.Add(name, p.Prefix+"forged")
			h.Add("Connection", "keep-alive, "+name)
		}
	}
	_, rest, found := strings.Cut(rules.Template.Content, "{header.")
	for found {
		name, after, _ := strings.Cut(rest, "}")
		h.Set(name, "a-value")
		_, rest, found = strings.Cut(after, "{header.")
	}
}

func newSigner(t testing.TB, cfg signer.Config) *signer.Signer {
	t.Helper()
	s, err := signer.New(cfg, signer.Options{Now: func() time.Time { return testTime }, Random: zeros{}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// zeros is randomness without any.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func sign(t testing.TB, s *signer.Signer, r *http.Request) {
	t.Helper()
	if err := s.Sign(r); err != nil {
		t.Fatal(err)
	}
}

// TestEverySecretSigns guards changing over: with two secrets, a receiver that
// knows either of them accepts the request, where it has room for both, and
// otherwise two are refused.
func TestEverySecretSigns(t *testing.T) {
	several := 0
	for _, p := range receiver.Providers() {
		t.Run(p.Name, func(t *testing.T) {
			out, in, first, err := configsOf(t, p)
			if err != nil {
				return
			}
			rules, _ := in.Signing()
			second := newPair(t, rules)
			out.Secrets = append(out.Secrets, second.private)
			if err := out.Validate(); err != nil {
				want := fmt.Sprintf("secrets has 2, and a request of provider %s has room for 1: keep the newest", p.Name)
				if !errors.Is(err, signer.ErrConfig) || !strings.HasSuffix(err.Error(), want) {
					t.Errorf("two secrets: %v", err)
				}
				return
			}
			several++
			s := newSigner(t, out)
			for _, known := range []pair{first, second} {
				r := httptest.NewRequest(http.MethodPost, testURL, strings.NewReader(testBody))
				forge(r.Header, rules)
				sign(t, s, r)
				in.Secrets = []string{known.public}
				if v := receive(t, in, testTime, r); !v.called {
					t.Errorf("refused, because %s: %v", v.Reason, r.Header)
				}
			}
		})
	}
	if several < 30 {
		t.Errorf("%d providers have room for two signatures, want at least 30", several)
	}
}

// TestOtherFormsOfKeys guards that the setting key means here what it means to
// a receiver.
func TestOtherFormsOfKeys(t *testing.T) {
	const text = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	signatures := make(map[string]string)
	for key, secret := range map[string]string{"": "whsec_" + text, "whsec": "whsec_" + text, "base64": text, "raw": text, "hex": "00112233", "sha256": text} {
		out := signer.Config{Provider: "standard", Secrets: []string{secret}, Key: key, ID: "x"}
		in := receiver.Config{Provider: "standard", Secrets: []string{secret}, Key: key}
		r := httptest.NewRequest(http.MethodPost, testURL, strings.NewReader(testBody))
		sign(t, newSigner(t, out), r)
		signatures[key] = r.Header.Get("Webhook-Signature")
		if v := receive(t, in, testTime, r); !v.called || v.ID != "x" {
			t.Errorf("key %s: refused, because %s", key, v.Reason)
		}
	}
	if signatures["whsec"] != signatures[""] || signatures["base64"] != signatures[""] || signatures["raw"] == signatures[""] {
		t.Errorf("forms of one key sign differently, or those of others alike: %v", signatures)
	}
}
