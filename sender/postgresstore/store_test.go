package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/storedtest"
	"github.com/manysends/caddy-webhooks/sender/storetest"
)

func TestMain(m *testing.M) { os.Exit(postgrestest.Main(m)) }

// What stores are tested with.
var (
	start     = storedtest.Start
	delivered = storedtest.Delivered
	batch     = storedtest.Batch
	outcomes  = storedtest.Outcomes
	renumber  = storedtest.Renumber
)

// background is the context of calls that are not cancelled.
var background = context.Background()

// schemas counts the schemas of this program.
var schemas atomic.Int64

// options are those of a store in a schema of its own.
func options(tb testing.TB, url string) Options {
	tb.Helper()
	return Options{URL: url, Schema: fmt.Sprint("test", schemas.Add(1)), MaxConns: 6}
}

// open opens a store, which is closed with the test.
func open(tb testing.TB, o Options) *Store {
	tb.Helper()
	s, err := Open(background, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// openTemp opens a store in a schema of its own on the server that all tests
// share.
func openTemp(tb testing.TB) *Store {
	tb.Helper()
	return open(tb, options(tb, postgrestest.Shared(tb).URL()))
}

// connect makes a connection to the database, which ends with the test.
func connect(tb testing.TB, url string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(background, url)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(background) })
	return conn
}

// untilWaiting returns when somebody waits for the connection of a process of the
// server, or when what is to wait has ended, which is told with its error.
func untilWaiting(tb testing.TB, s *Store, pid uint32, ended <-chan error) {
	tb.Helper()
	for waits := false; !waits && len(ended) == 0; {
		const looks = `SELECT $1::bigint = ANY (SELECT unnest(pg_blocking_pids(pid)) FROM pg_stat_activity)`
		if err := s.pool.QueryRow(background, looks, pid).Scan(&waits); err != nil {
			tb.Fatal(err)
		}
	}
}

// crash ends a store as the death of its process, and of its lease, would. The
// lease is ended last: until its connections are closed, the server may still
// carry out a renewal that the store has broken off.
func crash(s *Store) error {
	number := s.keeper.number()
	if err := die(s); err != nil {
		return err
	}
	conn, err := pgx.ConnectConfig(background, s.listen)
	if err != nil {
		return err
	}
	_, err = conn.Exec(background, s.in(`UPDATE {s}.instances SET lease_until = '-infinity' WHERE number = $1`), number)
	return errors.Join(err, conn.Close(background))
}

func TestStore(t *testing.T) {
	server := postgrestest.Shared(t)
	kept := recycled{server: server, inUse: map[string]Options{}}
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		o := kept.take(t)
		return storetest.Harness{
			Open:  func() (sender.Store, error) { return Open(background, o) },
			Crash: func(s sender.Store) error { return crash(s.(*Store)) },
		}
	})
}

// recycled are schemas that are emptied and used again, since to make one takes
// longer than most tests.
type recycled struct {
	server *postgrestest.Server
	inUse  map[string]Options // by the name of the test, which uses one at a time
	free   []Options
}

// take is a schema without anything in it.
func (r *recycled) take(t *testing.T) Options {
	t.Helper()
	o, again := r.inUse[t.Name()]
	switch {
	case again:
		r.empty(t, o)
		return o
	case len(r.free) > 0:
		o, r.free = r.free[0], r.free[1:]
	default:
		o = options(t, r.server.URL())
	}
	r.inUse[t.Name()] = o
	t.Cleanup(func() {
		delete(r.inUse, t.Name())
		r.empty(t, o)
		r.free = append(r.free, o)
	})
	return o
}

// empty deletes all that a store keeps.
func (r *recycled) empty(t *testing.T, o Options) {
	t.Helper()
	var statements strings.Builder
	for _, table := range []string{"endpoints", "event_ids", "events", "waiting", "deliveries", "attempts", "pending", "counters",
		"documents", "instances", "retired", "holds", "volume"} {
		fmt.Fprintf(&statements, "DELETE FROM %s.%s;", o.Schema, table)
	}
	r.server.Exec(t, r.server.URL(), statements.String())
}

// publish stores publications.
func publish(tb testing.TB, s sender.Store, publications []*sender.Publication) {
	tb.Helper()
	if err := s.PutEvents(background, publications); err != nil {
		tb.Fatal(err)
	}
	for _, p := range publications {
		if p.Err != nil {
			tb.Fatal(p.Err)
		}
	}
}

// settleAll settles outcomes.
func settleAll(tb testing.TB, s sender.Store, list []sender.Outcome) {
	tb.Helper()
	if err := s.Settle(background, list); err != nil {
		tb.Fatal(err)
	}
}

func TestSharedStore(t *testing.T) {
	server := postgrestest.Shared(t)
	kept := recycled{server: server, inUse: map[string]Options{}}
	storetest.RunShared(t, func(t *testing.T) storetest.SharedHarness {
		o := kept.take(t)
		o.Lease = time.Second
		return sharedHarness(o)
	})
}

// sharedHarness opens instances with the same options.
func sharedHarness(o Options) storetest.SharedHarness {
	return storetest.SharedHarness{
		Open: func() (sender.SharedStore, error) { return Open(background, o) },
		Die:  func(s sender.SharedStore) error { return die(s.(*Store)) },
		Lapse: func(s sender.SharedStore) error {
			own := s.(*Store)
			_, err := own.pool.Exec(background, own.in(retire), own.keeper.number(), true)
			return err
		},
	}
}

// die ends a store as the death of its process would. Its lease lasts. Nothing
// that the store has sent is carried out afterwards: closing the pool waits until
// the server has ended what was broken off.
func die(s *Store) error {
	s.stop()
	s.workers.Wait()
	s.pool.Close()
	s.closeOnce.Do(func() {})
	return nil
}

// TestEndpointsThatAreNoText guards that an endpoint which cannot be there, since its
// ID is no text for PostgreSQL, is one that is not there, and no failure.
func TestEndpointsThatAreNoText(t *testing.T) {
	s := openTemp(t)
	publish(t, s, batch(1, 0, "a"))
	for _, id := range []string{"a\x00", "\xff"} {
		if page, err := s.Deliveries(background, sender.DeliveryQuery{EndpointIDs: []string{id}, Limit: 10}); err != nil || len(page.Deliveries) > 0 {
			t.Errorf("Deliveries of %q = %+v, %v", id, page, err)
		}
		if counters, err := s.Counters(background, sender.CounterQuery{Step: sender.StepMinute, EndpointIDs: []string{id}}); err != nil || len(counters) > 0 {
			t.Errorf("Counters of %q = %+v, %v", id, counters, err)
		}
		override := []sender.Override{{Seq: 1, EndpointID: id, Status: sender.Cancelled}}
		if err := s.Override(background, override); err != nil || override[0].Applied {
			t.Errorf("Override of %q = %+v, %v", id, override, err)
		}
	}
}
