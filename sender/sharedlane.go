package sender

import (
	"context"
	"slices"
	"time"
)

// laneHold begins the name that an instance holds to be the only one that
// delivers to an endpoint; the endpoint's ID follows.
const laneHold = "lane "

// holdAgain is how long an instance waits before it asks again for what another
// one holds, unless it hears that it is free.
const holdAgain = 10 * time.Second

// holdState is how an instance stands with the hold of a lane.
type holdState uint8

const (
	holdNone    holdState = iota // it does not have it
	holdAsked                    // it is asking for it
	holdHad                      // it has it
	holdLeaving                  // it has it, and lets go of it when nothing is under way
	holdEnding                   // it is giving it back
)

// part is a lane's part in a store that is shared. The lane's lock guards it.
type part struct {
	hold     holdState
	notUntil time.Time    // the hold is not asked for again before then
	free     [nKinds]bool // others may have left deliveries in the store
	unread   bool         // the endpoint's document cannot be read

	kept     health    // what the store has, as far as this instance knows
	version  int64     // of that document
	storedAt time.Time // when this instance stored it last
	doubted  time.Time // when the endpoint began to look hopeless; zero: it does not
	asking   bool      // the store is asked what others know of it
}

// exclusive tells whether only one of several instances may deliver to an
// endpoint: its events have an order, or a rate, which can be kept in one place
// only, or it gets fewer at once than there are instances.
func (t *target) exclusive(instances int) bool {
	return t.strict || t.rate != nil || t.concurrency < instances
}

// ours tells whether this instance may deliver to the endpoint now.
func (l *lane) ours() bool {
	if l.part == nil {
		return true
	}
	_, count := l.s.shared.store.Instances()
	if count == 0 || l.part.unread {
		return false
	}
	return !l.target.exclusive(count) || l.part.hold == holdHad
}

// slots is how many attempts may be under way here at once: the endpoint's
// concurrency is shared out among the instances.
func (l *lane) slots() int {
	all := l.target.concurrency
	if l.part == nil {
		return all
	}
	rank, count := l.s.shared.store.Instances()
	switch {
	case count == 0:
		return 0
	case l.target.exclusive(count):
		return all
	case rank < all%count:
		return all/count + 1
	}
	return all / count
}

// seeToHold takes the lane's hold, keeps it or lets it go, as it should be.
func (l *lane) seeToHold() {
	now := l.s.clock.Now()
	_, count := l.s.shared.store.Instances()
	if count == 0 {
		return // it is not known what is held
	}
	needed := l.ready() && l.target.exclusive(count)
	wanted := needed && !l.part.unread && !(count > 1 && l.givesOthersATry(now))
	switch {
	case wanted && l.part.hold == holdNone && l.hasWork() && !now.Before(l.part.notUntil):
		l.part.hold = holdAsked
		l.s.running.Add(1)
		go l.takeHold()
	case wanted && l.part.hold == holdLeaving:
		l.part.hold = holdHad
	case !wanted && l.part.hold == holdHad:
		l.part.hold = holdLeaving
	}
	if needed && l.part.hold != holdHad || l.part.unread {
		l.unload()
	}
	if l.part.hold == holdLeaving && l.active && l.quiet() {
		l.part.hold = holdEnding
		l.s.running.Add(1)
		go l.endHold()
	}
}

// givesOthersATry tells that this instance does not reach the endpoint just
// now; another one may. Where the endpoint itself has asked for a rest, it is
// for this instance to see that it gets it.
func (l *lane) givesOthersATry(now time.Time) bool {
	return l.breaker.open(now) && !now.Before(l.rest)
}

// hasWork tells that there is something to deliver, as far as is known.
func (l *lane) hasWork() bool {
	for kind := range nKinds {
		if l.part.free[kind] || !l.stored[kind].IsZero() || l.queues[kind].len() > 0 {
			return true
		}
	}
	return false
}

// quiet tells that nothing is under way.
func (l *lane) quiet() bool {
	for kind := range nKinds {
		if l.running[kind] > 0 || l.claiming[kind] {
			return false
		}
	}
	return true
}

// takeHold asks for the lane's hold.
func (l *lane) takeHold() {
	defer l.s.running.Done()
	lease, ctx := l.s.lease(), l.s.attempts()
	has, err := l.askForHold(ctx)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.hold = holdNone
	switch now := l.s.clock.Now(); {
	case err != nil:
		if ctx.Err() == nil {
			l.s.log.Error("it cannot be found out which instance delivers to an endpoint; it is tried again", "endpoint", l.id, "error", err)
		}
		l.part.notUntil = now.Add(time.Second)
	case lease != l.s.lease(): // what it got it for
	case !has:
		l.part.notUntil = now.Add(holdAgain)
	default:
		l.part.hold = holdHad
		// What the one before has left comes first.
		l.stored[first], l.stored[again] = now, now
	}
	l.pump()
}

func (l *lane) askForHold(ctx context.Context) (bool, error) {
	select {
	case l.s.claims <- struct{}{}:
		defer func() { <-l.s.claims }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	return l.s.shared.store.Hold(ctx, laneHold+l.id)
}

// endHold gives the lane's hold back, after what the lane has done is in the
// store for the next one to see.
func (l *lane) endHold() {
	defer l.s.running.Done()
	lease, ctx := l.s.lease(), l.s.attempts()
	err := l.s.settling.flush(ctx)
	if err == nil {
		err = l.s.shared.store.Release(ctx, laneHold+l.id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.hold = holdNone
	if err != nil && lease == l.s.lease() {
		l.part.hold = holdLeaving // until the next look
		return
	}
	l.pump()
}

// releaseLanes gives back what lanes hold that have stopped.
func (s *Sender) releaseLanes(ctx context.Context) {
	if s.shared == nil {
		return
	}
	for _, l := range s.allLanes() {
		l.mu.Lock()
		has := l.part.hold != holdNone
		l.part.hold, l.part.notUntil = holdNone, time.Time{}
		l.mu.Unlock()
		if !has {
			continue
		}
		if err := s.shared.store.Release(ctx, laneHold+l.id); err != nil {
			s.log.Warn("an endpoint cannot be left to other instances; they take over when this one ends", "endpoint", l.id, "error", err)
			return
		}
	}
}

// loseHold forgets what was held under a lease that is lost. What the store
// knows of the deliveries that waited here is right as it is.
func (l *lane) loseHold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.part.hold == holdHad || l.part.hold == holdLeaving {
		l.part.hold = holdNone
	}
	l.unload()
	l.part.notUntil = time.Time{}
	l.part.free[first], l.part.free[again] = true, true
}

// noteUnheld tells the lane that its hold may be had.
func (l *lane) noteUnheld() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.notUntil = time.Time{}
	l.pump()
}

// noteFree tells the lane that others have left deliveries in the store. Unlike
// what this instance itself has put there, they do not send new ones after them,
// for there may be nothing left.
func (l *lane) noteFree() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.free[first], l.part.free[again] = true, true
	l.pump()
}

// noteFound tells the lane what was found in the store at a time.
func (l *lane) noteFound(b Backlog, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind, due := range [nKinds]time.Time{first: b.FirstTries, again: b.Retries} {
		switch {
		case due.IsZero():
		case due.After(now):
			l.note(kind, due)
		default:
			l.part.free[kind] = true
		}
	}
	l.pump()
}

// orderPatience is how long a publisher waits at most until what it has
// published stands in line with what it publishes next at another instance.
const orderPatience = time.Second

// putInOrder waits until deliveries that have an order are in the store for all
// to see. They are there already; this is about who may claim them.
func (s *Sender) putInOrder(ctx context.Context, request *putRequest) {
	for i := range request.publication.Events {
		e := &request.publication.Events[i]
		if e.Duplicate || !slices.ContainsFunc(e.EndpointIDs, s.isStrict) {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, orderPatience)
		defer cancel()
		_ = s.settling.flush(ctx) // whether it succeeds or not, the events are stored
		return
	}
}

func (s *Sender) isStrict(id string) bool {
	t := s.directory.get(id)
	return t != nil && t.strict
}
