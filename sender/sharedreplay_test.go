package sender_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

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
