package receiver

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// jumps are by how much the clock is set.
var jumps = []time.Duration{-24 * time.Hour, -time.Hour, -time.Second, time.Second, time.Hour, 6 * time.Hour}

// TestClockSetAndDuplicates: what was processed stays known, however the clock is
// set within the TTL, also over a restart, and is forgotten in the end. The
// clock of this test has no monotonic reading, as that of a new process.
func TestClockSetAndDuplicates(t *testing.T) {
	const ttl = 24 * time.Hour
	for _, d := range jumps {
		for _, restart := range []bool{false, true} {
			path := filepath.Join(t.TempDir(), "seen")
			tick := newClock()
			s := openAt(t, path, tick.Now)
			process(t, s, ttl, numberedKey(0))
			tick.advance(d)
			process(t, s, ttl, numberedKey(1))
			if restart {
				s.Close()
				s = openAt(t, path, tick.Now)
			}
			if got := known(s, 3); len(got) != 2 {
				t.Errorf("set by %s, restart %t: known are %v, want 0 and 1", d, restart, got)
			}
			tick.advance(-d)
			if got := known(s, 3); len(got) != 2 {
				t.Errorf("set by %s and back, restart %t: known are %v, want 0 and 1", d, restart, got)
			}
			tick.advance(3 * ttl)
			s.seen.settle()
			if got := known(s, 3); len(got) != 0 {
				t.Errorf("set by %s, restart %t: after three TTLs known are %v", d, restart, got)
			}
			s.Close()
		}
	}
}

// TestClockWrongAndTolerance: while the clock is wrong by more than the tolerance
// every request is refused, and nothing is remembered of that: when the clock
// is right again the provider's retry gets through, once.
func TestClockWrongAndTolerance(t *testing.T) {
	for _, d := range []time.Duration{-time.Hour, time.Hour} {
		b := newBench(t, testConfig("standard"))
		r := b.signed(t, 1)
		b.clock.advance(d)
		if w, err := b.send(r); err == nil && w.Code != http.StatusUnauthorized || b.calls != 0 {
			t.Errorf("the clock is off by %s: answered %d, %v, calls %d, want 401", d, w.Code, err, b.calls)
		}
		b.clock.advance(-d)
		b.mustAccept(t, b.signed(t, 1))
		if _, err := b.send(b.signed(t, 1)); err != nil || b.calls != 1 {
			t.Errorf("again: %v, %d calls, want 1", err, b.calls)
		}
	}
}

// TestClockSetAndLimit: a limit gives no more than its burst when the clock is
// set, and goes on from there. Set back, it waits for the clock of this test;
// that of a process does not go back, since it has a monotonic reading.
func TestClockSetAndLimit(t *testing.T) {
	rate := webhook.Rate{Events: 60, Per: webhook.Duration(time.Minute), Burst: 3}
	for _, d := range jumps {
		tick := newClock()
		l := newLimits[sourceKey](tick.Now)
		if got := pass(l, named("a"), rate, 10); got != 3 {
			t.Fatalf("%d pass at once, want the burst of 3", got)
		}
		tick.advance(d)
		if got := pass(l, named("a"), rate, 10); got > 3 {
			t.Errorf("set by %s: %d pass, want at most the burst of 3", d, got)
		}
		tick.advance(max(-d, 0) + 2*time.Second)
		if got := pass(l, named("a"), rate, 10); got != 2 && d < 0 || got < 2 {
			t.Errorf("set by %s: %d pass two seconds later, want 2", d, got)
		}
	}
}
