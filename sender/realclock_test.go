package sender_test

import (
	"fmt"
	"net"
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

// TestRealClock takes events to endpoints that answer in every way, in the
// computer's own time and with nothing of the sender replaced: each delivery
// ends as the answers say. It guards against what a clock that stands still
// hides, such as waits that are counted in another unit or from another time
// than the alarms for them.
func TestRealClock(t *testing.T) {
	wait := webhook.Duration(100 * time.Millisecond)
	elsewhere := newPeer(t, nil)
	peers := []struct {
		id      string
		answer  func(w http.ResponseWriter, r *http.Request, n int) // n counts the attempts of an event
		retry   []webhook.Duration
		timeout time.Duration

		status  sender.Status
		history []string // how each attempt ended
	}{
		{
			id: "working", answer: status(204),
			status: sender.Succeeded, history: []string{"succeeded 204 "},
		},
		{
			id: "recovering", answer: statuses(500, 200),
			status: sender.Succeeded, history: []string{"retry 500 the endpoint answered 500", "succeeded 200 "},
		},
		{
			id: "refusing", answer: status(400), retry: []webhook.Duration{wait},
			status:  sender.Failed,
			history: slices.Repeat([]string{"retry 400 the endpoint answered 400"}, 2),
		},
		{
			id: "moved", retry: []webhook.Duration{wait}, answer: func(w http.ResponseWriter, r *http.Request, _ int) {
				http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
			},
			status:  sender.Failed,
			history: slices.Repeat([]string{"retry 307 the endpoint answered 307: redirects are not followed, so set the endpoint's URL to the final one"}, 2),
		},
		{
			id: "busy", answer: func(w http.ResponseWriter, _ *http.Request, n int) {
				if n > 1 {
					w.WriteHeader(http.StatusNoContent)
					return
				}
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
			},
			status: sender.Succeeded, history: []string{"retry 503 the endpoint answered 503", "succeeded 204 "},
		},
		{
			id: "gone", answer: status(410),
			status: sender.Pending, history: []string{"gone 410 the endpoint answered 410"},
		},
		{
			id: "slow", retry: []webhook.Duration{wait}, timeout: 200 * time.Millisecond,
			answer: func(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() },
			status: sender.Failed, history: slices.Repeat([]string{"retry 0 no complete answer in time: the limit is 200ms"}, 2),
		},
		{
			id: "resetting", answer: func(w http.ResponseWriter, _ *http.Request, n int) {
				if n > 1 {
					// On a kept connection the reset would not count: the request
					// would be sent again over another.
					w.Header().Set("Connection", "close")
					w.WriteHeader(http.StatusNoContent)
					return
				}
				reset(t, w)
			},
			status: sender.Succeeded, history: []string{"retry 0 the connection broke", "succeeded 204 "},
		},
	}
	c := toPeers()
	c.Retry = []webhook.Duration{wait, wait, wait}
	byID := make(map[string]*peer)
	for _, p := range peers {
		byID[p.id] = newPeer(t, eachEvent(p.answer))
		c.Endpoints = append(c.Endpoints, sender.Endpoint{
			ID: p.id, URL: byID[p.id].URL, Secrets: []string{secretText}, Retry: p.retry, Timeout: webhook.Duration(p.timeout),
		})
	}
	r := &rig{t: t, config: c}
	r.open()
	r.start()

	r.publish("first")
	r.settled("first", "busy", 1)
	r.settled("first", "gone", 1)
	r.publish("second")

	for _, p := range peers {
		for _, event := range []string{"first", "second"} {
			status, history := p.status, p.history
			if p.id == "gone" && event == "second" { // nothing more is sent there
				history = nil
			}
			until(t, event+" has come to its end at "+p.id, func() bool {
				d := r.record(event, p.id)
				return d.Status == status && len(d.History) == len(history)
			})
			var got []string
			for i, a := range r.record(event, p.id).History {
				got = append(got, attemptText(&a))
				if a.Number != i+1 {
					t.Errorf("%s at %s: attempt %d has the number %d", event, p.id, i+1, a.Number)
				}
			}
			if diff := cmp.Diff(history, got); diff != "" {
				t.Errorf("%s at %s (-want +got):\n%s", event, p.id, diff)
			}
		}
		// The wait is varied by a fifth, and the store keeps milliseconds.
		least := 75 * time.Millisecond
		if p.id == "busy" {
			least = time.Second
		}
		last := make(map[string]time.Time)
		for _, got := range byID[p.id].all() {
			if before, found := last[got.id]; found && got.at.Sub(before) < least {
				t.Errorf("%s came again to %s after %s, want at least %s", got.id, p.id, got.at.Sub(before), least)
			}
			last[got.id] = got.at
		}
	}
	// The pause is the endpoint's, and not only that of the event it refused.
	busy := byID["busy"].all()
	if pause := busy[1].at.Sub(busy[0].at); pause < time.Second {
		t.Errorf("the endpoint asked to be left alone for 1s; the next request came after %s", pause)
	}
	info, err := r.Endpoint(t.Context(), "", "gone")
	if err != nil || info.State != sender.StateDisabled {
		t.Errorf("the endpoint that answered 410 is %s (%v), want disabled", info.State, err)
	}
	if n := byID["gone"].count(); n != 1 {
		t.Errorf("the endpoint that answered 410 got %d requests, want 1", n)
	}
	if n := elsewhere.count(); n != 0 {
		t.Errorf("redirects were followed %d times", n)
	}
}

// eachEvent answers every request by how many there were of its event.
func eachEvent(answer func(w http.ResponseWriter, r *http.Request, n int)) func(http.ResponseWriter, *http.Request, int) {
	var mu sync.Mutex
	seen := make(map[string]int)
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		id := r.Header.Get("webhook-id")
		mu.Lock()
		seen[id]++
		n := seen[id]
		mu.Unlock()
		answer(w, r, n)
	}
}

// attemptText is how an attempt ended, in words that do not vary.
func attemptText(a *sender.Attempt) string {
	text := a.Error
	if a.StatusCode == 0 && strings.Contains(text, "127.0.0.1") {
		text = "the connection broke"
	}
	return fmt.Sprintf("%s %d %s", a.Verdict, a.StatusCode, text)
}

// reset ends a connection as a peer that crashes does.
func reset(t *testing.T, w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		t.Error(err)
	}
	_ = conn.Close()
}
