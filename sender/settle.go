package sender

import (
	"context"
	"reflect"
	"sync"
	"time"
)

const (
	// settleEvery is how long outcomes gather before they are committed. It
	// bounds what is delivered again after a crash. Where commits take long they
	// gather for longer, so that the store has most of its time for publishers.
	settleEvery    = 5 * time.Millisecond
	maxSettleEvery = 50 * time.Millisecond
	settleShare    = 3 // of the store's time, one in so many parts at most

	// maxSettle is how many outcomes one transaction holds, so that publishers
	// do not wait long for it.
	maxSettle = 1000

	// maxUnsettled is how many outcomes may gather while the store fails;
	// further ones wait, and with them their lanes.
	maxUnsettled = 16 * maxSettle

	// maxUnsettledBytes bounds the answers that they hold.
	maxUnsettledBytes = 16 << 20
)

// settleQueue gathers outcomes on their way to the store.
type settleQueue struct {
	mu      sync.Mutex
	room    sync.Cond // there is room again, or all is settled
	waiting []Outcome
	bytes   int           // of the answers that wait
	busy    int           // taken, but not yet in the store
	failing bool          // the store did not take the last ones
	added   uint64        // outcomes so far
	done    uint64        // of them, in the store
	wake    chan struct{} // holds one token while there is something to do
	urgent  chan struct{} // holds one token when it cannot wait
}

func (q *settleQueue) init() {
	q.room.L = &q.mu
	q.wake = make(chan struct{}, 1)
	q.urgent = make(chan struct{}, 1)
}

// wait waits until there is room for another outcome, or the context ends.
func (q *settleQueue) wait(ctx context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.full() {
		return
	}
	defer context.AfterFunc(ctx, q.nudge)()
	for q.full() && ctx.Err() == nil {
		q.room.Wait()
	}
}

// keepUp waits while more outcomes have gathered than may, as long as the store
// takes them. Publishers wait for it: what goes to many endpoints that take nothing
// just now returns to the store for each of them, and is stored as part of an event
// much faster.
func (q *settleQueue) keepUp() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) >= maxUnsettled && !q.failing {
		q.room.Wait()
	}
}

// note notes whether the store takes outcomes.
func (q *settleQueue) note(failing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.failing = failing; failing {
		q.room.Broadcast()
	}
}

func (q *settleQueue) full() bool {
	return len(q.waiting) >= maxUnsettled || q.bytes >= maxUnsettledBytes
}

// nudge has those who wait look at their context.
func (q *settleQueue) nudge() {
	q.mu.Lock()
	q.room.Broadcast()
	q.mu.Unlock()
}

// add queues an outcome.
func (q *settleQueue) add(o Outcome) {
	q.mu.Lock()
	q.waiting = append(q.waiting, o)
	q.bytes += o.size()
	q.added++
	many := len(q.waiting) >= maxSettle
	q.mu.Unlock()
	token(q.wake)
	if many {
		token(q.urgent)
	}
}

// size is how many bytes of the endpoint's answer an outcome holds.
func (o *Outcome) size() int {
	if o.Attempt == nil {
		return 0
	}
	return o.Attempt.answerSize()
}

// token puts a token into a channel that holds one, unless it is there.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take moves up to maxSettle outcomes into batch.
func (q *settleQueue) take(batch []Outcome) []Outcome {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxSettle)
	batch = append(batch, q.waiting[:n]...)
	for i := range batch {
		q.bytes -= batch[i].size()
	}
	left := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[left:])
	q.waiting = q.waiting[:left]
	q.busy = n
	q.room.Broadcast()
	return batch
}

func (q *settleQueue) settled() {
	q.mu.Lock()
	q.done += uint64(q.busy)
	q.busy = 0
	q.room.Broadcast()
	q.mu.Unlock()
}

// flush waits until everything queued before is in the store, or the context
// ends. What others queue in the meantime is not waited for.
func (q *settleQueue) flush(ctx context.Context) error {
	token(q.urgent)
	token(q.wake)
	defer context.AfterFunc(ctx, q.nudge)()
	q.mu.Lock()
	defer q.mu.Unlock()
	before := q.added
	for q.done < before && ctx.Err() == nil {
		q.room.Wait()
	}
	if q.done < before {
		return ctx.Err()
	}
	return nil
}

// settleLoop commits outcomes until the sender closes.
func (s *Sender) settleLoop() {
	r := newRide()
	for {
		select {
		case <-s.settling.wake:
		case <-s.background.Done():
			return
		}
		onDisk := s.gather(r, min(max(settleEvery, r.took*(settleShare-1)), maxSettleEvery))
		// What comes meanwhile gathers again, or many small commits would take the
		// store from publishers.
		for full := true; full; onDisk = false {
			if !onDisk && !s.settle(r) {
				return
			}
			s.settling.settled()
			s.tellLanes(r.outcomes)
			full = len(r.outcomes) == maxSettle
			r.clear()
		}
	}
}

// tellLanes tells them what is in the store for them now.
func (s *Sender) tellLanes(batch []Outcome) {
	var unblock map[string]struct{}
	for i := range batch {
		switch o := &batch[i]; {
		case o.Status == Pending && !o.Held:
			s.lane(o.EndpointID).noteReturned(o.kind(), o.Due)
		case o.Status == Blocked && s.changedSince(o):
			// When Apply took up what was blocked, this was not in the store.
			if unblock == nil {
				unblock = make(map[string]struct{})
			}
			unblock[o.EndpointID] = struct{}{}
		}
	}
	for id := range unblock {
		s.unblock(s.background, id)
	}
}

// changedSince tells whether an endpoint, or where it may connect to, is another
// than when an attempt was made.
func (s *Sender) changedSince(o *Outcome) bool {
	current := s.current.Load()
	moved := current != o.under && !reflect.DeepEqual(current.egress, o.under.egress)
	return moved || !o.target.same(s.directory.get(o.EndpointID))
}

// gather lets more outcomes come before a commit. In the second half of the time
// publications may take along what has come; it tells whether they did.
func (s *Sender) gather(r *ride, d time.Duration) (onDisk bool) {
	timer := time.NewTimer(d / 2)
	defer timer.Stop()
	var offered chan<- *ride // to nobody yet
	for range 2 {
		select {
		case offered <- r:
			return <-r.done
		case <-s.settling.urgent:
			return false
		case <-s.background.Done():
			return false
		case <-timer.C:
			offered = s.rides
			timer.Reset(d / 2)
		}
	}
	return false
}

// settle commits outcomes by themselves: those that could not ride, or those that
// have come. It does not give up before the sender closes: what is not settled is
// delivered again.
func (s *Sender) settle(r *ride) bool {
	if len(r.outcomes) == 0 {
		r.outcomes = s.settling.take(r.outcomes)
	}
	if len(r.outcomes) == 0 {
		return true
	}
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		began := time.Now()
		err := s.store.Settle(context.Background(), r.outcomes)
		s.settling.note(err != nil)
		if err == nil {
			r.took = time.Since(began)
			s.metrics.committed(commitSettle, len(r.outcomes), r.took)
			return true
		}
		s.log.Error("recording deliveries failed; it is tried again", "deliveries", len(r.outcomes), "error", err, "in", wait)
		if !s.sleep(wait) {
			return false
		}
	}
}
