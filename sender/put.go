package sender

import (
	"context"
	"sync"
)

// Limits of one transaction of publications.
const (
	maxPutEvents = 1024
	maxPutBytes  = 8 << 20
)

// putQueue gathers the publications of many callers, so that one fsync serves
// them all: while one transaction is being committed, the next one fills.
type putQueue struct {
	mu      sync.Mutex
	waiting []*putRequest
	closed  bool
	wake    chan struct{} // holds one token while there is something to do
}

// putRequest is one caller's publication on its way to the disk.
type putRequest struct {
	publication Publication
	bytes       int
	deliveries  int
	done        chan error
}

func (q *putQueue) init() { q.wake = make(chan struct{}, 1) }

// add queues a request. It fails only when the queue was closed.
func (q *putQueue) add(r *putRequest) error {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return ErrClosed
	}
	q.waiting = append(q.waiting, r)
	q.mu.Unlock()
	token(q.wake)
	return nil
}

func (q *putQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	token(q.wake)
}

// take moves as many requests as one transaction may hold into batch.
func (q *putQueue) take(batch []*putRequest) (_ []*putRequest, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	events, bytes, n := 0, 0, 0
	for _, r := range q.waiting {
		events += len(r.publication.Events)
		bytes += r.bytes
		if n > 0 && (events > maxPutEvents || bytes > maxPutBytes) {
			break
		}
		n++
	}
	batch = append(batch, q.waiting[:n]...)
	left := copy(q.waiting, q.waiting[n:])
	clear(q.waiting[left:])
	q.waiting = q.waiting[:left]
	return batch, q.closed
}

// putLoop commits what is queued until the queue is closed and empty.
func (s *Sender) putLoop() {
	var batch []*putRequest
	var publications []*Publication
	for {
		var closed bool
		batch, closed = s.puts.take(batch[:0])
		if len(batch) == 0 {
			if closed {
				return
			}
			<-s.puts.wake
			continue
		}
		publications = publications[:0]
		for _, r := range batch {
			publications = append(publications, &r.publication)
		}
		began, lease := s.clock.Now(), s.lease()
		err := s.store.PutEvents(context.Background(), publications)
		if err == nil {
			s.metrics.committed(commitPut, len(batch), s.clock.Now().Sub(began))
		}
		for _, r := range batch {
			if err != nil {
				r.done <- err
				continue
			}
			if r.publication.Err == nil {
				s.dispatch(r.publication.Events, lease)
			}
			r.done <- r.publication.Err
		}
		clear(batch)
		clear(publications)
	}
}

// dispatch hands stored events to the lanes of their endpoints, straight from
// memory. They are held under a lease.
func (s *Sender) dispatch(events []PutEvent, lease int64) {
	for i := range events {
		e := &events[i]
		if e.Duplicate {
			continue
		}
		for _, id := range e.EndpointIDs {
			d := &Delivery{Event: e.Event, Seq: e.Seq, StoredAt: e.StoredAt, EndpointID: id, Status: Pending, Due: e.StoredAt}
			s.followers.tell(d, Pending, d.Due, nil)
			s.lane(id).offer(d, lease)
		}
	}
}
