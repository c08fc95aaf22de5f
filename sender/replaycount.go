package sender

import (
	"context"
	"fmt"
	"time"
)

// CountReplay counts what a tenant's request selects, as a dry run does, but up
// to most only, and for about as long as patience says. It tells whether there
// may be more. Errors wrap [ErrReplay], or are the store's.
func (s *Sender) CountReplay(ctx context.Context, tenant string, r ReplayRequest, most int64, patience time.Duration) (total int64, more bool, err error) {
	if err := s.checkReplay(tenant, &r); err != nil {
		return 0, false, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	began := s.clock.Now()
	job := &replayJob{Replay: Replay{Tenant: tenant, Request: r, CreatedAt: began}}
	return s.countReplay(ctx, job, func(total int64) bool {
		return total >= most || s.clock.Now().Sub(began) > patience
	})
}

// countStep is how many are counted at once.
const countStep = 1000

// toTheEnd has all counted.
func toTheEnd(int64) bool { return false }

// countReplay counts what a replay selects, until that is enough. It tells
// whether there may be more.
func (s *Sender) countReplay(ctx context.Context, j *replayJob, enough func(total int64) bool) (total int64, more bool, err error) {
	if err := s.settling.flush(ctx); err != nil {
		return 0, false, fmt.Errorf("counting deliveries: %w", err)
	}
	if j.Request.Missing {
		return s.countMissing(ctx, j, enough)
	}
	q := j.query()
	q.Limit = countStep
	for {
		page, err := s.store.Deliveries(ctx, q)
		if err != nil {
			return 0, false, fmt.Errorf("counting deliveries: %w", err)
		}
		total += int64(len(page.Deliveries))
		if page.Next == "" {
			return total, false, nil
		}
		if enough(total) {
			return total, true, nil
		}
		q.Cursor = page.Next
	}
}
