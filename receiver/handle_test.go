package receiver

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// bench is a Receiver with its clock and all that came out of it.
type bench struct {
	*Receiver
	clock    *clock
	observed []Observation
	calls    int
}

// newBench makes a Receiver whose application answers 204.
func newBench(t testing.TB, cfg Config) *bench {
	t.Helper()
	return newBenchWith(t, cfg, nil)
}

// newBenchWith is [newBench] with a client that fetches keys.
func newBenchWith(t testing.TB, cfg Config, client *http.Client) *bench {
	t.Helper()
	b := &bench{clock: newClock()}
	b.Receiver = mustNew(t, cfg, Options{
		Client:  client,
		Now:     b.clock.Now,
		Observe: func(_ *http.Request, o Observation) { b.observed = append(b.observed, o) },
	})
	return b
}

// signed is an authentic request with an event of its own.
func (b *bench) signed(t testing.TB, n int) *http.Request {
	t.Helper()
	id := eventID(n)
	r, _ := signedRequest(t, b.provider.Name, id, b.clock.Now(), paddedData(id, 300))
	return r
}

func (b *bench) send(r *http.Request) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	w.Code = 0 // nothing written yet
	err := b.Handle(w, r, func(w http.ResponseWriter, _ *http.Request) error {
		b.calls++
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	return w, err
}

// mustAccept sends a request that must reach the application.
func (b *bench) mustAccept(t testing.TB, r *http.Request) {
	t.Helper()
	calls := b.calls
	if w, err := b.send(r); err != nil || b.calls != calls+1 {
		t.Fatalf("not accepted: error %v, status %d", err, w.Code)
	}
}

// brokenReader is a body that breaks off.
type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

// defect makes a request be refused for one reason. The list of them is in the
// order in which they are checked.
type defect struct {
	reason     Reason
	status     int
	retryAfter string
	config     func(*Config)
	before     func(t *testing.T, b *bench)
	spoil      func(r *http.Request)
}

func defects() []defect {
	slow := webhook.Rate{Events: 1, Per: webhook.Duration(time.Hour)}
	return []defect{
		{reason: ReasonMethod, status: 405, spoil: func(r *http.Request) { r.Method = http.MethodPut }},
		{reason: ReasonTooLarge, status: 413, spoil: func(r *http.Request) { r.ContentLength = DefaultMaxSize + 1 }},
		{
			reason: ReasonIPRate, status: 429, retryAfter: "3600",
			config: func(c *Config) { c.IPRate = &slow },
			before: func(t *testing.T, b *bench) {
				r := httptest.NewRequest(http.MethodPost, "/", nil)
				r.RemoteAddr = "192.0.2.7:1"
				if _, err := b.send(r); err == nil {
					t.Fatal("an unsigned request was accepted")
				}
			},
			spoil: func(r *http.Request) { r.RemoteAddr = "192.0.2.7:2" },
		},
		{
			reason: ReasonBodyUnreadable, status: 400,
			spoil: func(r *http.Request) { r.Body = io.NopCloser(brokenReader{io.ErrUnexpectedEOF}) },
		},
		{reason: ReasonSignatureMissing, status: 401, spoil: func(r *http.Request) { r.Header.Del(webhook.HeaderSignature) }},
		{
			reason: ReasonSignatureMismatch, status: 401,
			spoil: func(r *http.Request) {
				if r.Header.Get(webhook.HeaderSignature) != "" {
					r.Header.Set(webhook.HeaderSignature, "v1,"+strings.Repeat("A", 43)+"=")
				}
			},
		},
		{reason: ReasonTooOld, status: 401},
		{
			reason: ReasonRate, status: 429, retryAfter: "3600",
			config: func(c *Config) { c.Rates = []SourceRate{{Rate: slow}} },
			before: func(t *testing.T, b *bench) { b.mustAccept(t, b.signed(t, 0)) },
		},
	}
}

// TestRefusals pairs every defect with every other: the answer is that of the
// one which is checked first, nothing is written but headers, the application
// is not called, and it is observed once.
func TestRefusals(t *testing.T) {
	all := defects()
	for i, first := range all {
		for j := i; j < len(all); j++ {
			second := all[j]
			t.Run(string(first.reason)+" before "+string(second.reason), func(t *testing.T) {
				cfg := testConfig("standard")
				pair := []defect{first, second}
				if i == j {
					pair = pair[:1]
				}
				for _, d := range pair {
					if d.config != nil {
						d.config(&cfg)
					}
				}
				b := newBench(t, cfg)
				for _, d := range pair {
					if d.before != nil {
						d.before(t, b)
					}
				}
				at := b.clock.Now()
				if first.reason == ReasonTooOld || second.reason == ReasonTooOld {
					at = at.Add(-DefaultTolerance - time.Second)
				}
				r, _ := signedRequest(t, "standard", eventID(1), at, []byte(`{}`))
				for _, d := range pair {
					if d.spoil != nil {
						d.spoil(r)
					}
				}
				calls := b.calls
				b.observed = nil
				w, err := b.send(r)

				refusal, ok := errors.AsType[*Refusal](err)
				if !ok {
					t.Fatalf("error %v, want a refusal", err)
				}
				if refusal.Reason != first.reason || refusal.Status != first.status {
					t.Errorf("refused with %d for %s, want %d for %s", refusal.Status, refusal.Reason, first.status, first.reason)
				}
				if w.Code != 0 || w.Body.Len() != 0 || b.calls != calls {
					t.Errorf("status %d and %d bytes were written and the application called %d times", w.Code, w.Body.Len(), b.calls-calls)
				}
				want := http.Header{}
				if first.retryAfter != "" {
					want.Set("Retry-After", first.retryAfter)
				}
				if first.reason == ReasonMethod {
					want.Set("Allow", "POST")
				}
				got := w.Header().Clone() // TestRateLimitHeaders is about the others
				got.Del(headerRateLimit)
				got.Del(headerRateLimitPolicy)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("headers (-want +got):\n%s", diff)
				}
				if len(b.observed) != 1 || b.observed[0].Reason != first.reason {
					t.Errorf("observed %+v, want %s once", b.observed, first.reason)
				}

				// Nothing of it sticks: an authentic request with the same ID
				// gets through where there are no limits left over.
				if cfg.Rates == nil && cfg.IPRate == nil {
					r, _ := signedRequest(t, "standard", eventID(1), b.clock.Now(), []byte(`{}`))
					b.mustAccept(t, r)
				}
			})
		}
	}
}

// A forged request must not use up the budget of the authentic ones, nor may a
// request that is over its budget claim the event.
func TestLimitsAreSpentInOrder(t *testing.T) {
	cfg := testConfig("standard")
	cfg.Rates = []SourceRate{{Rate: webhook.Rate{Events: 1, Per: webhook.Duration(time.Minute)}}}
	b := newBench(t, cfg)
	for range 5 {
		r, _ := requestSignedWith(t, foreignSecret, "standard", eventID(1), b.clock.Now(), []byte(`{}`))
		if _, err := b.send(r); err == nil {
			t.Fatal("a foreign signature was accepted")
		}
	}
	b.mustAccept(t, b.signed(t, 1))
	if _, err := b.send(b.signed(t, 2)); err == nil {
		t.Fatal("a request over the rate was accepted")
	}
	b.clock.advance(time.Minute)
	b.mustAccept(t, b.signed(t, 2))
}

func TestSignatureVariants(t *testing.T) {
	cases := []struct {
		name, provider string
		spoil          func(r *http.Request)
		want           Reason
	}{
		{"untouched", "standard", func(*http.Request) {}, ""},
		{"no ID", "standard", func(r *http.Request) { r.Header.Del(webhook.HeaderID) }, ReasonSignatureMissing},
		{"two IDs", "standard", func(r *http.Request) { r.Header.Add(webhook.HeaderID, "evt_2") }, ReasonSignatureMissing},
		{"two signatures headers", "standard", func(r *http.Request) { r.Header.Add(webhook.HeaderSignature, "v1,x") }, ReasonSignatureMissing},
		{"other ID", "standard", func(r *http.Request) { r.Header.Set(webhook.HeaderID, "evt_2") }, ReasonSignatureMismatch},
		{"other time", "standard", func(r *http.Request) { r.Header.Set(webhook.HeaderTimestamp, "1800000001") }, ReasonSignatureMismatch},
		{"other body", "standard", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{}")) }, ReasonSignatureMismatch},
		{"ManySends by its headers", "manysends", func(*http.Request) {}, ""},
		// No falling back from the headers to the body's own signature.
		{"headers removed", "manysends", func(r *http.Request) { clear(r.Header) }, ReasonSignatureMissing},
		{"signature header removed", "manysends", func(r *http.Request) { r.Header.Del(webhook.HeaderSignature) }, ReasonSignatureMissing},
		{"ManySends by its body", "manysends_body", func(r *http.Request) { clear(r.Header) }, ""},
		{"body cut", "manysends_body", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("{}")) }, ReasonSignatureMissing},
		{"empty body", "manysends_body", func(r *http.Request) { r.Body = http.NoBody }, ReasonSignatureMissing},
		{"no body at all", "manysends_body", func(r *http.Request) { r.Body = nil }, ReasonSignatureMissing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, testConfig(c.provider))
			r := b.signed(t, 1)
			c.spoil(r)
			_, err := b.send(r)
			got := Reason("")
			if refusal, ok := errors.AsType[*Refusal](err); ok {
				got = refusal.Reason
			}
			if got != c.want {
				t.Errorf("refused for %q, want %q", got, c.want)
			}
		})
	}

	t.Run("a body signed by Standard Webhooks only", func(t *testing.T) {
		b := newBench(t, testConfig("manysends_body"))
		r, _ := signedRequest(t, "standard", eventID(1), b.clock.Now(), []byte(`{}`))
		if _, err := b.send(r); !errors.Is(err, webhook.ErrSignatureMissing) {
			t.Errorf("error %v, want a missing signature", err)
		}
	})
	t.Run("a changed ManySends body", func(t *testing.T) {
		b := newBench(t, testConfig("manysends_body"))
		r, body := signedRequest(t, "manysends_body", "", b.clock.Now(), []byte(`{"n":1}`))
		r.Body = io.NopCloser(bytes.NewReader(bytes.Replace(body, []byte(`"n":1`), []byte(`"n":2`), 1)))
		if _, err := b.send(r); !errors.Is(err, webhook.ErrSignatureMismatch) {
			t.Errorf("error %v, want a signature mismatch", err)
		}
	})
}

func TestFreshness(t *testing.T) {
	for _, c := range []struct {
		name      string
		tolerance webhook.Duration
		age       time.Duration
		want      Reason
	}{
		{"now", 0, 0, ""},
		{"just old enough", 0, DefaultTolerance, ""},
		{"too old", 0, DefaultTolerance + time.Second, ReasonTooOld},
		{"just early enough", 0, -DefaultTolerance, ""},
		{"too early", 0, -DefaultTolerance - time.Second, ReasonTooNew},
		{"own tolerance", webhook.Duration(time.Second), 2 * time.Second, ReasonTooOld},
		{"no tolerance check", -1, 1000 * time.Hour, ""},
		{"before 1970", 0, time.Duration(1<<62) + 1<<61, ReasonTimestampMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig("standard")
			cfg.Tolerance = c.tolerance
			b := newBench(t, cfg)
			r, _ := signedRequest(t, "standard", eventID(1), b.clock.Now().Add(-c.age), []byte(`{}`))
			_, err := b.send(r)
			if got := b.observed[0]; got.Reason != c.want || got.ID != eventID(1) || got.SecretIndex != 0 {
				t.Errorf("observed %+v with error %v, want reason %q", got, err, c.want)
			}
		})
	}
}

func TestObservationOfAcceptedRequests(t *testing.T) {
	at := newClock().Now()
	for _, c := range []struct {
		provider, secret string
		want             Observation
	}{
		{"standard", testSecret, Observation{Provider: "standard", ID: eventID(1), Type: "message.created", Timestamp: at, Enforced: true}},
		{"manysends", oldSecret, Observation{Provider: "manysends", ID: eventID(1), Type: "message.created", Timestamp: at, SecretIndex: 1, Enforced: true}},
		{"manysends_body", oldSecret, Observation{Provider: "manysends_body", ID: eventID(1), Type: "message.created", SecretIndex: 1, Enforced: true}},
	} {
		t.Run(c.provider, func(t *testing.T) {
			b := newBench(t, testConfig(c.provider))
			for range 2 {
				r, _ := requestSignedWith(t, c.secret, c.provider, eventID(1), at, []byte(`{}`))
				if _, err := b.send(r); err != nil {
					t.Fatal(err)
				}
			}
			again := c.want
			again.Duplicate = true
			if diff := cmp.Diff([]Observation{c.want, again}, b.observed); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("nothing is told of a forgery", func(t *testing.T) {
		b := newBench(t, testConfig("standard"))
		r, _ := requestSignedWith(t, foreignSecret, "standard", eventID(1), at, []byte(`{}`))
		_, _ = b.send(r)
		want := []Observation{{Provider: "standard", SecretIndex: -1, Reason: ReasonSignatureMismatch, Enforced: true}}
		if diff := cmp.Diff(want, b.observed); diff != "" {
			t.Errorf("observed (-want +got):\n%s", diff)
		}
	})
}

// The observer is told before the application is called, so that it can still
// add to the request.
func TestObserveComesFirst(t *testing.T) {
	var order []string
	tick := newClock()
	rc := mustNew(t, testConfig("standard"), Options{Now: tick.Now, Observe: func(*http.Request, Observation) { order = append(order, "observe") }})
	r, _ := signedRequest(t, "standard", eventID(1), tick.Now(), []byte(`{}`))
	err := rc.Handle(httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error {
		order = append(order, "application")
		return nil
	})
	if diff := cmp.Diff([]string{"observe", "application"}, order); diff != "" || err != nil {
		t.Errorf("error %v, order (-want +got):\n%s", err, diff)
	}
}

func TestMiddlewareAnswers(t *testing.T) {
	tick := newClock()
	rc := mustNew(t, testConfig("standard"), Options{Now: tick.Now})
	h := rc.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "taken")
	}))
	good, _ := signedRequest(t, "standard", eventID(1), tick.Now(), []byte(`{}`))
	again, _ := signedRequest(t, "standard", eventID(1), tick.Now(), []byte(`{}`))
	forged, _ := requestSignedWith(t, foreignSecret, "standard", eventID(1), tick.Now(), []byte(`{}`))
	old, _ := signedRequest(t, "standard", eventID(1), tick.Now().Add(-time.Hour), []byte(`{}`))
	for _, c := range []struct {
		name   string
		r      *http.Request
		status int
		body   string
	}{
		{"forged", forged, 401, "Unauthorized\n"},
		{"old", old, 401, "Unauthorized\n"},
		{"get", httptest.NewRequest(http.MethodGet, "/", nil), 405, "Method Not Allowed\n"},
		{"good", good, 200, "taken"},
		{"again", again, 200, ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, c.r)
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s: status %d, body %q: want %d, %q", c.name, w.Code, w.Body, c.status, c.body)
		}
	}
}
