package sender_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// jump sets the time, forward or back, as a person or NTP does: what was to
// happen after a while still happens after that while.
func (c *fakeClock) jump(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for timer := range c.timers {
		timer.at = timer.at.Add(d)
	}
}

// jumps are by how much clocks are set, and back again.
var jumps = []time.Duration{-24 * time.Hour, -time.Hour, -3 * time.Second, 3 * time.Second, time.Hour, 24 * time.Hour}

// TestClockSetWhileEventsWait: what waits to be delivered for the first time
// goes out at once, whatever the time is now, also after a restart; and what is
// published then follows it.
func TestClockSetWhileEventsWait(t *testing.T) {
	for _, d := range jumps {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s restart %t", d, restart), func(t *testing.T) {
				sender.SetLaneLength(t, 3, 3)
				h := newHanging(t)
				p := newPeer(t, h.answer)
				c := toPeers(p)
				c.Endpoints[0].Timeout, c.Endpoints[0].Concurrency = patience, 1
				r := newRig(t, c)
				before, after := numbered(10), []string{"after-1", "after-2", "after-3", "after-4", "after-5"}
				r.publish(before...)
				<-h.entered
				until(t, "the rest is in the store", func() bool { return r.Unsettled() == 0 })
				r.clock.jump(d)
				if restart {
					r.restart()
				}
				r.publish(after...)
				h.letGo()
				r.delivered("a", before...)
				r.delivered("a", after...)
				r.idle("a")
			})
		}
	}
}

// TestClockSetBeforeRetry: one that is to be retried is retried when its time
// has come by the clock: sooner when that is set forward, later when it is set
// back, and never several times at once.
func TestClockSetBeforeRetry(t *testing.T) {
	for _, d := range jumps {
		t.Run(d.String(), func(t *testing.T) {
			p := newPeer(t, status(http.StatusInternalServerError))
			c := toPeers(p)
			c.Retry = []webhook.Duration{webhook.Duration(time.Hour), webhook.Duration(time.Hour)}
			r := newRig(t, c)
			r.publish("e")
			p.waitFor(t, 1)
			due := r.settled("e", "a", 1).Due
			r.clock.jump(d)
			until(t, "it is retried", func() bool {
				if p.count() == 1 && r.clock.Now().Before(due.Add(-time.Minute)) {
					r.clock.advance(time.Minute)
				} else if p.count() == 1 {
					r.clock.advance(time.Second)
				}
				return p.count() > 1
			})
			at := r.clock.Now()
			if at.Before(due) {
				t.Errorf("it was retried at %s, and was due at %s", at, due)
			}
			p.waitFor(t, 2)
			next := r.settled("e", "a", 2).Due
			if wait := next.Sub(at); wait < 40*time.Minute || wait > 80*time.Minute {
				t.Errorf("the retry after that waits %s, want an hour, varied by 20 %%", wait)
			}
		})
	}
}

// TestClockSetAndDuplicates: an event that was published is known however the
// clock is set.
func TestClockSetAndDuplicates(t *testing.T) {
	r := newRig(t, toPeers(newPeer(t, nil)))
	r.publish("e")
	r.delivered("a", "e")
	for _, d := range jumps {
		r.clock.jump(d)
		receipts, err := r.Publish(t.Context(), event("e"))
		if err != nil || !receipts[0].Duplicate {
			t.Errorf("after %s: %+v, %v, want a duplicate", d, receipts, err)
		}
	}
}

// TestLeapDay: nothing special happens around days that not every year has.
func TestLeapDay(t *testing.T) {
	for _, begin := range []time.Time{
		time.Date(2024, 2, 28, 23, 59, 58, 0, time.UTC),
		time.Date(2024, 2, 29, 23, 59, 58, 0, time.UTC),
		time.Date(2024, 12, 31, 23, 59, 58, 0, time.UTC),
		time.Date(2100, 2, 28, 23, 59, 58, 0, time.UTC), // no leap year
	} {
		p := newPeer(t, statuses(500, 200))
		r := &rig{t: t, clock: newFakeClock(), config: toPeers(p)}
		r.clock.now = begin
		r.config.Retention = webhook.Duration(24 * time.Hour)
		r.open()
		r.start()
		r.publish("e")
		p.waitFor(t, 1)
		first := r.settled("e", "a", 1)
		if wait := first.Due.Sub(begin); wait < 4*time.Second || wait > 6*time.Second+time.Second {
			t.Errorf("from %s: the retry is due after %s, want 5s", begin, wait)
		}
		until(t, "it is retried", func() bool { r.clock.advance(time.Second); return p.count() == 2 })
		r.delivered("a", "e")
	}
}
