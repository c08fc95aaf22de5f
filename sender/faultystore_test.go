package sender_test

import (
	"context"
	"errors"
	"sync"

	"github.com/manysends/caddy-webhooks/sender"
)

// fault is a set of the calls of a store that fail.
type fault int

const (
	faultPut fault = 1 << iota
	faultSettle
	faultClaim
	faultBacklog
	faultDocuments
	faultCancelAll
	faultOverride
	faultTogether
	faultMissing
	faultAdd
)

var errFaulty = errors.New("the disk is on fire")

// faultyStore fails on demand, without doing anything then.
type faultyStore struct {
	sender.Store

	mu     sync.Mutex
	faults fault
	err    error // instead of errFaulty
	failed map[fault]int
	each   func(fault) error // asked at each call, when it is set
	done   func()            // called after each claim, when it is set
}

// around puts the faults before a store.
func (f *faultyStore) around(s sender.Store) sender.Store {
	f.Store = s
	return f
}

// fail has these calls fail from now on, and no others.
func (f *faultyStore) fail(faults fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = faults
}

// call has a function asked at each call from now on; an error of it fails the
// call. It may wait, and may use the store.
func (f *faultyStore) call(each func(fault) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.each = each
}

// failures is how often a call has failed.
func (f *faultyStore) failures(of fault) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed[of]
}

func (f *faultyStore) check(call fault) error {
	f.mu.Lock()
	each := f.each
	f.mu.Unlock()
	var err error
	if each != nil {
		err = each(call)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.faults&call != 0 {
		if err = f.err; err == nil {
			err = errFaulty
		}
	}
	if err != nil {
		if f.failed == nil {
			f.failed = make(map[fault]int)
		}
		f.failed[call]++
	}
	return err
}

func (f *faultyStore) PutEvents(ctx context.Context, p []*sender.Publication) error {
	if err := f.check(faultPut); err != nil {
		return err
	}
	return f.Store.PutEvents(ctx, p)
}

func (f *faultyStore) Settle(ctx context.Context, o []sender.Outcome) error {
	if err := f.check(faultSettle); err != nil {
		return err
	}
	return f.Store.Settle(ctx, o)
}

// jointFaultyStore is one that can store publications and outcomes together, too.
type jointFaultyStore struct{ *faultyStore }

func (f jointFaultyStore) PutAndSettle(ctx context.Context, p []*sender.Publication, o []sender.Outcome) error {
	if err := f.check(faultTogether); err != nil {
		return err
	}
	return f.Store.(sender.PutSettler).PutAndSettle(ctx, p, o)
}

func (f *faultyStore) Claim(ctx context.Context, q sender.ClaimQuery) (sender.Claimed, error) {
	if err := f.check(faultClaim); err != nil {
		return sender.Claimed{}, err
	}
	claimed, err := f.Store.Claim(ctx, q)
	f.mu.Lock()
	done := f.done
	f.mu.Unlock()
	if done != nil {
		done()
	}
	return claimed, err
}

func (f *faultyStore) Backlog(ctx context.Context) ([]sender.Backlog, error) {
	if err := f.check(faultBacklog); err != nil {
		return nil, err
	}
	return f.Store.Backlog(ctx)
}

func (f *faultyStore) PutDocuments(ctx context.Context, d []*sender.Document) error {
	if err := f.check(faultDocuments); err != nil {
		return err
	}
	return f.Store.PutDocuments(ctx, d)
}

func (f *faultyStore) CancelAll(ctx context.Context, endpointID string) (int, error) {
	if err := f.check(faultCancelAll); err != nil {
		return 0, err
	}
	return f.Store.CancelAll(ctx, endpointID)
}

func (f *faultyStore) Override(ctx context.Context, o []sender.Override) error {
	if err := f.check(faultOverride); err != nil {
		return err
	}
	return f.Store.Override(ctx, o)
}

func (f *faultyStore) Missing(ctx context.Context, q sender.MissingQuery) (sender.MissingPage, error) {
	if err := f.check(faultMissing); err != nil {
		return sender.MissingPage{}, err
	}
	return f.Store.Missing(ctx, q)
}

func (f *faultyStore) AddDeliveries(ctx context.Context, d []sender.NewDelivery) error {
	if err := f.check(faultAdd); err != nil {
		return err
	}
	return f.Store.AddDeliveries(ctx, d)
}
