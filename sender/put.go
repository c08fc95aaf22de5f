package sender

import (
	"errors"
	"fmt"
	"sync"
)

// Limits of one transaction of publications.
const (
	maxPutEvents = 1024
	maxPutBytes  = 8 << 20
)

// Limits of what may wait for the disk, with what is being committed. When more
// comes than the disk takes, those who come late are told at once, rather than
// after everybody before them.
const (
	maxPutRequests     = 2048
	maxPutWaitingBytes = 64 << 20
)

// ErrBusy means that more events are published at once than can be stored. It
// passes within a moment.
var ErrBusy = errors.New("too many events are being published at once")

var errBusy = fmt.Errorf("%w: publish again in a second", ErrBusy)

// putQueue gathers the publications of many callers, so that one fsync serves
// them all: while one transaction is being committed, the next one fills.
type putQueue struct {
	mu      sync.Mutex
	waiting []*putRequest
	held    int // requests that wait or are being committed
	bytes   int // of their events
	closed  bool
	wake    chan struct{} // holds one token while there is something to do
}

// putRequest is one caller's publication on its way to the disk.
type putRequest struct {
	publication Publication
	bytes       int
	deliveries  int
	named       bool       // all IDs are the publisher's own
	done        chan error // of putAnswers
}

// putAnswers are channels, each of which has room for the one answer to a request.
// One that is empty, and that nobody sends to any more, may be used again.
var putAnswers = sync.Pool{New: func() any { return make(chan error, 1) }}

func (q *putQueue) init() { q.wake = make(chan struct{}, 1) }

// add queues a request. The error is [ErrClosed] or wraps [ErrBusy].
func (q *putQueue) add(r *putRequest) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	// One by itself may be larger than all may be together.
	if q.held >= maxPutRequests || q.held > 0 && q.bytes+r.bytes > maxPutWaitingBytes {
		return errBusy
	}
	q.waiting = append(q.waiting, r)
	q.held++
	q.bytes += r.bytes
	token(q.wake)
	return nil
}

// full tells that no request would be taken now, however small.
func (q *putQueue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held >= maxPutRequests || q.bytes >= maxPutWaitingBytes
}

// release makes room for others: the batch has been committed, or has failed.
func (q *putQueue) release(batch []*putRequest) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held -= len(batch)
	for _, r := range batch {
		q.bytes -= r.bytes
	}
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
		lease := s.lease()
		err := s.put(publications)
		s.puts.release(batch)
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
		s.settling.keepUp()
		for _, id := range e.EndpointIDs {
			d := &Delivery{Event: e.Event, Seq: e.Seq, StoredAt: e.StoredAt, EndpointID: id, Status: Pending, Due: e.StoredAt}
			s.followers.tell(d, Pending, d.Due, nil)
			s.lane(id).offer(d, lease)
		}
	}
}
