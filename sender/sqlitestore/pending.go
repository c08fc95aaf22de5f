package sqlitestore

import (
	"context"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/manysends/caddy-webhooks/sender"
)

// countPending counts, in a store in which every delivery has a row.
const countPending = `SELECT endpoint, count(*) FROM deliveries INDEXED BY deliveries_pending
	WHERE status = 1 GROUP BY endpoint`

// loadPending counts the pending deliveries in the file. From then on the
// counts are kept in memory.
func (w *writer) loadPending() error {
	return sqlitex.ExecuteTransient(w.conn, countPending, &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			l := w.endpoints.byNumber[stmt.ColumnInt64(0)]
			if l == nil {
				return sqlite.ResultCorrupt.ToError() // a delivery to a number without endpoint
			}
			w.endpoints.setPending(l, stmt.ColumnInt64(1))
			return nil
		},
	})
}

// Pending implements [sender.Store].
func (s *Store) Pending(ctx context.Context) ([]sender.PendingCount, error) {
	w, err := take(ctx, s, s.writer)
	if err != nil {
		return nil, err
	}
	defer func() { s.writer <- w }()
	var counts []sender.PendingCount
	for l := range w.endpoints.pending {
		counts = append(counts, sender.PendingCount{EndpointID: l.id, Deliveries: l.pending})
	}
	return counts, nil
}
