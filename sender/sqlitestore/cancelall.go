package sqlitestore

import (
	"context"
	"math"
)

// cancelStep is how many deliveries one transaction cancels.
const cancelStep = 1000

// CancelAll implements [sender.Store]. Calling it again after an error goes on
// with the others.
func (s *Store) CancelAll(ctx context.Context, endpointID string) (cancelled int, err error) {
	for {
		n, oldest := 0, int64(math.MaxInt64)
		err := s.write(ctx, "cancelling deliveries", func(w *writer) (err error) {
			if l := w.endpoints.byID[endpointID]; l != nil {
				n, oldest, err = w.cancelSome(l)
			}
			return err
		})
		if err != nil {
			return cancelled, err
		}
		s.progress.noteEnded(oldest)
		if cancelled += n; n < cancelStep {
			return cancelled, nil
		}
	}
}

// cancelSome cancels some of an endpoint's deliveries that are blocked, or
// pending and not held. It returns how many, and the lowest number of an event.
func (w *writer) cancelSome(l *lane) (n int, oldest int64, err error) {
	var blocked, pending []int64
	room := func() bool { return len(blocked)+len(pending) < cancelStep }
	stmt := w.override.blocked
	stmt.BindInt64(1, l.number)
	if err := rows(stmt, func() (bool, error) {
		blocked = append(blocked, stmt.ColumnInt64(0))
		return room(), nil
	}); err != nil {
		return 0, 0, err
	}
	for kind := range l.seen {
		if err := w.scan(l, kind, func(at position, held bool) (bool, error) {
			if !held && room() {
				pending = append(pending, at.seq)
			}
			return room(), nil
		}); err != nil {
			return 0, 0, err
		}
	}
	oldest = math.MaxInt64
	for i, seq := range append(blocked, pending...) {
		if err := w.cancel(l, seq, i >= len(blocked)); err != nil {
			return 0, 0, err
		}
		oldest = min(oldest, seq)
	}
	return len(blocked) + len(pending), oldest, nil
}
