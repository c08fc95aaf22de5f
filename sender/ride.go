package sender

import (
	"context"
	"time"
)

// PutSettler is a [Store] that can do PutEvents and Settle in one transaction,
// which takes one fsync in place of two.
type PutSettler interface {
	Store

	// PutAndSettle does what Settle and then PutEvents do. When it returns nil, all
	// of it is on disk; when it returns an error, none of it is kept, and either
	// may still be possible by itself. A publication that is refused, so that its
	// Err is set, is no error, as in PutEvents. A [Sender] calls it in place of
	// PutEvents, and calls no Settle meanwhile.
	PutAndSettle(ctx context.Context, publications []*Publication, outcomes []Outcome) error
}

// ride is a batch of outcomes on its way to the store: in the transaction of
// publications that come at the right time, or by itself.
type ride struct {
	outcomes []Outcome
	took     time.Duration // the last transaction of outcomes
	done     chan bool     // tells, when publications have come, whether it is on disk
}

func newRide() *ride { return &ride{done: make(chan bool, 1)} }

func (r *ride) clear() {
	clear(r.outcomes)
	r.outcomes = r.outcomes[:0]
}

// put stores publications, and with them the outcomes that are to be taken along.
// When both cannot be stored together, each is tried by itself, so that what is
// wrong with one does not become the other's.
func (s *Sender) put(publications []*Publication) error {
	select {
	case r := <-s.rides:
		onDisk := s.takeAlong(publications, r)
		r.done <- onDisk
		if onDisk {
			return nil
		}
	default:
	}
	began := time.Now()
	err := s.store.PutEvents(context.Background(), publications)
	if err == nil {
		s.metrics.committed(commitPut, len(publications), time.Since(began))
	}
	return err
}

// takeAlong stores publications together with the outcomes that have come. It
// tells whether it did; otherwise nothing is stored.
func (s *Sender) takeAlong(publications []*Publication, r *ride) bool {
	r.outcomes = s.settling.take(r.outcomes)
	if len(r.outcomes) == 0 {
		return false
	}
	began := time.Now()
	err := s.joint.PutAndSettle(context.Background(), publications, r.outcomes)
	r.took = time.Since(began)
	if err != nil {
		return false
	}
	s.metrics.committed(commitPut, len(publications), r.took)
	s.metrics.committed(commitSettle, len(r.outcomes), r.took)
	return true
}
