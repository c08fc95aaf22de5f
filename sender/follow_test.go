package sender_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// follow follows the deliveries of a tenant until the test ends.
func (r *rig) follow(tenant string, q sender.FollowQuery) <-chan sender.Followed {
	r.t.Helper()
	followed, err := r.Follow(r.t.Context(), tenant, q)
	if err != nil {
		r.t.Fatal(err)
	}
	return followed
}

// next is what a follower is told next, as "event endpoint status attempts".
func next(t *testing.T, followed <-chan sender.Followed) string {
	t.Helper()
	select {
	case f, ok := <-followed:
		switch {
		case !ok:
			return "the end"
		case f.Lost > 0:
			return fmt.Sprintf("lost %d", f.Lost)
		case f.Delivery == nil:
			return "nothing"
		}
		d := f.Delivery
		return fmt.Sprintf("%s %s %s %d", d.Event.ID, d.EndpointID, d.Status, d.Attempts)
	case <-time.After(time.Minute):
		t.Fatal("waited a minute in vain to be told of something")
	}
	return ""
}

func wantNext(t *testing.T, followed <-chan sender.Followed, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := next(t, followed); got != w {
			t.Fatalf("told of %q, want %q", got, w)
		}
	}
}

// TestFollow: a follower is told of a delivery when it is made, after each
// attempt, and when a person steps in, in this order; what is told is what is
// listed.
func TestFollow(t *testing.T) {
	p := newPeer(t, status(500))
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
	r := newRig(t, c)
	followed := r.follow("", sender.FollowQuery{})
	r.publish("1")
	wantNext(t, followed, "1 a pending 0")
	f := <-followed
	page, err := r.Deliveries(t.Context(), "", sender.DeliveryQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	listed := page.Deliveries[0]
	told := *f.Delivery
	if told.Event.Data != nil || told.Last == nil || told.Last.RequestHeaders != nil || told.Last.StatusCode != 500 {
		t.Errorf("told of %+v, with the event %+v and the attempt %+v", told, told.Event, told.Last)
	}
	if diff := cmp.Diff(listed, told); diff != "" {
		t.Errorf("what is listed (-) and what was told (+):\n%s", diff)
	}
	id := r.idOf("1", "a")
	if err := r.RetryDelivery(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	wantNext(t, followed, "1 a pending 1", "1 a pending 2")
	r.settled("1", "a", 2)
	until(t, "the delivery is cancelled", func() bool { return r.CancelDelivery(t.Context(), "", id) == nil })
	wantNext(t, followed, "1 a cancelled 2")
}

// TestFollowOnlyWhatIsAskedFor guards that a tenant is told of nothing that is
// another one's.
func TestFollowOnlyWhatIsAskedFor(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p, p, p)
	c.Endpoints[2].Tenant = "acme"
	r := newRig(t, c)
	all := r.follow(sender.AnyTenant, sender.FollowQuery{Statuses: []sender.Status{sender.Succeeded}, EndpointIDs: []string{"c", "a"}})
	nobodys := r.follow("", sender.FollowQuery{EndpointIDs: []string{"b", "c"}})
	acmes := r.follow("acme", sender.FollowQuery{})
	labels := r.follow("", sender.FollowQuery{Types: []webhook.Pattern{"label.*"}, Statuses: []sender.Status{sender.Succeeded}, EndpointIDs: []string{"a"}})
	r.publish("1")
	r.delivered("a", "1")
	wantNext(t, all, "1 a succeeded 1")
	wantNext(t, nobodys, "1 b pending 0", "1 b succeeded 1")
	for _, e := range []webhook.Event{
		{ID: "2", Tenant: "acme", Type: "message.created", Data: []byte("1")},
		{ID: "3", Type: "label.created", Data: []byte("1")},
	} {
		if _, err := r.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		wantNext(t, all, e.ID+map[string]string{"2": " c", "3": " a"}[e.ID]+" succeeded 1")
	}
	wantNext(t, acmes, "2 c pending 0", "2 c succeeded 1")
	wantNext(t, nobodys, "3 b pending 0", "3 b succeeded 1")
	wantNext(t, labels, "3 a succeeded 1")
}

// TestSlowFollowerHoldsUpNobody: one that takes nothing loses what does not fit
// into its queue, and is told how much, after what came before.
func TestSlowFollowerHoldsUpNobody(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	followed := r.follow("", sender.FollowQuery{Statuses: []sender.Status{sender.Pending}})
	const n = 3000
	var ids []string
	for batch := range 3 {
		var events []webhook.Event
		for i := range n / 3 {
			id := fmt.Sprintf("%d", batch*n/3+i)
			ids = append(ids, id)
			events = append(events, event(id))
		}
		if _, err := r.Publish(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
	}
	r.delivered("a", ids[n-1])
	told, lost := 0, 0
	for told+lost < n {
		f := <-followed
		if lost += f.Lost; f.Delivery != nil {
			if f.Delivery.Event.ID != ids[told+lost] {
				t.Fatalf("after %d told and %d lost, told of event %s", told, lost, f.Delivery.Event.ID)
			}
			told++
		}
	}
	if told == 0 || lost == 0 || told+lost != n {
		t.Errorf("%d were told and %d lost of %d", told, lost, n)
	}
	r.publish("next")
	wantNext(t, followed, "next a pending 0")
}

// TestFollowingEnds with the follower's context, and when the sender stops or
// closes, also for one who takes nothing.
func TestFollowingEnds(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	ctx, cancel := context.WithCancel(t.Context())
	followed, err := r.Follow(ctx, "", sender.FollowQuery{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	wantNext(t, followed, "the end")

	followed = r.follow("", sender.FollowQuery{})
	r.stop()
	wantNext(t, followed, "the end")
	r.start()
	followed = r.follow("", sender.FollowQuery{})
	r.publish(numbered(50)...)
	r.close()
	for next(t, followed) != "the end" {
	}
	if _, err := r.Follow(t.Context(), "", sender.FollowQuery{}); !errors.Is(err, sender.ErrClosed) {
		t.Errorf("following a sender that is closed: %v", err)
	}
}

func TestFollowersAreBounded(t *testing.T) {
	r := newRig(t, toPeers(newPeer(t, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	followed, err := r.Follow(ctx, "", sender.FollowQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for range 63 {
		r.follow("", sender.FollowQuery{})
	}
	if _, err := r.Follow(t.Context(), "", sender.FollowQuery{}); !errors.Is(err, sender.ErrFollowers) {
		t.Errorf("following as the 65th: %v", err)
	}
	for n := range 192 {
		r.follow(fmt.Sprintf("tenant-%d", n/64), sender.FollowQuery{})
	}
	if _, err := r.Follow(t.Context(), "another", sender.FollowQuery{}); !errors.Is(err, sender.ErrFollowers) {
		t.Errorf("following as the 257th: %v", err)
	}
	cancel()
	wantNext(t, followed, "the end")
	r.follow("", sender.FollowQuery{})
}

func TestFollowerIsToldThatNothingHappens(t *testing.T) {
	r := newRig(t, toPeers(newPeer(t, nil)))
	followed := r.follow("", sender.FollowQuery{Idle: 15 * time.Second})
	for range 2 {
		r.clock.alarm(t, r.clock.Now().Add(15*time.Second))
		r.clock.advance(15 * time.Second)
		wantNext(t, followed, "nothing")
	}
}

// TestTellingNobodyCostsNothing guards the way of every delivery.
func TestTellingNobodyCostsNothing(t *testing.T) {
	r := newRig(t, toPeers(newPeer(t, nil)))
	e := event("1")
	d := &sender.Delivery{Event: &e, EndpointID: "a"}
	if n := testing.AllocsPerRun(100, func() { r.Tell(d) }); n != 0 {
		t.Errorf("telling nobody allocates %v times", n)
	}
}
