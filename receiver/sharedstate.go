package receiver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// nearFor is how long a process remembers by itself what the shared memory
	// has committed. Retries come soon; what comes later is looked up.
	nearFor = 5 * time.Minute

	// unavailableRetry is how long a sender should wait while the shared memory
	// is away.
	unavailableRetry = 5 * time.Second
)

// sharedState is the way of a [State] to what it shares. The State's own
// seen-set is in front of it: it lets one request of each event through to it
// at a time, and answers duplicates of the last minutes alone.
type sharedState struct {
	Shared
	near   *seenSet
	allow  bool
	logger *slog.Logger

	away   atomic.Bool // said in the log
	errors atomic.Int64
	lost   atomic.Int64
}

func newSharedState(o *StateOptions, near *seenSet) *sharedState {
	s := &sharedState{Shared: o.Shared, near: near, allow: o.OnError == OnErrorAllow, logger: o.Logger}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	s.Watch(func(k Key) { near.forgetEvent(k) })
	return s
}

// went notes how a call went, and says so when that changes.
func (s *sharedState) went(err error) {
	if err == nil {
		if s.away.Load() && s.away.Swap(false) {
			s.logger.Info("the shared memory of events can be reached again")
		}
		return
	}
	s.errors.Add(1)
	if s.away.Swap(true) {
		return
	}
	text := "the shared memory of events cannot be reached: requests are refused with 503, so that none is processed twice"
	if s.allow {
		text = "the shared memory of events cannot be reached: each process goes by what it remembers itself and by limits of its own"
	}
	s.logger.Error(text, slog.String("error", err.Error()))
}

// canceled tells whether an error is that the client has left, which says
// nothing of the memory.
func canceled(ctx context.Context, err error) bool { return err != nil && ctx.Err() != nil }

// take asks for a claim that is held in the near set already. If it is not
// granted, the near one is over as well.
func (s *sharedState) take(ctx context.Context, t *turn, wait time.Duration) (got outcome, waited bool, err error) {
	found, err := s.Claim(ctx, t.claim.keys[:t.claim.n], wait)
	switch {
	case canceled(ctx, err):
		s.near.release(&t.claim)
		return busy, true, nil // nobody will read the answer
	case err != nil:
		s.went(err)
		if s.allow {
			return claimed, false, nil
		}
		s.near.release(&t.claim)
		return busy, false, err
	}
	s.went(nil)
	switch {
	case found.Hold != nil:
		t.hold = found.Hold
		return claimed, found.Waited, nil
	case !found.Duplicate:
		s.near.release(&t.claim)
		return busy, found.Waited, nil
	case found.Left < nearFor:
		// It could not be remembered for that long, and what has a time of its
		// own is costly to keep.
		s.near.release(&t.claim)
	default:
		s.near.commit(&t.claim, nearFor, int(s.near.capacityOr(DefaultCapacity)))
	}
	return duplicate, found.Waited, nil
}

// capacityOr is the capacity that holds, or another as long as it is not known.
func (s *seenSet) capacityOr(other int64) int64 {
	if c := s.capacity.Load(); c > 0 {
		return c
	}
	return other
}

// commit commits a claim, first where all can see it: those who wait here go
// by it when it is over.
func (s *sharedState) commit(t *turn, ttl time.Duration, capacity int) {
	near := ttl
	if t.hold != nil {
		err := t.hold.Commit(context.Background(), ttl)
		switch {
		case errors.Is(err, ErrLost):
			s.lost.Add(1)
			s.logger.Warn("an event was processed by two requests: the claim of the first was lost, since the shared memory could not be reached for too long")
		default:
			s.went(err)
		}
		if err == nil {
			near = min(ttl, nearFor)
		}
	}
	s.near.commit(&t.claim, near, capacity)
}

// release gives a claim up, first where all can see it.
func (s *sharedState) release(t *turn) {
	if t.hold != nil {
		s.went(t.hold.Release(context.Background()))
	}
	s.near.release(&t.claim)
}

// forget makes all processes forget an event, this one included.
func (s *sharedState) forget(k Key) (known bool, err error) {
	known, err = s.Forget(context.Background(), k)
	s.went(err)
	if err != nil {
		return false, err
	}
	return s.near.forgetEvent(k) || known, nil
}

// limit is the shared counterpart of [limits.allow]. The first result is
// false where the process is to count by itself.
func (s *sharedState) limit(ctx context.Context, keys keyMaker, demands []demand[sourceKey]) (counted bool, refused int, err error) {
	var room [2]Bucket
	buckets := room[:0]
	for i := range demands {
		buckets = append(buckets, Bucket{Key: keys.ofSource(demands[i].key), Rate: demands[i].rate})
	}
	taken, err := s.Take(ctx, buckets)
	if err != nil {
		if !canceled(ctx, err) {
			s.went(err)
		}
		if s.allow {
			return false, -1, nil
		}
		return true, -1, err
	}
	s.went(nil)
	refused = -1
	for i := range demands {
		d := &demands[i]
		d.tokens = buckets[i].Tokens
		d.judge()
		if !taken && d.wait > 0 && (refused < 0 || d.wait > demands[refused].wait) {
			refused = i
		}
	}
	if refused < 0 {
		for i := range demands {
			demands[i].tokens--
		}
	}
	return true, refused, nil
}

// unavailable is the refusal of a request that cannot be judged while the
// shared memory is away.
func unavailable(err error) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Reason: ReasonUnavailable, RetryAfter: unavailableRetry, Err: err}
}
