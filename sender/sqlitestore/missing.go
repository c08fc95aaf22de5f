package sqlitestore

import (
	"context"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// The statements that go through events ?1 to ?2: everybody's, and those of the
// tenant ?3 that has a name. The lengths are known without reading what has
// them.
const (
	missingColumns  = `SELECT ` + headColumns + `, seq, stored_at, targets, length(data) + coalesce(length(headers), 0) FROM events `
	missingEvents   = missingColumns + `WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq`
	missingEventsOf = missingColumns + `INDEXED BY events_tenant WHERE tenant <> '' AND tenant = ?3 AND seq >= ?1 AND seq <= ?2 ORDER BY seq`
)

// Missing implements [sender.Store]. Events that were stored more than an hour
// before events with lower numbers, by a clock that went wrong, may be missing
// when From or To is given.
func (s *Store) Missing(ctx context.Context, q sender.MissingQuery) (page sender.MissingPage, err error) {
	err = s.read(ctx, "looking for missing deliveries", func(r *reader) (err error) {
		page, err = r.missingPage(ctx, &q)
		return err
	})
	if err != nil {
		return sender.MissingPage{}, err
	}
	return page, nil
}

// missingPage looks through the events that come after one.
func (r *reader) missingPage(ctx context.Context, q *sender.MissingQuery) (page sender.MissingPage, err error) {
	numbers, err := r.numbers([]string{q.EndpointID})
	if err != nil {
		return page, err
	}
	l := &listing{r: r, at: stored.Place{Seq: q.After + 1}, q: &sender.DeliveryQuery{
		Tenant: &q.Tenant, Types: q.Types, From: q.From, To: q.To, OldestFirst: true,
	}}
	l.from, l.to = stored.Bounds(q.From, q.To)
	events, err := l.span()
	if err != nil {
		return page, err
	}
	stmt := r.missing
	if q.Tenant != "" {
		stmt = r.missingOf
		stmt.BindText(3, q.Tenant)
	}
	stmt.BindInt64(1, events.low)
	stmt.BindInt64(2, events.high)
	page.Last = q.After
	examined, bytes := 0, int64(0)
	err = rows(stmt, func() (bool, error) {
		e := listedEvent{stmt: stmt, seq: stmt.ColumnInt64(headColumnCount)}
		page.More = examined >= maxExamined
		if page.More {
			return false, nil
		}
		examined++
		wanted, err := l.wants(&e)
		if err != nil {
			return false, err
		}
		if wanted && !containsAny(e.targets, numbers) {
			bytes += stmt.ColumnInt64(headColumnCount + 3)
			page.More = len(page.Events) > 0 && (len(page.Events) >= q.Limit || bytes > q.Bytes)
			if page.More {
				return false, nil
			}
			missing, err := r.missingEvent(&e, q.Whole)
			if err != nil {
				return false, err
			}
			page.Events = append(page.Events, missing)
		}
		page.Last = e.seq
		return true, ctx.Err()
	})
	return page, err
}

// containsAny tells whether an event goes to one of some endpoints.
func containsAny(targets, endpoints []int64) bool {
	return slices.ContainsFunc(endpoints, func(endpoint int64) bool { return slices.Contains(targets, endpoint) })
}

// missingEvent is an event at its row, with data and headers when it is to be
// whole.
func (r *reader) missingEvent(e *listedEvent, whole bool) (missing sender.MissingEvent, err error) {
	missing = sender.MissingEvent{Seq: e.seq, StoredAt: columnTime(e.stmt, headColumnCount+1)}
	if !whole {
		missing.Event = columnHead(e.stmt)
		return missing, nil
	}
	r.eventAt.BindInt64(1, e.seq)
	var damaged error
	found, err := row(r.eventAt, func() { missing.Event, damaged = columnEvent(r.eventAt) })
	if err == nil && !found {
		err = sqlite.ResultCorrupt.ToError() // it was there in the same transaction
	}
	return missing, firstError(err, damaged)
}

// setTargets says to which endpoints event ?1 goes.
const setTargets = `UPDATE events SET targets = ?2 WHERE seq = ?1`

// AddDeliveries implements [sender.Store].
func (s *Store) AddDeliveries(ctx context.Context, deliveries []sender.NewDelivery) error {
	for i := range deliveries {
		deliveries[i].Added = false
	}
	err := s.write(ctx, "adding deliveries", func(w *writer) error {
		for i := range deliveries {
			if err := w.addDelivery(&deliveries[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for i := range deliveries {
			deliveries[i].Added = false
		}
	}
	return err
}

// addDelivery adds a delivery to those of its event, with a row, unless it is
// there.
func (w *writer) addDelivery(d *sender.NewDelivery) error {
	var targets []int64
	found := false
	stmt := w.purge.targets
	stmt.BindInt64(1, d.Seq)
	if err := rows(stmt, func() (_ bool, err error) {
		found = true
		targets, err = w.targets(stmt, 0)
		return true, err
	}); err != nil || !found {
		return err
	}
	if l := w.endpoints.byID[d.EndpointID]; l != nil && slices.Contains(targets, l.number) {
		return nil
	}
	l, err := w.endpoints.named(d.EndpointID)
	if err != nil {
		return err
	}
	w.scratch = appendTarget(w.scratch, l.number)
	w.setTargets.BindInt64(1, d.Seq)
	w.setTargets.BindBytes(2, w.scratch)
	if err := run(w.setTargets); err != nil {
		return err
	}
	due := d.Due.UnixMilli()
	if d.Added, err = w.writePending(deliveryKey{d.Seq, l.number}, due); err != nil || !d.Added {
		return err
	}
	l.look(position{due, d.Seq})
	w.endpoints.pend(l, 1)
	return nil
}
