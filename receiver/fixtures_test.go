package receiver

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// testSecret and oldSecret are the secrets of [testConfig], in this order.
var (
	testSecret    = "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	oldSecret     = "whsec_" + base64.StdEncoding.EncodeToString([]byte("fedcba9876543210fedcba9876543210"))
	foreignSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("nobody gave this one to anybody."))
)

func testConfig(provider string) Config {
	return Config{Name: "test", Provider: provider, Secrets: []string{testSecret, oldSecret}}
}

func fastRate() *webhook.Rate { return &webhook.Rate{Events: 1_000_000_000} }

// paddedData is JSON that makes a body of about size bytes and is different for
// each ID.
func paddedData(id string, size int) []byte {
	return []byte(`{"id":"` + id + `","text":"` + strings.Repeat("x", size-200) + `"}`)
}

// signedRequest is an authentic request, and its body.
func signedRequest(t testing.TB, provider, id string, at time.Time, data []byte) (*http.Request, []byte) {
	t.Helper()
	return requestSignedWith(t, testSecret, provider, id, at, data)
}

func requestSignedWith(t testing.TB, with, provider, id string, at time.Time, data []byte) (*http.Request, []byte) {
	t.Helper()
	secret, err := webhook.ParseSecret(with)
	if err != nil {
		t.Fatal(err)
	}
	e := &webhook.Event{ID: id, Type: "message.created", Timestamp: time.Unix(1_700_000_000, 0), Data: data}
	format := webhook.FormatManySends
	if provider == "standard" {
		format = webhook.FormatStandard
	}
	body, contentType := format.AppendBody(nil, e, secret)
	r := httptest.NewRequest(http.MethodPost, "/hooks", bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	if provider == "manysends_body" {
		if id != "" {
			r.Header.Set(webhook.HeaderID, id)
		}
	} else {
		webhook.SetHeaders(r.Header, []webhook.Signer{secret}, id, at, body)
	}
	return r, body
}

// loopBody is a body that starts again after its end.
type loopBody struct {
	text []byte
	at   int
}

func (b *loopBody) Read(p []byte) (int, error) {
	n := copy(p, b.text[b.at:])
	if b.at += n; b.at == len(b.text) {
		b.at = 0
		return n, io.EOF
	}
	return n, nil
}

func (*loopBody) Close() error { return nil }

// silentWriter is a response that keeps its status only.
type silentWriter struct {
	header http.Header
	status int
}

func (w *silentWriter) Header() http.Header { return w.header }

func (w *silentWriter) WriteHeader(status int) { w.status = status }

func (w *silentWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return len(b), nil
}

// clock is a time that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Unix(1_800_000_000, 0)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// mustNew makes a Receiver, and a State for it that is closed after the test
// unless one is given.
func mustNew(t testing.TB, cfg Config, o Options) *Receiver {
	t.Helper()
	if o.State == nil {
		o.State = NewState(StateOptions{Now: o.Now})
		t.Cleanup(o.State.Close)
	}
	rc, err := New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

// answerWith is an application that answers with one status.
func answerWith(status int) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(status)
		return nil
	}
}

// eventID is a fresh event ID of a number.
func eventID(n int) string { return fmt.Sprintf("evt_%08d", n) }
