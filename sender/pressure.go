package sender

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// ErrBacklog means that too much is waiting, so that no more is taken in for
// the time being. What was taken in before is safe.
var ErrBacklog = errors.New("too much is waiting to be delivered")

// pressure is how much waits, as far as there are limits to it.
type pressure struct {
	known    atomic.Int64 // deliveries that were pending for endpoints when they were last counted
	since    atomic.Int64 // deliveries taken in after that
	oversize atomic.Bool  // the store is too large, and nothing in it may go
}

// admit says why no more deliveries may be taken in, if that is so.
func (s *Sender) admit(c *snapshot, deliveries int) error {
	if c.maxBacklog > 0 && deliveries > 0 && s.pressure.known.Load()+s.pressure.since.Load()+int64(deliveries) > c.maxBacklog {
		return fmt.Errorf("%w: there is a limit of %d deliveries (max_backlog): publish again later", ErrBacklog, c.maxBacklog)
	}
	if c.maxSize > 0 && s.pressure.oversize.Load() {
		return fmt.Errorf("%w: the store has reached its limit of %d bytes (max_size): publish again later", ErrBacklog, c.maxSize)
	}
	return nil
}

// haveStored tells whether all events of a publication have been stored before,
// under IDs that their publisher gave them. Such a publication adds nothing, and
// its publisher only wants to know what became of the first one.
func (s *Sender) haveStored(ctx context.Context, request *putRequest) bool {
	if !request.named {
		return false
	}
	for _, put := range request.publication.Events {
		if _, err := s.store.Event(ctx, put.Event.Tenant, put.Event.ID); err != nil {
			return false
		}
	}
	return true
}

// measure counts what waits, if there is a limit to it.
func (s *Sender) measure(ctx context.Context) error {
	if s.current.Load().maxBacklog == 0 {
		return nil
	}
	// What is taken in while it is counted is counted twice, until the next
	// time.
	s.pressure.since.Store(0)
	counts, err := s.store.Pending(ctx)
	if err != nil {
		return fmt.Errorf("counting what waits: %w", err)
	}
	total := int64(0)
	for _, p := range counts {
		// What waits for an endpoint that has left the configuration may do so for
		// ever, and becomes no more.
		if s.directory.get(p.EndpointID) != nil {
			total += p.Deliveries
		}
	}
	s.pressure.known.Store(total)
	return nil
}

// shrink deletes finished events before their time while the store is too
// large.
func (s *Sender) shrink(ctx context.Context) error {
	c := s.current.Load()
	if c.maxSize == 0 {
		return nil
	}
	// Events may be large: few at first, and more as long as it is not enough.
	enough, step := c.maxSize-c.maxSize/20, 16
	for {
		size, err := s.store.Size(ctx)
		if err != nil {
			return fmt.Errorf("measuring the store: %w", err)
		}
		if size <= enough || size <= c.maxSize && !s.pressure.oversize.Load() {
			s.pressure.oversize.Store(false)
			return nil
		}
		if mine, err := s.holds(ctx, upkeepHold); err != nil || !mine {
			s.pressure.oversize.Store(size > c.maxSize)
			return err
		}
		n, err := s.store.Purge(ctx, PurgeQuery{Before: s.clock.Now(), Limit: step})
		if err != nil {
			return fmt.Errorf("deleting events before their time: %w", err)
		}
		if n == 0 {
			s.pressure.oversize.Store(size > c.maxSize)
			return nil
		}
		step = min(2*step, purgeStep)
	}
}

// pendingCounts counts the pending deliveries of each endpoint that has any.
func (s *Sender) pendingCounts(ctx context.Context) (map[string]int64, error) {
	counts, err := s.store.Pending(ctx)
	if err != nil {
		return nil, fmt.Errorf("counting what waits: %w", err)
	}
	byID := make(map[string]int64, len(counts))
	for _, p := range counts {
		byID[p.EndpointID] = p.Deliveries
	}
	return byID, nil
}

// How often what waits is counted when there are limits.
const measureEvery = time.Second
