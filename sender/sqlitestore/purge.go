package sqlitestore

import (
	"context"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
)

// purgeableEvents visits the events stored before a time, oldest first, from a
// position on.
const purgeableEvents = `SELECT stored_at, seq, targets, tenant FROM events INDEXED BY events_stored_at
	WHERE stored_at < ?1 AND (stored_at, seq) > (?2, ?3) ORDER BY stored_at, seq`

// purgeableOf visits the events of a tenant that has a name, by number.
const purgeableOf = `SELECT stored_at, seq, targets FROM events INDEXED BY events_tenant
	WHERE tenant <> '' AND tenant = ?1 AND seq > ?2 AND seq <= ?3 ORDER BY seq`

// purgeSlack is by how much the times at which events were stored may differ
// from the order of their numbers, in milliseconds, without a tenant's old event
// being found later only.
const purgeSlack = 60_000

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
// its StoredAt; of equals, the one with the lower number. Of one tenant that has
// a name, it is the one with the lowest number. What can go is
// looked for beside the writer, which is held up by the deletion alone.
func (s *Store) Purge(ctx context.Context, q sender.PurgeQuery) (purged int, err error) {
	if q.Limit < 1 {
		return 0, nil
	}
	scope := purgeScope{all: q.Tenant == nil}
	if q.Tenant != nil {
		scope.tenant = *q.Tenant
	}
	s.purging.Lock()
	defer s.purging.Unlock()
	search := purgeSearch{scope: scope, before: q.Before.UnixMilli(), limit: q.Limit, at: s.progress.begin(scope)}
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
	s.progress.end(scope, search.at, search.kept)
	return purged, nil
}

// purgeSearch looks for events that can go.
type purgeSearch struct {
	scope  purgeScope
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
	if p.scope.tenant != "" {
		last, err := r.storedBefore(p.before + purgeSlack)
		if err != nil {
			return err
		}
		stmt = r.purgeableOf
		stmt.BindText(1, p.scope.tenant)
		stmt.BindInt64(2, p.at.seq)
		stmt.BindInt64(3, last)
	}
	young := false // one that is too young was seen
	return rows(stmt, func() (bool, error) {
		at := position{stmt.ColumnInt64(0), stmt.ColumnInt64(1)}
		if at.due >= p.before { // only by number
			young = true
			return true, ctx.Err()
		}
		if p.scope != (purgeScope{}) || stmt.ColumnLen(3) == 0 { // not one of a tenant that has a name
			if err := p.look(r, stmt, at.seq); err != nil {
				return false, err
			}
		}
		if p.scope.tenant != "" {
			at.due = beginning.due // what is stored later has a greater number
		}
		if !young {
			p.at = at
		}
		return len(p.found) < p.limit, ctx.Err()
	})
}

// look looks at one event.
func (p *purgeSearch) look(r *reader, stmt *sqlite.Stmt, seq int64) (err error) {
	r.scratch, r.scratchNums, err = columnTargets(stmt, 2, r.scratch, r.scratchNums)
	if err != nil {
		return err
	}
	ended, err := allEnded(r.ended, seq, r.scratchNums)
	if ended {
		p.found = append(p.found, seq)
	} else {
		p.kept = max(p.kept, seq)
	}
	return err
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
