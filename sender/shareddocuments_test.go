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

// create makes an active endpoint at an instance.
func (i *instance) create(e sender.Endpoint) string {
	i.t.Helper()
	info, _, err := i.CreateEndpoint(i.t.Context(), sender.NewEndpoint{Endpoint: e, Active: true})
	if err != nil {
		i.t.Fatal(err)
	}
	return info.ID
}

// TestSharedEndpoints: what is done to an endpoint at one instance holds at the
// others.
func TestSharedEndpoints(t *testing.T) {
	p, other := newPeer(t, nil), newPeer(t, nil)
	f := newFleet(t, 2, toPeers())
	a, b := f.all[0], f.all[1]
	id := a.create(sender.Endpoint{URL: p.URL})
	b.state(id, sender.StateActive)
	b.publish("first")
	a.delivered(id, "first")

	if _, err := b.UpdateEndpoint(t.Context(), "", id, func(e *sender.Endpoint) error { e.URL = other.URL; return nil }); err != nil {
		t.Fatal(err)
	}
	f.agree()
	until(t, "the change has come through", func() bool {
		info, err := a.Endpoint(t.Context(), "", id)
		return err == nil && info.URL == other.URL
	})
	a.publish("second")
	b.delivered(id, "second")
	other.waitFor(t, 1)

	info, secret, err := a.RotateSecret(t.Context(), "", id, sender.Rotation{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the new secret has come through", func() bool {
		secrets, err := b.Secrets(t.Context(), "", id)
		return err == nil && len(secrets) == 2 && secrets[0].Secret == secret
	})
	if info.PreviousSecretUntil.IsZero() {
		t.Error("the secret before does not sign any more")
	}

	if _, err := a.Deactivate(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	b.state(id, sender.StateInactive)
	b.publish("not-for-it")
	if _, err := b.Activate(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	a.state(id, sender.StateActive)
	a.publish("third")
	b.delivered(id, "third")
	other.waitFor(t, 2)

	if err := b.DeleteEndpoint(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	until(t, "it is gone everywhere", func() bool {
		_, err := a.Endpoint(t.Context(), "", id)
		return errors.Is(err, sender.ErrNotFound)
	})
	a.publish("fourth")
	f.agree()
	other.waitFor(t, 2)
}

// TestChangedAtOnce: a change that another instance has overtaken is made again
// from what that one has made of the endpoint.
func TestChangedAtOnce(t *testing.T) {
	p := newPeer(t, nil)
	f := newFleet(t, 2, toPeers())
	a, b := f.all[0], f.all[1]
	id := a.create(sender.Endpoint{URL: p.URL})
	b.state(id, sender.StateActive)
	f.common.silence(a.member, b.member)
	for i, change := range []func(*sender.Endpoint){
		func(e *sender.Endpoint) { e.Description = "from A" },
		func(e *sender.Endpoint) { e.Concurrency = 3 },
		func(e *sender.Endpoint) { e.Rate = &webhook.Rate{Events: 7, Per: webhook.Duration(time.Second)} },
	} {
		at := []*instance{a, b}[i%2]
		if _, err := at.UpdateEndpoint(t.Context(), "", id, func(e *sender.Endpoint) error { change(e); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := b.RotateSecret(t.Context(), "", id, sender.Rotation{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Deactivate(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	info, err := b.Activate(t.Context(), "", id) // which b has never seen to be anything else
	if err != nil {
		t.Fatal(err)
	}
	if info.State != sender.StateActive {
		t.Errorf("after its activation it is %s", info.State)
	}
	f.common.letThrough(true, a.member, b.member)
	for _, i := range f.all {
		i.state(id, sender.StateActive)
		until(t, "all changes are there", func() bool {
			info, err := i.Endpoint(t.Context(), "", id)
			return err == nil && info.Description == "from A" && info.Concurrency == 3 && info.Rate != nil && info.Rate.Events == 7
		})
		if secrets, err := i.Secrets(t.Context(), "", id); err != nil || len(secrets) != 2 {
			t.Errorf("there are %d secrets (%v), want 2", len(secrets), err)
		}
	}
	f.common.silence(b.member)
	if err := a.DeleteEndpoint(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Deactivate(t.Context(), "", id); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("a change of an endpoint that was deleted elsewhere: %v", err)
	}
}

// TestDeletedWithDeliveries: what waits anywhere for an endpoint that is deleted
// at one instance is cancelled.
func TestDeletedWithDeliveries(t *testing.T) {
	g := newGate(t)
	p := newPeer(t, g.answer)
	f := newFleet(t, 2, toPeers())
	a, b := f.all[0], f.all[1]
	id := a.create(sender.Endpoint{URL: p.URL, Concurrency: 2})
	b.state(id, sender.StateActive)
	ids := numbered(40)
	a.publish(ids[:20]...)
	b.publish(ids[20:]...)
	p.waitFor(t, 2)
	f.common.silence(b.member)
	if err := a.DeleteEndpoint(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	b.publish("for-nobody")
	f.common.letThrough(false, b.member)
	until(t, "the other one has heard of it", func() bool {
		_, err := b.Endpoint(t.Context(), "", id)
		return errors.Is(err, sender.ErrNotFound)
	})
	g.through <- struct{}{}
	g.through <- struct{}{}
	until(t, "nothing is pending", func() bool {
		counts, err := a.store.Pending(t.Context())
		return err == nil && len(counts) == 0
	})
	p.waitFor(t, 2)
	if d := a.record("for-nobody", id); d.Status != sender.Cancelled && d.Status != 0 { // unless it had heard already
		t.Errorf("what was published for it after its deletion is %s", d.Status)
	}
	documents, err := f.common.Documents(t.Context(), "endpoint")
	if err != nil || len(documents) != 0 {
		t.Errorf("%d documents are left (%v)", len(documents), err)
	}
}

// TestStartBesideCreation: an instance that starts just when another one makes an
// endpoint does not take its deliveries for those of one that is no more.
func TestStartBesideCreation(t *testing.T) {
	g := newGate(t)
	p := newPeer(t, g.answer)
	f := newFleet(t, 1, toPeers())
	a := f.all[0]
	m := f.common.join()
	b, err := sender.New(f.config, m, sender.Options{Clock: f.clock}) // it has read the endpoints
	if err != nil {
		t.Fatal(err)
	}
	f.all = append(f.all, &instance{rig: &rig{Sender: b, t: t, clock: f.clock, store: m}, member: m, name: "B"})
	f.common.silence(m)
	id := a.create(sender.Endpoint{URL: p.URL, Concurrency: 1})
	ids := numbered(20)
	a.publish(ids...)
	atOnce, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Stop(atOnce); err != nil { // they are in the store now, and nobody's
		t.Fatal(err)
	}
	if err := b.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "all are delivered", func() bool {
		g.letOne()
		return a.record(ids[len(ids)-1], id).Status == sender.Succeeded
	})
	a.delivered(id, ids...)
}

// TestConfiguredAtOne: deliveries to an endpoint that only one instance has in
// its configuration wait for one that has it, also one that wants them in order.
func TestConfiguredAtOne(t *testing.T) {
	g := newGate(t)
	p := newPeer(t, g.answer)
	f := newFleet(t, 1, toPeers())
	one := f.all[0]
	f.config = toPeers(p, p)
	f.config.Endpoints[1].Ordering = "strict"
	two := f.join()
	ids := numbered(5)
	two.publish(ids...)
	p.waitFor(t, 5+1)
	f.kill(two)
	f.clock.advance(time.Minute)
	f.agree()
	for _, endpoint := range []string{"a", "b"} {
		if d := one.record(ids[4], endpoint); d.Status != sender.Pending {
			t.Errorf("where nobody knows endpoint %s, its delivery is %s", endpoint, d.Status)
		}
	}
	p.waitFor(t, 6)
	three := f.join()
	f.eventually(time.Second, "all is delivered", func() bool {
		g.letOne()
		counts, err := three.store.Pending(t.Context())
		return err == nil && len(counts) == 0
	})
}

// TestStrays: deliveries of an endpoint that is no more, which an instance has
// left that died, are cancelled.
func TestStrays(t *testing.T) {
	g := newGate(t)
	p := newPeer(t, g.answer)
	f := newFleet(t, 2, toPeers())
	a, b := f.all[0], f.all[1]
	id := a.create(sender.Endpoint{URL: p.URL, Concurrency: 4})
	b.state(id, sender.StateActive)
	f.common.silence(b.member)
	b.publish(numbered(20)...)
	if err := a.DeleteEndpoint(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	f.kill(b)
	f.eventually(time.Second, "nothing is pending", func() bool {
		counts, err := a.store.Pending(t.Context())
		return err == nil && len(counts) == 0
	})
}

// TestSealedElsewhere: an instance that cannot read an endpoint says so and
// leaves its deliveries to one that can, also those that it takes in itself.
func TestSealedElsewhere(t *testing.T) {
	const oldKey, newKey = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	p := newPeer(t, nil)
	c := toPeers()
	c.EncryptionKeys = []string{oldKey}
	var out lockedBuffer
	f := openFleet(t, c)
	f.logger = slog.New(slog.NewTextHandler(&out, nil))
	a, b := f.join(), f.join()
	id := a.create(sender.Endpoint{URL: p.URL, Ordering: "strict"})
	b.state(id, sender.StateActive)
	b.publish("first")
	a.delivered(id, "first")
	c.EncryptionKeys = []string{newKey, oldKey}
	if err := a.Apply(c); err != nil {
		t.Fatal(err)
	}
	until(t, "the other one says that it cannot read it", func() bool { return strings.Contains(out.String(), "cannot be read") })
	if out := out.String(); !strings.Contains(out, id) || strings.Contains(out, "whsec_") {
		t.Errorf("it is logged: %s", out)
	}
	b.publish("second")
	f.eventually(time.Second, "the one that can read it delivers", func() bool { return a.record("second", id).Status == sender.Succeeded })
	if _, err := b.Deactivate(t.Context(), "", id); !errors.Is(err, sender.ErrSealed) {
		t.Errorf("a change where it cannot be read: %v", err)
	}
	f.kill(a)
	b.publish("third")
	f.clock.advance(time.Minute)
	time.Sleep(20 * time.Millisecond)
	if d := b.record("third", id); d.Status != sender.Pending {
		t.Errorf("where nobody can read the endpoint, its delivery is %s", d.Status)
	}
	if err := b.Apply(c); err != nil {
		t.Fatal(err)
	}
	f.eventually(time.Second, "it is delivered with the key", func() bool { return b.record("third", id).Status == sender.Succeeded })
}

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

// TestSharedReplay: a replay goes on at another instance when the one that runs
// it dies, and can be cancelled at any.
func TestSharedReplay(t *testing.T) {
	p := newPeer(t, nil)
	f := newFleet(t, 3, toPeers(p))
	a, b := f.all[0], f.all[1]
	ids := numbered(40)
	a.publish(ids...)
	a.delivered("a", ids...)
	f.clock.advance(time.Second)
	request := sender.ReplayRequest{Statuses: []sender.Status{sender.Succeeded}, Rate: &webhook.Rate{Events: 10, Per: webhook.Duration(time.Second)}, FreshID: true}
	replay, err := a.StartReplay(t.Context(), "", request)
	if err != nil {
		t.Fatal(err)
	}
	f.eventually(100*time.Millisecond, "a part of it is done", func() bool {
		r, err := b.Replay(t.Context(), "", replay.ID)
		return err == nil && r.Replayed >= 10
	})
	f.kill(a)
	f.eventually(100*time.Millisecond, "the rest of it is done", func() bool {
		r, err := b.Replay(t.Context(), "", replay.ID)
		return err == nil && r.State == sender.ReplayDone
	})
	var r sender.Replay
	until(t, "the third one knows", func() bool {
		r, err = f.all[2].Replay(t.Context(), "", replay.ID)
		return err == nil && r.State == sender.ReplayDone
	})
	if r.Replayed != 40 || r.Matched != 40 {
		t.Errorf("%+v", r)
	}
	// What the one that died had not recorded was delivered again.
	until(t, "all are delivered again", func() bool {
		ids := p.ids()
		slices.Sort(ids)
		return len(slices.Compact(ids)) == 80
	})

	second, err := b.StartReplay(t.Context(), "", request)
	if err != nil {
		t.Fatal(err)
	}
	c := f.all[2]
	f.eventually(100*time.Millisecond, "a part of the second is done", func() bool {
		r, err := c.Replay(t.Context(), "", second.ID)
		return err == nil && r.Replayed >= 10
	})
	f.common.silence(c.member)
	f.clock.advance(time.Second)
	cancelled, err := c.CancelReplay(t.Context(), "", second.ID)
	if err != nil || cancelled.State != sender.ReplayCancelled {
		t.Fatalf("%+v, %v", cancelled, err)
	}
	until(t, "the one that runs it stops", func() bool {
		r, err := b.Replay(t.Context(), "", second.ID)
		return err == nil && r.State == sender.ReplayCancelled
	})
	f.eventually(time.Second, "it is held no more", func() bool { return f.common.holder("replay "+second.ID) == nil })
	if r, err := b.Replay(t.Context(), "", second.ID); err != nil || r.Replayed >= 40 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestSharedReplayMissing: what is missing is made once, although the instance
// that was making it has died, and others are told of it.
func TestSharedReplayMissing(t *testing.T) {
	f := newFleet(t, 3, toPeers())
	a, b := f.all[0], f.all[1]
	ids := numbered(40)
	a.publish(ids...)
	p := newPeer(t, nil)
	endpoint := a.create(sender.Endpoint{URL: p.URL + "/hooks"})
	for _, other := range f.all {
		until(t, "each knows the endpoint", func() bool {
			_, err := other.Endpoint(t.Context(), "", endpoint)
			return err == nil
		})
	}
	f.clock.advance(time.Second)
	replay, err := a.StartReplay(t.Context(), "", sender.ReplayRequest{
		EndpointIDs: []string{endpoint}, Missing: true, Rate: &webhook.Rate{Events: 10, Per: webhook.Duration(time.Second)},
	})
	if err != nil {
		t.Fatal(err)
	}
	progress := func() (r sender.Replay) {
		t.Helper()
		if r, err = b.Replay(t.Context(), "", replay.ID); err != nil && !errors.Is(err, sender.ErrNotFound) {
			t.Fatal(err)
		}
		return r
	}
	f.eventually(100*time.Millisecond, "a part of it is done", func() bool { return progress().Replayed >= 10 })
	f.kill(a)
	f.eventually(100*time.Millisecond, "the rest of it is done", func() bool { return progress().State == sender.ReplayDone })
	if r := progress(); r.Total != 40 || r.Replayed > 40 || r.Skipped != 0 {
		t.Errorf("the replay is %+v", r)
	}
	b.delivered(endpoint, ids...)
	for _, id := range ids { // the store knows of one attempt of each
		b.settled(id, endpoint, 1)
	}
	if dry, err := b.StartReplay(t.Context(), "", sender.ReplayRequest{EndpointIDs: []string{endpoint}, Missing: true, DryRun: true}); err != nil || dry.Total != 0 {
		t.Errorf("%d are missing, %v", dry.Total, err)
	}
}

// TestOneUpkeep: one instance deletes what is old, and another one when that one
// has died.
func TestOneUpkeep(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p)
	c.Retention = webhook.Duration(time.Hour)
	f := newFleet(t, 3, c)
	for _, id := range []string{"first", "second", "third"} {
		live := f.others(nil)
		live[0].publish(id)
		live[0].delivered("a", id)
		f.clock.advance(2 * time.Hour)
		f.eventually(time.Second, "it is deleted", func() bool {
			_, err := live[0].store.Event(t.Context(), "", id)
			return errors.Is(err, sender.ErrNotFound)
		})
		if len(live) > 1 {
			f.kill(f.holder("upkeep"))
		}
	}
}
