package sqlitestore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/webhook"
)

// eventColumns are what columnEvent reads, from the first column on.
const (
	eventColumns     = headColumns + `, data, headers`
	eventColumnCount = headColumnCount + 2
)

// columnEvent reads an event from a row that begins with eventColumns.
func columnEvent(stmt *sqlite.Stmt) (*webhook.Event, error) {
	e := columnHead(stmt)
	e.Data = columnBytes(stmt, eventColumnCount-2)
	var err error
	e.Headers, err = stored.DecodeHeaders(columnBytes(stmt, eventColumnCount-1))
	if err != nil {
		return nil, err
	}
	return e, nil
}

// columnHead reads an event without its data and headers.
func columnHead(stmt *sqlite.Stmt) *webhook.Event {
	return &webhook.Event{
		ID:          stmt.ColumnText(0),
		Type:        stmt.ColumnText(1),
		Timestamp:   time.Unix(stmt.ColumnInt64(2), stmt.ColumnInt64(3)).UTC(),
		Tenant:      stmt.ColumnText(4),
		ContentType: stmt.ColumnText(5),
		TraceParent: stmt.ColumnText(6),
	}
}

// attemptColumns are what columnAttempt reads, from the first column on.
const (
	attemptColumns     = `number, started_at, duration, status_code, verdict, error, detail`
	attemptColumnCount = 7
)

// columnAttempt reads an attempt, from a row that begins with attemptColumns;
// without headers and body when brief is set, otherwise the body comes next.
func (r *reader) columnAttempt(stmt *sqlite.Stmt, brief bool) (sender.Attempt, error) {
	a := sender.Attempt{
		Number:     stmt.ColumnInt(0),
		StartedAt:  columnTime(stmt, 1),
		Duration:   webhook.Duration(stmt.ColumnInt64(2)),
		StatusCode: stmt.ColumnInt(3),
		Verdict:    sender.Verdict(stmt.ColumnInt64(4)),
		Error:      stmt.ColumnText(5),
	}
	if !brief {
		a.ResponseBody = columnBytes(stmt, attemptColumnCount)
	}
	r.scratch = scratchBytes(stmt, attemptColumnCount-1, r.scratch)
	return a, stored.DecodeDetail(&a, r.scratch, brief)
}

// Event implements [sender.Store].
func (s *Store) Event(ctx context.Context, tenant, id string) (record *sender.EventRecord, err error) {
	err = s.read(ctx, "reading an event", func(r *reader) (err error) {
		find := r.event
		if tenant == sender.AnyTenant {
			seq, err := r.onlyEvent(id)
			if err != nil || seq == 0 {
				return err
			}
			find = r.eventAt
			find.BindInt64(1, seq)
		} else {
			find.BindText(1, id)
			find.BindText(2, tenant)
		}
		record, err = r.eventRecord(find, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	if record == nil {
		return nil, fmt.Errorf("event %q: %w", id, sender.ErrNotFound)
	}
	return record, nil
}

// onlyEvent is the number of the event of an ID, whosever it is; 0 when there
// is none.
func (r *reader) onlyEvent(id string) (seq int64, err error) {
	n := 0
	r.eventOfAny.BindText(1, id)
	err = rows(r.eventOfAny, func() (bool, error) {
		n++
		seq = r.eventOfAny.ColumnInt64(0)
		return true, nil
	})
	if err == nil && n > 1 {
		err = fmt.Errorf("event %q: %w", id, sender.ErrAmbiguous)
	}
	return seq, err
}

// Delivery implements [sender.Store].
func (s *Store) Delivery(ctx context.Context, seq int64, endpointID string) (*sender.DeliveryRecord, error) {
	var record *sender.EventRecord
	err := s.read(ctx, "reading a delivery", func(r *reader) error {
		numbers, err := r.numbers([]string{endpointID})
		if err != nil || len(numbers) == 0 {
			return err
		}
		r.eventAt.BindInt64(1, seq)
		record, err = r.eventRecord(r.eventAt, numbers)
		return err
	})
	if err != nil {
		return nil, err
	}
	if record == nil || len(record.Deliveries) == 0 {
		return nil, fmt.Errorf("delivery of event number %d to endpoint %q: %w", seq, endpointID, sender.ErrNotFound)
	}
	return &record.Deliveries[0], nil
}

// eventRecord reads the event that a statement finds, with its deliveries to
// the endpoints given, or to all if there are none; nil when there is none.
func (r *reader) eventRecord(stmt *sqlite.Stmt, endpoints []int64) (*sender.EventRecord, error) {
	record := &sender.EventRecord{}
	var seq int64
	var targets []int64
	var damaged error
	found, err := row(stmt, func() {
		if record.Event, damaged = columnEvent(stmt); damaged != nil {
			return
		}
		seq = stmt.ColumnInt64(eventColumnCount)
		record.StoredAt = columnTime(stmt, eventColumnCount+1)
		_, targets, damaged = columnTargets(stmt, eventColumnCount+2, nil, nil)
	})
	if err != nil || !found {
		return nil, err
	}
	if damaged != nil {
		return nil, damaged
	}
	for _, endpoint := range targets {
		if len(endpoints) > 0 && !slices.Contains(endpoints, endpoint) {
			continue
		}
		var d sender.DeliveryRecord
		d.Delivery, err = r.readDelivery(record.Event, seq, endpoint, record.StoredAt)
		if err == nil && d.Attempts > 0 {
			d.History, err = r.history(seq, endpoint)
		}
		if err != nil {
			return nil, err
		}
		record.Deliveries = append(record.Deliveries, d)
	}
	return record, nil
}

// readDelivery reads the delivery of an event to one endpoint. Without a row it
// is pending, and due when the event was stored.
func (r *reader) readDelivery(event *webhook.Event, seq, endpoint int64, storedAt time.Time) (d sender.Delivery, err error) {
	d = sender.Delivery{Event: event, Seq: seq, StoredAt: storedAt, Status: sender.Pending, Due: storedAt}
	if d.EndpointID, err = r.name(endpoint); err != nil {
		return d, err
	}
	stmt := r.delivery
	stmt.BindInt64(1, seq)
	stmt.BindInt64(2, endpoint)
	_, err = row(stmt, func() {
		d.Status = sender.Status(stmt.ColumnInt64(0))
		d.Attempts = stmt.ColumnInt(1)
		d.Due = columnTime(stmt, 2)
		d.ScheduleStart = stmt.ColumnInt(3)
	})
	return d, err
}

// history reads the attempts of a delivery.
func (r *reader) history(seq, endpoint int64) (history []sender.Attempt, err error) {
	stmt := r.attempts
	stmt.BindInt64(1, seq)
	stmt.BindInt64(2, endpoint)
	err = rows(stmt, func() (bool, error) {
		a, err := r.columnAttempt(stmt, false)
		history = append(history, a)
		return true, err
	})
	return history, err
}
