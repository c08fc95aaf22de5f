//go:build unix

package postgresstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
)

// tomorrow has a store begin another partition, as when a day has passed.
func tomorrow(t *testing.T, s *Store) {
	t.Helper()
	postgrestest.Shared(t).Exec(t, postgrestest.Shared(t).URL(), s.in(`UPDATE {s}.partitions SET begun = begun - interval '25 hours'`))
	if err := s.turnPartition(background); err != nil {
		t.Fatal(err)
	}
	if err := s.renew(background, s.keeper.number()); err != nil {
		t.Fatal(err)
	}
}

// partitions are the numbers of the partitions that there are.
func partitions(t *testing.T, s *Store) string {
	t.Helper()
	numbers, err := s.ints(background, `SELECT number FROM {s}.partitions ORDER BY number`)
	if err != nil {
		t.Fatal(err)
	}
	var tables string
	if err := s.pool.QueryRow(background, `SELECT coalesce(string_agg(substr(relname, 8), ' ' ORDER BY relname), '') FROM pg_class
		WHERE relnamespace = to_regnamespace($1) AND relname ~ '^events_[0-9]+$'`, s.schema).Scan(&tables); err != nil {
		t.Fatal(err)
	}
	if listed := fmt.Sprint(numbers); listed != "["+tables+"]" {
		t.Errorf("the partitions %s are listed, the tables are those of %s", listed, tables)
	}
	return tables
}

// TestPartitions: each day has a partition. One of which nothing is wanted any
// more goes as a whole; one with a delivery that waits stays until that has ended,
// and what has ended in it goes all the same.
func TestPartitions(t *testing.T) {
	s := openTemp(t)
	put := func(first int) []*sender.Publication {
		p := batch(10, first, "a")
		publish(t, s, p)
		return p
	}
	one := put(0)
	tomorrow(t, s)
	two := put(10)
	tomorrow(t, s)
	three := put(20)
	tomorrow(t, s)
	if got := partitions(t, s); got != "0 1 2 3 4" {
		t.Fatalf("there are the partitions %s", got)
	}
	for i, p := range [][]*sender.Publication{one, two, three} {
		for _, p := range p {
			if seq := p.Events[0].Seq; seq>>partitionBits != int64(i) {
				t.Fatalf("event %d is in another partition than %d", seq, i)
			}
		}
	}
	purge := func(limit, want int) {
		t.Helper()
		// A day has to be over for an hour.
		postgrestest.Shared(t).Exec(t, postgrestest.Shared(t).URL(), s.in(`UPDATE {s}.partitions SET begun = begun - interval '2 hours'`))
		if err := s.renew(background, s.keeper.number()); err != nil {
			t.Fatal(err)
		}
		if n, err := s.Purge(background, sender.PurgeQuery{Before: start.Add(15 * time.Millisecond), Limit: limit}); n != want || err != nil {
			t.Errorf("Purge(%d) = %d, %v, want %d", limit, n, err, want)
		}
	}
	settleAll(t, s, outcomes(one, "a", delivered))
	settleAll(t, s, outcomes(two[:9], "a", delivered))
	settleAll(t, s, outcomes(two[9:], "a", sender.Outcome{Status: sender.Blocked}))
	settleAll(t, s, outcomes(three, "a", delivered))
	size, err := s.Size(background)
	if err != nil {
		t.Fatal(err)
	}
	purge(4, 4)
	if got := partitions(t, s); got != "0 1 2 3 4" {
		t.Errorf("there are the partitions %s, before the first has been purged", got)
	}
	purge(100, 6+5) // the rest of the first day, and what is old of the second
	if got := partitions(t, s); got != "1 2 3 4" {
		t.Errorf("there are the partitions %s, the first one should have gone", got)
	}
	if smaller, err := s.Size(background); err != nil || smaller > size-15*1000 {
		t.Errorf("the size went from %d to %d, %v", size, smaller, err)
	}
	for i, p := range append(one, two...) {
		_, err := s.Event(background, "", p.Events[0].Event.ID)
		if gone := err != nil; gone != (i < 15) {
			t.Errorf("event %d: %v", i, err)
		}
	}
	publish(t, s, batch(1, 0, "a")) // its ID is free again
	if n, err := s.CancelAll(background, "a"); n != 1 || err != nil {
		t.Fatalf("CancelAll = %d, %v", n, err)
	}
	purge(100, 0)
	if n, err := s.Purge(background, sender.PurgeQuery{Before: start.Add(time.Hour), Limit: 15}); n != 15 || err != nil {
		t.Errorf("Purge = %d, %v, want all that is left of two days", n, err)
	}
	// The last day has to be over, and the event that was stored last still waits.
	if n, err := s.Purge(background, sender.PurgeQuery{Before: start.Add(time.Hour), Limit: 100}); n != 0 || err != nil {
		t.Errorf("Purge = %d, %v, want nothing", n, err)
	}
	if got := partitions(t, s); got != "3 4" {
		t.Errorf("there are the partitions %s", got)
	}
}

// TestPartitionsWithOneConnection guards that a partition is dropped with the
// connection that its events were deleted with. With two of them, the other one may
// be that of the outbox, which waits until an event is stored, with a connection
// again.
func TestPartitionsWithOneConnection(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	o.MaxConns = 2
	s := open(t, o)
	p := batch(10, 0, "a")
	publish(t, s, p)
	settleAll(t, s, outcomes(p, "a", delivered))
	tomorrow(t, s)
	postgrestest.Shared(t).Exec(t, o.URL, s.in(`UPDATE {s}.partitions SET begun = begun - interval '2 hours'`))
	if err := s.renew(background, s.keeper.number()); err != nil {
		t.Fatal(err)
	}
	outbox, err := s.pool.Acquire(background)
	if err != nil {
		t.Fatal(err)
	}
	n, err := s.Purge(background, sender.PurgeQuery{Before: start.Add(time.Hour), Limit: 100})
	outbox.Release()
	if n != 10 || err != nil {
		t.Errorf("Purge = %d, %v, want 10", n, err)
	}
	if got := partitions(t, s); got != "1 2" {
		t.Errorf("there are the partitions %s", got)
	}
}

// TestPartitionInUse: who reads for long is not waited for.
func TestPartitionInUse(t *testing.T) {
	s := openTemp(t)
	publish(t, s, batch(3, 0))
	tomorrow(t, s)
	tomorrow(t, s)
	tx, err := s.pool.Begin(background)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	var n int
	if err := tx.QueryRow(background, s.in(`SELECT count(*) FROM {s}.events`)).Scan(&n); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	q := sender.PurgeQuery{Before: start.Add(time.Hour), Limit: 100}
	if n, err := s.Purge(background, q); n != 3 || err != nil {
		t.Errorf("Purge = %d, %v, want 3", n, err)
	}
	publish(t, s, batch(3, 10))
	if got := partitions(t, s); got != "0 1 2 3" {
		t.Errorf("there are the partitions %s", got)
	}
	if err := tx.Rollback(background); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Purge(background, q); n != 3 || err != nil {
		t.Errorf("Purge = %d, %v, want 3", n, err)
	}
	if got := partitions(t, s); got != "1 2 3" { // the second day is not over for long
		t.Errorf("there are the partitions %s", got)
	}
}
