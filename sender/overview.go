package sender

import (
	"context"
	"fmt"
	"time"
)

// Version is the version of this module in the running program; "devel" when
// it was built from no release.
func Version() string { return moduleVersion() }

// Overview is how a sender is doing as a whole.
type Overview struct {
	// StoreSize is how many bytes the store takes up, without what is free for
	// reuse in it.
	StoreSize int64

	// Pending is how many deliveries wait or are under way.
	Pending int64

	// Astray is how many of these are for endpoints that this sender does not
	// have: they were taken out of the configuration, or stand in that of another
	// sender with the same store.
	Astray int64

	// Oldest is how long the oldest delivery has waited of those that are due
	// and not under way; 0 when there is none.
	Oldest time.Duration

	// Endpoints are how many endpoints there are in each state. All states are
	// in it.
	Endpoints map[State]int

	// Outbox is what is in the outbox; nil when the store has none, or cannot
	// tell.
	Outbox *OutboxCount
}

// Overview looks at all endpoints of all tenants. Errors are the store's.
func (s *Sender) Overview(ctx context.Context) (Overview, error) {
	o := Overview{Endpoints: make(map[State]int)}
	for state := StateInactive; state <= StateDisabled; state++ {
		o.Endpoints[state] = 0
	}
	size, err := s.store.Size(ctx)
	if err != nil {
		return Overview{}, fmt.Errorf("reading the size of the store: %w", err)
	}
	o.StoreSize = size
	page, err := s.EndpointPage(ctx, AnyTenant, PageQuery{})
	if err != nil {
		return Overview{}, err
	}
	if o.Astray, err = s.astray(ctx); err != nil {
		return Overview{}, err
	}
	o.Pending = o.Astray
	o.Outbox = s.countOutbox(ctx)
	now := s.clock.Now()
	for i := range page.Endpoints {
		e := &page.Endpoints[i]
		o.Endpoints[e.State]++
		o.Pending += e.Pending
		if l := s.existingLane(e.ID); l != nil && e.Pending > 0 {
			o.Oldest = max(o.Oldest, l.lag(now))
		}
	}
	return o, nil
}

// astray counts the pending deliveries of endpoints that are not here.
func (s *Sender) astray(ctx context.Context) (n int64, err error) {
	counts, err := s.pendingCounts(ctx)
	for id, pending := range counts {
		if s.directory.get(id) == nil {
			n += pending
		}
	}
	return n, err
}
