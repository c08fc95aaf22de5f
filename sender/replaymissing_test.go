package sender_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// replayMissing starts a replay of what endpoints have missed, and waits until
// it has ended.
func (r *rig) replayMissing(endpoints ...string) sender.Replay {
	r.t.Helper()
	return r.replayed(r.startReplay(sender.ReplayRequest{EndpointIDs: endpoints, Missing: true}).ID)
}

// wantReplay compares what has become of a replay.
func wantReplay(t *testing.T, r sender.Replay, total, replayed int64) {
	t.Helper()
	if r.State != sender.ReplayDone || r.Total != total || r.Matched != replayed || r.Replayed != replayed || r.Skipped != 0 || r.FinishedAt.IsZero() {
		t.Errorf("the replay is %+v, want %d counted and %d replayed", r, total, replayed)
	}
}

// inOrder waits until a peer has got as many events, and compares their IDs as
// they came.
func (p *peer) inOrder(t *testing.T, want ...string) {
	t.Helper()
	p.waitFor(t, len(want))
	if got := p.ids(); !slices.Equal(got, want) {
		t.Errorf("the site has got %q, want %q", got, want)
	}
}

// TestReplayMissing: an endpoint that was made after events were published gets
// those that it subscribes to, oldest first and each once, under their own IDs.
// A second replay finds none, and what was published since came by itself.
func TestReplayMissing(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	ids := numbered(7)
	r.publish(ids...)
	other := event("other-type")
	other.Type = "label.created"
	theirs := event("other-tenant")
	theirs.Tenant = "acme"
	if _, err := r.Publish(t.Context(), other, theirs); err != nil {
		t.Fatal(err)
	}
	r.delivered("a", ids...)
	late := newPeer(t, nil)
	id := r.create(late, func(e *sender.NewEndpoint) { e.Events, e.Ordering = []string{"message.*"}, "strict" })
	r.clock.advance(time.Second)
	r.publish("since")
	late.inOrder(t, "since")

	request := sender.ReplayRequest{EndpointIDs: []string{id, id}, Missing: true, DryRun: true}
	if dry := r.startReplay(request); dry.Total != 7 || dry.State != sender.ReplayDone || dry.Replayed != 0 || dry.ID != "" {
		t.Errorf("dry run: %+v", dry)
	}
	if n, more, err := r.CountReplay(t.Context(), "", request, 3, time.Minute); n < 3 || !more || err != nil {
		t.Errorf("counted up to 3: %d, %t, %v", n, more, err)
	}
	late.inOrder(t, "since")
	wantReplay(t, r.replayMissing(id), 7, 7)
	late.inOrder(t, append([]string{"since"}, ids...)...)
	for _, e := range late.all()[1:] {
		if body := string(e.body); !strings.Contains(body, `"data":{"name":"`+e.id+`"}`) {
			t.Errorf("event %s has the body %s", e.id, body)
		}
	}
	wantReplay(t, r.replayMissing(id), 0, 0)
	r.restart()
	wantReplay(t, r.replayMissing(id), 0, 0)
	r.idle(id, "a")
	late.waitFor(t, 8)
	p.waitFor(t, 9)
	if d := r.record(ids[0], id); d.Status != sender.Succeeded || len(d.History) != 1 {
		t.Errorf("the delivery is %+v", d)
	}
}

// TestReplayMissingSelects: what is missing goes by what the endpoint is now, and
// by the types and times of the request.
func TestReplayMissingSelects(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers())
	idle := r.create(p, func(e *sender.NewEndpoint) { e.Active = false })
	filtered := r.create(p, func(e *sender.NewEndpoint) { e.Active, e.Filter = false, `data.name == "1" || data.name == "4"` })
	r.publish("1", "2")
	r.clock.advance(time.Hour)
	noon := r.clock.Now()
	for _, name := range []string{"3", "4"} {
		e := event(name)
		e.Type = "label.created"
		if _, err := r.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.startReplay(sender.ReplayRequest{EndpointIDs: []string{idle}, Missing: true, DryRun: true}).Total; got != 2 {
		t.Errorf("%d are older than the replay, want 2", got)
	}
	r.clock.advance(time.Second)
	for _, test := range []struct {
		name string
		r    sender.ReplayRequest
		want int64
	}{
		{"all", sender.ReplayRequest{EndpointIDs: []string{idle}}, 4},
		{"filter", sender.ReplayRequest{EndpointIDs: []string{filtered}}, 2},
		{"both", sender.ReplayRequest{EndpointIDs: []string{filtered, idle}}, 6},
		{"type", sender.ReplayRequest{EndpointIDs: []string{idle, filtered}, Types: []webhook.Pattern{"label.*"}}, 3},
		{"from", sender.ReplayRequest{EndpointIDs: []string{idle}, From: noon}, 2},
		{"to", sender.ReplayRequest{EndpointIDs: []string{filtered}, To: noon}, 1},
	} {
		test.r.Missing, test.r.DryRun = true, true
		if got := r.startReplay(test.r).Total; got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
	// What is made for an endpoint that is not active waits until it is.
	wantReplay(t, r.replayMissing(filtered), 2, 2)
	p.waitFor(t, 0)
	if _, err := r.Activate(t.Context(), "", filtered); err != nil {
		t.Fatal(err)
	}
	r.delivered(filtered, "1", "4")
	p.waitFor(t, 2)
	wantReplay(t, r.replayMissing(filtered, idle), 4, 4)
}

// TestReplayMissingRefused: what makes no sense together is refused with the
// field's name.
func TestReplayMissingRefused(t *testing.T) {
	r := newRig(t, toPeers(newPeer(t, nil)))
	for want, request := range map[string]sender.ReplayRequest{
		"endpoints: there are none":     {},
		`endpoints: "x" is unknown`:     {EndpointIDs: []string{"x"}},
		"statuses: what is missing has": {EndpointIDs: []string{"a"}, Statuses: []sender.Status{sender.Failed}},
		"fresh_id: ":                    {EndpointIDs: []string{"a"}, FreshID: true},
	} {
		request.Missing = true
		_, err := r.StartReplay(t.Context(), "", request)
		_, _, counted := r.CountReplay(t.Context(), "", request, 1, time.Second)
		for _, err := range []error{err, counted} {
			if !errors.Is(err, sender.ErrReplay) || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: %v, want ErrReplay and %q", request, err, want)
			}
		}
	}
	if _, err := r.StartReplay(t.Context(), "acme", sender.ReplayRequest{EndpointIDs: []string{"a"}, Missing: true}); !errors.Is(err, sender.ErrReplay) {
		t.Errorf("for another tenant's endpoint: %v, want ErrReplay", err)
	}
}

// TestReplayMissingRate: it makes deliveries no faster than its rate, can be
// cancelled, and goes on after a restart where it was.
func TestReplayMissingRate(t *testing.T) {
	r := newRig(t, toPeers())
	ids := numbered(9)
	r.publish(ids...)
	p := newPeer(t, nil)
	endpoint := r.create(p)
	r.clock.advance(time.Hour)
	// Two at a time, and then a wait that nothing else has.
	const wait = 800 * time.Millisecond
	rate := webhook.Rate{Events: 5, Per: webhook.Duration(2 * time.Second)}
	id := r.startReplay(sender.ReplayRequest{EndpointIDs: []string{endpoint}, Missing: true, Rate: &rate}).ID
	progress := func() sender.Replay {
		t.Helper()
		replay, err := r.Sender.Replay(t.Context(), "", id)
		if err != nil {
			t.Fatal(err)
		}
		return replay
	}
	until(t, "two are made", func() bool { return progress().Replayed == 2 })
	r.clock.alarm(t, r.clock.Now().Add(wait))
	if got := progress(); got.Replayed != 2 || got.Total != 9 {
		t.Errorf("before the wait is over: %+v", got)
	}
	r.clock.advance(wait)
	until(t, "four are made", func() bool { return progress().Replayed == 4 })
	r.delivered(endpoint, ids[:4]...)
	r.restart()
	until(t, "six are made", func() bool { return progress().Replayed == 6 })
	r.delivered(endpoint, ids[:6]...)
	cancelled, err := r.CancelReplay(t.Context(), "", id)
	if err != nil || cancelled.State != sender.ReplayCancelled {
		t.Fatalf("%+v, %v", cancelled, err)
	}
	for range 5 {
		r.clock.advance(time.Minute)
	}
	r.restart()
	r.idle(endpoint)
	p.waitFor(t, 6)
	wantReplay(t, r.replayMissing(endpoint), 3, 3)
	p.waitFor(t, 9)
}

// TestReplayMissingOnce: deliveries that were made when the replay could not be
// stored, as when the process dies between the two, are not made again.
func TestReplayMissingOnce(t *testing.T) {
	p := newPeer(t, nil)
	r, faulty := newFaultyRig(t, toPeers())
	ids := numbered(5)
	r.publish(ids...)
	endpoint := r.create(p)
	r.clock.advance(time.Second)
	made := false
	faulty.call(func(call fault) error {
		if made = made || call == faultAdd; made && call == faultDocuments {
			return errFaulty
		}
		return nil
	})
	id := r.startReplay(sender.ReplayRequest{EndpointIDs: []string{endpoint}, Missing: true}).ID
	r.delivered(endpoint, ids...)
	until(t, "storing the replay is tried", func() bool {
		r.clock.advance(10 * time.Second)
		return faulty.failures(faultDocuments) > 1
	})
	faulty.call(nil)
	r.restart()
	wantReplay(t, r.replayed(id), 5, 0)
	r.idle(endpoint)
	p.waitFor(t, 5)
}

// TestReplayMissingGoesOnWhenStoreIsBack: a store that cannot do it now, and one
// in which too much waits, do not end a replay.
func TestReplayMissingGoesOnWhenStoreIsBack(t *testing.T) {
	for name, what := range map[string]fault{"looking": faultMissing, "adding": faultAdd} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, nil)
			r, faulty := newFaultyRig(t, toPeers())
			r.publish("e")
			endpoint := r.create(p)
			r.clock.advance(time.Second)
			faulty.fail(what)
			id := r.startReplay(sender.ReplayRequest{EndpointIDs: []string{endpoint}, Missing: true}).ID
			until(t, "it is tried again and again", func() bool {
				r.clock.advance(10 * time.Second)
				return faulty.failures(what) > 2
			})
			faulty.fail(0)
			wantReplay(t, r.replayed(id), 1, 1)
			r.delivered(endpoint, "e")
		})
	}
}

// TestReplayMissingBacklog: it makes no more deliveries than max_backlog allows.
func TestReplayMissingBacklog(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers()
	c.MaxBacklog = 20
	r := newRig(t, c)
	ids := numbered(45)
	r.publish(ids...)
	endpoint := r.create(p, func(e *sender.NewEndpoint) { e.Active = false })
	r.clock.advance(time.Second)
	id := r.startReplay(sender.ReplayRequest{EndpointIDs: []string{endpoint}, Missing: true, Rate: &webhook.Rate{Events: 10}}).ID
	pending := func() int64 {
		t.Helper()
		counts, err := r.store.Pending(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(counts) == 0 {
			return 0
		}
		return counts[0].Deliveries
	}
	until(t, "20 are made", func() bool {
		r.clock.advance(time.Second)
		return pending() == 20
	})
	for range 5 {
		r.clock.advance(10 * time.Second)
	}
	if n := pending(); n != 20 {
		t.Errorf("%d are pending, want 20", n)
	}
	if _, err := r.Activate(t.Context(), "", endpoint); err != nil {
		t.Fatal(err)
	}
	wantReplay(t, r.replayed(id), 45, 45)
	r.delivered(endpoint, ids...)
}

// TestReplayMissingOfDeletedEndpoint: it ends, and leaves nothing behind.
func TestReplayMissingOfDeletedEndpoint(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers())
	ids := numbered(9)
	r.publish(ids...)
	gone, there := r.create(p), r.create(p)
	r.clock.advance(time.Second)
	// Both are named; the first one in order is deleted in the midst.
	order := []string{gone, there}
	slices.Sort(order)
	id := r.startReplay(sender.ReplayRequest{EndpointIDs: order, Missing: true, Rate: &webhook.Rate{Events: 3}}).ID
	r.delivered(order[0], ids[:3]...)
	if err := r.DeleteEndpoint(t.Context(), "", order[0]); err != nil {
		t.Fatal(err)
	}
	replay := r.replayed(id)
	if replay.State != sender.ReplayDone || replay.Total != 18 || replay.Replayed < 12 || replay.Replayed == 18 {
		t.Errorf("the replay is %+v", replay)
	}
	r.delivered(order[1], ids...)
	counts, err := r.store.Pending(t.Context())
	if err != nil || len(counts) != 0 {
		t.Errorf("pending are %+v, %v", counts, err)
	}
}

// TestReplayMissingPages: a replay that finds few among very many events gets
// through them all.
func TestReplayMissingPages(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers())
	const n = 2500
	ids := numbered(n)
	for batch := range slices.Chunk(ids, 100) {
		var events []webhook.Event
		for _, id := range batch {
			events = append(events, event(id))
		}
		if _, err := r.Publish(t.Context(), events...); err != nil {
			t.Fatal(err)
		}
	}
	wanted := []string{ids[0], ids[99], ids[100], ids[1234], ids[n-1]}
	var filter []string
	for _, id := range wanted {
		filter = append(filter, fmt.Sprintf("data.name == %q", id))
	}
	endpoint := r.create(p, func(e *sender.NewEndpoint) { e.Filter, e.Ordering = strings.Join(filter, " || "), "strict" })
	r.clock.advance(time.Second)
	wantReplay(t, r.replayMissing(endpoint), 5, 5)
	p.inOrder(t, wanted...)
}
