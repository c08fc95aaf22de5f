package sqlitestore

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"
)

// purgeableEvents visits the events stored before a time, oldest first, from a
// position on.
const purgeableEvents = `SELECT stored_at, seq, targets FROM events INDEXED BY events_stored_at
	WHERE stored_at < ?1 AND (stored_at, seq) > (?2, ?3) ORDER BY stored_at, seq`

// endedDelivery answers when a delivery has come to an end: it is neither
// pending (1) nor blocked (2), and so has a row.
const endedDelivery = `SELECT 1 FROM deliveries WHERE endpoint = ?1 AND event_seq = ?2 AND status > 2`

// allEnded tells whether all deliveries of an event have come to an end.
func allEnded(ended *sqlite.Stmt, seq int64, endpoints []int64) (bool, error) {
	for _, endpoint := range endpoints {
		ended.BindInt64(1, endpoint)
		ended.BindInt64(2, seq)
		if found, err := row(ended, func() {}); err != nil || !found {
			return false, err
		}
	}
	return true, nil
}

// purgeStatements are those that delete.
type purgeStatements struct {
	targets, ended, event, delivery, attempts *sqlite.Stmt
}

func (p *purgeStatements) list() prepared {
	return prepared{
		{&p.targets, `SELECT targets FROM events WHERE seq = ?1`},
		{&p.ended, endedDelivery},
		{&p.event, `DELETE FROM events WHERE seq = ?1`},
		{&p.delivery, `DELETE FROM deliveries WHERE endpoint = ?1 AND event_seq = ?2`},
		{&p.attempts, `DELETE FROM attempts WHERE event_seq = ?1`},
	}
}

// Purge implements [sender.Store]. The oldest event is the one stored first by
// its StoredAt; of equals, the one with the lower number. What can go is
// looked for beside the writer, which is held up by the deletion alone.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (purged int, err error) {
	if limit < 1 {
		return 0, nil
	}
	s.purging.Lock()
	defer s.purging.Unlock()
	search := purgeSearch{before: before.UnixMilli(), limit: limit, at: s.progress.begin()}
	if err := s.read(ctx, "looking for old events", func(r *reader) error { return search.run(ctx, r) }); err != nil {
		return 0, err
	}
	if len(search.found) > 0 {
		if err := s.write(ctx, "deleting old events", func(w *writer) (err error) {
			purged, err = w.deleteEvents(search.found)
			return err
		}); err != nil {
			return 0, err
		}
	}
	if purged < len(search.found) { // something became pending meanwhile
		search.at = beginning
	}
	s.progress.end(search.at, search.kept)
	return purged, nil
}

// purgeSearch looks for events that can go.
type purgeSearch struct {
	before int64
	limit  int

	at    position // how far it has come
	kept  int64    // the greatest number of an event that has to stay
	found []int64
}

// run looks until it has found enough or there are no more.
func (p *purgeSearch) run(ctx context.Context, r *reader) error {
	stmt := r.purgeable
	stmt.BindInt64(1, p.before)
	stmt.BindInt64(2, p.at.due)
	stmt.BindInt64(3, p.at.seq)
	var list []byte
	var endpoints []int64
	return rows(stmt, func() (bool, error) {
		at := position{stmt.ColumnInt64(0), stmt.ColumnInt64(1)}
		var err error
		if list, endpoints, err = columnTargets(stmt, 2, list, endpoints); err != nil {
			return false, err
		}
		ended, err := allEnded(r.ended, at.seq, endpoints)
		if err != nil {
			return false, err
		}
		if ended {
			p.found = append(p.found, at.seq)
		} else {
			p.kept = max(p.kept, at.seq)
		}
		p.at = at
		return len(p.found) < p.limit, ctx.Err()
	})
}

// deleteEvents deletes events with all that belongs to them, unless they have
// a pending or blocked delivery.
func (w *writer) deleteEvents(seqs []int64) (deleted int, err error) {
	for _, seq := range seqs {
		stmt := w.purge.targets
		stmt.BindInt64(1, seq)
		var endpoints []int64
		if err := rows(stmt, func() (_ bool, err error) {
			endpoints, err = w.targets(stmt, 0)
			return true, err
		}); err != nil {
			return 0, err
		}
		ended, err := allEnded(w.purge.ended, seq, endpoints)
		if err != nil {
			return 0, err
		}
		if !ended {
			continue
		}
		if err := w.deleteEvent(seq, endpoints); err != nil {
			return 0, err
		}
		deleted++
	}
	return deleted, w.mark("last_seq", w.nextSeq-1)
}

// deleteEvent deletes an event with its deliveries and attempts.
func (w *writer) deleteEvent(seq int64, endpoints []int64) error {
	for _, endpoint := range endpoints {
		w.purge.delivery.BindInt64(1, endpoint)
		w.purge.delivery.BindInt64(2, seq)
		if err := run(w.purge.delivery); err != nil {
			return err
		}
	}
	w.purge.attempts.BindInt64(1, seq)
	if err := run(w.purge.attempts); err != nil {
		return err
	}
	w.purge.event.BindInt64(1, seq)
	return run(w.purge.event)
}
