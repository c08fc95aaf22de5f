package seentest

import (
	"context"
	"encoding/binary"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"github.com/manysends/caddy-webhooks/receiver"
)

// Rig is one memory under test.
type Rig struct {
	// Views are the memory as several processes have it; at least one.
	Views []receiver.Seen

	// Pass makes time pass for what is committed.
	Pass func(time.Duration)

	// Lapse ends all claims, as if their processes had not been able to say for
	// too long that they live. Nil where that cannot be.
	Lapse func()

	// Kill ends the process of a view without any notice, and the claims that
	// it had lapse. Nil where all is over then.
	Kill func(view int)
}

// view is the view of a number, which may be over what there are.
func (r *Rig) view(n int) receiver.Seen { return r.Views[n%len(r.Views)] }

// numbers makes every key of a process a new one.
var numbers atomic.Uint64

// newKey is a key that no test has had before.
func newKey() (k receiver.Key) {
	n := numbers.Add(1)
	binary.LittleEndian.PutUint64(k[:], n*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(k[8:], (n^0x5555)*0xbf58476d1ce4e5b9)
	return k
}

// state is what a claim that does not wait finds, as a word.
func state(f receiver.Finding) string {
	switch {
	case f.Hold != nil && !f.Duplicate:
		return "claimed"
	case f.Hold == nil && f.Duplicate:
		return "duplicate"
	case f.Hold == nil:
		return "busy"
	}
	return "claimed and duplicate"
}

// must claims keys without waiting, and fails the test on any other outcome
// than want.
func must(t rapid.TB, s receiver.Seen, want string, keys ...receiver.Key) receiver.Finding {
	t.Helper()
	found, err := s.Claim(context.Background(), keys, 0)
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	if got := state(found); got != want {
		t.Fatalf("the keys are %s, want %s", got, want)
	}
	return found
}

func commit(t rapid.TB, f receiver.Finding, ttl time.Duration) {
	t.Helper()
	if err := f.Hold.Commit(context.Background(), ttl); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func release(t rapid.TB, f receiver.Finding) {
	t.Helper()
	if err := f.Hold.Release(context.Background()); err != nil {
		t.Fatalf("release: %v", err)
	}
}

func forget(t rapid.TB, s receiver.Seen, want bool, k receiver.Key) {
	t.Helper()
	got, err := s.Forget(context.Background(), k)
	if err != nil {
		t.Fatalf("forget: %v", err)
	}
	if got != want {
		t.Fatalf("forget tells %t, want %t", got, want)
	}
}
