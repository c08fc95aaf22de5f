package settings_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	secretText  = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	headerValue = "a-credential-that-nobody-sees"
)

// rig is a handler over a sender on the embedded store, whose time stands
// still, with a customer's site on loopback.
type rig struct {
	*settings.Handler
	t      testing.TB
	sender *sender.Sender
	store  *troubledStore
	clock  *clock
	site   *site
	log    *lockedBuffer
	tenant string // who is asking
}

// newRig starts a sender that has one endpoint in its configuration, "fixed" of
// the tenant acme, who is asking.
func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, clock: newClock(), site: newSite(t), log: new(lockedBuffer), tenant: "acme"}
	embedded, err := sqlitestore.Open(filepath.Join(t.TempDir(), "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r.store = &troubledStore{Store: embedded}
	r.sender, err = sender.New(sender.Config{
		Endpoints: []sender.Endpoint{{
			ID: "fixed", Tenant: "acme", URL: r.site.URL + "/fixed", Events: []string{"agent.*"},
			Secrets: []string{secretText}, Headers: map[string]string{"X-Api-Key": headerValue},
		}},
		Egress: sender.Egress{Allow: []string{"127.0.0.1", "::1"}, AllowHTTP: true},
	}, r.store, sender.Options{Clock: r.clock})
	if err != nil {
		t.Fatal(errors.Join(err, embedded.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(r.sender.Close(), embedded.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := r.sender.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Handler = &settings.Handler{
		Sender: func(context.Context) (*sender.Sender, error) { return r.sender, nil },
		Tenant: func(*http.Request) (string, bool) { return r.tenant, r.tenant != "" },
		Logger: slog.New(slog.NewTextHandler(r.log, nil)),
	}
	return r
}

// answer is an answer of the handler.
type answer struct {
	status int
	header http.Header
	body   string
	t      testing.TB
}

// as asks on behalf of another tenant from now on.
func (r *rig) as(tenant string) { r.tenant = tenant }

// do makes a request, with a body unless it is empty, and checks the answer
// against the OpenAPI file and against what holds for every answer.
func (r *rig) do(method, path, body string, headers ...string) *answer {
	r.t.Helper()
	return ask(r.t, r.Handler, method, path, body, headers...)
}

// ask makes a request to a handler and checks the answer as do does.
func ask(t testing.TB, h http.Handler, method, path, body string, headers ...string) *answer {
	t.Helper()
	a := send(t, h, method, path, body, headers...)
	o := openAPI().find(method, path)
	if o == nil {
		return a
	}
	openAPI().checkAnswer(t, o, a.status, a.header, []byte(a.body))
	if a.status < 300 && body != "" && o.doc["requestBody"] != nil {
		if err := openAPI().checkBody(t, o, body); err != nil {
			t.Errorf("%s takes a body that openapi.json does not allow: %s\n%v", o, body, err)
		}
	}
	reveals := []string{"createEndpoint", "rotateSecret", "revealSecrets"}
	if !slices.Contains(reveals, o.id) && (strings.Contains(a.body, "whsec_") || strings.Contains(a.body, "whsk_")) {
		if a.status < 300 && o.id != "getOpenAPI" { // a problem may say what a secret looks like
			t.Errorf("%s reveals a secret: %s", o, a.body)
		}
	}
	return a
}

// send makes a request and checks what holds for every answer, also where the
// OpenAPI file says nothing.
func send(t testing.TB, h http.Handler, method, path, body string, headers ...string) *answer {
	t.Helper()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// Whoever asks for a stream leaves when it begins.
	h.ServeHTTP(leaver{w, cancel}, request.WithContext(ctx))
	a := &answer{w.Code, w.Header(), w.Body.String(), t}

	if a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s: the answer may be sniffed: %v", method, path, a.header)
	}
	if a.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("%s %s: pages of elsewhere may load the answer: %v", method, path, a.header)
	}
	if cached := a.header.Get("Cache-Control") != "no-store"; cached != (a.status == http.StatusOK && (strings.HasSuffix(path, "/openapi.json") || strings.Contains(path, "/assets/"))) {
		t.Errorf("%s %s: Cache-Control is %q", method, path, a.header.Get("Cache-Control"))
	}
	if strings.Contains(a.body, headerValue) {
		t.Errorf("%s %s: the value of a header is answered: %s", method, path, a.body)
	}
	return a
}

// leaver is a client that leaves as soon as it is sent something.
type leaver struct {
	*httptest.ResponseRecorder
	leave func()
}

func (l leaver) Flush() { l.leave() }

// want checks the status.
func (a *answer) want(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("the status is %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// problem checks that the answer is a problem of this status about this field.
func (a *answer) problem(status int, field string) *answer {
	a.t.Helper()
	a.want(status)
	var p struct {
		Status        int
		Detail, Field string
	}
	a.into(&p)
	if p.Status != status || p.Field != field || p.Detail == "" {
		a.t.Errorf("the problem is %s, want one of %d about the field %q", a.body, status, field)
	}
	if field != "" && !strings.HasPrefix(p.Detail, field+": ") {
		a.t.Errorf("the detail does not begin with the field %q: %s", field, a.body)
	}
	return a
}

// into reads the body into a value.
func (a *answer) into(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("the body %q: %v", a.body, err)
	}
}

// at is what stands at a place in the body, as text: members and numbers of
// elements, joined by dots. Empty when there is nothing.
func (a *answer) at(place string) string {
	a.t.Helper()
	var v any
	d := json.NewDecoder(strings.NewReader(a.body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		a.t.Fatalf("the body %q: %v", a.body, err)
	}
	for step := range strings.SplitSeq(place, ".") {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(at) {
				return ""
			}
			v = at[i]
		default:
			return ""
		}
	}
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

// create makes an endpoint at a path of the site, with further members, and
// returns its ID.
func (r *rig) create(path, members string) string {
	r.t.Helper()
	return r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+path+`"`+members+`}`).want(http.StatusCreated).at("id")
}

// publish publishes an event of the tenant who is asking.
func (r *rig) publish(id, eventType, data string) {
	r.t.Helper()
	r.clock.advance(time.Millisecond) // so that no two are stored at the same time
	if _, err := r.sender.Publish(r.t.Context(), webhook.Event{ID: id, Tenant: r.tenant, Type: eventType, Data: []byte(data)}); err != nil {
		r.t.Fatal(err)
	}
	r.clock.advance(time.Millisecond)
}

// delivery waits until an event's only delivery has had n attempts, and returns
// its ID.
func (r *rig) delivery(eventID string, attempts int) string {
	r.t.Helper()
	var id string
	until(r.t, fmt.Sprintf("%s has had %d attempts", eventID, attempts), func() bool {
		a := r.do("GET", "/api/events/"+eventID, "").want(http.StatusOK)
		id = a.at("deliveries.0.id")
		return a.at("deliveries.0.attempts") == fmt.Sprint(attempts) && a.at("deliveries.0.last.number") == fmt.Sprint(attempts)
	})
	return id
}

// until waits for something that other goroutines do. The time that it gives
// them is only the end of a test that hangs.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("waited a minute in vain until %s", what)
		}
	}
}

// troubledStore is a store that fails when it is told to.
type troubledStore struct {
	sender.Store
	mu      sync.Mutex
	trouble error
	counts  func() // is called when something is counted
}

func (s *troubledStore) onCount(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = f
}

func (s *troubledStore) Counters(ctx context.Context, q sender.CounterQuery) ([]sender.Counter, error) {
	s.mu.Lock()
	counts := s.counts
	s.mu.Unlock()
	if counts != nil {
		counts()
	}
	return s.Store.Counters(ctx, q)
}

func (s *troubledStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = err
}

func (s *troubledStore) failing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

func (s *troubledStore) PutDocuments(ctx context.Context, documents []*sender.Document) error {
	if err := s.failing(); err != nil {
		return err
	}
	return s.Store.PutDocuments(ctx, documents)
}

func (s *troubledStore) Deliveries(ctx context.Context, q sender.DeliveryQuery) (sender.DeliveryPage, error) {
	if err := s.failing(); err != nil {
		return sender.DeliveryPage{}, err
	}
	return s.Store.Deliveries(ctx, q)
}

// lockedBuffer takes a log.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
