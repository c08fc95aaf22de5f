package caddymodule

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

// answering is a responsePublisher in front of an application.
type answering struct {
	t         *testing.T
	publisher *responsePublisher
	store     *sqlitestore.Store
	server    *httptest.Server
	url       string
	failed    chan error // what the handler returned, if that was an error
	log       *lines
}

// lines are what was logged.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// newAnswering serves an application behind a responsePublisher.
func newAnswering(t *testing.T, app http.HandlerFunc) *answering {
	t.Helper()
	store, err := sqlitestore.Open(storePath(t), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sender.New(sender.Config{
		EventTypes: []webhook.EventType{{Name: "order.paid"}, {Name: "order.sent"}},
		Endpoints:  []sender.Endpoint{{ID: "a", URL: "https://example.com/"}},
	}, store, sender.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a := &answering{t: t, store: store, failed: make(chan error, 1), log: new(lines)}
	a.publisher = &responsePublisher{
		sender:  func(context.Context) (*sender.Sender, error) { return s, nil },
		maxSize: 1000,
		log:     slog.New(slog.NewTextHandler(a.log, nil)),
	}
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		app(w, r)
		if err := r.Header.Get("X-Fail"); err != "" {
			return errors.New(err)
		}
		return nil
	})
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "Caddy")
		if err := a.publisher.serve(w, r, next); err != nil {
			a.failed <- err
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	a.url = a.server.URL
	t.Cleanup(func() {
		a.server.Close()
		if err := errors.Join(s.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return a
}

// do sends a request and returns the answer with its body.
func (a *answering) do(method string, header http.Header) (*http.Response, string) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.url+"/orders?token=of-the-client", http.NoBody)
	if err != nil {
		a.t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return resp, string(body)
}

// published are the events in the store, the first one first, as their types and
// data.
func (a *answering) published() (events []string) {
	a.t.Helper()
	page, err := a.store.Deliveries(a.t.Context(), sender.DeliveryQuery{Limit: 100, OldestFirst: true})
	if err != nil {
		a.t.Fatal(err)
	}
	for _, d := range page.Deliveries {
		record, err := a.store.Delivery(a.t.Context(), d.Seq, d.EndpointID)
		if err != nil {
			a.t.Fatal(err)
		}
		events = append(events, record.Event.Type+" "+string(record.Event.Data))
	}
	return events
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// TestAnswersArePublished: what an answer says is published, and the client gets
// the answer as if it had said nothing.
func TestAnswersArePublished(t *testing.T) {
	const paid = `{"event":"order.paid","data":{"n":1}}`
	json16 := "{\n\t\"event\": \"order.sent\", \"data\": \"ÿ?>~\" }"
	tests := []struct {
		name     string
		events   []string // the header
		data     []string
		body     string
		encoding string
		want     []string
	}{
		{"nothing to publish", nil, []string{"body"}, "<p>", "", nil},
		{"JSON", []string{paid}, nil, "<p>", "", []string{`order.paid {"n":1}`}},
		{"base64", []string{base64.StdEncoding.EncodeToString([]byte(json16))}, nil, "<p>", "", []string{`order.sent "ÿ?>~"`}},
		{"base64 for URLs, unpadded", []string{base64.RawURLEncoding.EncodeToString([]byte(json16))}, nil, "", "", []string{`order.sent "ÿ?>~"`}},
		{"two", []string{paid, `{"event":"order.sent","data":2}`}, nil, "", "", []string{`order.paid {"n":1}`, "order.sent 2"}},
		{"an array", []string{"[" + paid + "," + paid + "]"}, nil, "", "", []string{`order.paid {"n":1}`, `order.paid {"n":1}`}},
		{"the body", []string{"order.paid"}, []string{"body"}, ` {"a" : 1.0} `, "", []string{`order.paid {"a":1.0}`}},
		{"a part of the body", []string{"order.paid"}, []string{"body:data.orders.1"}, `{"data":{"orders":[1,{"x":"<"}]}}`, "", []string{`order.paid {"x":"<"}`}},
		{"one body for two", []string{"order.paid", "order.sent"}, []string{"body"}, `[1]`, "", []string{"order.paid [1]", "order.sent [1]"}},
		{"parts for two, and a whole one", []string{"order.paid", paid, "order.sent"}, []string{"body:a", "body:b"}, `{"a":1,"b":2}`, "",
			[]string{`order.paid {"n":1}`, "order.paid 1", "order.sent 2"}},
		{"a compressed body", []string{"order.paid"}, []string{"body"}, zipped(`{"z":1}`), "gzip", []string{`order.paid {"z":1}`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Webhook-Event"] = test.events
				w.Header()["Webhook-Event-Data"] = test.data
				w.Header().Set("Etag", `"1"`)
				if test.encoding != "" {
					w.Header().Set("Content-Encoding", test.encoding)
				}
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, test.body[:len(test.body)/2])
				_, _ = io.Copy(w, strings.NewReader(test.body[len(test.body)/2:]))
			})
			resp, body := a.do(http.MethodPost, nil)
			if resp.StatusCode != http.StatusCreated || body != test.body || resp.Header.Get("Etag") != `"1"` || resp.Header.Get("Server") != "Caddy" {
				t.Errorf("answered %d %q with %v", resp.StatusCode, body, resp.Header)
			}
			if len(resp.Header["Webhook-Event"])+len(resp.Header["Webhook-Event-Data"]) > 0 {
				t.Errorf("the client was told of the event: %v", resp.Header)
			}
			if diff := cmp.Diff(test.want, a.published()); diff != "" {
				t.Errorf("published (-want +got):\n%s\n%s", diff, a.log)
			}
		})
	}
}

// TestApplicationsAreAskedForReadableAnswers: it is not for the client to decide,
// by the encodings that it takes, whether an event can be published.
func TestApplicationsAreAskedForReadableAnswers(t *testing.T) {
	for accepted, want := range map[string]string{
		"":                        "",
		"gzip, deflate, br, zstd": "gzip",
		"br;q=1, GZIP;q=0.5":      "gzip",
		"br":                      "identity",
		"br, gzip;q=0":            "identity",
	} {
		asked := make(chan string, 1)
		a := newAnswering(t, func(w http.ResponseWriter, r *http.Request) {
			asked <- r.Header.Get("Accept-Encoding")
			w.WriteHeader(http.StatusNoContent)
		})
		header := make(http.Header)
		if accepted != "" {
			header.Set("Accept-Encoding", accepted)
		}
		a.do(http.MethodGet, header)
		if got := <-asked; got != want {
			t.Errorf("%q: the application was asked for %q, want %q", accepted, got, want)
		}
	}
}

// TestAnswersThatCannotBePublished: the client is told to come again, or that the
// application is wrong, or gets the answer in spite of it. It is logged each time.
func TestAnswersThatCannotBePublished(t *testing.T) {
	large := `"` + strings.Repeat("x", 2000) + `"`
	tests := []struct {
		name, event, data, body, encoding string
		log                               string // what it must hold
	}{
		{"an unknown type", `{"event":"order.lost","data":1}`, "", "", "", `event type \"order.lost\" is unknown`},
		{"no type and no JSON", "Order Paid", "", "", "", "the value is no event type, no JSON object and no base64"},
		{"broken JSON", `{"event":`, "", "", "", "the body is not valid JSON"},
		{"no data", `{"event":"order.paid"}`, "", "", "", "data is missing"},
		{"a type without data", "order.paid", "", "{}", "", "names 1 event types, and Webhook-Event-Data says 0 times where their data is"},
		{"data for no type", `{"event":"order.paid","data":1}`, "body", "{}", "", "names 0 event types"},
		{"data from elsewhere", "order.paid", "header", "{}", "", "is neither body nor body:<path>"},
		{"a body that is no JSON", "order.paid", "body", "<p>", "", "its body is not JSON"},
		{"no body", "order.paid", "body", "", "", "it has no body"},
		{"no such part", "order.paid", "body:a.b", `{"a":[1]}`, "", `there is no \"b\" at body:a.b`},
		{"a large body", "order.paid", "body", large, "", "its body is larger than 1000 bytes"},
		{"a body that unfolds", "order.paid", "body", zipped(large), "gzip", "its body is larger than 1000 bytes"},
		{"a strange encoding", "order.paid", "body", "{}", "br", `its body has the content encoding \"br\"`},
		{"no gzip", "order.paid", "body", "{}", "gzip", "its body is no gzip"},
	}
	for _, test := range tests {
		for _, pass := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, pass %t", test.name, pass), func(t *testing.T) {
				a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Webhook-Event", test.event)
					if test.data != "" {
						w.Header().Set("Webhook-Event-Data", test.data)
					}
					if test.encoding != "" {
						w.Header().Set("Content-Encoding", test.encoding)
					}
					w.Header().Set("Set-Cookie", "a=b")
					w.Header().Set("Server", "the application")
					for part := range strings.SplitAfterSeq(test.body, "xxx") {
						if _, err := io.WriteString(w, part); err != nil {
							t.Error(err)
						}
					}
				})
				a.publisher.pass = pass
				resp, body := a.do(http.MethodPost, nil)
				if pass {
					if resp.StatusCode != http.StatusOK || body != test.body || resp.Header.Get("Set-Cookie") != "a=b" {
						t.Errorf("answered %d %q with %v, want the application's answer", resp.StatusCode, body, resp.Header)
					}
				} else {
					var problem sender.Problem
					err := json.Unmarshal([]byte(body), &problem)
					if err != nil || resp.StatusCode != http.StatusBadGateway || problem.Status != resp.StatusCode || problem.Detail == "" {
						t.Errorf("answered %d %q, want a problem", resp.StatusCode, body)
					}
					if resp.Header.Get("Set-Cookie") != "" || resp.Header.Get("Content-Encoding") != "" || resp.Header.Get("Server") != "Caddy" {
						t.Errorf("the application's headers are left: %v", resp.Header)
					}
				}
				if resp.Header.Get("Webhook-Event") != "" {
					t.Error("the client was told of the event")
				}
				if !strings.Contains(a.log.String(), test.log) {
					t.Errorf("logged %s, want %s", a.log, test.log)
				}
				if strings.Contains(a.log.String(), "of-the-client") || !strings.Contains(a.log.String(), "path=/orders") {
					t.Errorf("logged %s, want the path without the query, which may hold a token", a.log)
				}
				if events := a.published(); len(events) > 0 {
					t.Errorf("published %v", events)
				}
			})
		}
	}
}

// TestEventsSetBeforehand: what is about events does not reach the client with the
// answer that is given in the application's place either, when it was set before
// the application was asked, as Caddy's directive header does.
func TestEventsSetBeforehand(t *testing.T) {
	a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") })
	handler := a.server.Config.Handler
	a.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Webhook-Event", "order.lost")
		w.Header().Set("Webhook-Event-Data", "body")
		w.Header().Set("X-Frame-Options", "DENY")
		handler.ServeHTTP(w, r)
	})
	resp, _ := a.do(http.MethodPost, nil)
	if resp.StatusCode != http.StatusBadGateway || resp.Header.Get("X-Frame-Options") != "DENY" {
		t.Fatalf("answered %d with %v, want 502 and what else was set beforehand", resp.StatusCode, resp.Header)
	}
	if resp.Header.Get("Webhook-Event") != "" || resp.Header.Get("Webhook-Event-Data") != "" {
		t.Errorf("the client was told of the event: %v", resp.Header)
	}
}

// TestAnswersWithoutStore: while the event cannot be stored, the client is asked
// to come again.
func TestAnswersWithoutStore(t *testing.T) {
	a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Webhook-Event", `{"event":"order.paid","data":1}`)
		_, _ = io.WriteString(w, "thank you")
	})
	a.publisher.sender = func(context.Context) (*sender.Sender, error) { return nil, errNotRunning }
	for _, method := range []string{http.MethodPost, http.MethodHead} {
		resp, body := a.do(method, nil)
		if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" || strings.Contains(body, "thank") ||
			(body == "") != (method == http.MethodHead) {
			t.Errorf("%s: answered %d %q, Retry-After %q", method, resp.StatusCode, body, resp.Header.Get("Retry-After"))
		}
	}
}

// TestAnswersOfAnotherTenant: the configured tenant is that of the events, and an
// answer that is nobody's publishes nothing.
func TestAnswersOfAnotherTenant(t *testing.T) {
	a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Webhook-Event", `{"event":"order.paid","data":1,"id":"e","tenant":"theirs"}`)
	})
	a.publisher.tenant = func(r *http.Request) (string, bool) { return r.Header.Get("X-Tenant"), r.Header.Get("X-Tenant") != "" }
	if resp, _ := a.do(http.MethodPost, http.Header{"X-Tenant": {"ours"}}); resp.StatusCode != 200 {
		t.Errorf("answered %d", resp.StatusCode)
	}
	if _, err := a.store.Event(t.Context(), "ours", "e"); err != nil {
		t.Error(err)
	}
	if resp, _ := a.do(http.MethodPost, nil); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("nobody's answer is answered %d", resp.StatusCode)
	}
}

// TestClientsCannotPublish: an application that answers with what it was asked
// publishes nothing.
func TestClientsCannotPublish(t *testing.T) {
	a := newAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		for name, values := range r.Header {
			w.Header()[name] = values
		}
		_, _ = io.Copy(io.Discard, r.Body)
		for name, values := range r.Trailer {
			w.Header()[name] = values
		}
		if _, ok := r.Header["Webhook_event"]; ok {
			t.Error("the application was told of an event in another spelling")
		}
		_, _ = io.WriteString(w, "{}")
	})
	const paid = `{"event":"order.paid","data":1}`
	resp, _ := a.do(http.MethodPost, http.Header{"Webhook-Event": {paid}, "Webhook_event": {paid}, "Webhook-Event-Data": {"body"}, "X-Other": {"1"}})
	if resp.StatusCode != 200 || resp.Header.Get("X-Other") != "1" || len(a.published()) > 0 {
		t.Errorf("answered %d with %v, and published %v", resp.StatusCode, resp.Header, a.published())
	}
}
