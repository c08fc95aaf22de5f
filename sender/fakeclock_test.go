package sender_test

import (
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// fakeClock is a [sender.Clock] that stands still until it is advanced.
type fakeClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*fakeTimer]struct{}
}

type fakeTimer struct {
	at time.Time
	f  func()
}

var _ sender.Clock = (*fakeClock)(nil)

func newFakeClock() *fakeClock {
	return &fakeClock{
		now:    time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC),
		timers: make(map[*fakeTimer]struct{}),
	}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) AfterFunc(d time.Duration, f func()) (stop func()) {
	if d <= 0 {
		go f()
		return func() {}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := &fakeTimer{at: c.now.Add(d), f: f}
	c.timers[timer] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.timers, timer)
	}
}

// advance moves the time and calls what has become due.
func (c *fakeClock) advance(d time.Duration) { c.advanceTo(c.Now().Add(d)) }

// advanceTo moves the time forward, and calls what is due until then.
func (c *fakeClock) advanceTo(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.After(c.now) {
		c.now = t
	}
	for timer := range c.timers {
		if !timer.at.After(c.now) {
			delete(c.timers, timer)
			go timer.f()
		}
	}
}

// alarm waits until something is to happen at a time within a millisecond of
// the one given, and returns when exactly.
func (c *fakeClock) alarm(t *testing.T, at time.Time) (exactly time.Time) {
	t.Helper()
	until(t, "something is to happen at "+at.Format(time.RFC3339Nano), func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for timer := range c.timers {
			if d := timer.at.Sub(at); -time.Millisecond <= d && d <= time.Millisecond {
				exactly = timer.at
				return true
			}
		}
		return false
	})
	return exactly
}

// until waits for something that other goroutines do. The time that it gives
// them is only the end of a test that hangs.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for begin := time.Now(); !done(); time.Sleep(500 * time.Microsecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("waited a minute in vain until %s", what)
		}
	}
}
