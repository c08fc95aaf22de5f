package sender_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
)

// newIntake serves an intake of a sender with one peer behind it.
func newIntake(t *testing.T) (*rig, *faultyStore, *sender.Intake, string) {
	t.Helper()
	r, faulty := newFaultyRig(t, toPeers(newPeer(t, nil)))
	intake := &sender.Intake{Sender: func(context.Context) (*sender.Sender, error) { return r.Sender, nil }}
	server := httptest.NewServer(intake)
	t.Cleanup(server.Close)
	return r, faulty, intake, server.URL + "/events"
}

// post sends a request and returns the answer with its body.
func post(t *testing.T, method, url string, body io.Reader, header map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(answer)
}

func TestIntakeAccepts(t *testing.T) {
	const body = `{"event":"message.created","data":{"n":1}}`
	withID := func(id string) string { return `{"id":"` + id + `","event":"message.created","data":{"n":1}}` }
	type request struct {
		body   string
		header map[string]string
		status int
	}
	tests := []struct {
		name     string
		requests []request
	}{
		{"plain", []request{{body, nil, 202}, {body, nil, 202}}},
		{"JSON", []request{{body, map[string]string{"Content-Type": "application/json"}, 202}}},
		{"JSON with a charset", []request{{body, map[string]string{"Content-Type": "Application/JSON; Charset=UTF-8"}, 202}}},
		{"JSON of a kind", []request{{body, map[string]string{"Content-Type": "application/vnd.example+json"}, 202}}},
		{"what curl -d says", []request{{body, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, 202}}},
		{"no encoding by name", []request{{body, map[string]string{"Content-Encoding": "identity"}, 202}}},
		{"the same ID again", []request{{withID("twice"), nil, 202}, {withID("twice"), nil, 200}, {withID("twice"), nil, 200}}},
		{"the same ID, laid out differently", []request{{withID("space"), nil, 202}, {strings.ReplaceAll(withID("space"), `:`, ` : `), nil, 200}}},
		{"the same Idempotency-Key", []request{{body, map[string]string{"Idempotency-Key": "order 17"}, 202}, {body, map[string]string{"Idempotency-Key": "order 17"}, 200},
			{body, map[string]string{"Idempotency-Key": "order 18"}, 202}}},
		{"the longest Idempotency-Key", []request{{body, map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}, 202}}},
		{"an ID beats the Idempotency-Key", []request{{withID("own"), map[string]string{"Idempotency-Key": "x"}, 202}, {withID("own"), map[string]string{"Idempotency-Key": "y"}, 200}}},
		{"from a page of the same origin", []request{{body, map[string]string{"Sec-Fetch-Site": "same-origin"}, 202}}},
		{"typed by a person", []request{{body, map[string]string{"Sec-Fetch-Site": "none"}, 202}}},
		{"1 MiB", []request{{body + strings.Repeat(" ", 1<<20-len(body)), nil, 202}}},
	}
	r, _, _, url := newIntake(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			first := ""
			for i, req := range test.requests {
				resp, answer := post(t, http.MethodPost, url, strings.NewReader(req.body), req.header)
				if resp.StatusCode != req.status || resp.Header.Get("Content-Type") != "application/json" {
					t.Fatalf("request %d: %s, %s: %s; want %d", i, resp.Status, resp.Header.Get("Content-Type"), answer, req.status)
				}
				var receipt sender.Receipt
				if err := json.Unmarshal([]byte(answer), &receipt); err != nil || answer != `{"id":"`+receipt.ID+"\"}\n" {
					t.Fatalf("request %d: the answer is %q", i, answer)
				}
				switch {
				case i == 0:
					first = receipt.ID
				case (receipt.ID == first) != (req.status == 200):
					t.Errorf("request %d: id %s after %s", i, receipt.ID, first)
				}
				r.delivered("a", receipt.ID)
			}
		})
	}
}

func TestIntakeRefuses(t *testing.T) {
	const body = `{"event":"message.created","data":{"n":1}}`
	chunked := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s)) }
	tests := []struct {
		name   string
		method string // default: POST
		body   io.Reader
		header map[string]string
		status int
		detail string
		answer map[string]string // headers
	}{
		{"GET", http.MethodGet, nil, nil, 405, `the method GET is not allowed: publish events with POST`, map[string]string{"Allow": "POST"}},
		{"PUT", http.MethodPut, strings.NewReader(body), nil, 405, `the method PUT is not allowed: publish events with POST`, map[string]string{"Allow": "POST"}},
		{"OPTIONS", http.MethodOptions, nil, nil, 405, `the method OPTIONS is not allowed: publish events with POST`, map[string]string{"Allow": "POST"}},
		{"another origin", "", strings.NewReader(body), map[string]string{"Origin": "https://evil.example"}, 403,
			`the request comes from a page of another origin: publish events from your server`, nil},
		{"a page of another site", "", strings.NewReader(body), map[string]string{"Sec-Fetch-Site": "cross-site"}, 403,
			`the request comes from a page of another origin: publish events from your server`, nil},
		{"text", "", strings.NewReader(body), map[string]string{"Content-Type": "text/plain"}, 415, `the content type "text/plain" is not understood: send application/json`, nil},
		{"a form of parts", "", strings.NewReader(body), map[string]string{"Content-Type": "multipart/form-data; boundary=x"}, 415,
			`the content type "multipart/form-data; boundary=x" is not understood: send application/json`, nil},
		{"another charset", "", strings.NewReader(body), map[string]string{"Content-Type": "application/json; charset=latin1"}, 415,
			`the charset "latin1" is not understood: send UTF-8`, nil},
		{"a malformed content type", "", strings.NewReader(body), map[string]string{"Content-Type": "application/json;;"}, 415,
			`the content type "application/json;;" is not understood: send application/json`, nil},
		{"compressed", "", strings.NewReader(body), map[string]string{"Content-Encoding": "gzip"}, 415,
			`the content encoding "gzip" is not understood: send the body uncompressed`, nil},
		{"declared too large", "", strings.NewReader(strings.Repeat(" ", 1<<20+1)), map[string]string{"Expect": "100-continue"}, 413, `the body is larger than 1048576 bytes: send less, or raise max_size`, nil},
		{"chunked too large", "", chunked(strings.Repeat(" ", 1<<20+1)), nil, 413, `the body is larger than 1048576 bytes: send less, or raise max_size`, nil},
		{"empty", "", nil, nil, 400, `malformed body: the body is empty: send an object such as {"event":"conversation.created","data":{}}`, nil},
		{"no JSON", "", strings.NewReader("event=a"), nil, 400, `malformed body: the body is not valid JSON: invalid character 'e' at start of value (at byte 0)`, nil},
		{"unknown member", "", strings.NewReader(`{"event":"a","data":1,"x":1}`), nil, 422,
			`invalid event: the member "x" is unknown: an event has event, data, id, timestamp and tenant; put everything else into data`, nil},
		{"no type", "", strings.NewReader(`{"data":1}`), nil, 422, `invalid event: event is missing: name the event type, such as conversation.created`, nil},
		{"malformed ID", "", strings.NewReader(`{"event":"a","id":"<b>","data":1}`), nil, 422, `invalid event: id holds the character '<': use letters, digits, "_", "-" and ":" only`, nil},
		{"a long Idempotency-Key", "", strings.NewReader(body), map[string]string{"Idempotency-Key": strings.Repeat("k", 257)}, 422,
			`invalid event: the Idempotency-Key header has 257 bytes: use at most 256`, nil},
		{"the ID of another event", "", strings.NewReader(`{"event":"a","id":"taken","data":2}`), nil, 409,
			`event "taken": another event has this ID with other content: publish it under an ID of its own`, nil},
		{"the key of another event", "", strings.NewReader(`{"event":"a","data":2}`), map[string]string{"Idempotency-Key": "taken"}, 409,
			`event "evt_99341d56cc28805370b9f449c044a4cf": another event has this ID with other content: publish it under an ID of its own`, nil},
	}
	_, _, _, url := newIntake(t)
	post(t, http.MethodPost, url, strings.NewReader(`{"event":"a","id":"taken","data":1}`), nil)
	post(t, http.MethodPost, url, strings.NewReader(`{"event":"a","data":1}`), map[string]string{"Idempotency-Key": "taken"})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.method == "" {
				test.method = http.MethodPost
			}
			resp, answer := post(t, test.method, url, test.body, test.header)
			checkProblem(t, resp, answer, test.status, test.detail)
			for name, want := range test.answer {
				if got := resp.Header.Get(name); got != want {
					t.Errorf("header %s is %q, want %q", name, got, want)
				}
			}
		})
	}
}

func checkProblem(t *testing.T, resp *http.Response, answer string, status int, detail string) {
	t.Helper()
	if resp.StatusCode != status || resp.Header.Get("Content-Type") != "application/problem+json" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s, %s: %.300s; want %d", resp.Status, resp.Header.Get("Content-Type"), answer, status)
	}
	var got sender.Problem
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatalf("%v: %q", err, answer)
	}
	want := sender.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

// TestIntakeTrouble: when the event cannot be taken in now, the publisher is
// told when to come again, and is not told of the store.
func TestIntakeTrouble(t *testing.T) {
	const body = `{"event":"message.created","data":1}`
	const later = "the event could not be stored: publish it again later"
	r, faulty, intake, url := newIntake(t)
	try := func(status int, detail, retryAfter string) {
		t.Helper()
		resp, answer := post(t, http.MethodPost, url, strings.NewReader(body), nil)
		checkProblem(t, resp, answer, status, detail)
		if got := resp.Header.Get("Retry-After"); got != retryAfter {
			t.Errorf("Retry-After is %q, want %q", got, retryAfter)
		}
	}
	faulty.fail(faultPut)
	try(503, later, "5")

	faulty.mu.Lock()
	faulty.err = errors.Join(errors.New("store /var/lib/secret.db"), sender.ErrStoreFull)
	faulty.mu.Unlock()
	try(507, "there is no room to store the event: publish it again later", "5")
	faulty.fail(0)

	served := intake.Sender
	intake.Sender = func(context.Context) (*sender.Sender, error) { return nil, errors.New("webhooks are being reloaded") }
	try(503, "webhooks are being reloaded", "1")
	intake.Sender = served

	if err := r.Sender.Close(); err != nil {
		t.Fatal(err)
	}
	try(503, later, "5")
}

// TestIntakeTenant: who the request is from decides the tenant, not its body;
// a request from nobody publishes for nobody.
func TestIntakeTenant(t *testing.T) {
	r, _, intake, url := newIntake(t)
	body := func(id string) io.Reader {
		return strings.NewReader(`{"id":"` + id + `","event":"message.created","tenant":"body","data":1}`)
	}
	stored := func(tenant, id string) {
		t.Helper()
		if _, err := r.store.Event(t.Context(), tenant, id); err != nil {
			t.Errorf("tenant %q: %v", tenant, err)
		}
	}
	post(t, http.MethodPost, url, body("e1"), nil)
	stored("body", "e1")
	intake.Tenant = func(r *http.Request) (string, bool) {
		user, known := r.Header["X-User"]
		return strings.Join(user, ""), known
	}
	post(t, http.MethodPost, url, body("e2"), map[string]string{"X-User": "user"})
	stored("user", "e2")
	post(t, http.MethodPost, url, body("e3"), map[string]string{"X-User": ""})
	stored("", "e3")
	resp, answer := post(t, http.MethodPost, url, body("e4"), nil)
	checkProblem(t, resp, answer, 403, "it is not known whose event this is: sign in first")
	for _, tenant := range []string{"", "body"} {
		if _, err := r.store.Event(t.Context(), tenant, "e4"); !errors.Is(err, sender.ErrNotFound) {
			t.Errorf("tenant %q: %v, want ErrNotFound", tenant, err)
		}
	}
}

// TestIntakeMaxSize: the limit can be set, and holds to the byte.
func TestIntakeMaxSize(t *testing.T) {
	const body = `{"event":"message.created","data":1}`
	_, _, intake, url := newIntake(t)
	intake.MaxSize = int64(len(body))
	if resp, answer := post(t, http.MethodPost, url, strings.NewReader(body), nil); resp.StatusCode != 202 {
		t.Errorf("%s: %s", resp.Status, answer)
	}
	resp, answer := post(t, http.MethodPost, url, io.MultiReader(strings.NewReader(body+" ")), nil)
	checkProblem(t, resp, answer, 413, "the body is larger than 36 bytes: send less, or raise max_size")
}

// TestIntakeTraceParent: the trace of the publishing request goes on to the
// endpoint, if it is one.
func TestIntakeTraceParent(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	r, _, _, url := newIntake(t)
	for id, test := range map[string]struct{ sent, want string }{
		"good":  {parent, parent},
		"upper": {strings.ToUpper(parent), ""},
		"other": {"01" + parent[2:], ""},
		"short": {parent[:54], ""},
		"none":  {"", ""},
	} {
		resp, answer := post(t, http.MethodPost, url, strings.NewReader(`{"id":"`+id+`","event":"a","data":1}`), map[string]string{"Traceparent": test.sent})
		if resp.StatusCode != 202 {
			t.Fatalf("%s: %s", resp.Status, answer)
		}
		e, err := r.store.Event(t.Context(), "", id)
		if err != nil || e.Event.TraceParent != test.want {
			t.Errorf("%s: stored %q (%v), want %q", id, e.Event.TraceParent, err, test.want)
		}
	}
}

// TestIntakeBodyBreaksOff: a body that ends before its declared length is
// refused, and nothing of it is published.
func TestIntakeBodyBreaksOff(t *testing.T) {
	_, _, intake, _ := newIntake(t)
	const body = `{"event":"message.created","data":1}`
	req := httptest.NewRequest(http.MethodPost, "/events", io.MultiReader(strings.NewReader(body), brokenReader{}))
	req.ContentLength = 100
	w := httptest.NewRecorder()
	intake.ServeHTTP(w, req)
	checkProblem(t, w.Result(), w.Body.String(), 400, "the body broke off: send it again, whole")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
