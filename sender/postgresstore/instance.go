package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// keeper keeps the lease of this instance, and knows of the others.
type keeper struct {
	mu      sync.Mutex
	current int32     // its number; 0 while it is none
	left    int32     // the number that it lost and has not dealt with yet; 0 if none
	warned  int32     // the number whose loss was logged last
	renewed time.Time // when the last successful renewal began
	server  time.Time // what time it was at the server then; zero when it has joined since
	last    int64     // the number of the last event that there was then
	rank    int
	count   int
	lost    bool // the loss of a lease is still to be told

	joining sync.Mutex    // held while it joins
	look    chan struct{} // holds one token when there is a reason to renew now
	dead    chan struct{} // holds one token when there are others to take over
}

func (k *keeper) init() {
	k.look, k.dead = make(chan struct{}, 1), make(chan struct{}, 1)
}

// token puts a token into a channel that holds one, unless it is there.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// number is that of this instance; 0 while it is none.
func (k *keeper) number() int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.current
}

// lastSeen is the number of the last event that a renewal has shown; 0 when there
// was none since it joined.
func (k *keeper) lastSeen() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last
}

// lose notes that an instance is no more, or that it is not known what it holds.
func (k *keeper) lose(instance int32) {
	k.mu.Lock()
	if k.current == instance && instance != 0 {
		k.current, k.left = 0, instance
	}
	k.mu.Unlock()
	token(k.look)
}

// Instances implements [sender.SharedStore].
func (s *Store) Instances() (rank, count int) {
	k := &s.keeper
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.current == 0 || k.lost || !within(k.renewed, time.Now(), s.lease-s.lease/6) {
		return 0, 0
	}
	return k.rank, k.count
}

// within tells whether no more than a duration has passed, by either clock: the
// monotonic one may have stood still while the machine slept, the other one may
// have been set.
func within(since, now time.Time, d time.Duration) bool {
	elapsed, wall := now.Sub(since), now.Round(0).Sub(since.Round(0))
	return elapsed <= d && wall <= d
}

// instance is the number of this instance. When it is none, it joins anew.
func (s *Store) instance(ctx context.Context) (int32, error) {
	if number := s.keeper.number(); number != 0 {
		return number, nil
	}
	if err := s.rejoin(ctx); errors.Is(err, errRejoining) {
		return 0, err
	} else if err != nil {
		return 0, fmt.Errorf("%w: %w", errRejoining, err)
	}
	return s.keeper.number(), nil
}

// join makes this process an instance.
func (s *Store) join(ctx context.Context) error {
	began := time.Now()
	var number int32
	err := s.pool.QueryRow(ctx, s.in(`INSERT INTO {s}.instances (low_water, lease_until)
		SELECT last_value, clock_timestamp() + $1 * interval '1 microsecond' FROM {s}.seq RETURNING number`),
		s.lease.Microseconds()).Scan(&number)
	if err != nil {
		return err
	}
	s.keeper.mu.Lock()
	s.keeper.current, s.keeper.left, s.keeper.renewed = number, 0, began
	s.keeper.server, s.keeper.last = time.Time{}, 0
	s.keeper.mu.Unlock()
	s.notifier.tell(message{kind: kindInstances})
	return s.renew(ctx, number)
}

// joinPatience is how long a call waits for another one that joins anew.
const joinPatience = 2 * time.Second

// rejoin joins anew after the lease was lost. First it frees what it held
// before, since its outcomes are taken only for what is recorded.
func (s *Store) rejoin(ctx context.Context) error {
	// Another call may be at it. Calls need not all wait for a server that does not
	// answer.
	for until := time.Now().Add(joinPatience); !s.keeper.joining.TryLock(); {
		if time.Now().After(until) {
			return errRejoining
		}
		time.Sleep(joinPatience / 200)
	}
	defer s.keeper.joining.Unlock()
	if s.keeper.number() != 0 {
		return nil // another call has just done it
	}
	s.putting.Lock()
	defer s.putting.Unlock()
	s.settling.Lock()
	defer s.settling.Unlock()
	s.keeper.mu.Lock()
	left := s.keeper.left
	news := left != s.keeper.warned
	s.keeper.warned = left
	s.keeper.mu.Unlock()
	if left != 0 {
		if news { // every call tries while the server is away
			s.logger.Warn("the lease of this instance was lost, it joins anew", "instance", left)
		}
		if _, err := s.takeOver(ctx, left, true); err != nil {
			return err
		}
	}
	if err := s.skipNumbers(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.holds.lose()
	s.mu.Unlock()
	s.endpoints.init() // others may have the numbers of those that are gone
	s.keeper.mu.Lock()
	s.keeper.lost = true
	s.keeper.mu.Unlock()
	if err := s.join(ctx); err != nil {
		return err
	}
	token(s.watch.wake)
	return nil
}

// leave ends this instance and frees what it holds.
func (s *Store) leave(ctx context.Context) error {
	k := &s.keeper
	k.mu.Lock()
	number := max(k.current, k.left)
	k.current, k.left = 0, 0
	k.mu.Unlock()
	if number == 0 {
		return nil
	}
	err := s.tellVolume(ctx, number)
	if err == nil {
		_, err = s.takeOver(ctx, number, true)
	}
	if err == nil {
		s.notifier.tell(message{kind: kindInstances})
		s.flushNotes(ctx)
	}
	return err
}

// keep renews the lease until the store is closed.
func (s *Store) keep() {
	every := s.lease / 3
	wait := every
	for {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-s.keeper.look:
			timer.Stop()
		case <-s.background.Done():
			timer.Stop()
			return
		}
		ctx, cancel := context.WithTimeout(s.background, max(every, time.Second))
		err := s.keepOnce(ctx)
		cancel()
		wait = every
		if err != nil && s.background.Err() == nil {
			s.logger.Error("renewing the lease failed; it is tried again", "error", s.failed("renewing the lease", err))
			wait = every/8 + rand.N(every/8)
			if stateOf(err) == stateReadOnly { // the connections would stay so when the server is not any more
				s.pool.Reset()
			}
		}
	}
}

// keepOnce renews the lease, or joins anew, and sees to what goes with it.
func (s *Store) keepOnce(ctx context.Context) error {
	number := s.keeper.number()
	if number == 0 {
		return s.rejoin(ctx)
	}
	if err := s.renew(ctx, number); err != nil {
		return err
	}
	if err := s.tellVolume(ctx, number); err != nil {
		return err
	}
	return s.turnPartition(ctx)
}

// renewLease renews the lease of instance $1 and lists all instances with whether
// their leases have ended, with the last number of an event, and with the time. $3
// is its mark; where $4 is set, nothing is unwritten and nothing is being stored, so
// that the mark can be as high as the numbers.
const renewLease = `WITH numbers AS MATERIALIZED (SELECT last_value AS last FROM {s}.seq),
	me AS (UPDATE {s}.instances SET lease_until = clock_timestamp() + $2 * interval '1 microsecond',
			low_water = CASE WHEN $4 THEN last ELSE greatest(low_water, least($3, last)) END
		FROM numbers WHERE number = $1 RETURNING number)
	SELECT i.number, i.lease_until <= clock_timestamp(), EXISTS (SELECT FROM me), last, statement_timestamp()
	FROM {s}.instances i, numbers ORDER BY i.number`

// renew renews the lease and looks at the others.
func (s *Store) renew(ctx context.Context, number int32) error {
	idle := s.putting.TryLock()
	s.mu.Lock()
	mark, next := s.holds.lowWater(), s.holds.next
	idle, unlock := idle && s.holds.idle(), idle
	s.mu.Unlock()
	seen := s.keeper.lastSeen()
	if unlock {
		defer s.putting.Unlock()
	}
	began := time.Now()
	rows, err := s.pool.Query(ctx, s.in(renewLease), number, s.lease.Microseconds(), mark, idle)
	if err != nil {
		return err
	}
	renewed, rank, count, dead, last, server := false, 0, 0, false, int64(0), time.Time{}
	err = each(rows, func(rows pgx.Rows) error {
		var other int32
		var ended bool
		if err := rows.Scan(&other, &ended, &renewed, &last, &server); err != nil {
			return err
		}
		switch {
		case ended && other != number:
			dead = true
		case other < number:
			rank++
			count++
		default:
			count++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if !renewed {
		s.keeper.lose(number)
		return errRejoining
	}
	if last < max(next-1, seen) {
		s.keeper.lose(number)
		return errSetBack
	}
	s.sawInstances(number, began, server, last, rank, count, dead)
	return nil
}

// sawInstances notes what a renewal has shown.
func (s *Store) sawInstances(number int32, began, server time.Time, last int64, rank, count int, dead bool) {
	k := &s.keeper
	k.mu.Lock()
	if k.current != number {
		k.mu.Unlock()
		return
	}
	changed := rank != k.rank || count != k.count
	// After an outage everybody's lease has ended, and when the clock of the server
	// was set, or that of the one in its place is ahead, it seems so: they get the
	// time to renew. Who has just joined may have done so because of that.
	healthy := within(k.renewed, began, s.lease) && !k.server.IsZero() && server.Sub(k.server)-began.Sub(k.renewed) < s.lease/3
	k.renewed, k.server, k.last, k.rank, k.count = began, server, last, rank, count
	k.mu.Unlock()
	if changed {
		s.watch.add(message{kind: kindInstances})
	}
	if dead && healthy {
		token(k.dead)
	}
}
