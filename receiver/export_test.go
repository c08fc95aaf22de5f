package receiver

import (
	"context"
	"time"
)

// MemorySeen is the seen-set of a State as a [Seen]. It settles when told to.
type MemorySeen struct{ set *seenSet }

// NewMemorySeen makes one without a goroutine, and what frees it.
func NewMemorySeen(now func() time.Time) (s *MemorySeen, free func()) {
	set := newSeenSet(now)
	set.settler.start.Do(func() { close(set.settler.done) })
	return &MemorySeen{set}, set.settler.closeCache
}

// Settle forgets what has expired.
func (s *MemorySeen) Settle() { s.set.settle() }

type memoryHold struct {
	set   *seenSet
	claim claim
}

func (s *MemorySeen) Claim(ctx context.Context, keys []Key, wait time.Duration) (Finding, error) {
	h := &memoryHold{set: s.set}
	for _, k := range keys {
		h.claim.add(k)
	}
	got, waited := s.set.take(ctx, &h.claim, wait)
	found := Finding{Waited: waited}
	switch got {
	case claimed:
		found.Hold = h
	case duplicate:
		found.Duplicate = true
		for _, k := range keys {
			found.Left = max(found.Left, s.set.history.left(k))
		}
	}
	return found, nil
}

// left is for how long a key is still committed.
func (h *history) left(k Key) (left time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.fifos {
		for r := range f.all {
			if r.key == k {
				left = time.Duration(r.expires&^1 - h.clock())
			}
		}
	}
	return left
}

func (s *MemorySeen) Forget(_ context.Context, k Key) (bool, error) { return s.set.forgetEvent(k), nil }

func (h *memoryHold) Commit(_ context.Context, ttl time.Duration) error {
	h.set.commit(&h.claim, ttl, 1<<30)
	return nil
}

func (h *memoryHold) Release(context.Context) error {
	h.set.release(&h.claim)
	return nil
}
