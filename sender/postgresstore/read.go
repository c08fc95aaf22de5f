package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/webhook"
)

// headColumns and eventColumns are what an [eventRow] reads of events e, without
// and with data and headers.
const (
	headColumns  = `e.id, e.type, e.timestamp, e.timestamp_ns, e.tenant, coalesce(e.content_type, ''), coalesce(e.trace_parent, '')`
	eventColumns = headColumns + `, e.data, e.headers`
)

// eventRow is an event as it is read.
type eventRow struct {
	id, kind, traceParent              string
	seconds                            int64
	nanos                              int32
	tenant, contentType, data, headers []byte
}

// head are where headColumns are read to.
func (r *eventRow) head() []any {
	return []any{&r.id, &r.kind, &r.seconds, &r.nanos, &r.tenant, &r.contentType, &r.traceParent}
}

// columns are where eventColumns are read to.
func (r *eventRow) columns() []any { return append(r.head(), &r.data, &r.headers) }

// event is the event that was read.
func (r *eventRow) event() (*webhook.Event, error) {
	headers, err := stored.DecodeHeaders(r.headers)
	return &webhook.Event{
		ID: r.id, Type: r.kind, Timestamp: time.Unix(r.seconds, int64(r.nanos)).UTC(), Tenant: string(r.tenant),
		Data: optional(r.data), ContentType: string(r.contentType), Headers: headers, TraceParent: r.traceParent,
	}, err
}

// stateColumns are the state of a delivery of event e, waiting w or ended d or
// neither, as a [stateRow] reads it.
const stateColumns = `coalesce(w.status, d.status, 1), coalesce(w.attempts, d.attempts, 0), coalesce(w.schedule_start, d.schedule_start, 0),
	CASE WHEN d.status IS NULL AND coalesce(w.status, 1) = 1 THEN coalesce(w.due, e.stored_at) END`

// stateRow is the state of a delivery as it is read.
type stateRow struct {
	status               int16
	attempts, scheduleAt int
	due                  *int64
}

func (r *stateRow) columns() []any { return []any{&r.status, &r.attempts, &r.scheduleAt, &r.due} }

// fill fills in the state of a delivery.
func (r *stateRow) fill(d *sender.Delivery) {
	d.Status, d.Attempts, d.ScheduleStart = sender.Status(r.status), r.attempts, r.scheduleAt
	if r.due != nil {
		d.Due = fromMilli(*r.due)
	}
}

// joinStates joins the deliveries of events e. OFFSET 0 has PostgreSQL look up
// each by its key, and not read a table as a whole because it believes it small.
const joinStates = ` CROSS JOIN LATERAL unnest(e.targets) WITH ORDINALITY AS t(endpoint, n)
	LEFT JOIN LATERAL (SELECT * FROM {s}.waiting WHERE event_seq = e.seq AND endpoint = t.endpoint OFFSET 0) w ON true
	LEFT JOIN LATERAL (SELECT * FROM {s}.deliveries WHERE event_seq = e.seq AND endpoint = t.endpoint OFFSET 0) d ON true`

// The statements that read one event, $1.
const (
	findSeqs     = `SELECT seq FROM {s}.event_ids WHERE id = $1 AND ($2::bytea IS NULL OR tenant = $2) LIMIT 2`
	readEvent    = `SELECT ` + eventColumns + `, e.stored_at FROM {s}.events e WHERE e.seq = $1`
	readStates   = `SELECT t.endpoint, ` + stateColumns + `, d.attempt, d.body FROM {s}.events e ` + joinStates + ` WHERE e.seq = $1 ORDER BY t.n`
	readAttempts = `SELECT endpoint, attempt, body FROM {s}.attempts WHERE event_seq = $1 ORDER BY number`
)

// Event implements [sender.Store].
func (s *Store) Event(ctx context.Context, tenant, id string) (record *sender.EventRecord, err error) {
	var owner []byte
	if tenant != sender.AnyTenant {
		owner = []byte(tenant)
	}
	err = s.readOnce(ctx, "reading an event", func(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx) error {
		if !isText(id) {
			return fmt.Errorf("event %q: %w", id, sender.ErrNotFound)
		}
		rows, err := tx.Query(ctx, s.in(findSeqs), id, owner)
		if err != nil {
			return err
		}
		seqs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		switch {
		case err != nil:
			return err
		case len(seqs) == 0:
			return fmt.Errorf("event %q: %w", id, sender.ErrNotFound)
		case len(seqs) > 1:
			return fmt.Errorf("event %q: %w", id, sender.ErrAmbiguous)
		}
		record, err = s.eventRecord(ctx, conn, tx, seqs[0])
		if err == nil && record == nil {
			err = fmt.Errorf("event %q: %w", id, sender.ErrNotFound)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return record, nil
}

// Delivery implements [sender.Store].
func (s *Store) Delivery(ctx context.Context, seq int64, endpointID string) (record *sender.DeliveryRecord, err error) {
	err = s.readOnce(ctx, "reading a delivery", func(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx) error {
		event, err := s.eventRecord(ctx, conn, tx, seq)
		if err != nil {
			return err
		}
		if event != nil {
			i := slices.IndexFunc(event.Deliveries, func(d sender.DeliveryRecord) bool { return d.EndpointID == endpointID })
			if i >= 0 {
				record = &event.Deliveries[i]
				return nil
			}
		}
		return fmt.Errorf("delivery of event number %d to endpoint %q: %w", seq, endpointID, sender.ErrNotFound)
	})
	if err != nil {
		return nil, err
	}
	return record, nil
}

// readOnce runs do in a transaction that sees one state of the store.
func (s *Store) readOnce(ctx context.Context, doing string, do func(context.Context, *pgxpool.Conn, pgx.Tx) error) error {
	return s.read(ctx, doing, func(ctx context.Context, conn *pgxpool.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly},
			func(tx pgx.Tx) error { return do(ctx, conn, tx) })
	})
}

// eventRecord reads all that is known of an event; nil when there is none.
func (s *Store) eventRecord(ctx context.Context, conn *pgxpool.Conn, tx pgx.Tx, seq int64) (*sender.EventRecord, error) {
	record := &sender.EventRecord{}
	var event eventRow
	var storedAt int64
	err := tx.QueryRow(ctx, s.in(readEvent), seq).Scan(append(event.columns(), &storedAt)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		record.Event, err = event.event()
	}
	if err != nil {
		return nil, err
	}
	record.StoredAt = fromMilli(storedAt)
	rows, err := tx.Query(ctx, s.in(readStates), seq)
	if err != nil {
		return nil, err
	}
	var endpoints []int32
	if err := each(rows, func(rows pgx.Rows) error {
		var endpoint int32
		var state stateRow
		var attempt, body []byte
		if err := rows.Scan(append(append([]any{&endpoint}, state.columns()...), &attempt, &body)...); err != nil {
			return err
		}
		d := sender.DeliveryRecord{Delivery: sender.Delivery{Event: record.Event, Seq: seq, StoredAt: record.StoredAt}}
		state.fill(&d.Delivery)
		endpoints, record.Deliveries = append(endpoints, endpoint), append(record.Deliveries, d)
		return addAttempt(&record.Deliveries[len(endpoints)-1], attempt, body)
	}); err != nil {
		return nil, err
	}
	if rows, err = tx.Query(ctx, s.in(readAttempts), seq); err != nil {
		return nil, err
	}
	if err := each(rows, func(rows pgx.Rows) error {
		var endpoint int32
		var attempt, body []byte
		if err := rows.Scan(&endpoint, &attempt, &body); err != nil {
			return err
		}
		i := slices.Index(endpoints, endpoint)
		if i < 0 {
			return nil
		}
		return addAttempt(&record.Deliveries[i], attempt, body)
	}); err != nil {
		return nil, err
	}
	for i, endpoint := range endpoints {
		d := &record.Deliveries[i]
		slices.SortFunc(d.History, func(a, b sender.Attempt) int { return a.Number - b.Number })
		if d.EndpointID, err = s.name(ctx, conn, endpoint); err != nil {
			return nil, err
		}
	}
	return record, nil
}

// addAttempt adds an attempt to those of a delivery, if there is one.
func addAttempt(d *sender.DeliveryRecord, attempt, body []byte) error {
	if attempt == nil {
		return nil
	}
	a, err := decodeAttempt(attempt, false)
	a.ResponseBody = optional(body)
	d.History = append(d.History, a)
	return err
}
