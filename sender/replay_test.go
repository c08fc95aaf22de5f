package sender_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// failing is a peer that answers 500 until it is mended.
func failing(t *testing.T) (p *peer, mend func()) {
	var well atomic.Bool
	p = newPeer(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !well.Load() {
			w.WriteHeader(500)
		}
	})
	return p, func() { well.Store(true) }
}

// failedRig is a rig on which all of n events have failed at a peer.
func failedRig(t *testing.T, p *peer, n int) (*rig, []string) {
	t.Helper()
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Second)}
	c.Endpoints[0].Timeout = patience
	r := newRig(t, c)
	ids := numbered(n)
	r.publish(ids...)
	for _, id := range ids {
		until(t, id+" has failed", func() bool {
			r.clock.advance(time.Minute)
			return r.record(id, "a").Status == sender.Failed
		})
	}
	r.clock.advance(time.Hour) // the breaker is done
	return r, ids
}

// replayed waits until a replay has ended, letting time pass.
func (r *rig) replayed(id string) (replay sender.Replay) {
	r.t.Helper()
	until(r.t, "the replay ends", func() bool {
		r.clock.advance(time.Second)
		var err error
		if replay, err = r.Sender.Replay(r.t.Context(), "", id); err != nil {
			r.t.Fatal(err)
		}
		return replay.State != sender.ReplayRunning
	})
	return replay
}

func (r *rig) startReplay(request sender.ReplayRequest) sender.Replay {
	r.t.Helper()
	replay, err := r.StartReplay(r.t.Context(), "", request)
	if err != nil {
		r.t.Fatal(err)
	}
	return replay
}

// TestReplay: what has failed is delivered again under the same IDs, oldest
// first; a dry run only counts it.
func TestReplay(t *testing.T) {
	p, mend := failing(t)
	r, ids := failedRig(t, p, 7)
	mend()
	before := p.count()
	dry := r.startReplay(sender.ReplayRequest{DryRun: true})
	if dry.Total != 7 || dry.State != sender.ReplayDone || dry.Replayed != 0 || dry.ID != "" {
		t.Errorf("dry run: %+v", dry)
	}
	if n := r.startReplay(sender.ReplayRequest{DryRun: true, Statuses: []sender.Status{sender.Succeeded}}).Total; n != 0 {
		t.Errorf("%d have succeeded", n)
	}
	r.idle("a")
	p.waitFor(t, before)
	replay := r.replayed(r.startReplay(sender.ReplayRequest{}).ID)
	if replay.State != sender.ReplayDone || replay.Total != 7 || replay.Matched != 7 || replay.Replayed != 7 || replay.Skipped != 0 || replay.FinishedAt.IsZero() {
		t.Errorf("%+v", replay)
	}
	r.delivered("a", ids...)
	p.waitFor(t, before+7)
	list, err := r.Replays(t.Context(), "")
	if err != nil || len(list) != 1 || list[0].ID != replay.ID {
		t.Errorf("the list: %+v, %v", list, err)
	}
}

// TestReplayFresh: with fresh IDs the events come as new ones, with the same
// data and time, to the endpoint that they had failed at and to no other.
func TestReplayFresh(t *testing.T) {
	p, mend := failing(t)
	r, ids := failedRig(t, p, 3)
	other := newPeer(t, nil)
	r.create(other)
	mend()
	before := p.count()
	replay := r.replayed(r.startReplay(sender.ReplayRequest{FreshID: true}).ID)
	if replay.Replayed != 3 {
		t.Errorf("%+v", replay)
	}
	p.waitFor(t, before+3)
	other.waitFor(t, 0)
	var bodies, old []string
	for i, got := range p.all() {
		body, _, _ := strings.Cut(string(got.body), `,"signature"`)
		if i < before {
			old = append(old, body)
			continue
		}
		bodies = append(bodies, body)
		if slices.Contains(ids, got.id) || !strings.HasPrefix(got.id, "evt_") {
			t.Errorf("the ID is %q", got.id)
		}
	}
	slices.Sort(bodies)
	slices.Sort(old)
	if !slices.Equal(bodies, slices.Compact(old)) {
		t.Errorf("the events are\n%q, they were\n%q", bodies, slices.Compact(old))
	}
	for _, id := range ids {
		if d := r.record(id, "a"); d.Status != sender.Failed {
			t.Errorf("%s is %s, want failed as before", id, d.Status)
		}
	}
}

// TestReplayFreshOfLargeEvents: events of several megabytes are not published
// together, though one step takes them up: as one publication they would be taken
// only when nobody else publishes, and wait for ever where somebody does. It
// guards the limit, and that each comes once when a step is broken off in between.
func TestReplayFreshOfLargeEvents(t *testing.T) {
	p := newPeer(t, nil)
	large := &largeStore{}
	r := &rig{t: t, clock: newFakeClock(), config: toPeers(p), wrap: large.around}
	r.open()
	r.start()
	const events = 7
	for _, id := range numbered(events) {
		if _, err := r.Publish(t.Context(), webhook.Event{ID: id, Type: "message.created", Data: []byte(`"` + strings.Repeat("x", 700<<10) + `"`)}); err != nil {
			t.Fatal(err)
		}
		r.delivered("a", id)
	}
	r.clock.advance(time.Second)
	large.largest.Store(0)
	large.failing.Store(3) // the third publication of the first step
	replay := r.replayed(r.startReplay(sender.ReplayRequest{FreshID: true, Statuses: []sender.Status{sender.Succeeded}}).ID)
	if replay.State != sender.ReplayDone || replay.Matched != events || replay.Replayed != events {
		t.Errorf("%+v", replay)
	}
	p.waitFor(t, 2*events)
	if n := large.largest.Load(); n > 2<<20 {
		t.Errorf("%d bytes of events were published together", n)
	}
}

// TestReplayFreshWhenTheClockIsSetBack: a replay does not take up what it has
// published itself, which would be without end until the clock is where it was.
func TestReplayFreshWhenTheClockIsSetBack(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	ids := numbered(3)
	r.publish(ids...)
	r.delivered("a", ids...)
	r.clock.advance(time.Second)
	slow := webhook.Rate{Events: 1, Per: webhook.Duration(time.Second)}
	replay := r.startReplay(sender.ReplayRequest{FreshID: true, Statuses: []sender.Status{sender.Succeeded}, Rate: &slow})
	p.waitFor(t, 4)
	r.clock.jump(-time.Hour)
	until(t, "the replay ends", func() bool {
		var err error
		if replay, err = r.Sender.Replay(t.Context(), "", replay.ID); err != nil {
			t.Fatal(err)
		}
		if p.count() == 3+int(replay.Replayed) && r.Unsettled() == 0 { // it would be found from now on
			r.clock.advance(time.Second)
		}
		return replay.State != sender.ReplayRunning || replay.Replayed > 3
	})
	if replay.Replayed != 3 || replay.Total != 3 {
		t.Errorf("%+v", replay)
	}
	p.waitFor(t, 6)
}

// largeStore notes how much was published together, and can fail once.
type largeStore struct {
	sender.Store
	largest, failing atomic.Int64
}

func (l *largeStore) around(s sender.Store) sender.Store {
	l.Store = s
	return l
}

func (l *largeStore) PutEvents(ctx context.Context, publications []*sender.Publication) error {
	size := int64(0)
	for _, p := range publications {
		for i := range p.Events {
			size += int64(p.Events[i].Event.Size())
		}
	}
	l.largest.Store(max(l.largest.Load(), size)) // one goroutine publishes
	if l.failing.Add(-1) == 0 {
		return errFaulty
	}
	return l.Store.PutEvents(ctx, publications)
}

// TestReplaySelects: endpoints, statuses, types and times select.
func TestReplaySelects(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p, p))
	r.publish("1")
	r.delivered("a", "1") // or its time would be up
	r.delivered("b", "1")
	r.clock.advance(time.Hour)
	noon := r.clock.Now()
	r.publish("2")
	if _, err := r.Publish(t.Context(), webhook.Event{ID: "3", Type: "label.created", Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	r.delivered("a", "1", "2", "3")
	r.delivered("b", "1", "2", "3")
	succeeded := []sender.Status{sender.Succeeded}
	tests := []struct {
		name string
		r    sender.ReplayRequest
		want int64
	}{
		{"default", sender.ReplayRequest{}, 0},
		{"status", sender.ReplayRequest{Statuses: succeeded}, 6},
		{"endpoint", sender.ReplayRequest{Statuses: succeeded, EndpointIDs: []string{"a"}}, 3},
		{"type", sender.ReplayRequest{Statuses: succeeded, Types: []webhook.Pattern{"message.*"}}, 4},
		{"from", sender.ReplayRequest{Statuses: succeeded, From: noon}, 4},
		{"to", sender.ReplayRequest{Statuses: succeeded, To: noon}, 2},
	}
	if got := r.startReplay(sender.ReplayRequest{Statuses: succeeded, DryRun: true}).Total; got != 2 {
		t.Errorf("%d are older than the replay, want 2", got)
	}
	r.clock.advance(time.Second)
	for _, test := range tests {
		test.r.DryRun = true
		if got := r.startReplay(test.r).Total; got != test.want {
			t.Errorf("%s: %d, want %d", test.name, got, test.want)
		}
	}
}

// TestReplayRefused: what cannot be replayed is refused with the field's name.
func TestReplayRefused(t *testing.T) {
	r := newRig(t, toPeers(newPeer(t, nil)))
	now := r.clock.Now()
	for want, request := range map[string]sender.ReplayRequest{
		`endpoints: "x" is unknown`: {EndpointIDs: []string{"a", "x"}},
		"statuses: ":                {Statuses: []sender.Status{9}},
		"types: ":                   {Types: []webhook.Pattern{"X"}},
		"from: it does not lie":     {From: now, To: now},
		"rate: ":                    {Rate: &webhook.Rate{Events: -1}},
	} {
		if _, err := r.StartReplay(t.Context(), "", request); !errors.Is(err, sender.ErrReplay) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want ErrReplay and %q", request, err, want)
		}
	}
	if list, err := r.Replays(t.Context(), ""); err != nil || len(list) != 0 {
		t.Errorf("what was refused is listed: %+v, %v", list, err)
	}
}

// TestReplaysAreForgotten: whoever starts one replay after the other fills no
// memory with those that have ended, and pushes out none of another tenant.
func TestReplaysAreForgotten(t *testing.T) {
	const kept = 200
	r := newRig(t, toPeers(newPeer(t, nil)))
	theirs, err := r.StartReplay(t.Context(), "acme", sender.ReplayRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for range kept + 20 {
		ids = append(ids, r.replayed(r.startReplay(sender.ReplayRequest{}).ID).ID)
	}
	list, err := r.Replays(t.Context(), "")
	if err != nil || len(list) != kept || list[0].ID != ids[len(ids)-1] || list[kept-1].ID != ids[20] {
		t.Errorf("of %d replays %d are listed, %v", len(ids), len(list), err)
	}
	if _, err := r.Sender.Replay(t.Context(), "", ids[0]); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("the first one: %v", err)
	}
	if _, err := r.Sender.Replay(t.Context(), "acme", theirs.ID); err != nil {
		t.Errorf("that of the other tenant: %v", err)
	}
}

// TestReplayRate: a replay hands over no faster than its rate, can be
// cancelled, and goes on after a restart where it was.
func TestReplayRate(t *testing.T) {
	p, mend := failing(t)
	r, ids := failedRig(t, p, 9)
	mend()
	// Two at a time, and then a wait that nothing else has.
	const wait = 800 * time.Millisecond
	id := r.startReplay(sender.ReplayRequest{Rate: &webhook.Rate{Events: 5, Per: webhook.Duration(2 * time.Second)}}).ID
	progress := func() sender.Replay {
		t.Helper()
		replay, err := r.Sender.Replay(t.Context(), "", id)
		if err != nil {
			t.Fatal(err)
		}
		return replay
	}
	until(t, "two are handed over", func() bool { return progress().Replayed == 2 })
	r.clock.alarm(t, r.clock.Now().Add(wait))
	if got := progress(); got.Replayed != 2 || got.Total != 9 {
		t.Errorf("before the wait is over: %+v", got)
	}
	r.clock.advance(wait)
	until(t, "four are handed over", func() bool { return progress().Replayed == 4 })
	r.delivered("a", ids[:4]...)
	r.restart()
	until(t, "six are handed over", func() bool { return progress().Replayed == 6 })
	r.delivered("a", ids[:6]...)
	cancelled, err := r.CancelReplay(t.Context(), "", id)
	if err != nil || cancelled.State != sender.ReplayCancelled {
		t.Fatalf("%+v, %v", cancelled, err)
	}
	for range 5 {
		r.clock.advance(time.Minute)
	}
	r.restart()
	r.idle("a")
	for i, e := range ids {
		if got := r.record(e, "a").Status; (got == sender.Succeeded) != (i < 6) {
			t.Errorf("%s is %s", e, got)
		}
	}
	if again, err := r.CancelReplay(t.Context(), "", id); err != nil || again.State != sender.ReplayCancelled {
		t.Errorf("cancelled again: %+v, %v", again, err)
	}
}

// TestReplayGoesOnWhenStoreIsBack: a store that cannot do it now does not end a
// replay.
func TestReplayGoesOnWhenStoreIsBack(t *testing.T) {
	p, mend := failing(t)
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Second)}
	r, faulty := newFaultyRig(t, c)
	r.publish("e")
	until(t, "it has failed", func() bool {
		r.clock.advance(time.Minute)
		return r.record("e", "a").Status == sender.Failed
	})
	mend()
	faulty.fail(faultOverride)
	id := r.startReplay(sender.ReplayRequest{}).ID
	until(t, "it is tried again and again", func() bool {
		r.clock.advance(10 * time.Second)
		return faulty.failures(faultOverride) > 2
	})
	faulty.fail(0)
	if replay := r.replayed(id); replay.State != sender.ReplayDone || replay.Replayed != 1 {
		t.Errorf("%+v", replay)
	}
	r.delivered("a", "e")
}

// TestReplayOfDeletedEndpoint: deliveries to an endpoint that is no more are
// counted as skipped.
func TestReplayOfDeletedEndpoint(t *testing.T) {
	p := newPeer(t, status(500))
	r := newRig(t, toPeers())
	id := r.create(p)
	r.publish("e")
	r.settled("e", id, 1)
	if err := r.DeleteEndpoint(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	r.clock.advance(time.Second)
	replay := r.replayed(r.startReplay(sender.ReplayRequest{}).ID)
	if replay.State != sender.ReplayDone || replay.Matched != 1 || replay.Skipped != 1 || replay.Replayed != 0 {
		t.Errorf("%+v", replay)
	}
	if err := r.RetryDelivery(t.Context(), "", r.idOf("e", id)); !errors.Is(err, sender.ErrEnded) {
		t.Errorf("retried: %v, want ErrEnded", err)
	}
	p.waitFor(t, 1)
}
