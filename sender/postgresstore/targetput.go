package postgresstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// copiedBy is the instance that is said to have stored what was copied. There is
// none of this number.
const copiedBy = 0

// PutDocuments implements [sender.CopyTarget].
func (t *Target) PutDocuments(ctx context.Context, documents []sender.Document) error {
	return t.transact(ctx, "copying documents", func(tx pgx.Tx) error {
		if err := t.advance(ctx, tx, t.last); err != nil {
			return err
		}
		var batch pgx.Batch
		for _, d := range documents {
			batch.Queue(t.store.in(`INSERT INTO {s}.documents (kind, id, version, data) VALUES ($1, $2, $3, $4)
				ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, data = excluded.data`), d.Kind, d.ID, d.Version, notNull(d.Data))
		}
		return tx.SendBatch(ctx, &batch).Close()
	})
}

// notNull is an empty value for nil.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// PutCounters implements [sender.CopyTarget].
func (t *Target) PutCounters(ctx context.Context, step sender.Step, counters []sender.Counter) error {
	ids := make([]string, len(counters))
	for i, c := range counters {
		ids[i] = c.EndpointID
	}
	return t.transact(ctx, "copying counters", func(tx pgx.Tx) error {
		if err := t.advance(ctx, tx, t.last); err != nil {
			return err
		}
		if err := t.store.numberEndpoints(ctx, t.conn, ids); err != nil {
			return err
		}
		var batch pgx.Batch
		for _, c := range counters {
			number, _ := t.store.endpoints.known(c.EndpointID)
			batch.Queue(t.store.in(`INSERT INTO {s}.counters (step, start, endpoint, type, instance, counts) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT (step, start, endpoint, type, instance) DO UPDATE SET counts = excluded.counts`),
				int16(step), c.Start.UnixMilli(), number, c.Type, copiedBy, countsOf(&c.Counts))
		}
		return tx.SendBatch(ctx, &batch).Close()
	})
}

// countsOf are counts as they are kept.
func countsOf(c *sender.Counts) []int64 {
	return append([]int64{c.Attempts, c.Succeeded, c.Failed, c.Blocked}, c.Durations[:]...)
}

// copiedRows are the rows of events that are copied, by table, in the order of
// copiedColumns.
type copiedRows struct {
	ids, events, waiting, deliveries, attempts [][]any

	pending map[int32]int64 // by endpoint
	bytes   int64
}

// PutEvents implements [sender.CopyTarget].
func (t *Target) PutEvents(ctx context.Context, events []sender.StoredEvent) error {
	if len(events) == 0 {
		return nil
	}
	last := events[len(events)-1].Seq
	err := t.transact(ctx, "copying events", func(tx pgx.Tx) error {
		if err := checkCopied(last); err != nil {
			return err
		}
		if err := t.advance(ctx, tx, last); err != nil {
			return err
		}
		var ids []string
		for i := range events {
			for j := range events[i].Deliveries {
				ids = append(ids, events[i].Deliveries[j].EndpointID)
			}
		}
		if err := t.store.numberEndpoints(ctx, t.conn, ids); err != nil {
			return err
		}
		rows := copiedRows{pending: map[int32]int64{}}
		for i := range events {
			rows.add(t.store, &events[i])
		}
		return t.insert(ctx, tx, &rows)
	})
	if err == nil {
		t.last = last
	}
	return err
}

// add adds the rows of an event.
func (r *copiedRows) add(s *Store, e *sender.StoredEvent) {
	targets := make([]int32, len(e.Deliveries))
	for i := range e.Deliveries {
		targets[i], _ = s.endpoints.known(e.Deliveries[i].EndpointID)
		r.addDelivery(targets[i], e, &e.Deliveries[i])
	}
	event := e.Event
	var headers []byte
	if len(event.Headers) > 0 {
		headers = stored.AppendHeaders(nil, event.Headers)
	}
	r.ids = append(r.ids, []any{e.Seq, event.ID, []byte(event.Tenant)})
	r.events = append(r.events, []any{
		e.Seq, e.StoredAt.UnixMilli(), event.Timestamp.Unix(), int32(event.Timestamp.Nanosecond()), int32(copiedBy), int32(event.Size()), targets,
		event.ID, event.Type, []byte(event.Tenant), optional([]byte(event.ContentType)), optionalText(event.TraceParent), headers, notNull(event.Data),
	})
	r.bytes += int64(event.Size()) + eventOverhead
}

// optionalText is nil for no text.
func optionalText(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// addDelivery adds the rows of a delivery, as settling it would have left them:
// the attempt that has ended it is in its own row.
func (r *copiedRows) addDelivery(endpoint int32, e *sender.StoredEvent, d *sender.DeliveryRecord) {
	history := d.History
	switch d.Status {
	case sender.Pending, sender.Blocked:
		var due *int64
		if d.Status == sender.Pending {
			ms := d.Due.UnixMilli()
			due = &ms
			r.pending[endpoint]++
		}
		r.waiting = append(r.waiting, []any{
			e.Seq, due, endpoint, int32(d.Attempts), int32(d.ScheduleStart), int32(e.Event.Size()), int16(d.Status), d.Attempts > 0,
		})
	default:
		var attempt, body []byte
		if n := len(history); n > 0 && d.Status != sender.Cancelled {
			attempt, body = encodeAttempt(&history[n-1]), optional(history[n-1].ResponseBody)
			history = history[:n-1]
		}
		r.deliveries = append(r.deliveries, []any{e.Seq, endpoint, int32(d.Attempts), int32(d.ScheduleStart), int16(d.Status), attempt, body})
		r.bytes += attemptBytes(attempt, body) + deliveryOverhead
	}
	for i := range history {
		attempt, body := encodeAttempt(&history[i]), optional(history[i].ResponseBody)
		r.attempts = append(r.attempts, []any{e.Seq, endpoint, int32(history[i].Number), attempt, body})
		r.bytes += attemptBytes(attempt, body)
	}
}

// insert inserts the rows.
func (t *Target) insert(ctx context.Context, tx pgx.Tx, r *copiedRows) error {
	for _, table := range []struct {
		name    string
		columns []string
		rows    [][]any
	}{
		{"event_ids", []string{"seq", "id", "tenant"}, r.ids},
		{"events", []string{
			"seq", "stored_at", "timestamp", "timestamp_ns", "holder", "size", "targets",
			"id", "type", "tenant", "content_type", "trace_parent", "headers", "data",
		}, r.events},
		{"waiting", []string{"event_seq", "due", "endpoint", "attempts", "schedule_start", "size", "status", "retry"}, r.waiting},
		{"deliveries", []string{"event_seq", "endpoint", "attempts", "schedule_start", "status", "attempt", "body"}, r.deliveries},
		{"attempts", []string{"event_seq", "endpoint", "number", "attempt", "body"}, r.attempts},
	} {
		if len(table.rows) == 0 {
			continue
		}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{t.store.schema, table.name}, table.columns, pgx.CopyFromRows(table.rows)); err != nil {
			return err
		}
	}
	var batch pgx.Batch
	for endpoint, n := range r.pending {
		batch.Queue(t.store.in(`INSERT INTO {s}.pending (endpoint, instance, part, deliveries) VALUES ($1, $2, 1, $3)
			ON CONFLICT (endpoint, instance, part) DO UPDATE SET deliveries = pending.deliveries + excluded.deliveries`), endpoint, copiedBy, n)
	}
	batch.Queue(t.store.in(`INSERT INTO {s}.volume (partition, instance, bytes) VALUES (0, $1, $2)
		ON CONFLICT (partition, instance) DO UPDATE SET bytes = volume.bytes + excluded.bytes`), copiedBy, r.bytes)
	return tx.SendBatch(ctx, &batch).Close()
}
