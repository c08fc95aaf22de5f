package receiver

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// attempt is what a sample signs.
type attempt struct {
	secret string
	key    any // the private key, where the secret is a public one
	id     string
	at     time.Time
	url    string
	body   string
}

func (a attempt) unix() string   { return strconv.FormatInt(a.at.Unix(), 10) }
func (a attempt) millis() string { return strconv.FormatInt(a.at.UnixMilli(), 10) }
func (a attempt) zoneless() string {
	return a.at.UTC().Add(123456000).Format("2006-01-02T15:04:05.000000")
}
func (a attempt) rfc3339() string {
	return a.at.UTC().Add(123456789).Format("2006-01-02T15:04:05.999999999Z07:00")
}

// sample is how a provider signs, in plain code from its documentation that
// shares nothing with what is tested.
type sample struct {
	provider string
	secret   string
	wrong    string // another secret
	key      any    // the private key of secret, where that is a public one
	wrongKey any    // and of wrong
	url      string // the configured URL
	settings map[string]string

	// client fetches keys, where the provider publishes them; roots are whom
	// certificates are vouched for by, where not by the system's.
	client *http.Client
	roots  *x509.CertPool

	// body is what is sent. In it $ID stands for the event's ID, $TEXT for what
	// is in it, $UNIX, $MILLIS and $RFC3339 for the time of sending.
	body string

	// signBody, where set, makes the final body.
	signBody func(a attempt) string

	// headers are names and values by turns.
	headers func(a attempt) []string

	// query is the query of the URL, without "?".
	query func(a attempt) string

	// id is the header that the ID is in; empty: it is in the body, or nowhere.
	id string

	// bodyID tells that the ID is in the body, or beside the signature.
	bodyID bool

	// idForm is how the ID is told, where $ID alone is not all of it.
	idForm string

	// covers are what the scheme protects; unsigned are the headers that it
	// does not, besides id.
	covers   []string
	unsigned []string

	// loose tells that not every byte of the signed headers counts, such as
	// when there is another signature beside the right one.
	loose bool

	// spare is a part of the signed headers of which no byte counts.
	spare string

	// merged are headers that are lists, which may be split into several.
	merged []string

	// partly tells that the scheme covers less with these settings than the row
	// says, and anew, that a later attempt looks like another event.
	partly, anew bool

	// grace is how much later than DefaultTolerance a request may be.
	grace time.Duration

	// collide makes a body of a changed one that passes for the original; nil
	// where nobody can.
	collide func(original, changed string) string

	// eventType is what the request says its type is.
	eventType string
}

// The parts of a request that a scheme may cover.
const (
	coveredBody = "body"
	coveredTime = "time"
	coveredID   = "id"
	coveredURL  = "url" // the one that the request is sent to; a configured one always counts
)

// request is the sample's request of an event.
func (s sample) request(a attempt, text string) *http.Request {
	a.body = strings.NewReplacer("$ID", a.id, "$TEXT", text, "$UNIX", a.unix(), "$MILLIS", a.millis(), "$RFC3339", a.rfc3339()).Replace(s.body)
	if s.signBody != nil {
		a.body = s.signBody(a)
	}
	target := "https://hooks.example.com/hooks"
	if s.url != "" {
		target = s.url
	}
	a.url = target
	if s.query != nil {
		target += "?" + s.query(a)
	}
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(a.body))
	r.Header.Set("Content-Type", "application/json")
	if s.headers != nil {
		for pair := range slices.Chunk(s.headers(a), 2) {
			r.Header.Set(pair[0], pair[1])
		}
	}
	return r
}

func (s sample) config() Config {
	cfg := Config{Name: "test", Provider: s.provider, URL: s.url, Parameters: s.settings}
	if s.secret != "" {
		cfg.Secrets = []string{s.secret}
	}
	return cfg
}

func (s sample) bench(t testing.TB) *bench {
	t.Helper()
	b := newBenchWith(t, s.config(), s.client)
	if s.roots != nil {
		b.ring.Load().scheme.(*paypalScheme).roots = s.roots
	}
	return b
}

// signs tells whether the signature covers a header.
func (s sample) signs(name string) bool {
	if name == http.CanonicalHeaderKey(s.id) {
		return s.does(coveredID)
	}
	return !slices.ContainsFunc(s.unsigned, func(header string) bool { return http.CanonicalHeaderKey(header) == name })
}

func (s sample) does(what string) bool { return slices.Contains(s.covers, what) }

// hmacOf is an HMAC over the texts, one after the other.
func hmacOf(newHash func() hash.Hash, key string, texts ...string) []byte {
	mac := hmac.New(newHash, []byte(key))
	for _, text := range texts {
		mac.Write([]byte(text))
	}
	return mac.Sum(nil)
}

func hexSHA256(key string, texts ...string) string {
	return hex.EncodeToString(hmacOf(sha256.New, key, texts...))
}

func hexSHA1(key string, texts ...string) string {
	return hex.EncodeToString(hmacOf(sha1.New, key, texts...))
}

func hexSHA512(key string, texts ...string) string {
	return hex.EncodeToString(hmacOf(sha512.New, key, texts...))
}

func b64SHA256(key string, texts ...string) string {
	return base64.StdEncoding.EncodeToString(hmacOf(sha256.New, key, texts...))
}

func b64SHA1(key string, texts ...string) string {
	return base64.StdEncoding.EncodeToString(hmacOf(sha1.New, key, texts...))
}

// unbase64 is the bytes of a secret after "whsec_".
func unbase64(secret string) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimPrefix(secret, "v1,"), "whsec_"))
	if err != nil {
		panic(err)
	}
	return string(key)
}

// unhex is the bytes of a secret in hex.
func unhex(secret string) string {
	key, err := hex.DecodeString(secret)
	if err != nil {
		panic(err)
	}
	return string(key)
}

// verdict is what became of a request.
type verdict string

const (
	accepted verdict = "accepted"
	again    verdict = "duplicate"
)

// verdictOn sends a request.
func (b *bench) verdictOn(r *http.Request) verdict {
	calls := b.calls
	w, err := b.send(r)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return verdict(refusal.Reason)
	}
	switch {
	case b.calls == calls+1:
		return accepted
	case w.Header().Get(HeaderDuplicate) == "true":
		return again
	}
	return "neither"
}

func isForged(v verdict) bool {
	return v == verdict(ReasonSignatureMismatch) || v == verdict(ReasonSignatureMissing) || v == verdict(ReasonTimestampMalformed)
}

// TestAlterations takes every provider's good request and alters one thing
// after the other. What the provider's scheme does not cover is said in the
// sample, and then the alteration must get through: that is what the
// documentation warns of.
func TestAlterations(t *testing.T) {
	samples := allSamples(t)
	for _, group := range [][]provider{standardProviders, gitProviders, messageProviders, moneyProviders, platformProviders, shopProviders, specialProviders, workProviders} {
		for _, p := range group {
			if p.Name != customName && !slices.ContainsFunc(samples, func(s sample) bool { return s.provider == p.Name }) {
				t.Errorf("provider %s has no sample", p.Name)
			}
		}
	}
	for _, s := range samples {
		t.Run(s.provider, func(t *testing.T) { testAlterations(t, s) })
	}
}

func testAlterations(t *testing.T, s sample) {
	row := findProvider(s.provider)
	if row == nil {
		t.Fatal("there is no such provider")
	}
	less := s.partly && (row.Timestamped || !s.does(coveredTime)) && (row.IDSigned || !s.does(coveredID))
	if !less && (row.Timestamped != s.does(coveredTime) || row.IDSigned != s.does(coveredID)) {
		t.Errorf("the row says timestamped %t, ID signed %t; the sample covers %q", row.Timestamped, row.IDSigned, s.covers)
	}
	fresh := func() *bench { return s.bench(t) }
	b := fresh()
	first := attempt{secret: s.secret, key: s.key, id: "evt1", at: b.clock.Now()}
	// Each alteration is of a request that would be accepted.
	altered := func(what string, change func(*http.Request), want func(verdict) bool) {
		t.Helper()
		r := s.request(first, "one")
		change(r)
		if got := fresh().verdictOn(r); !want(got) {
			t.Errorf("%s: %s", what, got)
		}
	}
	isAccepted := func(v verdict) bool { return v == accepted }
	forgedIf := func(covered bool) func(verdict) bool {
		if covered {
			return isForged
		}
		return isAccepted
	}

	if got := b.verdictOn(s.request(first, "one")); got != accepted {
		t.Fatalf("the good request: %s", got)
	}
	seen := b.observed[len(b.observed)-1]
	if seen.Type != s.eventType || seen.SecretIndex != 0 && s.secret != "" {
		t.Errorf("observed type %q with secret %d, want %q", seen.Type, seen.SecretIndex, s.eventType)
	}
	wantID := first.id
	if s.idForm != "" {
		wantID = strings.ReplaceAll(s.idForm, "$ID", first.id)
	}
	if hasID := s.id != "" || s.bodyID; hasID != (seen.ID == wantID) {
		t.Errorf("observed ID %q", seen.ID)
	}
	if got := seen.Timestamp; s.does(coveredTime) && got.Sub(first.at).Abs() > time.Second || !s.does(coveredTime) && !got.IsZero() {
		t.Errorf("observed timestamp %s, signed at %s", got, first.at)
	}

	repeated := again
	if row.Alike {
		repeated = accepted
	}
	if got := b.verdictOn(s.request(first, "one")); got != repeated {
		t.Errorf("replayed: %s", got)
	}
	later := first
	later.at = later.at.Add(time.Minute)
	if s.anew {
		repeated = accepted
	}
	if got := b.verdictOn(s.request(later, "one")); got != repeated {
		t.Errorf("sent a second time: %s", got)
	}
	other := first
	other.id = "evt2"
	if got := b.verdictOn(s.request(other, "two")); got != accepted {
		t.Errorf("another event: %s", got)
	}

	altered("the body", func(r *http.Request) { changeBody(t, r, "one", "0ne") }, forgedIf(s.does(coveredBody)))
	altered("the path", func(r *http.Request) { r.URL.Path = "/elsewhere" }, forgedIf(s.does(coveredURL)))
	testInBody(t, s, b, first)
	if s.signBody == nil {
		altered("nothing but the body", func(r *http.Request) { r.Header = http.Header{} }, isForged)
	}
	if s.secret != "" || s.wrongKey != nil {
		stranger := first
		stranger.secret, stranger.key = s.wrong, s.wrongKey
		if got := fresh().verdictOn(s.request(stranger, "one")); !isForged(got) {
			t.Errorf("signed with another secret: %s", got)
		}
	}
	if s.id != "" {
		altered("the ID", func(r *http.Request) { r.Header.Set(s.id, "evt9") }, forgedIf(s.does(coveredID)))
		r := s.request(first, "one")
		r.Header.Set(s.id, "evt9")
		if got := b.verdictOn(r); got != again && !isForged(got) {
			t.Errorf("replayed under a fresh ID: %s", got)
		}
	}
	for _, shift := range []time.Duration{-DefaultTolerance - s.grace - 2*time.Second, DefaultTolerance + 2*time.Second} {
		shifted := first
		shifted.at = shifted.at.Add(shift)
		want := accepted
		if s.does(coveredTime) {
			want = map[bool]verdict{false: verdict(ReasonTooOld), true: verdict(ReasonTooNew)}[shift > 0]
		}
		if got := fresh().verdictOn(s.request(shifted, "one")); got != want {
			t.Errorf("sent %s from now: %s, want %s", shift, got, want)
		}
	}
	if s.grace > 0 {
		shifted := first
		shifted.at = shifted.at.Add(2*time.Second - DefaultTolerance - s.grace)
		if got := fresh().verdictOn(s.request(shifted, "one")); got != accepted {
			t.Errorf("sent as late as it may be: %s", got)
		}
	}
	for name, values := range s.request(first, "one").Header {
		if name == "Content-Type" {
			continue
		}
		if !s.signs(name) {
			altered("unsigned "+name, func(r *http.Request) { r.Header.Del(name) }, isAccepted)
			continue
		}
		altered("without "+name, func(r *http.Request) { r.Header.Del(name) }, isForged)
		altered("two of "+name, func(r *http.Request) { r.Header.Add(name, values[0]) }, forgedIf(!slices.Contains(s.merged, name)))
		spare := strings.Index(values[0], s.spare)
		for i := range values[0] {
			if s.loose {
				break
			}
			isSpare := spare >= 0 && i >= spare && i < spare+len(s.spare)
			changed := []byte(values[0])
			changed[i] ^= 1
			altered(name+" with another byte at "+strconv.Itoa(i), func(r *http.Request) { r.Header.Set(name, string(changed)) }, forgedIf(!isSpare))
		}
	}
}
