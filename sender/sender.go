package sender

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"reflect"
	"slices"
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

	// Notify is told of what a person may have to see to, one after the other
	// and from a goroutine of the sender. While it does not return, further
	// notices wait, and some may be left out. Default: nobody is told.
	Notify func(Notice)

	// Random is where event IDs and jitter come from. It must be safe for
	// concurrent use. Default: crypto/rand.Reader.
	Random io.Reader
}

// Sender takes events and delivers them. Make one with [New]. All methods are
// safe for concurrent use.
type Sender struct {
	store  Store
	shared *shared // nil: the store is this sender's alone
	log    *slog.Logger
	clock  Clock
	random io.Reader

	current atomic.Pointer[snapshot]
	memory  atomic.Int64 // bytes of events that wait in lanes

	puts      putQueue
	settling  settleQueue
	metrics   *metrics
	tracing   tracing
	claims    chan struct{} // a slot for each claim that may run at once
	pressure  pressure
	notices   notices
	followers followers

	directory    *directory
	unhealthy    workset[*lane] // whose health is to be stored
	savingHealth sync.Mutex

	changing  sync.Mutex // held while endpoints change; taken before mu
	managed   map[string]*managedEndpoint
	deleted   []string // endpoints that are no more, and have deliveries left
	resealing bool     // some are not sealed as they should be

	unreadable map[string]unreadable // endpoints that others have stored; guarded by changing

	replays replays

	draining sync.Once // begins to drain the outbox

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
// Close of the sender. It reads the endpoints that were made at run time, takes
// events at once, and delivers after [Sender.Start]. Errors wrap [ErrConfig],
// or [ErrSealed] when an endpoint in the store cannot be opened with the
// configured keys, or are the store's.
//
// On a [SharedStore] it shares the work with the senders of other instances,
// which should have the same configuration. An endpoint that has an order, a
// rate, or a concurrency of less than there are instances is delivered to by one
// of them at a time; of the others, each has its share of the concurrency, and
// a breaker of its own. Order is that in which publications were answered, as far
// as the machines' clocks agree; what an instance was taking in when it died comes
// when its lease has ended.
func New(cfg Config, store Store, o Options) (*Sender, error) {
	first, err := compile(&cfg)
	if err != nil {
		return nil, err
	}
	s := &Sender{
		store:      store,
		shared:     newShared(store),
		log:        o.Logger,
		clock:      o.Clock,
		random:     o.Random,
		claims:     make(chan struct{}, maxClaims),
		directory:  newDirectory(),
		managed:    make(map[string]*managedEndpoint),
		unreadable: make(map[string]unreadable),
		replays:    replays{byID: make(map[string]*replayJob)},
		lanes:      make(map[string]*lane),
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
	s.metrics = newMetrics()
	s.metrics.backlog = s.backlogSamples
	s.metrics.outbox = func() *OutboxCount { return s.countOutbox(s.background) }
	s.puts.init()
	s.settling.init()
	s.unhealthy.init()
	s.notices.init(o.Notify)
	if err := s.load(first); err != nil {
		s.cancelAttempts()
		s.stopBackground()
		return nil, err
	}
	s.putting.Go(s.putLoop)
	s.workers.Go(s.settleLoop)
	s.workers.Go(s.upkeepLoop)
	s.workers.Go(s.healthLoop)
	if s.shared != nil {
		s.workers.Go(s.watchLoop)
		s.workers.Go(s.changesLoop)
		s.workers.Go(s.pollLoop)
	}
	if o.Notify != nil {
		s.workers.Go(s.noticeLoop)
	}
	return s, nil
}

// load reads what the store knows of endpoints.
func (s *Sender) load(c *snapshot) error {
	ctx := context.Background()
	if err := s.loadEndpoints(ctx, c); err != nil {
		return err
	}
	targets, err := s.allTargets(c, nil)
	if err != nil {
		return err
	}
	s.directory.replace(targets)
	if err := s.loadHealth(ctx); err != nil {
		return err
	}
	if err := s.readReplays(ctx); err != nil {
		return err
	}
	return s.measure(ctx)
}

// allTargets are all endpoints, made ready under a configuration: those that
// stand in it, and those made at run time, which may be taken from before when
// nothing has changed for them. The caller holds s.changing.
func (s *Sender) allTargets(c *snapshot, before map[string]*target) ([]*target, error) {
	targets := slices.Clone(c.targets)
	for _, m := range s.managedInOrder() {
		t := before[m.ID]
		if t == nil {
			var err error
			if t, err = c.takeOver(m); err != nil {
				return nil, fmt.Errorf("endpoint %s: %w", m.ID, err)
			}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// Check tells whether [Sender.Apply] would take a configuration, and changes
// nothing. When the error is not nil, it wraps [ErrConfig].
func (s *Sender) Check(cfg Config) error {
	next, err := compile(&cfg)
	if err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	_, _, err = s.succeed(next)
	return err
}

// succeed makes a configuration ready to succeed the present one: with all
// endpoints under it, and told whether the egress rules are others. The caller
// holds s.changing.
func (s *Sender) succeed(next *snapshot) (targets []*target, moved bool, err error) {
	current := s.current.Load()
	moved = !reflect.DeepEqual(current.egress, next.egress)
	var kept map[string]*target
	if !moved && reflect.DeepEqual(current.schedule, next.schedule) {
		kept = s.directory.all()
	}
	if targets, err = s.allTargets(next, kept); err != nil {
		return nil, moved, err
	}
	if len(next.sealer.keys) == 0 && len(current.sealer.keys) > 0 && len(s.managed) > 0 {
		return nil, moved, fmt.Errorf("%w: encryption_key: there is none, and endpoints are sealed with the one before: keep it", ErrConfig)
	}
	return targets, moved, nil
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
	s.changing.Lock()
	defer s.changing.Unlock()
	current := s.current.Load()
	targets, moved, err := s.succeed(next)
	if err != nil {
		return err
	}
	s.resealing = s.resealing || !next.sealer.same(current.sealer)

	s.mu.Lock()
	if next.transport = current.transport; moved {
		next.transport = newTransport(next.guard)
	}
	s.current.Store(next)
	if moved {
		current.transport.CloseIdleConnections()
	}
	before := s.directory.replace(targets)
	after := s.directory.all()
	for id, l := range s.lanes {
		l.retarget(after[id], moved || !after[id].same(before[id]))
	}
	s.mu.Unlock()

	for id, t := range before {
		if after[id] == nil && !t.managed {
			s.metrics.forget(t.label)
		}
	}
	for id, t := range after {
		if moved || !t.same(before[id]) {
			s.unblock(s.background, id)
		}
	}
	if s.resealing {
		s.reseal(s.background)
	}
	if s.shared != nil {
		s.readUnreadable()
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
		s.lane(id).noteStored(again, now)
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
	for id := range s.directory.all() {
		s.unblock(ctx, id)
	}
	backlog, err := s.store.Backlog(ctx)
	if err != nil {
		return fmt.Errorf("reading what is to be delivered: %w", err)
	}
	if err := s.clearAway(ctx, backlog); err != nil {
		return err
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
	s.resumeReplays()
	s.drainOutbox()
	return nil
}

// Stop ends delivering. Attempts under way may finish until ctx ends; what has
// not finished by then is broken off and made again after the next start, as
// if it had not been made. Events are still taken in. It returns when the
// outcomes are in the store. Whoever follows the deliveries is let go at once.
func (s *Sender) Stop(ctx context.Context) error {
	s.followers.end()
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
	if s.isDelivering() { // started again
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
	s.releaseLanes(flush)
	return s.saveHealth(flush)
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
		s.releaseUpkeep()
	})
	return s.closeErr
}

// allLanes are the lanes of all endpoints that have had something to do.
func (s *Sender) allLanes() []*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.lanes))
}

// isDelivering tells whether the sender was started.
func (s *Sender) isDelivering() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivering
}

// existingLane returns the lane of an endpoint; nil when there is none yet.
func (s *Sender) existingLane(id string) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lanes[id]
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
		l = newLane(s, id, s.directory.get(id), s.delivering)
		s.lanes[id] = l
	}
	return l
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
