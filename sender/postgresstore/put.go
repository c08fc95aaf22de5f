package postgresstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/webhook"
)

// putTries is how often a batch is put anew because events of it were stored by
// others, or deleted, in the meantime.
const putTries = 10

// insertEvents stores events, in the order given, of which others may be there
// already: those are not stored, or, where $2 is set, nothing is. Nothing is
// either under numbers before $15. IDs are inserted in their order, so that
// batches that have some in common wait for each other and do not block each
// other.
const insertEvents = `WITH input AS MATERIALIZED (
		SELECT nextval('{s}.seq') AS seq, u.* FROM unnest($3::text[], $4::bytea[], $5::text[], $6::bigint[], $7::bigint[], $8::integer[],
			$9::bytea[], $10::text[], $11::text[], $12::integer[], $13::bytea[], $14::bytea[]) WITH ORDINALITY
			AS u(id, tenant, type, stored_at, timestamp, timestamp_ns, content_type, trace_parent, targets, size, headers, data, n)),
	ids AS (INSERT INTO {s}.event_ids (seq, id, tenant) SELECT seq, id, tenant FROM input ORDER BY id, tenant
		ON CONFLICT DO NOTHING RETURNING seq),
	events AS (INSERT INTO {s}.events (seq, stored_at, timestamp, timestamp_ns, holder, size, targets, id, type, tenant,
			content_type, trace_parent, headers, data)
		SELECT seq, stored_at, timestamp, timestamp_ns, $1, size, targets::integer[], id, type, tenant,
			content_type, nullif(trace_parent, ''), headers, data
		FROM input JOIN ids USING (seq)),
	counted AS (INSERT INTO {s}.pending (endpoint, instance, part, deliveries)
		SELECT t.endpoint, $1, 0, count(*) FROM input JOIN ids USING (seq) CROSS JOIN LATERAL unnest(targets::integer[]) AS t(endpoint)
		GROUP BY t.endpoint ORDER BY t.endpoint
		ON CONFLICT (endpoint, instance, part) DO UPDATE SET deliveries = pending.deliveries + excluded.deliveries)
	SELECT input.seq, ids.seq IS NOT NULL, CASE WHEN $2 AND ids.seq IS NULL OR input.seq < $15 THEN {s}.refuse() END
	FROM input LEFT JOIN ids USING (seq) ORDER BY n`

// findEvents answers with what events are compared by.
const findEvents = `SELECT e.id, e.tenant, e.seq, e.type, e.data, e.content_type, e.timestamp, e.timestamp_ns
	FROM unnest($1::text[], $2::bytea[]) AS k(id, tenant)
	CROSS JOIN LATERAL (SELECT seq FROM {s}.event_ids WHERE id = k.id AND tenant = k.tenant OFFSET 0) i
	CROSS JOIN LATERAL (SELECT * FROM {s}.events WHERE seq = i.seq OFFSET 0) e`

// eventKey is what an event is unique by.
type eventKey struct {
	id, tenant string
}

// firstEvent is the event that has a key: in the store, or before in the batch.
type firstEvent struct {
	event   *webhook.Event
	seq     int64
	inBatch *sender.PutEvent // nil when it is in the store
}

// same tells whether e is a duplicate of the first event of its key.
func (f *firstEvent) same(e *sender.PutEvent) bool {
	a, b := f.event, e.Event
	return a.Type == b.Type && bytes.Equal(a.Data, b.Data) && a.ContentType == b.ContentType &&
		(!e.TimestampGiven || a.Timestamp.Equal(b.Timestamp))
}

// PutEvents implements [sender.Store]. The trace parent, the headers and the
// endpoints of a second publication are not compared: the first ones stay.
func (s *Store) PutEvents(ctx context.Context, publications []*sender.Publication) error {
	err := s.write(ctx, "storing events", &s.putting, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		p := put{s: s, conn: conn, instance: instance, todo: publications}
		return p.run(ctx)
	})
	if err != nil {
		for _, p := range publications {
			p.Err = nil
			forget(p.Events)
		}
	}
	return err
}

// forget clears what PutEvents has set.
func forget(events []sender.PutEvent) {
	for i := range events {
		events[i].Seq, events[i].Duplicate = 0, false
	}
}

// put is one call of PutEvents.
type put struct {
	s        *Store
	conn     *pgxpool.Conn
	instance int32
	todo     []*sender.Publication   // that are neither stored nor refused yet
	known    map[eventKey]firstEvent // what the store has of their events
	again    []duplicate             // within the batch
}

// duplicate is an event that came before in the same batch.
type duplicate struct {
	event, first *sender.PutEvent
}

func keyOf(e *webhook.Event) eventKey { return eventKey{e.ID, e.Tenant} }

// run stores what is not there yet. Usually that is one round trip: where each
// publication is one event, and each event is there once, those that others have
// stored may be left out without effect on the rest. Otherwise what is there is
// looked up first, and all is stored or nothing.
func (p *put) run(ctx context.Context) error {
	if err := p.numberEndpoints(ctx); err != nil {
		return err
	}
	whole := !p.apart()
	if whole {
		if err := p.find(ctx); err != nil {
			return err
		}
	}
	var partly error // what a later error is said with
	for range putTries {
		fresh := p.decide()
		err := p.insert(ctx, fresh, whole)
		if stateOf(err) == stateRefused { // another instance was faster, unless:
			if e := p.s.checkNumbers(ctx, p.conn); e != nil {
				return errors.Join(partly, e)
			}
		} else if err != nil {
			return errors.Join(partly, err)
		}
		if err == nil {
			if p.finish(whole) {
				return nil
			}
			partly = errPartly
		}
		if err := p.find(ctx); err != nil {
			return errors.Join(partly, err)
		}
	}
	return errors.Join(partly, errContended)
}

// numberEndpoints sees to it that all endpoints have numbers.
func (p *put) numberEndpoints(ctx context.Context) error {
	var missing []string
	for _, publication := range p.todo {
		for i := range publication.Events {
			missing = append(missing, p.s.endpoints.missing(publication.Events[i].EndpointIDs)...)
		}
	}
	return p.s.numberEndpoints(ctx, p.conn, missing)
}

// apart tells whether each publication is one event, and each event there once.
func (p *put) apart() bool {
	keys := make(map[eventKey]struct{}, len(p.todo))
	for _, publication := range p.todo {
		if len(publication.Events) != 1 {
			return false
		}
		keys[keyOf(publication.Events[0].Event)] = struct{}{}
	}
	return len(keys) == len(p.todo)
}

// find reads what the store has under the keys of the events.
func (p *put) find(ctx context.Context) error {
	var ids []string
	var tenants [][]byte
	for _, publication := range p.todo {
		for i := range publication.Events {
			e := publication.Events[i].Event
			ids, tenants = append(ids, e.ID), append(tenants, []byte(e.Tenant))
		}
	}
	rows, err := p.conn.Query(ctx, p.s.in(findEvents), ids, tenants)
	if err != nil {
		return err
	}
	p.known = map[eventKey]firstEvent{}
	return each(rows, func(rows pgx.Rows) error {
		f := firstEvent{event: &webhook.Event{}}
		var tenant, contentType []byte
		var seconds, nanos int64
		err := rows.Scan(&f.event.ID, &tenant, &f.seq, &f.event.Type, &f.event.Data, &contentType, &seconds, &nanos)
		f.event.Tenant, f.event.ContentType, f.event.Timestamp = string(tenant), string(contentType), time.Unix(seconds, nanos)
		p.known[keyOf(f.event)] = f
		return err
	})
}

// decide says of each publication what is to be done with it, by what is known,
// and returns the events to be stored.
func (p *put) decide() (fresh []*sender.PutEvent) {
	first := map[eventKey]firstEvent{}
	p.again = p.again[:0]
	for _, publication := range p.todo {
		publication.Err = nil
		before, again := len(fresh), len(p.again)
		for i := range publication.Events {
			e := &publication.Events[i]
			e.Seq, e.Duplicate = 0, false
			key := keyOf(e.Event)
			f, found := p.known[key]
			if !found {
				f, found = first[key]
			}
			switch {
			case !found:
				first[key] = firstEvent{event: e.Event, inBatch: e}
				fresh = append(fresh, e)
				continue
			case f.same(e):
				e.Seq, e.Duplicate = f.seq, true
				if f.inBatch != nil {
					p.again = append(p.again, duplicate{e, f.inBatch})
				}
				continue
			}
			publication.Err = fmt.Errorf("event %q: %w with other content: publish it under an ID of its own", e.Event.ID, sender.ErrConflict)
			for _, stored := range fresh[before:] {
				delete(first, keyOf(stored.Event))
			}
			fresh, p.again = fresh[:before], p.again[:again]
			forget(publication.Events)
			break
		}
	}
	return fresh
}

// insert stores events and sets Seq of those that were not there yet.
func (p *put) insert(ctx context.Context, fresh []*sender.PutEvent, whole bool) error {
	if len(fresh) == 0 {
		// All is there, and visible once the server has written it, but perhaps not
		// to a standby that it is to wait for, as when it was started again in the
		// meantime. A transaction waits for that.
		return p.s.newChange(p.instance).send(ctx, p.conn)
	}
	c := newPutColumns(len(fresh))
	for _, e := range fresh {
		c.add(p.s, e)
	}
	p.s.mu.Lock()
	next := p.s.holds.next
	p.s.mu.Unlock()
	change := p.s.newChange(p.instance)
	seqs := make([]int64, 0, len(fresh))
	change.query(insertEvents, func(rows pgx.Rows) error {
		var seq int64
		var isNew bool
		var refused *bool
		if err := rows.Scan(&seq, &isNew, &refused); err != nil {
			return err
		}
		if !isNew {
			seq = 0
		}
		seqs = append(seqs, seq)
		return nil
	}, append(append([]any{p.instance, whole}, c.args()...), next)...)
	if err := change.send(ctx, p.conn); err != nil {
		return err
	}
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	for i, e := range fresh {
		if e.Seq = seqs[i]; e.Seq != 0 {
			p.s.holds.store(e.Seq, c.sizes[i], c.numbers[i])
			p.s.grow(e.Seq, eventOverhead+int64(len(e.Event.Data)+len(c.headers[i])))
		}
	}
	return nil
}

// finish ends what is decided, and tells whether that is all.
func (p *put) finish(whole bool) bool {
	for _, d := range p.again {
		d.event.Seq = d.first.Seq
	}
	if whole {
		return true
	}
	left := p.todo[:0:0]
	for _, publication := range p.todo {
		if publication.Err == nil && publication.Events[0].Seq == 0 {
			left = append(left, publication)
		}
	}
	p.todo = left
	return len(left) == 0
}

// putColumns are the events to be stored, column by column.
type putColumns struct {
	ids, types, traceParents, targets     []string
	tenants, contentTypes, headers, datas [][]byte
	storedAt, timestamps                  []int64
	nanos, sizes                          []int32

	numbers [][]int32 // the targets
	scratch []byte
}

func newPutColumns(n int) *putColumns {
	texts, blobs := make([]string, 4*n), make([][]byte, 4*n)
	longs, ints := make([]int64, 2*n), make([]int32, 2*n)
	return &putColumns{
		ids: texts[:0:n], types: texts[n : n : 2*n], traceParents: texts[2*n : 2*n : 3*n], targets: texts[3*n : 3*n],
		tenants: blobs[:0:n], contentTypes: blobs[n : n : 2*n], headers: blobs[2*n : 2*n : 3*n], datas: blobs[3*n : 3*n],
		storedAt: longs[:0:n], timestamps: longs[n:n],
		nanos: ints[:0:n], sizes: ints[n:n],
		numbers: make([][]int32, 0, n),
	}
}

// add adds an event, whose endpoints have numbers.
func (c *putColumns) add(s *Store, e *sender.PutEvent) {
	event := e.Event
	numbers := make([]int32, len(e.EndpointIDs))
	for i, id := range e.EndpointIDs {
		numbers[i], _ = s.endpoints.known(id)
	}
	c.scratch = appendArray(c.scratch[:0], numbers)
	var headers []byte
	if len(event.Headers) > 0 {
		headers = stored.AppendHeaders(nil, event.Headers)
	}
	data := event.Data
	if data == nil {
		data = []byte{}
	}
	c.ids, c.types = append(c.ids, event.ID), append(c.types, event.Type)
	c.traceParents, c.targets = append(c.traceParents, event.TraceParent), append(c.targets, string(c.scratch))
	c.tenants, c.contentTypes = append(c.tenants, []byte(event.Tenant)), append(c.contentTypes, optional([]byte(event.ContentType)))
	c.headers, c.datas = append(c.headers, headers), append(c.datas, data)
	c.storedAt, c.timestamps = append(c.storedAt, e.StoredAt.UnixMilli()), append(c.timestamps, event.Timestamp.Unix())
	c.nanos, c.sizes = append(c.nanos, int32(event.Timestamp.Nanosecond())), append(c.sizes, int32(event.Size()))
	c.numbers = append(c.numbers, numbers)
}

// appendArray writes numbers as PostgreSQL writes an array.
func appendArray(b []byte, numbers []int32) []byte {
	b = append(b, '{')
	for i, n := range numbers {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(n), 10)
	}
	return append(b, '}')
}

// args are the arguments of insertEvents from the third to the fourteenth.
func (c *putColumns) args() []any {
	return []any{c.ids, c.tenants, c.types, c.storedAt, c.timestamps, c.nanos, c.contentTypes, c.traceParents, c.targets, c.sizes, c.headers, c.datas}
}
