package sender

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// ErrClosed means that the sender was closed and takes no more events.
var ErrClosed = errors.New("sender is closed")

// Options are what a [Sender] works with. The zero value is fine.
type Options struct {
	// Logger is told of failed deliveries and of trouble. Default: nobody.
	Logger *slog.Logger

	// Clock tells the time. Default: the computer's.
	Clock Clock

	// Random is where event IDs and jitter come from. It must be safe for
	// concurrent use. Default: crypto/rand.Reader.
	Random io.Reader
}

// Sender takes events and delivers them. Make one with [New]. All methods are
// safe for concurrent use.
type Sender struct {
	store  Store
	log    *slog.Logger
	clock  Clock
	random io.Reader

	current atomic.Pointer[snapshot]
	memory  atomic.Int64 // bytes of events that wait in lanes

	puts     putQueue
	settling settleQueue
	claims   chan struct{} // a slot for each claim that may run at once

	lifecycle sync.Mutex // held by Start, and by Stop while it waits; taken before mu
	closing   sync.Once
	closeErr  error

	mu         sync.Mutex // guards what follows; taken before a lane's
	lanes      map[string]*lane
	delivering bool
	closed     bool

	attempts       context.Context // the parent of every attempt
	cancelAttempts context.CancelFunc
	running        sync.WaitGroup // attempts and claims under way

	background     context.Context // ends on Close
	stopBackground context.CancelFunc
	putting        sync.WaitGroup // the goroutine that stores publications
	workers        sync.WaitGroup // the others that live until Close
}

// maxClaims is how many claims may read the store at once.
const maxClaims = 4

// settleGrace is how long Stop waits for the store to take the last outcomes.
var settleGrace = 10 * time.Second

// New makes a sender on a store, which stays the caller's to close, after
// Close of the sender. It takes events at once, and delivers after
// [Sender.Start]. Errors wrap [ErrConfig].
func New(cfg Config, store Store, o Options) (*Sender, error) {
	first, err := compile(&cfg)
	if err != nil {
		return nil, err
	}
	s := &Sender{
		store:  store,
		log:    o.Logger,
		clock:  o.Clock,
		random: o.Random,
		claims: make(chan struct{}, maxClaims),
		lanes:  make(map[string]*lane),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.clock == nil {
		s.clock = systemClock{}
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	first.transport = newTransport(first.guard)
	s.current.Store(first)
	s.attempts, s.cancelAttempts = context.WithCancel(context.Background())
	s.background, s.stopBackground = context.WithCancel(context.Background())
	s.puts.init()
	s.settling.init()
	s.putting.Go(s.putLoop)
	s.workers.Go(s.settleLoop)
	s.workers.Go(s.upkeepLoop)
	return s, nil
}

// Apply replaces the configuration as a whole, for the next event and the next
// attempt. Endpoints that were given up (blocked by the egress rules, or gone)
// are tried again when they or the rules have changed. When the error is not
// nil, it wraps [ErrConfig] and nothing has changed.
func (s *Sender) Apply(cfg Config) error {
	next, err := compile(&cfg)
	if err != nil {
		return err
	}
	s.mu.Lock()
	before := s.current.Load()
	if next.transport = before.transport; !reflect.DeepEqual(before.egress, next.egress) {
		next.transport = newTransport(next.guard)
	}
	s.current.Store(next)
	if next.transport != before.transport {
		before.transport.CloseIdleConnections()
	}
	for id, l := range s.lanes {
		l.retarget(next.targets[id], next.changed(before, id))
	}
	s.mu.Unlock()

	for id := range next.targets {
		if next.changed(before, id) {
			s.unblock(s.background, id)
		}
	}
	return nil
}

// unblock gives the blocked deliveries of an endpoint another chance.
func (s *Sender) unblock(ctx context.Context, id string) {
	now := s.clock.Now()
	n, err := s.store.Unblock(ctx, id, now)
	switch {
	case err != nil && ctx.Err() == nil:
		s.log.Error("taking up blocked deliveries failed; they wait for the next start", "endpoint", id, "error", err)
	case n > 0:
		s.lane(id).noteUnblocked(now)
	}
}

// Start begins to deliver, first of all what is waiting in the store. It does
// nothing when the sender is delivering already. After [Sender.Stop] it begins
// again. The error is the store's, or [ErrClosed].
func (s *Sender) Start(ctx context.Context) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.mu.Lock()
	closed, delivering := s.closed, s.delivering
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case delivering:
		return nil
	}
	for id := range s.current.Load().targets {
		s.unblock(ctx, id)
	}
	backlog, err := s.store.Backlog(ctx)
	if err != nil {
		return fmt.Errorf("reading what is to be delivered: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.delivering = true
	s.attempts, s.cancelAttempts = context.WithCancel(context.Background())
	for _, b := range backlog {
		s.laneLocked(b.EndpointID).noteBacklog(b)
	}
	for _, l := range s.lanes {
		l.start()
	}
	return nil
}

// Stop ends delivering. Attempts under way may finish until ctx ends; what has
// not finished by then is broken off and made again after the next start, as
// if it had not been made. Events are still taken in. It returns when the
// outcomes are in the store.
func (s *Sender) Stop(ctx context.Context) error {
	s.mu.Lock()
	s.delivering = false
	for _, l := range s.lanes {
		l.stop()
	}
	breakOff := s.cancelAttempts
	s.mu.Unlock()
	// Another Stop may be waiting with more patience, which ends here, too.
	defer context.AfterFunc(ctx, breakOff)()

	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.mu.Lock()
	startedAgain := s.delivering
	s.mu.Unlock()
	if startedAgain {
		return nil
	}
	s.running.Wait()
	breakOff()
	s.current.Load().transport.CloseIdleConnections()
	// What is not recorded is delivered again, so this is worth some time even
	// when ctx has ended.
	flush, cancel := context.WithTimeout(s.background, settleGrace)
	defer cancel()
	if err := s.settling.flush(flush); err != nil {
		return fmt.Errorf("the last deliveries could not be recorded and will be made again: %w", err)
	}
	return nil
}

// Close stops at once and ends the sender. Publishing afterwards fails with
// [ErrClosed]; publishers under way get their answer first. The store is left
// open, with everything in it that was taken in and not delivered. The error
// is that of [Sender.Stop]; further calls return it again.
func (s *Sender) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.puts.close()
		s.putting.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.closeErr = s.Stop(ctx)
		s.stopBackground()
		s.workers.Wait()
	})
	return s.closeErr
}

// lane returns the lane of an endpoint, making it when there is none.
func (s *Sender) lane(id string) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.laneLocked(id)
}

func (s *Sender) laneLocked(id string) *lane {
	l := s.lanes[id]
	if l == nil {
		l = newLane(s, id, s.current.Load().targets[id], s.delivering)
		s.lanes[id] = l
	}
	return l
}

// upkeepLoop does what has to be done now and then: deliveries that wait long
// in memory get their row in the store, and old events are deleted.
func (s *Sender) upkeepLoop() {
	const (
		recordEvery = 5 * time.Second
		purgeEvery  = time.Minute
	)
	var lastPurge time.Time
	for s.sleep(recordEvery) {
		s.mu.Lock()
		lanes := make([]*lane, 0, len(s.lanes))
		for _, l := range s.lanes {
			lanes = append(lanes, l)
		}
		s.mu.Unlock()
		for _, l := range lanes {
			l.recordWaiting(s.clock.Now().Add(-recordEvery))
		}
		if now := s.clock.Now(); now.Sub(lastPurge) >= purgeEvery {
			lastPurge = now
			s.purge(now)
		}
	}
}

// purge deletes what is older than the retention, in steps small enough not to
// hold up publishers.
func (s *Sender) purge(now time.Time) {
	const step = 500
	before := now.Add(-s.current.Load().retention)
	for {
		n, err := s.store.Purge(s.background, PurgeQuery{Before: before, Limit: step})
		if err != nil {
			if s.background.Err() == nil {
				s.log.Warn("deleting old events failed; it is tried again in a minute", "error", err)
			}
			return
		}
		if n < step || !s.sleep(20*time.Millisecond) {
			return
		}
	}
}

// sleep waits, and tells whether the sender is still open.
func (s *Sender) sleep(d time.Duration) bool {
	woken := make(chan struct{})
	stop := s.clock.AfterFunc(d, func() { close(woken) })
	defer stop()
	select {
	case <-woken:
		return true
	case <-s.background.Done():
		return false
	}
}
