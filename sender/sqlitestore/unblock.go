package sqlitestore

import (
	"context"
	"math"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// unblockStep is how many deliveries one transaction unblocks, so that storing
// events does not have to wait for all of them.
const unblockStep = 1000

// unblockSome makes blocked deliveries (2) of an endpoint pending (1).
const unblockSome = `UPDATE deliveries SET status = 1, due = ?2
	WHERE endpoint = ?1 AND event_seq IN (
		SELECT event_seq FROM deliveries INDEXED BY deliveries_ended_of
		WHERE status <> 1 AND status <> 3 AND status = 2 AND endpoint = ?1 ORDER BY event_seq LIMIT ?3)`

// Unblock implements [sender.Store]. On an error some deliveries may have been
// unblocked; calling it again goes on with the others.
func (s *Store) Unblock(ctx context.Context, endpointID string, due time.Time) (unblocked int, err error) {
	if blocked, err := s.mayHaveBlocked(ctx, endpointID); err != nil || !blocked {
		return 0, err
	}
	for {
		n := 0
		err := s.write(ctx, "unblocking deliveries", func(w *writer) error {
			l := w.endpoints.byID[endpointID]
			if l == nil {
				return nil
			}
			w.unblock.BindInt64(1, l.number)
			w.unblock.BindInt64(2, due.UnixMilli())
			w.unblock.BindInt64(3, unblockStep)
			if err := run(w.unblock); err != nil {
				return err
			}
			n = w.conn.Changes()
			w.endpoints.pend(l, n)
			if n < unblockStep {
				w.endpoints.freed = append(w.endpoints.freed, l)
			}
			l.look(position{due.UnixMilli(), math.MinInt64})
			return nil
		})
		if err != nil {
			return unblocked, err
		}
		if unblocked += n; n < unblockStep {
			return unblocked, nil
		}
	}
}

// mayHaveBlocked tells whether an endpoint may have blocked deliveries.
func (s *Store) mayHaveBlocked(ctx context.Context, endpointID string) (bool, error) {
	w, err := take(ctx, s, s.writer)
	if err != nil {
		return false, err
	}
	defer func() { s.writer <- w }()
	l := w.endpoints.byID[endpointID]
	return l != nil && l.blocked, nil
}

// listBlocked names the endpoints that have blocked deliveries.
const listBlocked = `SELECT DISTINCT endpoint FROM deliveries INDEXED BY deliveries_ended
	WHERE status <> 1 AND status <> 3 AND status = 2`

// loadBlocked finds the endpoints in the file that have blocked deliveries.
func (w *writer) loadBlocked() error {
	return sqlitex.ExecuteTransient(w.conn, listBlocked, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			l := w.endpoints.byNumber[stmt.ColumnInt64(0)]
			if l == nil {
				return sqlite.ResultCorrupt.ToError() // a delivery to a number without endpoint
			}
			l.blocked = true
			return nil
		},
	})
}
