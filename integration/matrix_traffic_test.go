package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// tally is a site that counts what it is sent, by event ID.
type tally struct {
	*httptest.Server

	mu   sync.Mutex
	n    map[string]int
	hold map[string]chan struct{} // requests that are answered when it is closed
}

func newTally(t *testing.T) *tally {
	t.Helper()
	s := &tally{n: make(map[string]int), hold: make(map[string]chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *tally) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // broken off: not received
	}
	id := r.Header.Get("Webhook-Id")
	s.mu.Lock()
	s.n[id]++
	held := s.hold[id]
	s.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}
}

// holdBack has requests with an event answered only when it is told to.
func (s *tally) holdBack(t *testing.T, id string) (letGo func()) {
	t.Helper()
	held := make(chan struct{})
	letGo = sync.OnceFunc(func() { close(held) })
	t.Cleanup(letGo)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold[id] = held
	return letGo
}

// count is how many times an event has come.
func (s *tally) count(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n[id]
}

// counts is how many times each event has come.
func (s *tally) counts() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.n)
}

// size is how many events have come.
func (s *tally) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.n)
}

// traffic publishes events and sends signed ones to the receiver, each of those
// twice, from several connections at once.
type traffic struct {
	scene    *scene
	wobbly   bool // Caddy may be away for a while, so that requests are in vain
	crashes  bool // and what was under way may be done again
	stop     chan struct{}
	running  sync.WaitGroup
	mu       sync.Mutex
	accepted map[string]bool // published, and answered that they are taken in
	received map[string]bool // sent to the receiver, and answered that they are processed
	unsure   map[string]bool // sent again, because the connection was closed without an answer
	wrong    []string        // answers that should not have been
	serial   int
}

func newTraffic(s *scene) *traffic {
	return &traffic{scene: s, accepted: make(map[string]bool), received: make(map[string]bool), unsure: make(map[string]bool)}
}

// start begins, or goes on.
func (tr *traffic) start() {
	tr.stop = make(chan struct{})
	secret, err := webhook.ParseSecret(testSecret)
	if err != nil {
		tr.scene.t.Fatal(err)
	}
	for range 3 {
		tr.running.Go(func() { tr.each(tr.publish) })
		tr.running.Go(func() { tr.each(func(id string) { tr.receive(secret, id) }) })
	}
	tr.scene.t.Cleanup(tr.pause)
}

// pause ends what is under way.
func (tr *traffic) pause() {
	select {
	case <-tr.stop:
	default:
		close(tr.stop)
	}
	tr.running.Wait()
}

func (tr *traffic) each(do func(id string)) {
	for {
		select {
		case <-tr.stop:
			return
		default:
		}
		tr.mu.Lock()
		tr.serial++
		id := fmt.Sprintf("evt_traffic_%d", tr.serial)
		tr.mu.Unlock()
		do(id)
	}
}

// answer sends a request until it is answered, as a publisher or a provider
// does; nil when that has no purpose any more.
func (tr *traffic) answer(id string, request func(ctx context.Context) (*http.Request, error)) *http.Response {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		req, err := request(ctx)
		if err != nil {
			tr.fail("%s: %v", id, err)
			return nil
		}
		resp, err := oneOff.Do(req)
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			return resp
		}
		tr.mu.Lock()
		tr.unsure[id] = true
		tr.mu.Unlock()
		if tr.wobbly {
			select {
			case <-tr.stop:
				return nil
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	tr.fail("%s: no answer", id)
	return nil
}

func (tr *traffic) fail(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.wrong = append(tr.wrong, fmt.Sprintf(format, args...))
}

// publish publishes an event.
func (tr *traffic) publish(id string) {
	resp := tr.answer(id, func(ctx context.Context) (*http.Request, error) {
		body := fmt.Sprintf(`{"id":%q,"event":"message.created","data":{}}`, id)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+tr.scene.site+"/events", bytes.NewBufferString(body))
		if err == nil {
			req.Header.Set("Content-Type", "application/json")
		}
		return req, err
	})
	switch {
	case resp == nil:
	case resp.StatusCode == http.StatusAccepted, resp.StatusCode == http.StatusOK && tr.isUnsure(id):
		tr.mu.Lock()
		tr.accepted[id] = true
		tr.mu.Unlock()
	case resp.StatusCode == http.StatusServiceUnavailable && tr.wobbly:
	default:
		tr.fail("publishing %s was answered %d", id, resp.StatusCode)
	}
}

// receive sends an event to the receivers, and a copy of it.
func (tr *traffic) receive(secret *webhook.Secret, id string) {
	for i, site := range []string{tr.scene.site, tr.scene.other} {
		resp := tr.answer(id, signedRequest(secret, "http://"+site+"/hooks", id))
		if resp == nil {
			return
		}
		duplicate := resp.Header.Get("Webhook-Duplicate") == "true"
		switch {
		case resp.StatusCode == http.StatusOK && (duplicate == (i > 0) || tr.isUnsure(id)):
			tr.mu.Lock()
			tr.received[id] = true
			tr.mu.Unlock()
		case resp.StatusCode >= 500 && tr.wobbly:
			return
		default:
			tr.fail("copy %d of %s was answered %d, duplicate %t", i+1, id, resp.StatusCode, duplicate)
		}
	}
}

// signedRequest makes a request with an event that is signed.
func signedRequest(secret *webhook.Secret, url, id string) func(context.Context) (*http.Request, error) {
	return func(ctx context.Context) (*http.Request, error) {
		body := []byte(`{"type":"message.created","timestamp":"2024-03-05T10:30:00Z","data":{}}`)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err == nil {
			webhook.SetHeaders(req.Header, []webhook.Signer{secret}, id, time.Now(), body)
		}
		return req, err
	}
}

func (tr *traffic) isUnsure(id string) bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.unsure[id]
}

// more waits until n more events have gone each way.
func (tr *traffic) more(n int) {
	tr.scene.t.Helper()
	sizes := func() (int, int) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		return len(tr.accepted), len(tr.received)
	}
	accepted, received := sizes()
	waitFor(tr.scene.t, "events to go both ways", func() bool {
		a, r := sizes()
		return a >= accepted+n && r >= received+n
	})
}

// check holds what has arrived against what was taken in, when there is no
// traffic: nothing is missing, nothing came twice without a reason, and no
// answer was wrong.
func (tr *traffic) check(when string) {
	t := tr.scene.t
	t.Helper()
	waitFor(t, when+": every accepted event to arrive", func() bool { return tr.missing() == 0 })
	for _, s := range []struct {
		who    string
		counts map[string]int
	}{{"the customer", tr.scene.customer.counts()}, {"the application", tr.scene.application.counts()}} {
		for id, n := range s.counts {
			if n > 1 && !tr.crashes {
				t.Errorf("%s: %s got %s %d times", when, s.who, id, n)
			}
		}
	}
	for id := range tr.received {
		if tr.scene.application.count(id) == 0 {
			t.Errorf("%s: %s counts as processed, and the application has not got it", when, id)
		}
	}
	for _, sentence := range tr.wrong {
		t.Errorf("%s: %s", when, sentence)
	}
	tr.wrong = nil
}

// missing is how many accepted events have not arrived.
func (tr *traffic) missing() (n int) {
	counts := tr.scene.customer.counts()
	for id := range tr.accepted {
		if counts[id] == 0 {
			n++
		}
	}
	return n
}
