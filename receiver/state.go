package receiver

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// State is what must outlive a configuration: the events that have been seen,
// and how much of the limits is used up. There is one for each scope; several
// Receivers may share it, such as those of the old and the new configuration
// during a change. It takes capacity, TTL and rates from the Receiver that
// serves a request, so one that never serves any changes nothing. Make one
// with [NewState] and end it with [State.Close]; the zero value is not usable.
type State struct {
	seen   *seenSet
	ip     *limits[netip.Addr]
	source *limits[string]

	closed atomic.Bool
	users  atomic.Int64 // requests being served, and the owner until Close
	ended  sync.Once
	done   <-chan struct{} // set by ended
}

// StateOptions are the options of [NewState]. The zero value is fine.
type StateOptions struct {
	// Now tells the time that TTLs and rates are counted in. Default:
	// [time.Now].
	Now func() time.Time
}

// NewState makes an empty State. Until a request is committed it has no
// goroutine.
func NewState(o StateOptions) *State {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	s := &State{
		seen:   newSeenSet(now),
		ip:     newLimits[netip.Addr](now),
		source: newLimits[string](now),
	}
	s.users.Store(1)
	return s
}

// Close ends the State. Requests that are being served go on to their end, and
// what they hold is freed after the last of them; later ones are refused with
// [ErrClosed]. When no request is being served, everything has been freed and
// all goroutines have ended when Close returns. It may be called repeatedly.
func (s *State) Close() {
	if s.closed.Swap(true) {
		return
	}
	if s.leave() {
		<-s.done
	}
}

// enter registers a request, which must leave in the end, or tells that the
// State is closed.
func (s *State) enter() bool {
	s.users.Add(1)
	if s.closed.Load() {
		s.leave()
		return false
	}
	return true
}

// leave unregisters a request, or the owner. The last one frees everything and
// is told so.
func (s *State) leave() (last bool) {
	if s.users.Add(-1) > 0 {
		return false
	}
	s.ended.Do(func() { s.done = s.seen.close() })
	return true
}

// Stats is a snapshot of a [State]. Its numbers are read one by one while
// requests go on, so they need not add up to the last one.
type Stats struct {
	// Claimed is how many keys are held by requests in flight. An event has
	// one key, or two with providers that need it.
	Claimed int

	// Exact and Settled are how many processed events are remembered: in the
	// exact table, and in ristretto.
	Exact, Settled int

	// Forgotten is how many events were forgotten before their TTL because
	// there were more than the capacity, since the State was made.
	Forgotten int64

	// YoungestForgotten is the least time that any of those had been
	// remembered; zero when there are none.
	YoungestForgotten time.Duration

	// Resets is how many times an event had to be put into ristretto again.
	Resets int64

	// IPKeys and SourceKeys are how many keys each limit keeps a budget for.
	IPKeys, SourceKeys int
}

// Stats counts what the State holds.
func (s *State) Stats() Stats {
	return Stats{
		Claimed:           int(s.seen.claimed.Load()),
		Exact:             int(s.seen.exact.Load()),
		Settled:           int(s.seen.settled.Load()),
		Forgotten:         s.seen.forgotten.Load(),
		YoungestForgotten: time.Duration(s.seen.youngest.Load()),
		Resets:            s.seen.resets.Load(),
		IPKeys:            int(s.ip.keys.Load()),
		SourceKeys:        int(s.source.keys.Load()),
	}
}
