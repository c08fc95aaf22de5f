package sqlitestore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

const (
	// counterStep is about how many counters one transaction deletes.
	counterStep = 1000

	// counterPause is how long publishers have the store to themselves between
	// two of these.
	counterPause = 20 * time.Millisecond
)

// counterColumns are the names of the columns that are counted in, in the
// order of [sender.Counts].
var counterColumns = func() []string {
	columns := []string{"attempts", "succeeded", "failed", "blocked"}
	for class := range sender.DurationBuckets {
		columns = append(columns, fmt.Sprint("d", class))
	}
	return columns
}()

// addCounter adds counts to those of a step, or stores them as the first ones.
var addCounter = func() string {
	var values, sums strings.Builder
	for i, column := range counterColumns {
		fmt.Fprintf(&values, ", ?%d", 5+i)
		fmt.Fprintf(&sums, ", %[1]s = %[1]s + excluded.%[1]s", column)
	}
	return `INSERT INTO counters (step, start, endpoint, type, ` + strings.Join(counterColumns, ", ") + `)
		VALUES (?1, ?2, ?3, ?4` + values.String() + `)
		ON CONFLICT (step, start, endpoint, type) DO UPDATE SET ` + strings.TrimPrefix(sums.String(), ", ")
}()

// counterStatements are those that write counters.
type counterStatements struct {
	add, purge *sqlite.Stmt
}

func (c *counterStatements) list() prepared {
	return prepared{
		{&c.add, addCounter},
		// There is one bound, since of two SQLite looks up by the first alone, and
		// went through all old counters in every step.
		{&c.purge, `DELETE FROM counters WHERE step = ?1 AND start < min(?2, coalesce(
			(SELECT start FROM counters WHERE step = ?1 ORDER BY start LIMIT 1 OFFSET ?3) + 1, ?2))`},
	}
}

// writeCounted adds what was counted to the counters in the file.
func (w *writer) writeCounted() error {
	for i := range w.counted.Entries {
		e := &w.counted.Entries[i]
		for _, step := range stored.Steps {
			stmt := w.counters.add
			stmt.BindInt64(1, int64(step))
			stmt.BindInt64(2, stored.StepStart(step, time.UnixMilli(e.Minute)))
			stmt.BindInt64(3, e.Endpoint)
			stmt.BindText(4, e.Type)
			stmt.BindInt64(5, e.Attempts)
			stmt.BindInt64(6, e.Succeeded)
			stmt.BindInt64(7, e.Failed)
			stmt.BindInt64(8, e.Blocked)
			for class, n := range e.Durations {
				stmt.BindInt64(9+class, n)
			}
			if err := run(stmt); err != nil {
				return err
			}
		}
	}
	return nil
}

// PurgeCounters implements [sender.Store]. It works in steps, so that storing
// events does not have to wait for all of them.
func (s *Store) PurgeCounters(ctx context.Context, step sender.Step, before time.Time) error {
	for deleted := counterStep; deleted >= counterStep; {
		err := s.write(ctx, "deleting old counters", func(w *writer) error {
			w.counters.purge.BindInt64(1, int64(step))
			w.counters.purge.BindInt64(2, stored.CeilMilli(before))
			w.counters.purge.BindInt64(3, counterStep)
			if err := run(w.counters.purge); err != nil {
				return err
			}
			deleted = w.conn.Changes()
			return nil
		})
		if err != nil {
			return err
		}
		if deleted >= counterStep {
			select {
			case <-time.After(counterPause):
			case <-ctx.Done(): // which the next step tells of
			case <-s.closing:
			}
		}
	}
	return nil
}
