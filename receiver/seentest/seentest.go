package seentest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/receiver"
)

// Run runs all tests, each on a memory of its own that open makes.
func Run(t *testing.T, open func(t *testing.T) *Rig) {
	tests := []struct {
		name string
		run  func(t *testing.T, r *Rig)
	}{
		{"Life", life},
		{"TTL", ttl},
		{"TwoKeys", twoKeys},
		{"Forget", forgetting},
		{"WokenByCommit", wokenByCommit},
		{"WokenByRelease", wokenByRelease},
		{"WaitEnds", waitEnds},
		{"ManyAtOnce", manyAtOnce},
		{"Model", againstModel},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
	if open(t).Kill != nil {
		t.Run("OwnerDies", func(t *testing.T) { ownerDies(t, open(t)) })
	}
	if open(t).Lapse != nil {
		t.Run("LostClaim", func(t *testing.T) { lostClaim(t, open(t)) })
	}
}

func life(t *testing.T, r *Rig) {
	k := newKey()
	first := must(t, r.view(0), "claimed", k)
	for i := range r.Views {
		must(t, r.view(i), "busy", k)
	}
	release(t, first)
	second := must(t, r.view(1), "claimed", k)
	commit(t, second, time.Hour)
	for i := range r.Views {
		if left := must(t, r.view(i), "duplicate", k).Left; left > time.Hour || left < 50*time.Minute {
			t.Errorf("it is committed for another %s, want an hour", left)
		}
	}
}

func ttl(t *testing.T, r *Rig) {
	short, long := newKey(), newKey()
	commit(t, must(t, r.view(0), "claimed", short), time.Hour)
	commit(t, must(t, r.view(0), "claimed", long), 2*time.Hour)
	r.Pass(59 * time.Minute)
	must(t, r.view(1), "duplicate", short)
	r.Pass(time.Minute)
	release(t, must(t, r.view(1), "claimed", short))
	must(t, r.view(1), "duplicate", long)
	r.Pass(time.Hour)
	release(t, must(t, r.view(1), "claimed", long))
}

// A claim is for all keys or for none, and so are its ends.
func twoKeys(t *testing.T, r *Rig) {
	a, b, c := newKey(), newKey(), newKey()
	ab := must(t, r.view(0), "claimed", a, b)
	must(t, r.view(1), "busy", b, c)
	release(t, must(t, r.view(1), "claimed", c)) // which that attempt has left alone
	release(t, ab)
	commit(t, must(t, r.view(1), "claimed", a, b), time.Hour)
	must(t, r.view(0), "duplicate", a)
	must(t, r.view(0), "duplicate", c, b)
	release(t, must(t, r.view(0), "claimed", c))

	// Committed weighs more than claimed: nobody need wait.
	held := must(t, r.view(0), "claimed", c)
	must(t, r.view(1), "duplicate", c, a)
	release(t, held)
}

func forgetting(t *testing.T, r *Rig) {
	a, b, other := newKey(), newKey(), newKey()
	forget(t, r.view(0), false, a)
	held := must(t, r.view(0), "claimed", a)
	forget(t, r.view(1), false, a)
	must(t, r.view(1), "busy", a)
	release(t, held)

	commit(t, must(t, r.view(0), "claimed", other), time.Hour)
	for _, by := range []receiver.Key{a, b} {
		commit(t, must(t, r.view(0), "claimed", a, b), time.Hour)
		forget(t, r.view(1), true, by)
		forget(t, r.view(1), false, by)
		release(t, must(t, r.view(0), "claimed", a))
		release(t, must(t, r.view(0), "claimed", b))
	}
	must(t, r.view(1), "duplicate", other)
}

// waiters claim a key with more patience than a test has.
func waiters(r *Rig, n int, k receiver.Key, then func(receiver.Finding, error)) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { then(r.view(i).Claim(context.Background(), []receiver.Key{k}, time.Hour)) })
	}
	return &wg
}

func wokenByCommit(t *testing.T, r *Rig) {
	k := newKey()
	held := must(t, r.view(0), "claimed", k)
	wg := waiters(r, 8, k, func(f receiver.Finding, err error) {
		if err != nil || state(f) != "duplicate" {
			t.Errorf("found %+v, error %v: want a duplicate", f, err)
		}
	})
	commit(t, held, time.Hour)
	wg.Wait()
}

func wokenByRelease(t *testing.T, r *Rig) {
	k := newKey()
	held := must(t, r.view(0), "claimed", k)
	var at, most atomic.Int32
	wg := waiters(r, 6, k, func(f receiver.Finding, err error) {
		if err != nil || state(f) != "claimed" {
			t.Errorf("found %+v, error %v: want the claim", f, err)
			return
		}
		if at.Add(1) > 1 {
			most.Store(2)
		}
		at.Add(-1)
		if err := f.Hold.Release(context.Background()); err != nil {
			t.Errorf("release: %v", err)
		}
	})
	release(t, held)
	wg.Wait()
	if most.Load() > 1 {
		t.Error("two had the claim at a time")
	}
}

func waitEnds(t *testing.T, r *Rig) {
	k := newKey()
	held := must(t, r.view(0), "claimed", k)
	found, err := r.view(1).Claim(context.Background(), []receiver.Key{k}, 30*time.Millisecond)
	if err != nil || state(found) != "busy" || !found.Waited {
		t.Errorf("found %+v, error %v: want busy after a wait", found, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if found, err = r.view(1).Claim(ctx, []receiver.Key{k}, time.Hour); state(found) != "busy" {
		t.Errorf("found %+v, error %v: want busy for a client that has left", found, err)
	}
	release(t, held)
	release(t, must(t, r.view(1), "claimed", k))
}

// manyAtOnce has everyone try every key at about the same time. Each must be
// committed by one of them.
func manyAtOnce(t *testing.T, r *Rig) {
	const people, events = 32, 300
	keys := make([]receiver.Key, events)
	for i := range keys {
		keys[i] = newKey()
	}
	var commits [events]atomic.Int32
	var wg sync.WaitGroup
	for p := range people {
		wg.Go(func() {
			for i := range keys {
				n := (i + p/4) % events // four at one key
				for done := false; !done; {
					found, err := r.view(p).Claim(context.Background(), keys[n:n+1], time.Minute)
					switch {
					case err != nil:
						t.Errorf("claim: %v", err)
						return
					case found.Duplicate:
						done = true
					case found.Hold != nil && rand.N(3) == 0:
						err = found.Hold.Release(context.Background())
					case found.Hold != nil:
						commits[n].Add(1)
						err = found.Hold.Commit(context.Background(), time.Hour)
						done = true
					}
					if err != nil {
						t.Errorf("commit or release: %v", err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	for n := range commits {
		if got := commits[n].Load(); got != 1 {
			t.Errorf("event %d was committed %d times, want 1", n, got)
		}
	}
}

// The claims of a process that is gone do not stay for good.
func ownerDies(t *testing.T, r *Rig) {
	k := newKey()
	must(t, r.view(1), "claimed", k)
	r.Kill(1)
	commit(t, must(t, r.view(0), "claimed", k), time.Hour)
}

// A claim that was lost changes nothing of its successor's, and says so.
func lostClaim(t *testing.T, r *Rig) {
	a, b := newKey(), newKey()
	late := must(t, r.view(0), "claimed", a, b)
	r.Lapse()
	second := must(t, r.view(1), "claimed", b)
	if err := late.Hold.Commit(context.Background(), time.Hour); !errors.Is(err, receiver.ErrLost) {
		t.Errorf("commit of a lost claim: %v, want ErrLost", err)
	}
	must(t, r.view(0), "busy", b)
	release(t, must(t, r.view(0), "claimed", a))
	commit(t, second, time.Hour)

	late = must(t, r.view(0), "claimed", a)
	r.Lapse()
	second = must(t, r.view(1), "claimed", a)
	release(t, late) // which is not its own any more
	must(t, r.view(0), "busy", a)
	commit(t, second, time.Hour)

	// Nobody has taken its place: it counts.
	c := newKey()
	late = must(t, r.view(0), "claimed", c)
	r.Lapse()
	commit(t, late, time.Hour)
	must(t, r.view(1), "duplicate", c)
}
