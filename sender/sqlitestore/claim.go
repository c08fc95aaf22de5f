package sqlitestore

import (
	"context"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
)

// The two kinds of pending deliveries, as in the column retry.
const (
	firstTries = 0
	retries    = 1
)

// claimStatements are those of Claim and Backlog.
type claimStatements struct {
	pending, delivery, endpoint *sqlite.Stmt
}

func (c *claimStatements) list() prepared {
	return prepared{
		{&c.pending, `SELECT due, event_seq FROM deliveries INDEXED BY deliveries_pending
			WHERE status = 1 AND endpoint = ?1 AND retry = ?2 AND (due, event_seq) >= (?3, ?4)
			ORDER BY due, event_seq`},
		{&c.delivery, `SELECT ` + eventColumns + `, d.attempts, d.schedule_start, stored_at
			FROM events JOIN deliveries d ON d.event_seq = seq WHERE seq = ?1 AND d.endpoint = ?2`},
		{&c.endpoint, `SELECT endpoint FROM deliveries INDEXED BY deliveries_pending
			WHERE status = 1 AND endpoint > ?1 ORDER BY endpoint LIMIT 1`},
	}
}

// Claim implements [sender.Store].
func (s *Store) Claim(ctx context.Context, q sender.ClaimQuery) (sender.Claimed, error) {
	w, err := take(ctx, s, s.writer)
	if err != nil {
		return sender.Claimed{}, err
	}
	defer func() { s.writer <- w }()
	claimed, err := w.claimFor(q)
	if err != nil {
		return sender.Claimed{}, s.failed("claiming deliveries", err)
	}
	return claimed, nil
}

// claimFor answers a query and holds the deliveries in the answer.
func (w *writer) claimFor(q sender.ClaimQuery) (claimed sender.Claimed, err error) {
	l := w.endpoints.byID[q.EndpointID]
	if l == nil {
		return claimed, nil
	}
	kind := firstTries
	if q.Retries {
		kind = retries
	}
	now := q.Now.UnixMilli()
	seen, bytes := l.seen[kind], int64(0)
	err = w.scan(l, kind, func(at position, held bool) (bool, error) {
		if held {
			seen = at
			return true, nil
		}
		claimed.Next = time.UnixMilli(at.due).UTC()
		if at.due > now || len(claimed.Deliveries) >= q.Limit {
			return false, nil
		}
		d, err := w.delivery(deliveryKey{at.seq, l.number})
		if err != nil {
			return false, err
		}
		bytes += int64(d.Event.Size())
		if bytes > q.Bytes && len(claimed.Deliveries) > 0 {
			return false, nil
		}
		d.EndpointID, d.Due = l.id, time.UnixMilli(at.due).UTC()
		claimed.Deliveries = append(claimed.Deliveries, d)
		claimed.Next = time.Time{}
		seen = at
		return true, nil
	})
	if err != nil {
		return sender.Claimed{}, err
	}
	for _, d := range claimed.Deliveries {
		w.holds.set(deliveryKey{d.Seq, l.number}, heldWritten)
	}
	w.holds.commit()
	l.seen[kind] = seen
	return claimed, nil
}

// scan visits the written pending deliveries of an endpoint and a kind in the
// order of claims, until visit returns false. It begins where there may be one
// that is not held.
func (w *writer) scan(l *lane, kind int, visit func(at position, held bool) (bool, error)) error {
	stmt, seen := w.claim.pending, l.seen[kind]
	stmt.BindInt64(1, l.number)
	stmt.BindInt64(2, int64(kind))
	stmt.BindInt64(3, seen.due)
	stmt.BindInt64(4, seen.seq)
	return rows(stmt, func() (bool, error) {
		at := position{stmt.ColumnInt64(0), stmt.ColumnInt64(1)}
		return visit(at, w.holds.held[deliveryKey{at.seq, l.number}] != notHeld)
	})
}

// delivery reads a pending delivery that has a row, with its event.
func (w *writer) delivery(key deliveryKey) (*sender.Delivery, error) {
	stmt := w.claim.delivery
	stmt.BindInt64(1, key.seq)
	stmt.BindInt64(2, key.endpoint)
	d := &sender.Delivery{Seq: key.seq, Status: sender.Pending}
	var damaged error
	found, err := row(stmt, func() {
		d.Event, damaged = columnEvent(stmt)
		d.Attempts = stmt.ColumnInt(eventColumnCount)
		d.ScheduleStart = stmt.ColumnInt(eventColumnCount + 1)
		d.StoredAt = columnTime(stmt, eventColumnCount+2)
	})
	if err == nil && !found {
		err = sqlite.ResultCorrupt.ToError() // a delivery without its event
	}
	if err == nil {
		err = damaged
	}
	return d, err
}

// Backlog implements [sender.Store].
func (s *Store) Backlog(ctx context.Context) ([]sender.Backlog, error) {
	w, err := take(ctx, s, s.writer)
	if err != nil {
		return nil, err
	}
	defer func() { s.writer <- w }()
	backlog, err := w.backlog()
	return backlog, s.failed("listing the backlog", err)
}

// backlog goes from endpoint to endpoint by the index of pending deliveries.
func (w *writer) backlog() (backlog []sender.Backlog, err error) {
	for number := int64(0); ; {
		stmt := w.claim.endpoint
		stmt.BindInt64(1, number)
		found, err := row(stmt, func() { number = stmt.ColumnInt64(0) })
		if err != nil || !found {
			return backlog, err
		}
		l := w.endpoints.byNumber[number]
		if l == nil {
			return nil, sqlite.ResultCorrupt.ToError() // a delivery to a number without endpoint
		}
		b := sender.Backlog{EndpointID: l.id}
		if b.FirstTries, err = w.earliest(l, firstTries); err != nil {
			return nil, err
		}
		if b.Retries, err = w.earliest(l, retries); err != nil {
			return nil, err
		}
		if !b.FirstTries.IsZero() || !b.Retries.IsZero() {
			backlog = append(backlog, b)
		}
	}
}

// earliest is when the first delivery of a kind that is not held is due; zero
// when there is none.
func (w *writer) earliest(l *lane, kind int) (due time.Time, err error) {
	seen := l.seen[kind]
	err = w.scan(l, kind, func(at position, held bool) (bool, error) {
		if held {
			seen = at
		} else {
			due = time.UnixMilli(at.due).UTC()
		}
		return held, nil
	})
	if err == nil {
		l.seen[kind] = seen
	}
	return due, err
}
