package sqlitestore

import (
	"context"

	"zombiezen.com/go/sqlite"
)

// unwrittenStep is how many events one transaction of Open reads.
const unwrittenStep = 8192

// unwrittenStatements are those that write the rows of deliveries without an
// outcome.
type unwrittenStatements struct {
	events, event, insert *sqlite.Stmt
}

func (u *unwrittenStatements) list() prepared {
	return prepared{
		{&u.events, `SELECT seq, stored_at, targets FROM events WHERE seq >= ?1 ORDER BY seq LIMIT ?2`},
		{&u.event, `SELECT stored_at, targets FROM events WHERE seq = ?1`},
		{&u.insert, `INSERT INTO deliveries (event_seq, endpoint, status, retry, attempts, due)
			VALUES (?1, ?2, 1, 0, 0, ?3) ON CONFLICT DO NOTHING`},
	}
}

// writeUnwritten writes, in an opened store, the rows of all deliveries that
// have none: they are pending, and were in the hands of a process that has
// ended. It returns how many there were.
func (w *writer) writeUnwritten() (written int, err error) {
	for w.lowWater < w.nextSeq {
		n := 0
		err := w.transact(context.Background(), func(w *writer) error {
			n = 0
			last, events, err := w.writeRange(w.lowWater, &n)
			if err != nil {
				return err
			}
			w.lowWater = last + 1
			if events < unwrittenStep {
				w.lowWater = w.nextSeq
			}
			return w.mark("low_water", w.lowWater)
		})
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}

// writeRange writes the missing rows of the next events from seq on. It
// returns the last event's number and how many events there were, and counts
// the rows in written.
func (w *writer) writeRange(seq int64, written *int) (last int64, events int, err error) {
	stmt := w.unwritten.events
	stmt.BindInt64(1, seq)
	stmt.BindInt64(2, unwrittenStep)
	err = rows(stmt, func() (bool, error) {
		last = stmt.ColumnInt64(0)
		events++
		due := stmt.ColumnInt64(1)
		targets, err := w.targets(stmt, 2)
		if err != nil {
			return false, err
		}
		for _, endpoint := range targets {
			added, err := w.writePending(deliveryKey{last, endpoint}, due)
			if err != nil {
				return false, err
			}
			if added {
				*written++
			}
		}
		return true, nil
	})
	return last, events, err
}

// writeLagging writes the rows of deliveries that have been held without one
// for very long. They stay held.
func (w *writer) writeLagging() error {
	for range lagStep {
		seq := w.holds.oldestUnwritten(w.nextSeq)
		if seq >= w.nextSeq-maxLag {
			return nil
		}
		stmt := w.unwritten.event
		stmt.BindInt64(1, seq)
		var due int64
		var targets []int64
		if err := rows(stmt, func() (_ bool, err error) {
			due = stmt.ColumnInt64(0)
			targets, err = w.targets(stmt, 1)
			return true, err
		}); err != nil {
			return err
		}
		for _, endpoint := range targets {
			key := deliveryKey{seq, endpoint}
			if w.holds.held[key] != heldUnwritten {
				continue
			}
			if _, err := w.writePending(key, due); err != nil {
				return err
			}
			w.holds.set(key, heldWritten)
		}
	}
	return nil
}

// writePending writes the row of a pending delivery without an attempt. It
// reports whether there was none.
func (w *writer) writePending(key deliveryKey, due int64) (bool, error) {
	stmt := w.unwritten.insert
	stmt.BindInt64(1, key.seq)
	stmt.BindInt64(2, key.endpoint)
	stmt.BindInt64(3, due)
	if err := run(stmt); err != nil {
		return false, err
	}
	return w.conn.Changes() > 0, nil
}

// targets reads an event's list of endpoints. It is valid until the next call.
func (w *writer) targets(stmt *sqlite.Stmt, column int) ([]int64, error) {
	var err error
	w.scratch, w.scratchNums, err = columnTargets(stmt, column, w.scratch, w.scratchNums)
	return w.scratchNums, err
}

// columnTargets reads an event's list of endpoints into the memory given.
func columnTargets(stmt *sqlite.Stmt, column int, list []byte, endpoints []int64) ([]byte, []int64, error) {
	list = scratchBytes(stmt, column, list)
	endpoints, err := decodeTargets(endpoints[:0], list)
	return list, endpoints, err
}
