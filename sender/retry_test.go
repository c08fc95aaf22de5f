package sender_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestRetrySchedule follows a delivery through the whole default schedule to
// its end: every attempt is made when it is due, not before, and the waits are
// those of the schedule within 20 %.
func TestRetrySchedule(t *testing.T) {
	p := newPeer(t, status(500))
	r := newRig(t, toPeers(p))
	r.publish("e")
	for i, wait := range sender.DefaultRetry() {
		n := i + 1
		d := r.settled("e", "a", n)
		a := d.History[i]
		if d.Status != sender.Pending || a.Number != n || !a.StartedAt.Equal(r.clock.Now().Truncate(time.Millisecond)) {
			t.Fatalf("after attempt %d at %s: %s, %+v", n, r.clock.Now(), d.Status, a)
		}
		low, high := r.clock.Now().Add(time.Duration(wait)*8/10-time.Millisecond), r.clock.Now().Add(time.Duration(wait)*12/10)
		if d.Due.Before(low) || d.Due.After(high) {
			t.Fatalf("after attempt %d the next is due at %s, want %s to %s", n, d.Due, low, high)
		}
		// The breaker, which has opened at the fifth failure, may pause the
		// lane for longer than the wait.
		at := d.Due
		if i == 0 {
			at = r.clock.alarm(t, d.Due)
			r.clock.advanceTo(at.Add(-1))
			p.waitFor(t, n)
		}
		r.clock.advanceTo(at.Add(time.Millisecond))
		p.waitFor(t, n+1)
	}
	d := r.settled("e", "a", 10)
	if d.Status != sender.Failed || !d.Due.IsZero() {
		t.Errorf("after the last attempt: %s, due %s; want failed", d.Status, d.Due)
	}
	r.clock.advance(365 * 24 * time.Hour)
	r.publish("next") // by the time this one is attempted, the other would have been
	p.waitFor(t, 11)
	if ids := p.ids(); ids[10] != "next" {
		t.Errorf("a failed delivery was attempted again: %q", ids)
	}
}

// TestRetryOwnSchedule: an endpoint's own schedule, and success on the way.
func TestRetryOwnSchedule(t *testing.T) {
	p := newPeer(t, statuses(500, 404, 200))
	c := toPeers(p)
	c.Endpoints[0].Retry = []webhook.Duration{webhook.Duration(time.Minute), webhook.Duration(time.Hour)}
	r := newRig(t, c)
	r.publish("e")
	for n, longest := range []time.Duration{72 * time.Second, 72 * time.Minute} {
		d := r.settled("e", "a", n+1)
		if wait := d.Due.Sub(r.clock.Now()); wait > longest || wait < longest*2/3-time.Millisecond {
			t.Errorf("wait %d is %s, want %s at most", n+1, wait, longest)
		}
		r.clock.advanceTo(r.clock.alarm(t, d.Due))
		p.waitFor(t, n+2)
	}
	d := r.settled("e", "a", 3)
	if d.Status != sender.Succeeded {
		t.Errorf("after 500, 404 and 200: %s", d.Status)
	}
	for i, code := range []int{500, 404, 200} {
		if d.History[i].StatusCode != code || d.History[i].Number != i+1 {
			t.Errorf("attempt %d: %+v, want status %d", i+1, d.History[i], code)
		}
	}
	r.idle("a")
}

// TestRetryAfterHonoured: an endpoint that asks to be left alone is, for all
// of its deliveries, and not an instant shorter than it asked.
func TestRetryAfterHonoured(t *testing.T) {
	tests := []struct {
		name   string
		status int
		header func(now time.Time) string
		want   time.Duration
	}{
		{"429, seconds", 429, func(time.Time) string { return "3600" }, time.Hour},
		{"503, seconds", 503, func(time.Time) string { return "3600" }, time.Hour},
		{"429, date", 429, func(now time.Time) string { return now.Add(time.Hour).UTC().Format(http.TimeFormat) }, time.Hour},
		{"503, date", 503, func(now time.Time) string { return now.Add(time.Hour).UTC().Format(http.TimeFormat) }, time.Hour},
		{"more than a day", 503, func(time.Time) string { return strconv.Itoa(48 * 3600) }, 24 * time.Hour},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r *rig
			p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n == 1 {
					w.Header().Set("Retry-After", test.header(r.clock.Now()))
					w.WriteHeader(test.status)
				}
			})
			r = newRig(t, toPeers(p))
			r.publish("first")
			begin := r.clock.Now()
			d := r.settled("first", "a", 1)
			if d.Due.Before(begin.Add(test.want)) {
				t.Errorf("due %s later, want not before %s", d.Due.Sub(begin), test.want)
			}
			r.publish("second", "third")
			r.clock.alarm(t, begin.Add(test.want))
			r.clock.advanceTo(begin.Add(test.want - 1))
			r.idle("a")
			p.waitFor(t, 1)
			r.clock.advanceTo(begin.Add(test.want))
			r.delivered("a", "first", "second", "third")
			p.waitFor(t, 4)
			if d := r.record("second", "a"); d.Attempts != 1 {
				t.Errorf("the pause used up %d attempts", d.Attempts-1)
			}
		})
	}
}

// TestRetryAfterOfBrokenAnswer: an endpoint that asks to be left alone, and ends its
// answer early, is left alone.
func TestRetryAfterOfBrokenAnswer(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		hijack(t, w, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nContent-Length: 100\r\n\r\nslow down")
	})
	r := newRig(t, toPeers(p))
	r.publish("e")
	if d := r.settled("e", "a", 1); d.Due.Before(r.clock.Now().Add(time.Hour)) {
		t.Errorf("due %s later, want not before an hour", d.Due.Sub(r.clock.Now()))
	}
	if info := r.info("a"); info.State != sender.StatePaused || !info.PausedUntil.Equal(r.clock.Now().Add(time.Hour)) {
		t.Errorf("it is %s until %s, want a pause of an hour", info.State, info.PausedUntil)
	}
}

// TestRetryAfterShorterThanSchedule: the endpoint may ask for later, not for
// sooner.
func TestRetryAfterShorterThanSchedule(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(503)
	})
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
	r := newRig(t, c)
	r.publish("e")
	if d := r.settled("e", "a", 1); d.Due.Before(r.clock.Now().Add(48 * time.Minute)) {
		t.Errorf("due after %s, want the schedule's hour", d.Due.Sub(r.clock.Now()))
	}
}

// TestBreakerPausesLane: after five failures in a row nothing is attempted for
// 30 s; then one probe is, alone, and its success opens the lane for all that
// has waited, none of which has lost an attempt.
func TestBreakerPausesLane(t *testing.T) {
	probing := make(chan struct{})
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 6 {
			<-probing
		}
		w.WriteHeader(map[bool]int{true: 500, false: 200}[n <= 5])
	})
	t.Cleanup(func() { // also when the test fails
		select {
		case <-probing:
		default:
			close(probing)
		}
	})
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
	r := newDrawnRig(t, c, sender.Unchanged)
	r.fail("a", numbered(5)...)
	begin := r.clock.Now()
	waiting := numbered(40)[5:]
	r.publish(waiting...)
	r.idle("a")
	p.waitFor(t, 5)
	r.clock.advanceTo(begin.Add(30*time.Second - 1))
	r.idle("a")
	p.waitFor(t, 5)

	r.clock.advanceTo(r.clock.alarm(t, begin.Add(30*time.Second)))
	p.waitFor(t, 6)
	until(t, "deliveries wait behind the probe", func() bool {
		_, running := r.Waiting("a")
		return running == 1
	})
	p.waitFor(t, 6)
	if waiting, _ := r.Waiting("a"); waiting > 2 {
		t.Errorf("%d deliveries were claimed while only one can be attempted", waiting)
	}
	close(probing)
	r.delivered("a", waiting...)
	for _, id := range waiting {
		if d := r.record(id, "a"); d.Attempts != 1 {
			t.Errorf("%s took %d attempts, want 1", id, d.Attempts)
		}
	}
	if first := p.ids()[5]; first != waiting[0] {
		t.Errorf("the probe was %s, want the oldest, %s", first, waiting[0])
	}
	r.idle("a")
}

// TestBreakerProbeFails: a failed probe doubles the pause.
func TestBreakerProbeFails(t *testing.T) {
	p := newPeer(t, status(500))
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(24 * time.Hour)}
	r := newDrawnRig(t, c, sender.Unchanged)
	ids := numbered(20)
	r.fail("a", ids[:5]...)
	r.publish(ids[5:]...)
	for i, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
		at := r.clock.alarm(t, r.clock.Now().Add(pause))
		r.clock.advanceTo(at.Add(-1))
		p.waitFor(t, 5+i)
		r.clock.advanceTo(at)
		p.waitFor(t, 6+i)
		r.idle("a")
		p.waitFor(t, 6+i)
	}
	if ids := p.ids(); !slices.IsSorted(ids) {
		t.Errorf("the probes were not the oldest: %q", ids)
	}
}

// TestBreakerDraws: the sender's source of randomness varies the pause.
func TestBreakerDraws(t *testing.T) {
	for draw, pause := range map[sender.Draw]time.Duration{sender.Shortest: 24 * time.Second, sender.Longest: 36 * time.Second} {
		p := newPeer(t, status(500))
		r := newDrawnRig(t, toPeers(p), draw)
		r.fail("a", numbered(5)...)
		if got := r.info("a").PausedUntil.Sub(r.clock.Now()); got != pause {
			t.Errorf("draw %d: the pause is %s, want %s", draw, got, pause)
		}
	}
}

// TestTestEndsPause: a test that succeeds ends the breaker's pause, and all that
// has waited goes out; one that fails does not, nor does a success end a rest
// that the endpoint has asked for.
func TestTestEndsPause(t *testing.T) {
	for _, test := range []struct {
		name        string
		rest        string // Retry-After
		test, probe int    // what they are answered
		wantPaused  time.Duration
	}{
		{"it is back", "", 200, 200, 0},
		{"it is not", "", 500, 500, 30 * time.Second},
		{"it fails again", "", 200, 500, time.Minute},
		{"it wants a rest", "600", 200, 200, 10 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPeer(t, func(w http.ResponseWriter, r *http.Request, n int) {
				switch {
				case n <= 5:
					if n == 5 && test.rest != "" {
						w.Header().Set("Retry-After", test.rest)
					}
					w.WriteHeader(http.StatusServiceUnavailable)
				case strings.HasPrefix(r.Header.Get("webhook-id"), "event-"):
					w.WriteHeader(test.probe)
				default:
					w.WriteHeader(test.test)
				}
			})
			c := toPeers(p)
			c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
			r := newDrawnRig(t, c, sender.Unchanged)
			r.fail("a", numbered(5)...)
			waiting := numbered(10)[5:]
			r.publish(waiting...)
			r.idle("a")
			report, err := r.TestEndpoint(t.Context(), "", "a", "message.created")
			if err != nil || report.OK != (test.test == 200) {
				t.Fatalf("the test: OK %t, %v", report.OK, err)
			}
			switch {
			case test.wantPaused == 0:
				r.delivered("a", waiting...)
				r.wantState("a", sender.StateActive)
				return
			case test.probe == 500 && test.test == 200:
				r.settled(waiting[0], "a", 1)
			}
			r.idle("a")
			if got := r.info("a").PausedUntil.Sub(r.clock.Now()); got != test.wantPaused {
				t.Errorf("paused for %s, want %s", got, test.wantPaused)
			}
			if r.record(waiting[1], "a").Attempts > 0 {
				t.Error("more than one delivery was tried")
			}
		})
	}
}

// TestGone: 410 stops an endpoint; its deliveries wait, none is lost or
// failed, and they go on once the endpoint is changed.
func TestGone(t *testing.T) {
	gone, moved := newPeer(t, status(410)), newPeer(t, nil)
	r := newRig(t, toPeers(gone))
	r.publish("first")
	if d := r.settled("first", "a", 1); d.Status != sender.Pending {
		t.Errorf("the delivery that was answered 410 is %s, want pending", d.Status)
	}
	r.publish("second", "third")
	r.clock.advance(1000 * time.Hour)
	r.apply() // no change: no new start
	r.idle("a")
	gone.waitFor(t, 1)

	r.config.Endpoints = toPeers(moved).Endpoints
	r.apply()
	r.delivered("a", "first", "second", "third")
	gone.waitFor(t, 1)
	moved.waitFor(t, 3)
	if d := r.record("first", "a"); d.Attempts != 2 {
		t.Errorf("the delivery that was answered 410 took %d attempts, want 2", d.Attempts)
	}
	r.idle("a")
}

// TestBlocked: what the egress rules refuse is not retried, until they change.
func TestBlocked(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p)
	c.Endpoints[0].URL = localhost(t, p)
	c.Egress.Allow = nil
	r := newRig(t, c)
	r.publish("e")
	d := r.settled("e", "a", 1)
	if a := d.History[0]; d.Status != sender.Blocked || a.Verdict != sender.VerdictBlocked || a.StatusCode != 0 {
		t.Fatalf("%s, %+v", d.Status, a)
	}
	want := "blocked by the egress rules: localhost is at 127.0.0.1, which is loopback: allow the host or the address in egress if that is meant"
	other := "blocked by the egress rules: localhost is at ::1, which is loopback: allow the host or the address in egress if that is meant"
	if got := d.History[0].Error; got != want && got != other {
		t.Errorf("the error is %q, want %q", got, want)
	}
	r.clock.advance(1000 * time.Hour)
	r.apply() // no change
	r.idle("a")
	if d := r.record("e", "a"); d.Status != sender.Blocked || d.Attempts != 1 {
		t.Errorf("without a change: %s after %d attempts", d.Status, d.Attempts)
	}
	r.config.Egress.Allow = []string{"localhost"}
	r.apply()
	r.delivered("a", "e")
	p.waitFor(t, 1)
	r.idle("a")
}

// localhost is the peer's URL by the name that resolves to its address.
func localhost(t *testing.T, p *peer) string {
	t.Helper()
	const prefix = "http://127.0.0.1:"
	if len(p.URL) <= len(prefix) || p.URL[:len(prefix)] != prefix {
		t.Fatalf("the peer is at %s, want %s", p.URL, prefix)
	}
	return "http://localhost:" + p.URL[len(prefix):] + "/hooks"
}
