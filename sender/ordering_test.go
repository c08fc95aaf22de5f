package sender_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestStrictOrdering: an endpoint that wants its events in order gets them one
// at a time, and none before the retry of an earlier one has ended, be it in
// success or in failure, also over a restart.
func TestStrictOrdering(t *testing.T) {
	failing := map[string]int{"c": 1, "e": 2, "f": 9} // how often each fails; f for good
	seen := map[string]int{}
	p := newPeer(t, nil)
	p.answer = func(w http.ResponseWriter, r *http.Request, _ int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		id := r.Header.Get("Webhook-Id")
		if seen[id]++; seen[id] <= failing[id] {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
	config := toPeers(p)
	config.Retry = []webhook.Duration{webhook.Duration(time.Minute), webhook.Duration(time.Minute)}
	config.Endpoints[0].Ordering = "strict"
	r := newRig(t, config)
	r.publish("a", "b", "c", "d", "e", "f", "g")

	want := []string{"a", "b", "c"}
	steps := []struct {
		waitFor string // whose retry is waited for now
		attempt int
		then    []string // what is attempted once it is due
	}{
		{"c", 1, []string{"c", "d", "e"}},
		{"e", 1, []string{"e"}},
		{"e", 2, []string{"e", "f"}},
		{"f", 1, []string{"f"}},
		{"f", 2, []string{"f", "g"}},
	}
	for i, step := range steps {
		d := r.settled(step.waitFor, "a", step.attempt)
		p.waitFor(t, len(want))
		if diff := cmp.Diff(want, p.ids()); diff != "" {
			t.Fatalf("step %d: wanted (-) and attempted (+) differ:\n%s", i, diff)
		}
		if i == 2 {
			r.restart()
		}
		r.clock.advanceTo(r.clock.alarm(t, d.Due))
		want = append(want, step.then...)
		p.waitFor(t, len(want))
	}
	r.delivered("a", "a", "b", "c", "d", "e", "g")
	if d := r.record("f", "a"); d.Status != sender.Failed {
		t.Errorf("f is %s, want failed", d.Status)
	}
	if diff := cmp.Diff(want, p.ids()); diff != "" {
		t.Errorf("wanted (-) and attempted (+) differ:\n%s", diff)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most != 1 {
		t.Errorf("%d deliveries were under way at once", p.most)
	}
}

// TestStrictOrderingOfMany: order holds when most deliveries wait in the store
// and many publish at once.
func TestStrictOrderingOfMany(t *testing.T) {
	sender.SetLaneLength(t, 4, 2)
	p := newPeer(t, nil)
	config := toPeers(p)
	config.Endpoints[0].Ordering = "strict"
	r := newRig(t, config)
	ids := numbered(200)
	for batch := range slices.Chunk(ids, 20) {
		events := make([]webhook.Event, 0, len(batch))
		for _, id := range batch {
			events = append(events, event(id))
		}
		if _, err := r.Publish(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
	}
	r.delivered("a", ids...)
	if diff := cmp.Diff(ids, p.ids()); diff != "" {
		t.Errorf("published (-) and delivered (+) differ:\n%s", diff)
	}
}

// TestStrictOrderingOfWhatIsPutBack: what waited in memory goes back to the store
// when there is nowhere to deliver it to. Until it is there, what came later must
// not be fetched out of the store and overtake it.
func TestStrictOrderingOfWhatIsPutBack(t *testing.T) {
	sender.SetLaneLength(t, 2, 2)
	answers := make(chan struct{})
	p := newPeer(t, func(_ http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			<-answers
		}
	})
	config := toPeers(p)
	config.Endpoints[0].Ordering = "strict"
	r, faulty := newFaultyRig(t, config)
	ids := numbered(6) // one under way, two in memory, three in the store
	r.publish(ids...)
	until(t, "the rest is in the store", func() bool { return r.Unsettled() == 0 })

	hangs := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(hangs) })
	t.Cleanup(letGo)
	faulty.call(func(f fault) error {
		if f == faultSettle {
			<-hangs
		}
		return nil
	})
	r.config.Endpoints = nil
	r.apply()
	r.config.Endpoints = config.Endpoints
	r.apply()
	close(answers)
	time.Sleep(50 * time.Millisecond) // in which it would happen
	letGo()
	r.delivered("a", ids...)
	if diff := cmp.Diff(ids, p.ids()); diff != "" {
		t.Errorf("published (-) and delivered (+) differ:\n%s", diff)
	}
}

// TestHeadersOfAnEndpoint: they are sent with every delivery, and cannot
// replace what the delivery sets itself.
func TestHeadersOfAnEndpoint(t *testing.T) {
	p := newPeer(t, nil)
	config := toPeers(p)
	config.Endpoints[0].Headers = map[string]string{"authorization": "Bearer x", "User-Agent": "acme/1", "idempotency-key": "ours"}
	r := newRig(t, config)
	r.publish("e")
	large := event("large") // which goes by another client
	large.Data = []byte(`"` + strings.Repeat("x", 100<<10) + `"`)
	if _, err := r.Publish(t.Context(), large); err != nil {
		t.Fatal(err)
	}
	r.delivered("a", "e", "large")
	for _, request := range p.all() {
		got := request.header
		if got.Get("Authorization") != "Bearer x" || got.Get("User-Agent") != "acme/1" || got.Get("Content-Type") != "application/json" || got.Get("Idempotency-Key") != "ours" {
			t.Errorf("the headers are %v", got)
		}
	}

	tests := []struct{ name, value, want string }{
		{"X Y", "a", `"X Y" is not the name of a header: use letters, digits and hyphens`},
		{"", "a", `"" is not the name of a header: use letters, digits and hyphens`},
		{"webhook-id", "a", `Webhook-Id is set by the delivery itself: remove it`},
		{"content-length", "5", `Content-Length is set by the delivery itself: remove it`},
		{"X-Key", "", `the value of X-Key is empty or holds characters that a header cannot have: set it to one line of text`},
		{"X-Key", "hidden\r\nX-Evil: 1", `the value of X-Key is empty or holds characters that a header cannot have: set it to one line of text`},
	}
	for _, tt := range tests {
		c := toPeers(p)
		c.Endpoints[0].Headers = map[string]string{tt.name: tt.value}
		if err := c.Validate(); err == nil || err.Error() != "invalid configuration: endpoint a: headers: "+tt.want {
			t.Errorf("%q: %q gives the error\n%v\nwant\n%s", tt.name, tt.value, err, tt.want)
		}
	}
	c := toPeers(p)
	c.Endpoints[0].Headers = map[string]string{"X-Key": "a", "x-key": "b"}
	if err := c.Validate(); err == nil || err.Error() != "invalid configuration: endpoint a: headers: X-Key stands twice: keep one" {
		t.Errorf("a header given twice: %v", err)
	}
	for _, o := range []struct {
		ordering    string
		concurrency int
		want        string
	}{
		{"fast", 0, `"fast" is unknown: write strict, or leave it out`},
		{"strict", 4, "strict delivers one at a time, but concurrency is 4: remove one of the two"},
	} {
		c := toPeers(p)
		c.Endpoints[0].Ordering, c.Endpoints[0].Concurrency = o.ordering, o.concurrency
		if err := c.Validate(); err == nil || err.Error() != "invalid configuration: endpoint a: ordering: "+o.want {
			t.Errorf("ordering %q: %v", o.ordering, err)
		}
	}
}
