package sender_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

func TestPublishRefuses(t *testing.T) {
	r := &rig{t: t, clock: newFakeClock(), config: sender.Config{EventTypes: []webhook.EventType{{Name: "message.created"}}}}
	r.open()
	tests := []struct {
		name  string
		spoil func(e *webhook.Event)
		want  string
	}{
		{"no type", func(e *webhook.Event) { e.Type = "" }, `event is missing: name the event type, such as conversation.created`},
		{"unknown type", func(e *webhook.Event) { e.Type = "message.sent" },
			`event type "message.sent" is unknown: use one of the configured event types, or add it to event_types`},
		{"malformed type", func(e *webhook.Event) { e.Type = "Message Sent" },
			`event type "Message Sent" is malformed: use lower-case words of letters, digits and "_" joined by dots, such as conversation.created`},
		{"malformed ID", func(e *webhook.Event) { e.ID = "a.b" }, `id holds the character '.': use letters, digits, "_", "-" and ":" only`},
		{"long ID", func(e *webhook.Event) { e.ID = strings.Repeat("a", 129) }, `id has 129 characters: use 1 to 128, or leave it out to have one made`},
		{"no data", func(e *webhook.Event) { e.Data = nil }, `data is missing: add a JSON value that describes the event`},
		{"no JSON", func(e *webhook.Event) { e.Data = []byte("{") }, `data is not valid JSON: it ends too early (at byte 1)`},
		{"two values", func(e *webhook.Event) { e.Data = []byte("1 2") }, `data is not valid JSON: invalid character '2' after top-level value (at byte 2)`},
		{"a name twice", func(e *webhook.Event) { e.Data = []byte(`{"a":1,"a":2}`) },
			`data is not valid JSON: a member name stands twice in the same object: remove one (at byte 7, /a)`},
		{"not UTF-8", func(e *webhook.Event) { e.Data = []byte("\"\xff\"") },
			`data is not valid JSON: it holds bytes that are not UTF-8: encode the text as UTF-8 (at byte 1)`},
		{"a line break in the content type", func(e *webhook.Event) { e.ContentType = "text/plain\r\nX: 1" },
			`the content type is no media type, or longer than 256 bytes: send one such as application/json`},
		{"a credential among the headers", func(e *webhook.Event) { e.Headers = http.Header{"authorization": {"secret"}} },
			`headers: Authorization cannot be kept with an event: remove it`},
		{"no name of a header", func(e *webhook.Event) { e.Headers = http.Header{"X Y": {"1"}} },
			`headers: "X Y" is not the canonical name of a header: write such as X-Github-Event`},
		{"a line break in a header", func(e *webhook.Event) { e.Headers = http.Header{"X-A": {"1\r\nX-B: 2"}} },
			`headers: X-A has a value that a header cannot have: set it to one line of text`},
		{"many headers", func(e *webhook.Event) { e.Headers = http.Header{"X-A": make([]string, 65)} },
			`headers: there are 65 values of 195 bytes, and at most 64 of 8192 bytes can be kept: keep fewer of them`},
		{"large headers", func(e *webhook.Event) { e.Headers = http.Header{"X-A": {strings.Repeat("x", 8190)}} },
			`headers: there are 1 values of 8193 bytes, and at most 64 of 8192 bytes can be kept: keep fewer of them`},
		{"long ago", func(e *webhook.Event) { e.Timestamp = time.Date(1969, 12, 31, 23, 59, 59, 0, time.UTC) },
			`timestamp lies in the year 1969: give the time at which the event happened`},
		{"milliseconds taken for seconds", func(e *webhook.Event) { e.Timestamp = time.Unix(1709634600000, 0) },
			`timestamp lies in the year 56146: give the time at which the event happened`},
		{"long tenant", func(e *webhook.Event) { e.Tenant = strings.Repeat("t", 257) }, `tenant has 257 bytes: use at most 256`},
		{"a line break in the trace parent", func(e *webhook.Event) {
			e.TraceParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX-Evil: 1"
		},
			`traceparent is not in the form of W3C Trace Context: leave it out, or write it such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e := event("e")
			test.spoil(&e)
			// The good one beside it is not taken in either.
			_, err := r.Publish(t.Context(), event("good"), e)
			if !errors.Is(err, sender.ErrInvalid) {
				t.Fatalf("Publish: %v, want ErrInvalid", err)
			}
			if want := "event 2: invalid event: " + test.want; err.Error() != want {
				t.Errorf("the error is\n%s\nwant\n%s", err, want)
			}
		})
	}
	for _, n := range []int{0, 1001} {
		want := fmt.Sprintf("invalid event: a batch of %d events: publish 1 to 1000 at a time", n)
		if _, err := r.Publish(t.Context(), make([]webhook.Event, n)...); n == 0 && (err == nil || err.Error() != want) {
			t.Errorf("%d events: %v, want %q", n, err, want)
		}
	}
	many := make([]webhook.Event, 1001)
	for i := range many {
		many[i] = event("")
	}
	if _, err := r.Publish(t.Context(), many...); err == nil || err.Error() != "invalid event: a batch of 1001 events: publish 1 to 1000 at a time" {
		t.Errorf("1001 events: %v", err)
	}
	if receipts, err := r.Publish(t.Context(), many[:1000]...); err != nil || len(receipts) != 1000 {
		t.Errorf("1000 events: %d receipts, %v", len(receipts), err)
	}
	if _, err := r.store.Event(t.Context(), "", "good"); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("an event was taken in from a batch that was refused: %v", err)
	}
}

// TestPublishFillsIn: an ID and a timestamp are made for an event without.
func TestPublishFillsIn(t *testing.T) {
	r := newRig(t, sender.Config{})
	receipts, err := r.Publish(t.Context(), webhook.Event{Type: "message.created", Data: []byte(` { "a" : 1 } `)},
		webhook.Event{Type: "message.created", Data: []byte(`1`), ID: "own", Timestamp: r.clock.Now().Add(-time.Hour), Tenant: "t"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := r.store.Event(t.Context(), "", receipts[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	want := &webhook.Event{ID: receipts[0].ID, Type: "message.created", Timestamp: r.clock.Now(), Data: []byte(`{"a":1}`)}
	if diff := cmp.Diff(want, made.Event); diff != "" || !strings.HasPrefix(receipts[0].ID, "evt_") || len(made.Deliveries) != 0 {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	own, err := r.store.Event(t.Context(), "t", "own")
	if err != nil {
		t.Fatal(err)
	}
	if receipts[1].ID != "own" || !own.Event.Timestamp.Equal(r.clock.Now().Add(-time.Hour)) || !own.StoredAt.Equal(r.clock.Now()) {
		t.Errorf("stored %+v", own)
	}
}

// TestPublishTwice: the same event under the same ID is delivered once; another
// one is refused.
func TestPublishTwice(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	for i := range 3 {
		receipts, err := r.Publish(t.Context(), event("e"))
		if err != nil || receipts[0].ID != "e" || receipts[0].Duplicate != (i > 0) {
			t.Errorf("publication %d: %+v, %v", i, receipts, err)
		}
		r.clock.advance(time.Second) // a timestamp that was not given makes no difference
	}
	other := event("e")
	other.Data = []byte("2")
	if _, err := r.Publish(t.Context(), event("beside"), other); !errors.Is(err, sender.ErrConflict) {
		t.Errorf("another event of the same ID: %v, want ErrConflict", err)
	}
	r.publish("last")
	r.delivered("a", "e", "last")
	p.waitFor(t, 2)
}

// TestPublishKeepsNothingOfTheCaller: a caller may use its events again as
// soon as Publish has returned.
func TestPublishKeepsNothingOfTheCaller(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 1
	r := newRig(t, c)
	r.publish("before")
	<-h.entered
	batch := []webhook.Event{event("e1"), event("e2")}
	if _, err := r.Publish(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	for i := range batch {
		copy(batch[i].Data, `{"name":"XX"}`)
		batch[i] = webhook.Event{ID: "other", Type: "other", Data: []byte("0")}
	}
	h.letGo()
	r.delivered("a", "e1", "e2")
	for _, got := range p.all()[1:] {
		if want := `{"event":"message.created","timestamp":"2024-03-05T10:30:00Z","data":{"name":"` + got.id + `"},"signature":`; !strings.HasPrefix(string(got.body), want) {
			t.Errorf("%s was delivered as %s", got.id, got.body)
		}
	}
}

// TestPublishConcurrently: each event of many publishers at once is delivered
// once to each endpoint that wants it.
func TestPublishConcurrently(t *testing.T) {
	const publishers, each = 64, 20
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	var all sync.WaitGroup
	for n := range publishers {
		all.Go(func() {
			for i := range each {
				if _, err := r.Publish(t.Context(), event(fmt.Sprintf("p%d-%d", n, i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	until(t, "all are delivered", func() bool { return p.count() >= publishers*each })
	r.idle("a")
	times := make(map[string]int)
	for _, id := range p.ids() {
		times[id]++
	}
	if len(times) != publishers*each || p.count() != publishers*each {
		t.Errorf("%d events in %d requests, want %d", len(times), p.count(), publishers*each)
	}
}

// TestFanOut: one event to a hundred endpoints; each gets it once.
func TestFanOut(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers()
	for i := range 100 {
		c.Endpoints = append(c.Endpoints, sender.Endpoint{ID: fmt.Sprintf("e%02d", i), URL: fmt.Sprintf("%s/%02d", p.URL, i)})
	}
	r := newRig(t, c)
	r.publish("e1", "e2")
	p.waitFor(t, 200)
	times := make(map[string]int)
	for _, got := range p.all() {
		times[got.uri+" "+got.id]++
	}
	if len(times) != 200 {
		t.Errorf("%d endpoints and events, want 200", len(times))
	}
	r.delivered("e99", "e1", "e2")
}

// TestMatching: an event goes to the endpoints of its tenant that want its
// type; one that nobody wants is stored all the same.
func TestMatching(t *testing.T) {
	p := newPeer(t, nil)
	endpoint := func(id, tenant string, events ...string) sender.Endpoint {
		return sender.Endpoint{ID: id, Tenant: tenant, URL: p.URL + "/" + id, Events: events}
	}
	c := toPeers()
	c.Endpoints = []sender.Endpoint{endpoint("all", ""), endpoint("group", "", "message.*"), endpoint("exact", "", "label.created", "message.created"), endpoint("other", "t")}
	r := newRig(t, c)
	for _, test := range []struct {
		tenant, kind string
		want         []string
	}{
		{"", "message.created", []string{"all", "group", "exact"}},
		{"", "message.deleted", []string{"all", "group"}},
		{"", "label.created", []string{"all", "exact"}},
		{"", "agent.created", []string{"all"}},
		{"t", "agent.created", []string{"other"}},
		{"nobody", "agent.created", nil},
	} {
		receipts, err := r.Publish(t.Context(), webhook.Event{Type: test.kind, Tenant: test.tenant, Data: []byte("1")})
		if err != nil {
			t.Fatal(err)
		}
		record, err := r.store.Event(context.Background(), test.tenant, receipts[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range record.Deliveries {
			got = append(got, d.EndpointID)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s of tenant %q (-want +got):\n%s", test.kind, test.tenant, diff)
		}
	}
	until(t, "all are delivered", func() bool { return p.count() == 9 })
}

// TestCredentialsInURL: a user name and a password in an endpoint's URL are
// sent as HTTP sends them.
func TestCredentialsInURL(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p)
	c.Endpoints[0].URL = strings.Replace(p.URL, "http://", "http://aladdin:open%20sesame@", 1)
	r := newRig(t, c)
	r.publish("e")
	p.waitFor(t, 1)
	if got, want := p.all()[0].header.Get("Authorization"), "Basic YWxhZGRpbjpvcGVuIHNlc2FtZQ=="; got != want {
		t.Errorf("Authorization is %q, want %q", got, want)
	}
}
