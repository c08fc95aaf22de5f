package sqlitestore

import (
	"context"
	"fmt"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// eventColumns are what columnEvent reads, from the first column on.
const (
	eventColumns     = `id, type, timestamp, timestamp_ns, tenant, content_type, trace_parent, data`
	eventColumnCount = 8
)

// columnEvent reads an event from a row that begins with eventColumns.
func columnEvent(stmt *sqlite.Stmt) *webhook.Event {
	return &webhook.Event{
		ID:          stmt.ColumnText(0),
		Type:        stmt.ColumnText(1),
		Timestamp:   time.Unix(stmt.ColumnInt64(2), stmt.ColumnInt64(3)).UTC(),
		Tenant:      stmt.ColumnText(4),
		ContentType: stmt.ColumnText(5),
		TraceParent: stmt.ColumnText(6),
		Data:        columnBytes(stmt, 7),
	}
}

// reader is a connection that only reads.
type reader struct {
	conn            *sqlite.Conn
	begin, rollback *sqlite.Stmt

	event, endpoint, delivery, attempts *sqlite.Stmt
	purgeable, ended                    *sqlite.Stmt
}

func (r *reader) list() prepared {
	return prepared{
		{&r.event, `SELECT ` + eventColumns + `, seq, stored_at, targets FROM events WHERE id = ?1 AND tenant = ?2`},
		{&r.endpoint, `SELECT id FROM endpoints WHERE number = ?1`},
		{&r.delivery, `SELECT status, attempts, due FROM deliveries WHERE event_seq = ?1 AND endpoint = ?2`},
		{&r.attempts, `SELECT number, started_at, duration, status_code, verdict, error, response_body
			FROM attempts WHERE event_seq = ?1 AND endpoint = ?2 ORDER BY number`},
		{&r.purgeable, purgeableEvents},
		{&r.ended, endedDelivery},
	}
}

// openReader opens a reading connection to the file of an open writer.
func openReader(path string) (*reader, error) {
	conn, err := connect(path)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn}
	err = append(prepared{{&r.begin, "BEGIN"}, {&r.rollback, "ROLLBACK"}}, r.list()...).prepare(conn)
	if err == nil {
		err = pragmas(conn, "query_only=ON")
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return r, nil
}

// Event implements [sender.Store].
func (s *Store) Event(ctx context.Context, tenant, id string) (record *sender.EventRecord, err error) {
	err = s.read(ctx, "reading an event", func(r *reader) (err error) {
		record, err = r.eventRecord(tenant, id)
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

// eventRecord reads an event with all that belongs to it; nil when there is
// none.
func (r *reader) eventRecord(tenant, id string) (*sender.EventRecord, error) {
	r.event.BindText(1, id)
	r.event.BindText(2, tenant)
	record := &sender.EventRecord{}
	var seq int64
	var targets []int64
	var damaged error
	found, err := row(r.event, func() {
		record.Event = columnEvent(r.event)
		seq = r.event.ColumnInt64(eventColumnCount)
		record.StoredAt = columnTime(r.event, eventColumnCount+1)
		_, targets, damaged = columnTargets(r.event, eventColumnCount+2, nil, nil)
	})
	if err != nil || !found {
		return nil, err
	}
	if damaged != nil {
		return nil, damaged
	}
	for _, endpoint := range targets {
		d := sender.DeliveryRecord{Delivery: sender.Delivery{
			Event: record.Event, Seq: seq, Status: sender.Pending, Due: record.StoredAt,
		}}
		if err := r.readDelivery(&d, endpoint); err != nil {
			return nil, err
		}
		record.Deliveries = append(record.Deliveries, d)
	}
	return record, nil
}

// readDelivery fills in the delivery of an event to one endpoint.
func (r *reader) readDelivery(d *sender.DeliveryRecord, endpoint int64) error {
	r.endpoint.BindInt64(1, endpoint)
	found, err := row(r.endpoint, func() { d.EndpointID = r.endpoint.ColumnText(0) })
	if err != nil {
		return err
	}
	if !found {
		return errTargets
	}
	stmt := r.delivery
	stmt.BindInt64(1, d.Seq)
	stmt.BindInt64(2, endpoint)
	found, err = row(stmt, func() {
		d.Status = sender.Status(stmt.ColumnInt64(0))
		d.Attempts = stmt.ColumnInt(1)
		d.Due = columnTime(stmt, 2)
	})
	if err != nil || !found {
		return err // without a row there is no attempt either
	}
	stmt = r.attempts
	stmt.BindInt64(1, d.Seq)
	stmt.BindInt64(2, endpoint)
	return rows(stmt, func() (bool, error) {
		d.History = append(d.History, sender.Attempt{
			Number:       stmt.ColumnInt(0),
			StartedAt:    columnTime(stmt, 1),
			Duration:     webhook.Duration(stmt.ColumnInt64(2)),
			StatusCode:   stmt.ColumnInt(3),
			Verdict:      sender.Verdict(stmt.ColumnInt64(4)),
			Error:        stmt.ColumnText(5),
			ResponseBody: columnBytes(stmt, 6),
		})
		return true, nil
	})
}
