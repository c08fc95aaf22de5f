package sender

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// ErrFollowers means that as many follow the deliveries already as may at once:
// 256, and 64 for one tenant.
var ErrFollowers = errors.New("too many follow the deliveries already")

const (
	// maxFollowers is how many may follow at once, and maxFollowersOfOne how
	// many of them for one tenant, so that it leaves room for the others.
	maxFollowers      = 256
	maxFollowersOfOne = 64

	// followLength is how many deliveries wait for one follower.
	followLength = 1024
)

// FollowQuery says which deliveries are followed. The zero value is all of the
// tenant.
type FollowQuery struct {
	// EndpointIDs, Statuses and Types select as they do in [DeliveryQuery]; a
	// status is what the delivery has become.
	EndpointIDs []string
	Statuses    []Status
	Types       []webhook.Pattern

	// Idle is how long nothing happens before the follower is told that nothing
	// has; 0 means that it never is.
	Idle time.Duration
}

// Followed is what a follower is told. Both fields are zero when nothing has
// happened for a while.
type Followed struct {
	// Delivery is one that was made or has changed, as it is now.
	Delivery *DeliverySummary

	// Lost is how many deliveries the follower cannot be told of any more
	// because it was too slow. They came after those told before and are to be
	// looked up, as Deliveries lists them.
	Lost int
}

// Follow tells of a tenant's deliveries, or those of [AnyTenant], as they
// change: when one is made, after each attempt, and when a person has it
// attempted again or gives it up. What is told can be read back from then on.
// Not told one by one are those that wait for an endpoint when it is deleted,
// and those that are no longer blocked.
//
// The sender does not wait for a follower: it keeps a bounded number for each,
// and leaves out what comes then. The channel is closed when ctx ends and when
// the sender is stopped or closed. Errors are [ErrFollowers] and [ErrClosed].
func (s *Sender) Follow(ctx context.Context, tenant string, q FollowQuery) (<-chan Followed, error) {
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{
		tenant:    tenant,
		endpoints: slices.Clone(q.EndpointIDs),
		statuses:  slices.Clone(q.Statuses),
		types:     slices.Clone(q.Types),
		idle:      q.Idle,
		to:        make(chan Followed, 16),
		wake:      make(chan struct{}, 1),
		end:       cancel,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		cancel()
		return nil, ErrClosed
	}
	if !s.followers.add(f) {
		cancel()
		return nil, ErrFollowers
	}
	s.workers.Go(func() {
		defer cancel()
		defer close(f.to)
		defer s.followers.remove(f)
		f.run(ctx, s.clock)
	})
	return f.to, nil
}

// followers are those who follow the deliveries.
type followers struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*follower] // nil: nobody follows. It never changes.
}

// add adds a follower, unless there are too many.
func (fs *followers) add(f *follower) bool {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var list []*follower
	if before := fs.list.Load(); before != nil {
		list = slices.Clone(*before)
	}
	same := 0
	for _, other := range list {
		if other.tenant == f.tenant {
			same++
		}
	}
	if len(list) >= maxFollowers || same >= maxFollowersOfOne {
		return false
	}
	list = append(list, f)
	fs.list.Store(&list)
	return true
}

func (fs *followers) remove(f *follower) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	list := slices.Clone(*fs.list.Load())
	list = slices.DeleteFunc(list, func(other *follower) bool { return other == f })
	if len(list) == 0 {
		fs.list.Store(nil)
		return
	}
	fs.list.Store(&list)
}

// end has all who follow stop following.
func (fs *followers) end() {
	if list := fs.list.Load(); list != nil {
		for _, f := range *list {
			f.end()
		}
	}
}

// tell tells of a delivery that has changed; last is the attempt that was made,
// if any. Where nobody follows it does nothing.
func (fs *followers) tell(d *Delivery, status Status, due time.Time, last *Attempt) {
	list := fs.list.Load()
	if list == nil {
		return
	}
	var summary *DeliverySummary // the same for all: nobody changes it
	for _, f := range *list {
		if !f.wants(d, status) {
			continue
		}
		if summary == nil {
			summary = summarize(d, status, due, last)
		}
		f.offer(summary)
	}
}

// summarize is a delivery as it is listed, with what it has become. Its times
// are those that can be read back, to the millisecond.
func summarize(d *Delivery, status Status, due time.Time, last *Attempt) *DeliverySummary {
	head := *d.Event
	head.Data = nil
	summary := &DeliverySummary{Delivery: *d}
	summary.Event, summary.Status, summary.Due = &head, status, due.Truncate(time.Millisecond)
	summary.StoredAt = d.StoredAt.Truncate(time.Millisecond)
	if last != nil {
		brief := *last
		brief.RequestHeaders, brief.ResponseHeaders, brief.ResponseBody = nil, nil, nil
		brief.StartedAt = last.StartedAt.Truncate(time.Millisecond)
		summary.Last, summary.Attempts = &brief, last.Number
	}
	return summary
}

// follower is one who follows.
type follower struct {
	tenant    string
	endpoints []string
	statuses  []Status
	types     []webhook.Pattern
	idle      time.Duration

	to   chan Followed
	wake chan struct{} // holds one token while there is something to tell
	end  context.CancelFunc

	mu      sync.Mutex
	waiting []*DeliverySummary
	lost    int // that came after those that wait
}

// wants tells whether the follower is to be told of a delivery.
func (f *follower) wants(d *Delivery, status Status) bool {
	if !within(f.tenant, d.Event.Tenant) ||
		len(f.endpoints) > 0 && !slices.Contains(f.endpoints, d.EndpointID) ||
		len(f.statuses) > 0 && !slices.Contains(f.statuses, status) {
		return false
	}
	return len(f.types) == 0 || slices.ContainsFunc(f.types, func(p webhook.Pattern) bool { return p.Match(d.Event.Type) })
}

// offer queues a delivery, if there is room.
func (f *follower) offer(d *DeliverySummary) {
	f.mu.Lock()
	if f.lost > 0 || len(f.waiting) >= followLength {
		f.lost++
	} else {
		f.waiting = append(f.waiting, d)
	}
	f.mu.Unlock()
	token(f.wake)
}

// take takes what is queued.
func (f *follower) take() (waiting []*DeliverySummary, lost int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	waiting, lost = f.waiting, f.lost
	f.waiting, f.lost = nil, 0
	return waiting, lost
}

// run tells the follower until ctx ends.
func (f *follower) run(ctx context.Context, clock Clock) {
	for {
		idle := make(chan struct{})
		stop := func() {}
		if f.idle > 0 {
			stop = clock.AfterFunc(f.idle, func() { close(idle) })
		}
		ok := true
		select {
		case <-ctx.Done():
			ok = false
		case <-idle:
			ok = f.send(ctx, Followed{})
		case <-f.wake:
			waiting, lost := f.take()
			for _, d := range waiting {
				ok = ok && f.send(ctx, Followed{Delivery: d})
			}
			if ok && lost > 0 {
				ok = f.send(ctx, Followed{Lost: lost})
			}
		}
		stop()
		if !ok {
			return
		}
	}
}

// send tells one thing, and tells whether it was taken before ctx ended.
func (f *follower) send(ctx context.Context, what Followed) bool {
	select {
	case f.to <- what:
		return true
	case <-ctx.Done():
		return false
	}
}
