package sender

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
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
	joint  PutSettler // the store, if it can do both at once
	shared *shared    // nil: the store is this sender's alone
	log    *slog.Logger
	clock  Clock
	random io.Reader

	current atomic.Pointer[snapshot]
	memory  atomic.Int64 // bytes of events that wait in lanes

	puts      putQueue
	settling  settleQueue
	rides     chan *ride // outcomes that publications may take along; nil where they cannot
	idle      idleWorkers
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

	period  atomic.Pointer[period] // of delivering
	running sync.WaitGroup         // attempts and claims under way

	background     context.Context // ends on Close
	stopBackground context.CancelFunc
	putting        sync.WaitGroup // the goroutine that stores publications
	workers        sync.WaitGroup // the others that live until Close
}

// maxClaims is how many claims may read the store at once.
const maxClaims = 4

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
	s.period.Store(newPeriod(nil))
	s.background, s.stopBackground = context.WithCancel(context.Background())
	s.metrics = newMetrics()
	s.metrics.backlog = s.backlogSamples
	s.metrics.configured = func(endpoint string) bool {
		t := s.directory.get(endpoint)
		return t != nil && !t.managed
	}
	s.metrics.outbox = func() *OutboxCount { return s.countOutbox(s.background) }
	s.puts.init()
	s.settling.init()
	if joint, ok := store.(PutSettler); ok {
		s.joint, s.rides = joint, make(chan *ride)
	}
	s.idle.init()
	s.unhealthy.init()
	s.notices.init(o.Notify)
	if err := s.load(first); err != nil {
		s.period.Load().end()
		s.stopBackground()
		return nil, err
	}
	s.warnOfTypes(first, func(*target, webhook.Pattern) bool { return false })
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
