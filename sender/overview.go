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

	// Oldest is how long the oldest delivery has waited of those that are due
	// and not under way; 0 when there is none.
	Oldest time.Duration

	// Endpoints are how many endpoints there are in each state. All states are
	// in it.
	Endpoints map[State]int
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
