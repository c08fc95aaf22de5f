package settings_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// follower reads a stream of server-sent events.
type follower struct {
	t     testing.TB
	resp  *http.Response
	lines *bufio.Scanner
}

// serve serves the rig's handler over HTTP.
func (r *rig) serve() *httptest.Server {
	server := httptest.NewServer(r.Handler)
	r.t.Cleanup(server.Close)
	return server
}

// follow begins to follow deliveries.
func follow(t testing.TB, url string) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel) // before the server closes, which waits for the stream
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("answered %d %v", resp.StatusCode, resp.Header)
	}
	f := &follower{t: t, resp: resp, lines: bufio.NewScanner(resp.Body)}
	if name, data := f.next(); name != "" || data == "" {
		t.Fatalf("the stream begins with %q %q, want a comment", name, data)
	}
	return f
}

// next is the next event; a comment has no name.
func (f *follower) next() (name, data string) {
	f.t.Helper()
	for f.lines.Scan() {
		line := f.lines.Text()
		field, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "":
			return name, data
		case field == "event":
			name = value
		default:
			data += value
		}
	}
	return "the end", fmt.Sprint(f.lines.Err())
}

// delivery is the next event, which must be a delivery.
func (f *follower) delivery() *answer {
	f.t.Helper()
	name, data := f.next()
	if name != "delivery" {
		f.t.Fatalf("the next event is %q %q, want a delivery", name, data)
	}
	if err := validate(openAPI().schema(f.t, "components", "schemas", "Delivery"), []byte(data)); err != nil {
		f.t.Errorf("the delivery %s is not what openapi.json says: %v", data, err)
	}
	return &answer{body: data, t: f.t}
}

// TestStream follows deliveries, which are told as they are listed.
func TestStream(t *testing.T) {
	r := newRig(t)
	endpoint := r.create("/hooks", `,"active":true,"description":"one"`)
	server := r.serve()
	all := follow(t, server.URL+"/api/deliveries/stream")
	some := follow(t, server.URL+"/api/deliveries/stream?status=succeeded&type=message.*&endpoint="+endpoint)
	r.publish("evt_1", "conversation.created", `{}`)
	if d := all.delivery(); d.at("status") != "pending" || d.at("event_id") != "evt_1" || d.at("attempts") != "0" || strings.Contains(d.body, "tenant") {
		t.Errorf("told of %s", d.body)
	}
	told := all.delivery()
	if told.at("status") != "succeeded" || told.at("last.status_code") != "200" {
		t.Errorf("told of %s", told.body)
	}
	listed := r.do("GET", "/api/deliveries", "").want(http.StatusOK)
	if got := listed.at("deliveries.0"); (&answer{body: got, t: t}).at("last.duration") != told.at("last.duration") || len(got) != len(strings.TrimSpace(told.body)) {
		t.Errorf("listed is\n%s\nand told was\n%s", got, told.body)
	}
	r.publish("evt_2", "message.created", `{}`)
	if d := some.delivery(); d.at("status") != "succeeded" || d.at("event_id") != "evt_2" || d.at("endpoint") != endpoint {
		t.Errorf("told of %s", d.body)
	}

	for query, field := range map[string]string{"status=lost": "status", "type=Message": "type", "limit=1": "limit", "tenant=globex": "tenant"} {
		r.do("GET", "/api/deliveries/stream?"+query, "").problem(http.StatusUnprocessableEntity, field)
	}
	r.do("HEAD", "/api/deliveries/stream", "").want(http.StatusOK)
}

// TestStreamIsTheTenants guards that nobody follows what is another's.
func TestStreamIsTheTenants(t *testing.T) {
	r, globex, _ := operated(t)
	r.HideSecrets = false
	operator := follow(t, r.serve().URL+"/api/deliveries/stream?status=succeeded&status=failed")
	r.Handler = newRig(t).Handler
	r.Handler.Sender = func(context.Context) (*sender.Sender, error) { return r.sender, nil }
	r.Handler.Tenant = func(*http.Request) (string, bool) { return "acme", true }
	acme := follow(t, r.serve().URL+"/api/deliveries/stream?status=succeeded")
	r.as("globex")
	r.publish("evt_1", "agent.created", `{}`)
	if d := operator.delivery(); d.at("tenant") != "globex" || d.at("endpoint") != globex {
		t.Errorf("told of %s", d.body)
	}
	r.as("acme")
	r.publish("evt_2", "agent.created", `{}`)
	if d := acme.delivery(); d.at("event_id") != "evt_2" || strings.Contains(d.body, "tenant") {
		t.Errorf("told of %s", d.body)
	}
}

// TestStreamIsKeptAlive by a comment when nothing happens.
func TestStreamIsKeptAlive(t *testing.T) {
	r := newRig(t)
	f := follow(t, r.serve().URL+"/api/deliveries/stream")
	for range 2 {
		told := make(chan string)
		go func() {
			name, data := f.next()
			told <- name + data
		}()
		var comment string
		until(t, "there is a comment", func() bool {
			select {
			case comment = <-told:
				return true
			default:
				r.clock.advance(15 * time.Second)
				return false
			}
		})
		if comment != "nothing has changed" {
			t.Errorf("told of %q", comment)
		}
	}
}

// TestStreamEnds when the sender stops, and when the handler is told that it is
// to end, also for a client that takes nothing.
func TestStreamEnds(t *testing.T) {
	r := newRig(t)
	ending := make(chan struct{})
	r.Ending = ending
	server := r.serve()
	f := follow(t, server.URL+"/api/deliveries/stream")
	if err := r.sender.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name, data := f.next(); name != "the end" || data != "<nil>" {
		t.Errorf("after the sender has stopped: %q %q", name, data)
	}
	if err := r.sender.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f = follow(t, server.URL+"/api/deliveries/stream")
	close(ending)
	if name, data := f.next(); name != "the end" || data != "<nil>" {
		t.Errorf("after the handler was told to end: %q %q", name, data)
	}
	r.do("GET", "/api/deliveries/stream", "").problem(http.StatusServiceUnavailable, "")
	r.do("GET", "/api/deliveries", "").want(http.StatusOK)
	if err := server.Config.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStreamsAreBounded: the 65th is refused, and is let in when another one
// has left.
func TestStreamsAreBounded(t *testing.T) {
	r := newRig(t)
	url := r.serve().URL + "/api/deliveries/stream"
	first := follow(t, url)
	for range 63 {
		follow(t, url)
	}
	a := r.do("GET", "/api/deliveries/stream", "").problem(http.StatusServiceUnavailable, "")
	if a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "too many streams") {
		t.Errorf("the 65th stream is answered %v %s", a.header, a.body)
	}
	_ = first.resp.Body.Close()
	until(t, "there is room again", func() bool { return r.do("GET", "/api/deliveries/stream", "").status == http.StatusOK })
}

// TestStreamTellsOfWhatIsLost: a client that takes nothing is told how much it
// has missed once it does.
func TestStreamTellsOfWhatIsLost(t *testing.T) {
	r := newRig(t)
	r.create("/hooks", `,"active":true`)
	w := &heldWriter{header: make(http.Header), release: make(chan struct{}), ended: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(w.ended)
		r.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/deliveries/stream?status=pending", nil))
	}()
	until(t, "the stream is held up", func() bool { return w.text() != "" })
	for i := range 5 {
		var events []webhook.Event
		for j := range 1000 {
			events = append(events, webhook.Event{ID: fmt.Sprintf("evt_%d_%d", i, j), Tenant: "acme", Type: "message.created", Data: []byte(`{}`)})
		}
		if _, err := r.sender.Publish(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
	}
	close(w.release)
	until(t, "the client is told", func() bool { return strings.Contains(w.text(), "event: lost\ndata: {\"count\":") })
	cancel()
	<-w.ended
}

// heldWriter is a client that takes the first of what it is sent and then
// nothing for a while.
type heldWriter struct {
	lockedBuffer
	header  http.Header
	release chan struct{}
	ended   chan struct{}
}

func (w *heldWriter) Header() http.Header { return w.header }
func (w *heldWriter) WriteHeader(int)     {}
func (w *heldWriter) Flush()              { <-w.release }
func (w *heldWriter) text() string        { return w.String() }

var _ io.Writer = (*heldWriter)(nil)
