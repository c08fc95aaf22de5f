package load

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Plan is what a sink expects.
type Plan struct {
	// Run is the run whose events count. Those of others are strays.
	Run uint16 `json:"run"`

	// Events is how many events there will be at most.
	Events int `json:"events"`

	// Targets is how many endpoints get each event; 0 is one. With several, the
	// number of the endpoint ends the path.
	Targets int `json:"targets,omitempty"`

	// VerifyEvery is how many deliveries come to one whose signature is
	// verified with Secret; with 0 none is.
	VerifyEvery int    `json:"verify_every,omitempty"`
	Secret      string `json:"secret,omitempty"`
}

// Account is what has arrived.
type Account struct {
	// Arrived is how many deliveries have arrived, and Distinct how many
	// different ones.
	Arrived  int `json:"arrived"`
	Distinct int `json:"distinct"`

	// Strays are those that belong to no event of the run.
	Strays int `json:"strays"`

	// Missing are those that were acknowledged and have not arrived, and
	// Unexpected those that arrived without having been acknowledged.
	Missing    int `json:"missing"`
	Unexpected int `json:"unexpected"`

	// Verified is how many signatures were right, and Forged how many not.
	Verified int `json:"verified"`
	Forged   int `json:"forged"`

	// First and Last are when the first and the last one arrived, by Now.
	First int64 `json:"first_ns"`
	Last  int64 `json:"last_ns"`

	// Latency holds how long they took, from when their events were to be
	// published.
	Latency *Histogram `json:"latency"`
}

// tally counts the arrivals of a run.
type tally struct {
	plan     Plan
	targets  int
	counts   []atomic.Uint32 // by event and target
	distinct atomic.Int64

	mu     sync.Mutex
	shares []*share
}

func newTally(p Plan) *tally {
	t := &tally{plan: p, targets: max(p.Targets, 1)}
	t.counts = make([]atomic.Uint32, p.Events*t.targets)
	return t
}

// share is what came over one connection.
type share struct {
	tally *tally
	mu    sync.Mutex
	Account
}

func (t *tally) newShare() *share {
	s := &share{tally: t, Account: Account{Latency: new(Histogram)}}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shares = append(t.shares, s)
	return s
}

// arrived counts a delivery to a target.
func (s *share) arrived(m Mark, ok bool, target int) {
	now := Now()
	t := s.tally
	i := int(m.Number)*t.targets + target
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Arrived++
	if !ok || m.Run != t.plan.Run || target >= t.targets || i >= len(t.counts) {
		s.Strays++
		return
	}
	if t.counts[i].Add(1) > 1 {
		return
	}
	s.Distinct++
	if s.First == 0 {
		s.First = now
	}
	s.Last = now
	s.Latency.Add(time.Duration(now - m.At))
	t.distinct.Add(1)
}

// verified counts a signature that was looked at.
func (s *share) verified(right bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if right {
		s.Verified++
	} else {
		s.Forged++
	}
}

// await waits until so many different deliveries have arrived, or none has for
// the time given.
func (t *tally) await(distinct int, patience time.Duration) {
	last, since := int64(-1), time.Now()
	for {
		now := t.distinct.Load()
		if now >= int64(distinct) {
			return
		}
		if now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > patience {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// account is what has arrived, of so many events that were sent but for those
// that failed.
func (t *tally) account(sent int, failed []uint32) *Account {
	a := &Account{Latency: new(Histogram)}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.shares {
		s.mu.Lock()
		a.Arrived += s.Arrived
		a.Distinct += s.Distinct
		a.Strays += s.Strays
		a.Verified += s.Verified
		a.Forged += s.Forged
		if s.First != 0 && (a.First == 0 || s.First < a.First) {
			a.First = s.First
		}
		a.Last = max(a.Last, s.Last)
		a.Latency.Merge(s.Latency)
		s.mu.Unlock()
	}
	slices.Sort(failed)
	for i := range t.counts {
		event := uint32(i / t.targets)
		_, refused := slices.BinarySearch(failed, event)
		expected := int(event) < sent && !refused
		switch got := t.counts[i].Load() > 0; {
		case expected && !got:
			a.Missing++
		case !expected && got:
			a.Unexpected++
		}
	}
	return a
}
