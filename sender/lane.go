package sender

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// The two kinds of deliveries in a lane. Each has its own queue and its own
// slots, so that neither holds up the other.
const (
	first  = 0 // never attempted
	again  = 1 // to be retried
	nKinds = 2
)

// laneLength is how many deliveries of each kind wait in memory.
var laneLength = [nKinds]int{first: 1024, again: 256}

// lane is one endpoint's way out: its queues, its limits and its breaker.
//
// What does not fit into the queues stays in the store. While the store holds
// deliveries that are due, new ones follow them there, so that the oldest go
// first.
type lane struct {
	s  *Sender
	id string

	mu      sync.Mutex
	target  *target // nil when there is no such endpoint
	deleted bool    // there was one, and its deliveries are to be cancelled
	active  bool    // the sender is delivering
	health  health

	queues   [nKinds]queue
	running  [nKinds]int
	underway map[int64]bool // events being attempted; true: to be cancelled after that
	started  int            // attempts, to give each kind its turns

	stored   [nKinds]time.Time // when the earliest in the store is due; zero: none
	noted    [nKinds]time.Time // the same, learned while a claim was under way
	claiming [nKinds]bool
	leaving  [nKinds]int // deliveries on their way back to the store
	owed     [nKinds]int // of them, how many must be there before others are claimed

	limiter *rate.Limiter
	breaker breaker
	rest    time.Time // the endpoint asked to be left alone until then

	part *part // on a store that is shared; nil: on another

	alarm     func() // stops the timer
	alarmTime time.Time
}

func newLane(s *Sender, id string, t *target, active bool) *lane {
	l := &lane{s: s, id: id, active: active, underway: make(map[int64]bool)}
	if s.shared != nil {
		l.part = new(part)
	}
	l.setTarget(t)
	return l
}

// start lets the lane deliver.
func (l *lane) start() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active = true
	l.pump()
}

// stop keeps the lane from starting anything. What waits in memory is let go
// of: it is in the store.
func (l *lane) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active = false
	l.setAlarm(time.Time{})
	l.unload()
}

// noteBacklog tells the lane what waits for it in the store.
func (l *lane) noteBacklog(b Backlog) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stored[first] = earlier(l.stored[first], l.dueBy(first, b.FirstTries))
	l.stored[again] = earlier(l.stored[again], b.Retries)
}

// noteReturned tells the lane that a delivery which was on its way back to the
// store is there.
func (l *lane) noteReturned(kind int, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.leaving[kind]--
	l.owed[kind] = max(l.owed[kind]-1, 0) // they return in the order in which they left
	l.note(kind, due)
}

// noteStored tells the lane that the store holds deliveries of a kind for it
// that it did not hold before.
func (l *lane) noteStored(kind int, due time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note(kind, due)
}

// dueBy is when a delivery of a kind in the store is to be made. A first try
// became due when it was stored: if that lies in the future, the clock has been
// set back since, and there is nothing to wait for.
func (l *lane) dueBy(kind int, due time.Time) time.Time {
	if now := l.s.clock.Now(); kind == first && due.After(now) {
		return now
	}
	return due
}

func (l *lane) note(kind int, due time.Time) {
	due = l.dueBy(kind, due)
	l.stored[kind] = earlier(l.stored[kind], due)
	if l.claiming[kind] {
		l.noted[kind] = earlier(l.noted[kind], due)
	}
	l.pump()
}

// offer takes a new delivery, from memory when there is room and nothing older
// waits in the store.
//
// The delivery is held under a lease; when that is lost, it is in the hands of
// others.
func (l *lane) offer(d *Delivery, lease int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.keeps(d) && lease == l.s.lease() {
		l.enqueue(first, d, false)
		l.pump()
		return
	}
	l.putBack(first, d)
}

func (l *lane) keeps(d *Delivery) bool {
	if !l.open() || l.resting() || l.part != nil && l.target.strict {
		return false
	}
	return l.stored[first].IsZero() && l.leaving[first] == 0 && l.room(first, d.memorySize())
}

// open tells that there is somewhere to deliver to, and that it is to be done
// here.
func (l *lane) open() bool { return l.ready() && l.ours() }

// ready tells that there is somewhere to deliver to, and that it is to be done.
func (l *lane) ready() bool {
	return l.active && l.target != nil && l.target.active && l.health.Disabled == ""
}

// resting tells that the lane makes no attempt for the time being.
func (l *lane) resting() bool {
	now := l.s.clock.Now()
	return now.Before(l.rest) || l.breaker.open(now)
}

func (l *lane) enqueue(kind int, d *Delivery, recorded bool) {
	l.queues[kind].push(queued{delivery: d, since: l.s.clock.Now(), recorded: recorded})
	l.s.memory.Add(d.memorySize())
}

// dequeue takes the next delivery of a kind out of memory.
func (l *lane) dequeue(kind int) *Delivery {
	d := l.queues[kind].pop()
	l.s.memory.Add(-d.memorySize())
	return d
}

// unload puts back what waits in memory. It is older than what is in the store
// already, so nothing is claimed until it is there as well.
func (l *lane) unload() {
	for kind := range nKinds {
		if l.queues[kind].len() == 0 {
			continue
		}
		for l.queues[kind].len() > 0 {
			l.putBack(kind, l.dequeue(kind))
		}
		l.owed[kind] = l.leaving[kind]
	}
}

// putBack lets go of a delivery that has not been attempted after all.
func (l *lane) putBack(kind int, d *Delivery) {
	if l.deleted {
		l.cancel(d)
		return
	}
	l.leaving[kind]++
	l.s.settling.add(Outcome{Seq: d.Seq, EndpointID: d.EndpointID, Status: Pending, Due: d.Due, retried: kind == again})
}

// recordWaiting gives a row in the store to the deliveries that have waited in
// memory since before the time given, so that the store need not look for them
// among finished events after a crash. They stay in memory.
func (l *lane) recordWaiting(before time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.queues[first].oldestBefore(before) {
		return
	}
	for d := range l.queues[first].unrecorded() {
		l.s.settling.add(Outcome{Seq: d.Seq, EndpointID: d.EndpointID, Status: Pending, Due: d.Due, Held: true})
	}
}

// pump starts whatever can be started now, and sees to it that the lane is
// woken for what can be started later.
func (l *lane) pump() {
	for {
		kind, d := l.take()
		if d == nil {
			return
		}
		l.s.running.Add(1)
		l.s.hand(job{l, kind, d})
	}
}

// take gives out the next delivery that may be attempted now; nil when there
// is none, and then the lane will be pumped when there may be.
func (l *lane) take() (kind int, _ *Delivery) {
	if l.part != nil {
		l.seeToHold()
	}
	if !l.ready() {
		return 0, nil
	}
	now := l.s.clock.Now()
	if l.resting() {
		l.unload()
		l.setAlarm(later(l.rest, l.breaker.until))
		return 0, nil
	}
	if !l.ours() {
		return 0, nil
	}
	var wake time.Time
	kind, ok := l.next()
	if ok {
		wait := l.throttle(now)
		if wait == 0 {
			d := l.dequeue(kind)
			l.running[kind]++
			l.underway[d.Seq] = false
			l.started++
			return kind, d
		}
		wake = now.Add(wait)
	}
	l.setAlarm(l.refill(now, wake))
	return 0, nil
}

// refill has deliveries claimed that are due in the store, and returns the
// earlier of wake and when the next one is.
func (l *lane) refill(now, wake time.Time) time.Time {
	for kind := range nKinds {
		due := l.stored[kind]
		if l.part != nil && l.part.free[kind] {
			due = now
		}
		switch {
		case due.IsZero() || l.claiming[kind] || l.owed[kind] > 0:
		case kind == again && l.claiming[first] && l.part != nil && l.target.strict:
			// Another instance may still settle the attempt that it was at when it
			// lost the endpoint. Either the first try is claimed here before that,
			// or it is found among the retries after that.
		case due.After(now):
			wake = earlier(wake, due)
		case l.low(kind):
			l.claiming[kind] = true
			if l.part != nil {
				l.part.free[kind] = false
			}
			l.s.running.Add(1)
			go l.claim(kind)
		}
	}
	return wake
}

// next chooses the kind of the delivery to start, if any may start. A quarter
// of the slots is for retries and the rest for first tries, but slots that the
// one does not need are the other's. Where it is not the slots that are short,
// but the rate, the turns are shared out in the same way.
func (l *lane) next() (kind int, ok bool) {
	limit := l.slots()
	if l.breaker.probing() {
		limit = 1
	}
	if l.running[first]+l.running[again] >= limit {
		return 0, false
	}
	switch waiting := [nKinds]bool{l.queues[first].len() > 0 && !l.heldUp(), l.queues[again].len() > 0}; {
	case !waiting[first] && !waiting[again]:
		return 0, false
	case !waiting[again]:
		return first, true
	case !waiting[first]:
		return again, true
	}
	share := max(1, limit/4)
	switch {
	case limit == 1:
		return l.started % 2, true
	case l.running[again] >= share:
		return first, true
	case l.running[first] >= limit-share || l.started%4 == 0:
		return again, true
	}
	return first, true
}

// heldUp tells that a first try must wait for a retry, wherever that is, because
// the endpoint wants its events in order.
func (l *lane) heldUp() bool {
	return l.target.strict &&
		(l.leaving[again] > 0 || !l.stored[again].IsZero() || l.claiming[again] || l.queues[again].len() > 0)
}

// throttle takes a token of the endpoint's rate, or says how long to wait for
// one.
func (l *lane) throttle(now time.Time) time.Duration {
	if l.limiter == nil || l.limiter.AllowN(now, 1) {
		return 0
	}
	missing := 1 - l.limiter.TokensAt(now)
	return max(time.Duration(missing/float64(l.limiter.Limit())*float64(time.Second)), time.Millisecond)
}

// setAlarm has the lane pumped at a time; zero turns the alarm off.
func (l *lane) setAlarm(at time.Time) {
	if at.Equal(l.alarmTime) {
		return
	}
	if l.alarm != nil {
		l.alarm()
		l.alarm = nil
	}
	l.alarmTime = at
	if at.IsZero() {
		return
	}
	l.alarm = l.s.clock.AfterFunc(max(at.Sub(l.s.clock.Now()), 0), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.alarmTime.Equal(at) {
			l.alarmTime = time.Time{}
			l.pump()
		}
	})
}

// earlier is the earlier of two times; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// later is the later of two times; zero is none.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
