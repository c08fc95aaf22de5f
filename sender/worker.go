package sender

import "sync/atomic"

// maxIdleWorkers is how many goroutines wait for attempts to make. A new one
// costs little, but for its stack, which grows anew to what an exchange needs.
const maxIdleWorkers = 64

// job is a delivery for which there is an attempt to make.
type job struct {
	lane     *lane
	kind     int
	delivery *Delivery
}

// idleWorkers are the goroutines that wait for attempts to make.
type idleWorkers struct {
	jobs chan job // nobody else receives from it
	n    atomic.Int64
}

func (w *idleWorkers) init() { w.jobs = make(chan job) }

// hand gives a job to an idle worker, or to a new one.
func (s *Sender) hand(j job) {
	select {
	case s.idle.jobs <- j:
	default:
		s.workers.Go(func() { s.work(j) })
	}
}

// work does a job, and those that come while it is idle, until the sender closes.
func (s *Sender) work(j job) {
	for more := true; more; j, more = s.await() {
		j.lane.run(j.kind, j.delivery)
	}
}

// await waits for a job; not ok when enough others wait already, or the sender
// closes.
func (s *Sender) await() (_ job, ok bool) {
	defer s.idle.n.Add(-1)
	if s.idle.n.Add(1) > maxIdleWorkers {
		return job{}, false
	}
	select {
	case j := <-s.idle.jobs:
		return j, true
	case <-s.background.Done():
		return job{}, false
	}
}
