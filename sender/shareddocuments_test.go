package sender_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
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
