package receiver

import (
	"errors"
	"log/slog"
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
	ip     *limits[clientKey]
	source *limits[sourceKey]

	metrics *metrics
	journal *journal     // nil without a file
	shared  *sharedState // nil without others

	closed atomic.Bool
	users  atomic.Int64 // requests being served, and the owner until Close
	ended  sync.Once
	done   <-chan struct{} // set by ended
}

// StateOptions are the options of [NewState] and [OpenState]. The zero value
// is fine.
type StateOptions struct {
	// Name is the value of the label "receiver" in the State's metrics.
	Name string

	// Path is the file that processed events are kept in over a restart. It
	// belongs to one State at a time. Default: they are kept in memory alone.
	Path string

	// Shared is a memory of events and limits that other processes use as
	// well. The State closes it in the end. It goes without a Path. Default:
	// the State knows of nobody else.
	Shared Shared

	// OnError says what becomes of requests while Shared cannot be asked.
	// Default: [OnErrorDeny].
	OnError OnError

	// Logger is told when the file cannot be written or Shared not be asked,
	// and when that is over. Default: nobody is.
	Logger *slog.Logger

	// Now tells the time that TTLs and rates are counted in. Default:
	// [time.Now].
	Now func() time.Time
}

// NewState makes an empty State in memory: it does not look at the options'
// Path. Until a request is committed it has no goroutine.
func NewState(o StateOptions) *State {
	now := o.Now
	if now == nil {
		now = time.Now
	}
	s := &State{
		seen:   newSeenSet(now),
		ip:     newLimits[clientKey](now),
		source: newLimits[sourceKey](now),
	}
	if o.Shared != nil {
		s.shared = newSharedState(&o, s.seen)
	}
	s.metrics = newMetrics(s, o.Name)
	s.users.Store(1)
	return s
}

// OpenState makes a State that remembers what is in the options' file, and
// keeps it up to date: what is committed is on the disk about a second later,
// so that a crash forgets no more than that. When the disk is full or fails,
// the State goes on in memory and says so in the log and in [Stats], and the
// file is made good as soon as it can be. Without a Path it is [NewState].
//
// The error wraps [ErrStateInUse] when the file belongs to somebody else. A
// file that is something else is not touched.
func OpenState(o StateOptions) (*State, error) {
	s := NewState(o)
	if o.Path == "" {
		return s, nil
	}
	if o.Shared != nil {
		return nil, errors.New("a State that is shared keeps no file of its own: leave out the path, or what is shared")
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	j, records, err := openJournal(o.Path, logger)
	if err != nil {
		return nil, err
	}
	h := &s.seen.history
	if !s.seen.restore(records, h.now().UnixNano()) {
		j.lost = true
	}
	if err := j.start(h, len(records)/recordSize); err != nil {
		return nil, err
	}
	h.journal, s.journal = j, j
	if h.pending > 0 {
		s.seen.settler.noticed(s.seen, h.pending)
	}
	return s, nil
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

// path is the file of the State, or empty.
func (s *State) path() string {
	if s.journal == nil {
		return ""
	}
	return s.journal.path
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
	s.ended.Do(func() {
		s.journal.close()
		if s.shared != nil {
			s.shared.Close()
		}
		s.done = s.seen.close()
	})
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

	// PersistErrors is how many times the file could not be written, and
	// Persisting tells that there is one and that it is complete, but for the
	// last second.
	PersistErrors int64
	Persisting    bool

	// SharedErrors is how many times the shared memory could not be asked, and
	// SharedAway tells that the last time was one of them. SharedLost is how
	// many claims were lost to another process while their event was processed.
	SharedErrors, SharedLost int64
	SharedAway               bool

	// Resets is how many times an event had to be put into ristretto again.
	Resets int64

	// IPKeys and SourceKeys are how many keys each limit keeps a budget for.
	IPKeys, SourceKeys int
}

// Stats counts what the State holds.
func (s *State) Stats() Stats {
	stats := Stats{
		Claimed:           int(s.seen.claimed.Load()),
		Exact:             int(s.seen.exact.Load()),
		Settled:           int(s.seen.settled.Load()),
		Forgotten:         s.seen.forgotten.Load(),
		YoungestForgotten: time.Duration(s.seen.youngest.Load()),
		Resets:            s.seen.resets.Load(),
		IPKeys:            s.ip.keys(),
		SourceKeys:        s.source.keys(),
	}
	if j := s.journal; j != nil {
		stats.PersistErrors, stats.Persisting = j.failures.Load(), !j.failing.Load()
	}
	if sh := s.shared; sh != nil {
		stats.SharedErrors, stats.SharedLost, stats.SharedAway = sh.errors.Load(), sh.lost.Load(), sh.away.Load()
	}
	return stats
}
