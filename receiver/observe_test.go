package receiver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

func observing(spoil func(*Config)) Config {
	cfg := testConfig("standard")
	cfg.EnforceOff = true
	if spoil != nil {
		spoil(&cfg)
	}
	return cfg
}

// TestObserveMode sends everything that there can be against a request. It
// must reach the application, untouched, and be told of.
func TestObserveMode(t *testing.T) {
	slow := perMinute(1, 1)
	for _, c := range []struct {
		name    string
		config  func(*Config)
		before  int // requests sent before
		spoil   func(*http.Request)
		age     time.Duration
		want    Reason
		known   bool // the event is remembered
		refused bool
	}{
		{name: "nothing against it", known: true},
		{name: "signature missing", spoil: func(r *http.Request) { r.Header.Del(webhook.HeaderSignature) }, want: ReasonSignatureMissing},
		{name: "signature wrong", spoil: func(r *http.Request) {
			r.Header.Set(webhook.HeaderSignature, "v1,"+strings.Repeat("A", 43)+"=")
		}, want: ReasonSignatureMismatch},
		{name: "too old", age: time.Hour, want: ReasonTooOld, known: true},
		{name: "too new", age: -time.Hour, want: ReasonTooNew, known: true},
		{name: "over the rate", config: func(c *Config) { c.Rates = []SourceRate{{Rate: slow}} }, before: 1, want: ReasonRate, known: true},
		{name: "over the rate of the address", config: func(c *Config) { c.IPRate = &slow }, before: 1, want: ReasonIPRate, known: true},
		{name: "the first reason counts", config: func(c *Config) { c.IPRate = &slow }, before: 1, spoil: func(r *http.Request) { r.Header.Del(webhook.HeaderSignature) }, want: ReasonIPRate},
		{name: "unknown coding", config: func(c *Config) { c.Decompress = new(true) }, spoil: func(r *http.Request) { r.Header.Set("Content-Encoding", "br") }, want: ReasonEncoding, known: true},
		{name: "too large", config: func(c *Config) { c.MaxSize = 10 }, want: ReasonTooLarge, refused: true},
		{name: "broken off", spoil: func(r *http.Request) { r.Body = io.NopCloser(brokenReader{io.ErrUnexpectedEOF}) }, want: ReasonBodyUnreadable, refused: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, observing(c.config))
			for n := range c.before {
				b.mustAccept(t, b.signed(t, 100+n))
			}
			b.observed, b.calls = nil, 0
			r, body := signedRequest(t, "standard", eventID(1), b.clock.Now().Add(-c.age), []byte(`{"n":1}`))
			if c.spoil != nil {
				c.spoil(r)
			}
			w := httptest.NewRecorder()
			err := b.Handle(w, r, func(w http.ResponseWriter, r *http.Request) error {
				b.calls++
				if got, err := io.ReadAll(r.Body); err != nil || string(got) != string(body) {
					t.Errorf("the application got %q, %v", got, err)
				}
				w.WriteHeader(http.StatusNoContent)
				return nil
			})
			if refused := err != nil; refused != c.refused || refused == (b.calls == 1) {
				t.Errorf("error %v, %d calls", err, b.calls)
			}
			if len(w.Header()) != 0 {
				t.Errorf("headers %v were added", w.Header())
			}
			if len(b.observed) != 1 || b.observed[0].Reason != c.want || b.observed[0].Enforced != (c.want == "" || c.refused) {
				t.Errorf("observed %+v, want %q", b.observed, c.want)
			}
			got := b.state.Stats()
			if known := got.Exact+got.Settled == 1+c.before; known != c.known || got.Claimed != 0 {
				t.Errorf("stats %+v, remembered %t, want %t", got, known, c.known)
			}
		})
	}
}

// TestObserveModeBoundsOtherMethods guards that a body of unknown length is no way
// around max_size where requests of other methods are let through.
func TestObserveModeBoundsOtherMethods(t *testing.T) {
	b := newBench(t, observing(func(c *Config) { c.MaxSize = 10 }))
	for size, want := range map[int]error{10: nil, 11: new(http.MaxBytesError)} {
		r := httptest.NewRequest(http.MethodPut, "/", io.NopCloser(strings.NewReader(strings.Repeat("x", size))))
		err := b.Handle(httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
			got, err := io.ReadAll(r.Body)
			if len(got) != 10 {
				t.Errorf("the application got %d bytes", len(got))
			}
			return err
		})
		if tooLarge, _ := errors.AsType[*http.MaxBytesError](err); (tooLarge == nil) != (want == nil) {
			t.Errorf("%d bytes: %v, want %v", size, err, want)
		}
	}
}

// What is not authentic may not use up the limits of the source, or the room
// for events.
func TestObserveModeKeepsForgeriesOut(t *testing.T) {
	b := newBench(t, observing(func(c *Config) { c.Rates = []SourceRate{{Rate: perMinute(1, 1)}} }))
	for range 5 {
		r, _ := requestSignedWith(t, foreignSecret, "standard", eventID(1), b.clock.Now(), []byte(`{}`))
		b.mustAccept(t, r)
	}
	if got := b.state.Stats(); got != (Stats{}) {
		t.Errorf("stats %+v: want nothing", got)
	}
	b.mustAccept(t, b.signed(t, 1))
	if last := b.observed[5]; last.Reason != "" {
		t.Errorf("observed %+v: the limit was used up", last)
	}
}

// Duplicates reach the application and are told of; when enforcement is turned
// on later, what has been processed meanwhile is known.
func TestObserveModeThenEnforcing(t *testing.T) {
	b := newBench(t, observing(nil))
	b.mustAccept(t, b.signed(t, 1))
	b.mustAccept(t, b.signed(t, 1))
	want := []Observation{
		{Provider: "standard", ID: eventID(1), Type: "message.created", Timestamp: b.clock.Now(), Enforced: true},
		{Provider: "standard", ID: eventID(1), Type: "message.created", Timestamp: b.clock.Now(), Duplicate: true},
	}
	if diff := cmp.Diff(want, b.observed); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
	enforcing := mustNew(t, testConfig("standard"), Options{State: b.state, Now: b.clock.Now})
	w := httptest.NewRecorder()
	if err := enforcing.Handle(w, b.signed(t, 1), answerWith(500)); err != nil || w.Header().Get(HeaderDuplicate) != "true" {
		t.Errorf("error %v, headers %v: want a duplicate", err, w.Header())
	}
}

// An application that fails has not processed the event, observed or not.
func TestObserveModeReleases(t *testing.T) {
	b := newBench(t, observing(nil))
	if err := b.Handle(httptest.NewRecorder(), b.signed(t, 1), answerWith(500)); err != nil {
		t.Fatal(err)
	}
	if got := b.state.Stats(); got.Claimed+got.Exact != 0 {
		t.Errorf("stats %+v: a failure was remembered", got)
	}
}

// Two at once reach the application both, without waiting. Whichever succeeds
// is remembered.
func TestObserveModeTwoAtOnce(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second int
		known         int
	}{
		{"both succeed", 200, 200, 1},
		{"the first fails", 500, 200, 1},
		{"the second fails", 200, 500, 1},
		{"both fail", 500, 500, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, observing(nil), func(t *testing.T, rc *Receiver) {
				first, firstErr, _ := start(t, rc, context.Background())
				second, secondErr, w := start(t, rc, context.Background())
				first <- c.first
				err := <-firstErr
				second <- c.second
				if err := errors.Join(err, <-secondErr); err != nil || w.Code != c.second {
					t.Errorf("error %v, status %d: want the application's answer", err, w.Code)
				}
				synctest.Wait()
				if got := rc.state.Stats(); got.Exact != c.known || got.Claimed != 0 {
					t.Errorf("stats %+v, want %d known", got, c.known)
				}
			})
		})
	}
}

// Requests of other methods are the application's when nothing is enforced.
func TestObserveModeOtherMethods(t *testing.T) {
	b := newBench(t, observing(nil))
	w, err := b.send(httptest.NewRequest(http.MethodGet, "/", nil))
	if err != nil || w.Code != http.StatusNoContent || b.observed[0].Reason != ReasonMethod || b.observed[0].Enforced {
		t.Errorf("error %v, status %d, observed %+v", err, w.Code, b.observed)
	}
}

// TestHeadersGoThroughAProxy guards that a request cannot have the headers taken
// away that tell the application of it, by naming them as those of its connection.
func TestHeadersGoThroughAProxy(t *testing.T) {
	got := make(chan http.Header, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header }))
	defer app.Close()
	target, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig("standard")
	cfg.Headers = true
	b := newBench(t, cfg)
	r := b.signed(t, 1)
	r.Header.Set("Connection", "x-webhook-id, X-Webhook-Type,X-Hop")
	r.Header.Set("X-Hop", "this one only")
	b.Middleware(httputil.NewSingleHostReverseProxy(target)).ServeHTTP(httptest.NewRecorder(), r)
	if h := <-got; h.Get("X-Webhook-Id") != eventID(1) || h.Get("X-Webhook-Type") != "message.created" || h.Get("X-Hop") != "" {
		t.Errorf("the application got %v", h)
	}
}

func TestHeadersToTheApplication(t *testing.T) {
	type fields = map[string]string
	for _, c := range []struct {
		name   string
		config func(*Config)
		spoil  func(*http.Request)
		want   fields
	}{
		{
			"on", func(c *Config) { c.Headers = true }, nil,
			fields{"X-Webhook-Provider": "standard", "X-Webhook-Id": eventID(1), "X-Webhook-Type": "message.created", "X-Webhook-Timestamp": "1800000000", "X-Webhook-Other": "kept"},
		},
		{"off", func(*Config) {}, nil, fields{"X-Webhook-Provider": "evil", "X-Webhook-Id": "evil", "X-Webhook-Type": "evil", "X-Webhook-Timestamp": "evil", "X-Webhook-Other": "kept"}},
		{
			"not authentic", func(c *Config) { c.Headers, c.EnforceOff = true, true }, func(r *http.Request) { r.Header.Del(webhook.HeaderSignature) },
			fields{"X-Webhook-Other": "kept"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig("standard")
			c.config(&cfg)
			tick := newClock()
			rc := mustNew(t, cfg, Options{Now: tick.Now})
			r, _ := signedRequest(t, "standard", eventID(1), tick.Now(), []byte(`{}`))
			for _, name := range []string{"Provider", "Id", "Type", "Timestamp"} {
				r.Header.Set(HeaderPrefix+name, "evil")
			}
			r.Header.Set(HeaderPrefix+"Other", "kept")
			if c.spoil != nil {
				c.spoil(r)
			}
			got := fields{}
			err := rc.Handle(httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
				for name, values := range r.Header {
					if strings.HasPrefix(name, HeaderPrefix) {
						got[name] = strings.Join(values, "|")
					}
				}
				return nil
			})
			if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
				t.Errorf("error %v, headers (-want +got):\n%s", err, diff)
			}
		})
	}
}

// TestHeadersInOtherSpellings: behind CGI, FastCGI or WSGI the names of fields
// lose their hyphens, so that a field with underscores becomes the one that the
// application takes for the receiver's.
func TestHeadersInOtherSpellings(t *testing.T) {
	cfg := testConfig("standard")
	cfg.Headers = true
	tick := newClock()
	rc := mustNew(t, cfg, Options{Now: tick.Now})
	r, _ := signedRequest(t, "standard", eventID(1), tick.Now(), []byte(`{}`))
	for _, name := range []string{"X_Webhook_Id", "X_webhook_type", "X-Webhook_Timestamp", "x_webhook-provider", "X_WEBHOOK_ID"} {
		r.Header[name] = []string{"evil"}
	}
	const other = "X_webhook_ids"
	r.Header[other] = []string{"kept"}
	err := rc.Handle(httptest.NewRecorder(), r, func(_ http.ResponseWriter, r *http.Request) error {
		for name, values := range r.Header {
			if strings.Join(values, "") == "evil" {
				t.Errorf("the application gets %s", name)
			}
		}
		if r.Header[other] == nil || r.Header.Get("X-Webhook-Id") != eventID(1) {
			t.Errorf("the application gets %v", r.Header)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A type may hold anything that JSON can; a header field may not.
func TestHeadersHoldNoControlCharacters(t *testing.T) {
	h := http.Header{}
	setHeaders(h, &Observation{Provider: "p", ID: "a\r\nX-Evil: 1", Type: "b\x00"})
	if diff := cmp.Diff(http.Header{"X-Webhook-Provider": {"p"}}, h); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}
