package sqlitestore

import (
	"context"
	"math"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// The mark and the rows behind it need not be exact: Open makes up for what
// they leave.
const (
	// markStep is by how many events the mark in the file may be too low, so
	// that it is not written each time.
	markStep = 256

	// maxLag is how many events may be stored after one whose deliveries are
	// still unwritten; then they are written, so that an endpoint that stands
	// still does not make Open read everything that came after.
	maxLag = 16384

	// lagStep is how many such events one call of Settle writes at most.
	lagStep = 256
)

// settleStatements are those of Settle.
type settleStatements struct {
	insert, update, status, attempt *sqlite.Stmt
}

func (s *settleStatements) list() prepared {
	return prepared{
		{&s.insert, `INSERT INTO deliveries (event_seq, endpoint, status, retry, attempts, due)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6)`},
		{&s.update, `UPDATE deliveries SET status = ?3, retry = max(retry, ?4), attempts = max(attempts, ?5), due = ?6
			WHERE event_seq = ?1 AND endpoint = ?2`},
		{&s.status, `SELECT status, due FROM deliveries WHERE event_seq = ?1 AND endpoint = ?2`},
		{&s.attempt, `INSERT INTO attempts
			(event_seq, endpoint, number, started_at, duration, status_code, verdict, error, response_body, detail)
			VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING`},
	}
}

// Settle implements [sender.Store]. It refuses an outcome that makes no sense:
// an unknown status, or an attempt whose number is not at least 1.
func (s *Store) Settle(ctx context.Context, outcomes []sender.Outcome) error {
	const doing = "settling deliveries"
	err := s.checkOutcomes(doing, outcomes)
	if err == nil {
		err = s.write(ctx, doing, func(w *writer) error { return w.settleAll(outcomes) })
	}
	if err == nil {
		s.noteEnded(outcomes)
	}
	return err
}

func (s *Store) checkOutcomes(doing string, outcomes []sender.Outcome) error {
	for i := range outcomes {
		if err := stored.CheckOutcome(&outcomes[i]); err != nil {
			return s.failed(doing, err)
		}
	}
	return nil
}

// noteEnded tells purges of deliveries that have come to an end.
func (s *Store) noteEnded(outcomes []sender.Outcome) {
	ended := int64(math.MaxInt64)
	for i := range outcomes {
		if outcomes[i].Status > sender.Blocked {
			ended = min(ended, outcomes[i].Seq)
		}
	}
	s.progress.noteEnded(ended)
}

// settleAll records outcomes, and raises the mark when it has fallen behind.
func (w *writer) settleAll(outcomes []sender.Outcome) error {
	w.counted.Clear()
	for i := range outcomes {
		if err := w.settleOutcome(&outcomes[i]); err != nil {
			return err
		}
	}
	if err := w.writeCounted(); err != nil {
		return err
	}
	if err := w.writeLagging(); err != nil {
		return err
	}
	mark := w.holds.oldestUnwritten(w.nextSeq)
	if mark < w.lowWater+markStep {
		return nil
	}
	w.lowWater = mark
	return w.mark("low_water", mark)
}

// settleOutcome records one outcome, if the delivery is pending and the
// attempt is new.
func (w *writer) settleOutcome(o *sender.Outcome) error {
	l := w.endpoints.byID[o.EndpointID]
	if l == nil {
		return nil
	}
	key := deliveryKey{o.Seq, l.number}
	held := w.holds.held[key]
	putBack := held == heldWritten && o.Status == sender.Pending && o.Attempt == nil
	due := o.Due.UnixMilli()
	if held == notHeld || putBack {
		pending, recorded, err := w.isPending(key)
		if err != nil || !pending {
			return err
		}
		if putBack {
			due = recorded
		}
	}
	if o.Attempt != nil {
		if added, err := w.addAttempt(key, o.Attempt); err != nil || !added {
			return err
		}
		w.counted.Add(l.number, o)
	}
	// Putting back a delivery that has a row is a matter of memory alone: its
	// row says already what it is, and when it was due.
	if !putBack {
		if err := w.writeDelivery(key, held == heldUnwritten, o, due); err != nil {
			return err
		}
	}
	if o.Status == sender.Blocked {
		l.blocked = true
	}
	switch {
	case o.Status != sender.Pending:
		w.holds.set(key, notHeld)
		w.endpoints.pend(l, -1)
	case o.Held:
		w.holds.set(key, heldWritten)
	default:
		w.holds.set(key, notHeld)
		l.look(position{due, o.Seq})
	}
	return nil
}

// isPending tells whether a delivery has a row and is pending, and when it is
// due.
func (w *writer) isPending(key deliveryKey) (pending bool, due int64, err error) {
	status := w.settle.status
	status.BindInt64(1, key.seq)
	status.BindInt64(2, key.endpoint)
	_, err = row(status, func() {
		pending, due = status.ColumnInt64(0) == int64(sender.Pending), status.ColumnInt64(1)
	})
	return pending, due, err
}

// writeDelivery writes the row of a delivery as the outcome makes it.
func (w *writer) writeDelivery(key deliveryKey, first bool, o *sender.Outcome, due int64) error {
	stmt := w.settle.update
	if first {
		stmt = w.settle.insert
	}
	stmt.BindInt64(1, key.seq)
	stmt.BindInt64(2, key.endpoint)
	stmt.BindInt64(3, int64(o.Status))
	if o.Attempt != nil {
		stmt.BindInt64(4, 1)
		stmt.BindInt64(5, int64(o.Attempt.Number))
	} else {
		stmt.BindInt64(4, 0)
		stmt.BindInt64(5, 0)
	}
	if o.Status == sender.Pending {
		stmt.BindInt64(6, due)
	} else {
		stmt.BindNull(6)
	}
	return run(stmt)
}

// addAttempt records an attempt. It reports whether its number is new.
func (w *writer) addAttempt(key deliveryKey, a *sender.Attempt) (bool, error) {
	stmt := w.settle.attempt
	stmt.BindInt64(1, key.seq)
	stmt.BindInt64(2, key.endpoint)
	stmt.BindInt64(3, int64(a.Number))
	stmt.BindInt64(4, a.StartedAt.UnixMilli())
	stmt.BindInt64(5, int64(time.Duration(a.Duration)))
	stmt.BindInt64(6, int64(a.StatusCode))
	stmt.BindInt64(7, int64(a.Verdict))
	bindOptional(stmt, 8, a.Error)
	if len(a.ResponseBody) == 0 {
		stmt.BindNull(9)
	} else {
		stmt.BindBytes(9, a.ResponseBody)
	}
	if stored.HasDetail(a) {
		w.scratch = stored.AppendDetail(w.scratch[:0], a)
		stmt.BindBytes(10, w.scratch)
	} else {
		stmt.BindNull(10)
	}
	if err := run(stmt); err != nil {
		return false, err
	}
	return w.conn.Changes() > 0, nil
}
