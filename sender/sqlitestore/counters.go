package sqlitestore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
)

const (
	// counterStep is about how many counters one transaction deletes.
	counterStep = 1000

	// counterPause is how long publishers have the store to themselves between
	// two of these.
	counterPause = 20 * time.Millisecond
)

// counterSteps are the steps that are counted in.
var counterSteps = [...]sender.Step{sender.StepMinute, sender.StepHour}

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

// counted is what was counted but not written yet.
type counted struct {
	entries []countedEntry
	index   map[countedKey]int
}

// countedKey is what attempts are counted under: the minute they began in, the
// endpoint's number and the event's type.
type countedKey struct {
	minute, endpoint int64
	eventType        string
}

type countedEntry struct {
	countedKey
	sender.Counts
}

func (c *counted) clear() {
	c.entries = c.entries[:0]
	clear(c.index)
}

// add counts an outcome that has an attempt.
func (c *counted) add(endpoint int64, o *sender.Outcome) {
	c.entry(countedKey{stepStart(sender.StepMinute, o.Attempt.StartedAt), endpoint, o.Type}).
		Count(o.Status, time.Duration(o.Attempt.Duration))
}

// entry is the one of a key. Outcomes of one kind often follow each other.
func (c *counted) entry(key countedKey) *countedEntry {
	if n := len(c.entries); n > 0 && c.entries[n-1].countedKey == key {
		return &c.entries[n-1]
	}
	if i, found := c.index[key]; found {
		return &c.entries[i]
	}
	if c.index == nil {
		c.index = map[countedKey]int{}
	}
	c.index[key] = len(c.entries)
	c.entries = append(c.entries, countedEntry{countedKey: key})
	return &c.entries[len(c.entries)-1]
}

// stepStart is the beginning of the step that a time lies in, in milliseconds.
func stepStart(step sender.Step, t time.Time) int64 {
	return t.Truncate(step.Duration()).UnixMilli()
}

// writeCounted adds what was counted to the counters in the file.
func (w *writer) writeCounted() error {
	for i := range w.counted.entries {
		e := &w.counted.entries[i]
		for _, step := range counterSteps {
			stmt := w.counters.add
			stmt.BindInt64(1, int64(step))
			stmt.BindInt64(2, stepStart(step, time.UnixMilli(e.minute)))
			stmt.BindInt64(3, e.endpoint)
			stmt.BindText(4, e.eventType)
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
			w.counters.purge.BindInt64(2, ceilMilli(before))
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
