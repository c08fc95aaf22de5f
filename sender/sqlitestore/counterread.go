package sqlitestore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// fewEndpoints is for how many endpoints counters are looked up one by one; for
// more, those of all endpoints are read.
const fewEndpoints = 16

// counterQueries are the statements that read counters.
type counterQueries struct {
	next, all, one *sqlite.Stmt
}

func (c *counterQueries) list() prepared {
	columns := `SELECT endpoint, type, ` + strings.Join(counterColumns, ", ") + ` FROM counters WHERE step = ?1 AND start = ?2`
	return prepared{
		{&c.next, `SELECT start FROM counters WHERE step = ?1 AND start >= ?2 ORDER BY start LIMIT 1`},
		{&c.all, columns},
		{&c.one, columns + ` AND endpoint = ?3`},
	}
}

// Counters implements [sender.Store].
func (s *Store) Counters(ctx context.Context, q sender.CounterQuery) (counters []sender.Counter, err error) {
	err = s.read(ctx, "reading counters", func(r *reader) (err error) {
		counters, err = r.countersOf(ctx, q)
		return err
	})
	return counters, err
}

// countersOf goes from one start to the next.
func (r *reader) countersOf(ctx context.Context, q sender.CounterQuery) (counters []sender.Counter, err error) {
	wanted, err := r.numbers(q.EndpointIDs)
	if err != nil || len(q.EndpointIDs) > 0 && len(wanted) == 0 {
		return nil, err
	}
	from, to := stored.Bounds(q.From, q.To)
	for start := from; ; start++ {
		next := r.counters.next
		next.BindInt64(1, int64(q.Step))
		next.BindInt64(2, start)
		found, err := row(next, func() { start = next.ColumnInt64(0) })
		if err != nil {
			return nil, err
		}
		if !found || start >= to {
			return counters, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		first := len(counters)
		if counters, err = r.countersAt(counters, q.Step, start, wanted); err != nil {
			return nil, err
		}
		slices.SortFunc(counters[first:], func(a, b sender.Counter) int {
			return cmp.Or(cmp.Compare(a.EndpointID, b.EndpointID), cmp.Compare(a.Type, b.Type))
		})
	}
}

// countersAt appends the counters of one start: those of the endpoints wanted,
// or all of them if that is none.
func (r *reader) countersAt(counters []sender.Counter, step sender.Step, start int64, wanted []int64) ([]sender.Counter, error) {
	read := func(stmt *sqlite.Stmt) error {
		stmt.BindInt64(1, int64(step))
		stmt.BindInt64(2, start)
		return rows(stmt, func() (bool, error) {
			endpoint := stmt.ColumnInt64(0)
			if _, is := slices.BinarySearch(wanted, endpoint); !is && len(wanted) > 0 {
				return true, nil
			}
			id, err := r.name(endpoint)
			if err != nil {
				return false, err
			}
			counters = append(counters, columnCounter(stmt, start, id))
			return true, nil
		})
	}
	if len(wanted) == 0 || len(wanted) > fewEndpoints {
		err := read(r.counters.all)
		return counters, err
	}
	for _, endpoint := range wanted {
		r.counters.one.BindInt64(3, endpoint)
		if err := read(r.counters.one); err != nil {
			return nil, err
		}
	}
	return counters, nil
}

// columnCounter reads a counter from a row.
func columnCounter(stmt *sqlite.Stmt, start int64, endpointID string) sender.Counter {
	c := sender.Counter{Start: time.UnixMilli(start).UTC(), EndpointID: endpointID, Type: stmt.ColumnText(1)}
	c.Attempts, c.Succeeded = stmt.ColumnInt64(2), stmt.ColumnInt64(3)
	c.Failed, c.Blocked = stmt.ColumnInt64(4), stmt.ColumnInt64(5)
	for class := range c.Durations {
		c.Durations[class] = stmt.ColumnInt64(6 + class)
	}
	return c
}
