package sqlitestore

import (
	"context"
	"fmt"
	"math"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
)

// overrideStatements are those of Override and CancelAll.
type overrideStatements struct {
	state, reopen, cancel, blocked *sqlite.Stmt
}

func (o *overrideStatements) list() prepared {
	return prepared{
		{&o.state, `SELECT status, attempts FROM deliveries WHERE endpoint = ?1 AND event_seq = ?2`},
		{&o.reopen, `UPDATE deliveries SET status = 1, due = ?3, schedule_start = attempts
			WHERE endpoint = ?1 AND event_seq = ?2`},
		{&o.cancel, `UPDATE deliveries SET status = 5, due = NULL WHERE endpoint = ?1 AND event_seq = ?2`},
		{&o.blocked, `SELECT event_seq FROM deliveries INDEXED BY deliveries_ended_of
			WHERE status <> 1 AND status <> 3 AND status = 2 AND endpoint = ?1 ORDER BY event_seq`},
	}
}

// Override implements [sender.Store]. Of a delivery that is passed over,
// Attempted stays false.
func (s *Store) Override(ctx context.Context, overrides []sender.Override) error {
	for i := range overrides {
		o := &overrides[i]
		o.Applied, o.Attempted = false, false
		if o.Status != sender.Pending && o.Status != sender.Cancelled {
			return s.failed("overriding deliveries", fmt.Errorf(
				"the override for event number %d asks for the status %s: ask for pending or cancelled", o.Seq, o.Status))
		}
	}
	err := s.write(ctx, "overriding deliveries", func(w *writer) error {
		for i := range overrides {
			if err := w.applyOverride(&overrides[i]); err != nil {
				return err
			}
		}
		return nil
	})
	ended := int64(math.MaxInt64)
	for i := range overrides {
		o := &overrides[i]
		if err != nil {
			o.Applied, o.Attempted = false, false
		} else if o.Applied && o.Status == sender.Cancelled {
			ended = min(ended, o.Seq)
		}
	}
	s.progress.noteEnded(ended)
	return err
}

// applyOverride gives a delivery another status, if it may have it.
func (w *writer) applyOverride(o *sender.Override) error {
	l := w.endpoints.byID[o.EndpointID]
	if l == nil || w.holds.held[deliveryKey{o.Seq, l.number}] != notHeld {
		return nil // what has no row is held
	}
	var status sender.Status
	attempts := 0
	state := w.override.state
	state.BindInt64(1, l.number)
	state.BindInt64(2, o.Seq)
	found, err := row(state, func() {
		status, attempts = sender.Status(state.ColumnInt64(0)), state.ColumnInt(1)
	})
	if err != nil || !found {
		return err
	}
	if o.Status == sender.Cancelled {
		if status > sender.Blocked {
			return nil
		}
		err = w.cancel(l, o.Seq, status == sender.Pending)
	} else {
		err = w.reopen(l, o, status == sender.Pending)
	}
	o.Applied, o.Attempted = err == nil, err == nil && attempts > 0
	return err
}

// cancel makes a delivery cancelled that is pending or blocked.
func (w *writer) cancel(l *lane, seq int64, pending bool) error {
	w.override.cancel.BindInt64(1, l.number)
	w.override.cancel.BindInt64(2, seq)
	if pending {
		w.endpoints.pend(l, -1)
	}
	return run(w.override.cancel)
}

// reopen makes a delivery pending, on a schedule that begins now.
func (w *writer) reopen(l *lane, o *sender.Override, pending bool) error {
	due := o.Due.UnixMilli()
	w.override.reopen.BindInt64(1, l.number)
	w.override.reopen.BindInt64(2, o.Seq)
	w.override.reopen.BindInt64(3, due)
	if !pending {
		w.endpoints.pend(l, 1)
	}
	l.look(position{due, o.Seq})
	return run(w.override.reopen)
}
