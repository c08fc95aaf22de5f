package sender_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestReachedElsewhere: an endpoint that one instance cannot reach is not given
// up while another one reaches it, and is when none does.
func TestReachedElsewhere(t *testing.T) {
	for name, ordering := range map[string]string{"shared": "", "exclusive": "strict"} {
		t.Run(name, func(t *testing.T) {
			var down atomic.Bool
			p := newPeer(t, nil)
			p.answer = func(w http.ResponseWriter, _ *http.Request, _ int) {
				if down.Load() {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}
			c := toPeers()
			c.Egress.Allow = append(c.Egress.Allow, "customer.test")
			c.DisableAfter = webhook.Duration(24 * time.Hour)
			c.Retry = slices.Repeat([]webhook.Duration{webhook.Duration(10 * time.Minute)}, 2000)
			f := newFleet(t, 2, c)
			a, b := f.all[0], f.all[1]
			found := func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			a.SetLookup(found)
			b.SetLookup(func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") })
			id := a.create(sender.Endpoint{URL: strings.Replace(p.URL, "127.0.0.1", "customer.test", 1), Ordering: ordering})
			b.state(id, sender.StateActive)
			days := func(n int, what string, done func() bool) bool {
				end := f.clock.Now().Add(time.Duration(n) * 24 * time.Hour)
				for f.clock.Now().Before(end) {
					if done() {
						return true
					}
					f.clock.advance(15 * time.Minute)
					event := what + f.clock.Now().Format("20060102T150405")
					a.publish(event + "-at-A")
					b.publish(event + "-at-B")
					f.agree()
					f.quiet(id)
				}
				return done()
			}
			disabled := func() bool {
				return slices.ContainsFunc(f.others(nil), func(i *instance) bool { return i.isDisabled(id) })
			}
			if days(2, "up-", disabled) {
				t.Fatal("it was given up, and one instance reaches it")
			}
			info, err := b.Endpoint(t.Context(), "", id)
			if err != nil || ordering == "" && f.clock.Now().Sub(info.LastSuccessAt) > time.Hour {
				t.Errorf("the one that cannot reach it knows of a success at %s, and it is %s (%v)", info.LastSuccessAt, f.clock.Now(), err)
			}
			down.Store(true)
			if !days(3, "down-", disabled) {
				t.Fatal("it is not given up, and no instance reaches it")
			}
			f.eventually(time.Second, "all know that it was given up", func() bool {
				return a.isDisabled(id) && b.isDisabled(id)
			})
			down.Store(false)
			b.SetLookup(found)
			if _, err := b.Activate(t.Context(), "", id); err != nil {
				t.Fatal(err)
			}
			a.state(id, sender.StateActive)
			f.eventually(time.Minute, "what waited is delivered", func() bool {
				counts, err := a.store.Pending(t.Context())
				return err == nil && len(counts) == 0
			})
		})
	}
}

// TestGoneEverywhere: an endpoint that answers 410 to one instance is disabled
// for all.
func TestGoneEverywhere(t *testing.T) {
	var back atomic.Bool
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !back.Load() {
			w.WriteHeader(http.StatusGone)
		}
	})
	f := newFleet(t, 2, toPeers(p))
	a, b := f.all[0], f.all[1]
	a.publish("first")
	a.state("a", sender.StateDisabled)
	b.state("a", sender.StateDisabled)
	f.quiet("a")
	before := p.count() // either may have tried it before it knew
	b.publish("second")
	f.agree()
	p.waitFor(t, before)
	back.Store(true)
	if _, err := b.Activate(t.Context(), "", "a"); err != nil {
		t.Fatal(err)
	}
	a.state("a", sender.StateActive)
	f.eventually(time.Second, "both are delivered", func() bool {
		return a.record("first", "a").Status == sender.Succeeded && a.record("second", "a").Status == sender.Succeeded
	})
}

// TestEnabledByConfigurationIsToldOnceByAll: of instances that are given a
// configuration one after the other, in which an endpoint that was given up has
// other settings, the first tells that it is active again.
func TestEnabledByConfigurationIsToldOnceByAll(t *testing.T) {
	p := newPeer(t, statuses(410, 200))
	f := openFleet(t, toPeers(p))
	var out lockedBuffer
	f.logger = slog.New(slog.NewTextHandler(&out, nil))
	a, b := f.join(), f.join()
	a.publish("first")
	a.state("a", sender.StateDisabled)
	b.state("a", sender.StateDisabled)
	f.quiet("a")
	f.eventually(time.Second, "both know that it was given up", func() bool { return a.KnownDisabled("a") && b.KnownDisabled("a") })
	for _, i := range []*instance{a, b} {
		i.config.Endpoints = []sender.Endpoint{f.config.Endpoints[0]}
		i.config.Endpoints[0].Description = "mended"
		i.apply()
		i.state("a", sender.StateActive)
		f.eventually(time.Second, "both know what is stored", func() bool { return !a.KnownDisabled("a") && !b.KnownDisabled("a") })
	}
	if n := strings.Count(out.String(), "endpoint enabled"); n != 1 {
		t.Errorf("it was told %d times, want once:\n%s", n, out.String())
	}
}

// TestActivatedByASlowClock guards that an endpoint which a person has activated at
// one instance is active at all, also when it was activated before at another one
// whose clock is ahead.
func TestActivatedByASlowClock(t *testing.T) {
	var back atomic.Bool
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !back.Load() {
			w.WriteHeader(http.StatusGone)
		}
	})
	f := openFleet(t, toPeers(p))
	slow := f.join()
	ahead := newFakeClock()
	ahead.advance(time.Minute)
	f.clock = ahead
	fast := f.join()
	both := func(step time.Duration, want sender.State, what string) {
		t.Helper()
		f.eventually(step, what, func() bool {
			slow.clock.advance(step)
			for _, i := range f.all {
				if info, err := i.Endpoint(t.Context(), sender.AnyTenant, "a"); err != nil || info.State != want {
					return false
				}
			}
			return true
		})
	}
	fast.publish("first")
	both(time.Second, sender.StateDisabled, "it is given up")
	if _, err := fast.Activate(t.Context(), "", "a"); err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, 2) // it answers 410 again
	both(10*time.Millisecond, sender.StateDisabled, "it is given up again")
	f.agree()
	back.Store(true)
	if _, err := slow.Activate(t.Context(), "", "a"); err != nil {
		t.Fatal(err)
	}
	both(10*time.Millisecond, sender.StateActive, "it is active everywhere")
}

// TestTestEndsAllPauses: a test that succeeds at one instance ends the pauses of
// the others as well.
func TestTestEndsAllPauses(t *testing.T) {
	var back atomic.Bool
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !back.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
	f := newFleet(t, 2, c)
	a, b := f.all[0], f.all[1]
	ids := numbered(10)
	a.fail("a", ids[:5]...)
	b.fail("a", ids[5:]...)
	a.state("a", sender.StatePaused)
	b.state("a", sender.StatePaused)
	back.Store(true)
	if report, err := a.TestEndpoint(t.Context(), "", "a", "message.created"); err != nil || !report.OK {
		t.Fatalf("the test: %q, %v", report.Summary, err)
	}
	a.state("a", sender.StateActive)
	for range 10 { // what is to be told is told within a second or two; the pause is at least 24 s
		f.clock.advance(time.Second)
		f.agree()
		time.Sleep(5 * time.Millisecond)
	}
	b.state("a", sender.StateActive)
}
