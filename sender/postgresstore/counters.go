package postgresstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// countsLength is how many numbers there are in a counter.
const countsLength = 4 + sender.DurationBuckets

// counterStep is about how many counters one transaction deletes.
const counterStep = 1000

// addCounts adds counts, of which each is $7 numbers of $6, to those that an
// instance has counted.
const addCounts = `INSERT INTO {s}.counters AS c (step, start, endpoint, type, instance, counts)
	SELECT step, start, endpoint, type, $1, ($6::bigint[])[(n - 1) * $7::integer + 1 : n * $7::integer]
	FROM unnest($2::smallint[], $3::bigint[], $4::integer[], $5::text[]) WITH ORDINALITY AS u(step, start, endpoint, type, n)
	ORDER BY step, start, endpoint, type
	ON CONFLICT (step, start, endpoint, type, instance) DO UPDATE SET counts = {s}.sum(c.counts, excluded.counts)`

// count adds to a change what was counted. Several minutes may belong to one
// hour.
func (c *change) count(instance int32, counted *stored.Counted) {
	if len(counted.Entries) == 0 {
		return
	}
	type key struct {
		start    int64
		endpoint int32
		step     sender.Step
		kind     string
	}
	sums := map[key]*sender.Counts{}
	for i := range counted.Entries {
		e := &counted.Entries[i]
		for _, step := range stored.Steps {
			k := key{stored.StepStart(step, time.UnixMilli(e.Minute)), int32(e.Endpoint), step, e.Type}
			if sums[k] == nil {
				sums[k] = &sender.Counts{}
			}
			sums[k].Add(&e.Counts)
		}
	}
	var steps []int16
	var starts, numbers []int64
	var endpoints []int32
	var kinds []string
	for k, n := range sums {
		steps, starts, endpoints, kinds = append(steps, int16(k.step)), append(starts, k.start), append(endpoints, k.endpoint), append(kinds, k.kind)
		numbers = append(numbers, n.Attempts, n.Succeeded, n.Failed, n.Blocked)
		numbers = append(numbers, n.Durations[:]...)
	}
	c.exec(addCounts, instance, steps, starts, endpoints, kinds, numbers, countsLength)
}

// listCounters answers with the counters of step $1 that began at $2 or later and
// before $3, of the endpoints $4, or of all where that is NULL, whichever
// instance has counted.
const listCounters = `SELECT c.start, e.id, c.type, c.counts FROM {s}.counters c JOIN {s}.endpoints e ON e.number = c.endpoint
	WHERE c.step = $1 AND c.start >= $2 AND c.start < $3 AND ($4::integer[] IS NULL OR c.endpoint = ANY($4))`

// Counters implements [sender.Store].
func (s *Store) Counters(ctx context.Context, q sender.CounterQuery) (counters []sender.Counter, err error) {
	err = s.read(ctx, "reading counters", func(ctx context.Context, conn *pgxpool.Conn) error {
		numbers, err := s.numbers(ctx, conn, q.EndpointIDs)
		if err != nil || len(q.EndpointIDs) > 0 && len(numbers) == 0 {
			return err
		}
		from, to := stored.Bounds(q.From, q.To)
		rows, err := conn.Query(ctx, s.in(listCounters), int16(q.Step), from, to, numbers)
		if err != nil {
			return err
		}
		counters, err = readCounters(rows)
		return err
	})
	return counters, err
}

// readCounters reads counters in their order. Those of several instances are one.
func readCounters(rows pgx.Rows) (counters []sender.Counter, err error) {
	type key struct {
		start    int64
		id, kind string
	}
	index := map[key]int{}
	err = each(rows, func(rows pgx.Rows) error {
		var k key
		var numbers []int64
		if err := rows.Scan(&k.start, &k.id, &k.kind, &numbers); err != nil {
			return err
		}
		i, found := index[k]
		if !found {
			i = len(counters)
			index[k] = i
			counters = append(counters, sender.Counter{Start: fromMilli(k.start), EndpointID: k.id, Type: k.kind})
		}
		numbers = append(numbers, make([]int64, countsLength)...) // there may be fewer classes one day
		counts := sender.Counts{Attempts: numbers[0], Succeeded: numbers[1], Failed: numbers[2], Blocked: numbers[3]}
		copy(counts.Durations[:], numbers[4:])
		counters[i].Add(&counts)
		return nil
	})
	slices.SortFunc(counters, func(a, b sender.Counter) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.EndpointID, b.EndpointID), cmp.Compare(a.Type, b.Type))
	})
	return counters, err
}

// purgeCounters deletes about $3 counters of step $1 that began before $2.
const purgeCounters = `WITH gone AS (DELETE FROM {s}.counters WHERE step = $1 AND start < least($2::bigint, coalesce(
		(SELECT start + 1 FROM {s}.counters WHERE step = $1 ORDER BY step, start LIMIT 1 OFFSET $3), $2)) RETURNING 1)
	SELECT count(*) FROM gone`

// PurgeCounters implements [sender.Store]. It works in steps, so that nobody has
// to wait for all of them.
func (s *Store) PurgeCounters(ctx context.Context, step sender.Step, before time.Time) error {
	for deleted := counterStep; deleted >= counterStep; {
		err := s.write(ctx, "deleting old counters", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
			c := s.newChange(instance)
			c.query(purgeCounters, func(rows pgx.Rows) error { return rows.Scan(&deleted) },
				int16(step), stored.CeilMilli(before), counterStep)
			return c.send(ctx, conn)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
