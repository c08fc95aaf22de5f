package postgresstore

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// The statements that go through events $1 to $2, up to $3 of them, and say of
// each whether it goes to one of the endpoints $4: those of no tenant, and those
// of the tenant $5.
const (
	missingColumns  = `SELECT e.seq, e.stored_at, e.type, e.size, e.targets && $4::integer[] FROM {s}.events e WHERE e.seq >= $1 AND e.seq <= $2 `
	missingEvents   = missingColumns + `AND e.tenant = $5 ORDER BY e.seq LIMIT $3`
	missingEventsOf = missingColumns + `AND e.tenant <> '' AND e.tenant = $5 ORDER BY e.seq LIMIT $3`
)

// The statements that read events $1, in the order given, with data and headers
// and without.
const (
	readWhole = `SELECT e.seq, e.stored_at, ` + eventColumns + readListedEvents
	readHeads = `SELECT e.seq, e.stored_at, ` + headColumns + `, ''::bytea, NULL::bytea` + readListedEvents

	readListedEvents = ` FROM unnest($1::bigint[]) WITH ORDINALITY AS k(seq, place)
	CROSS JOIN LATERAL (SELECT * FROM {s}.events WHERE seq = k.seq OFFSET 0) e ORDER BY k.place`
)

// Missing implements [sender.Store]. What is said of [Store.Deliveries] about
// clocks that went wrong, and about events that another instance is just storing,
// is true of it, too.
func (s *Store) Missing(ctx context.Context, q sender.MissingQuery) (page sender.MissingPage, err error) {
	err = s.read(ctx, "looking for missing deliveries", func(ctx context.Context, conn *pgxpool.Conn) error {
		m := &missing{
			listing: listing{s: s, conn: conn, at: stored.Place{Seq: q.After + 1}, q: &sender.DeliveryQuery{
				Types: q.Types, From: q.From, To: q.To, OldestFirst: true,
			}},
			query: &q,
		}
		m.from, m.to = stored.Bounds(q.From, q.To)
		err := m.run(ctx)
		page = m.found
		return err
	})
	if err != nil {
		return sender.MissingPage{}, err
	}
	return page, nil
}

// missing is one call of Missing. It goes through the events of a listing, and
// then reads those that are wanted.
type missing struct {
	listing
	query *sender.MissingQuery

	found sender.MissingPage
	seqs  []int64 // that are wanted
	bytes int64   // of them
}

func (m *missing) run(ctx context.Context) (err error) {
	if m.endpoints, err = m.s.numbers(ctx, m.conn, []string{m.query.EndpointID}); err != nil {
		return err
	}
	if err := m.bound(ctx); err != nil {
		return err
	}
	m.found.Last = m.query.After
	for m.fetching = minFetch; !m.stopped && m.low <= m.high; m.fetching = min(2*m.fetching, maxFetch) {
		if m.examined >= maxExamined {
			m.found.More = true
			break
		}
		if err := m.look(ctx); err != nil {
			return err
		}
	}
	return m.read(ctx)
}

// look looks at the next events.
func (m *missing) look(ctx context.Context) error {
	statement := missingEvents
	if m.query.Tenant != "" {
		statement = missingEventsOf
	}
	endpoints := m.endpoints
	if endpoints == nil { // it never had a delivery
		endpoints = []int32{}
	}
	rows, err := m.conn.Query(ctx, m.s.in(statement), m.low, m.high, m.fetching, endpoints, []byte(m.query.Tenant))
	if err != nil {
		return err
	}
	n := 0
	err = each(rows, func(rows pgx.Rows) error {
		var seq, storedAt, size int64
		var kind string
		var there bool
		if err := rows.Scan(&seq, &storedAt, &kind, &size, &there); err != nil {
			return err
		}
		n++
		if m.stopped {
			return nil
		}
		if !there && storedAt >= m.from && storedAt < m.to && m.wantsType(kind) {
			m.bytes += size
			if len(m.seqs) > 0 && (len(m.seqs) >= m.query.Limit || m.bytes > m.query.Bytes) {
				m.stopped, m.found.More = true, true
				return nil
			}
			m.seqs = append(m.seqs, seq)
		}
		m.found.Last, m.low = seq, seq+1
		return nil
	})
	m.examined += n
	if n < m.fetching {
		m.stopped = true
	}
	return err
}

// read reads the events that are wanted. Those that were purged meanwhile are
// not missing any more.
func (m *missing) read(ctx context.Context) error {
	if len(m.seqs) == 0 {
		return nil
	}
	statement := readHeads
	if m.query.Whole {
		statement = readWhole
	}
	rows, err := m.conn.Query(ctx, m.s.in(statement), m.seqs)
	if err != nil {
		return err
	}
	return each(rows, func(rows pgx.Rows) error {
		var seq, storedAt int64
		var event eventRow
		if err := rows.Scan(append([]any{&seq, &storedAt}, event.columns()...)...); err != nil {
			return err
		}
		e, err := event.event()
		m.found.Events = append(m.found.Events, sender.MissingEvent{Seq: seq, StoredAt: fromMilli(storedAt), Event: e})
		return err
	})
}

// addTargets has the events $1 go to further endpoints, which are written as
// arrays, $2.
const addTargets = `UPDATE {s}.events e SET targets = e.targets || k.targets::integer[]
	FROM unnest($1::bigint[], $2::text[]) AS k(seq, targets) WHERE e.seq = k.seq`

// lockedEvent is what lockEvents tells of an event.
type lockedEvent struct {
	size    int32
	targets []int32
	added   []int32
}

// AddDeliveries implements [sender.Store].
func (s *Store) AddDeliveries(ctx context.Context, deliveries []sender.NewDelivery) error {
	seqs, ids := make([]int64, len(deliveries)), make([]string, len(deliveries))
	for i := range deliveries {
		d := &deliveries[i]
		seqs[i], ids[i], d.Added = d.Seq, d.EndpointID, false
	}
	err := s.write(ctx, "adding deliveries", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		if err := s.numberEndpoints(ctx, conn, ids); err != nil {
			return err
		}
		events := map[int64]*lockedEvent{}
		return s.transact(ctx, conn, instance, func(first *change) {
			first.query(lockEvents, func(rows pgx.Rows) error {
				var seq int64
				e := &lockedEvent{}
				err := rows.Scan(&seq, &e.size, &e.targets)
				events[seq] = e
				return err
			}, seqs)
		}, func(then *change) {
			s.addTo(events, deliveries, instance, then)
		})
	})
	for i := range deliveries {
		switch d := &deliveries[i]; {
		case err != nil:
			d.Added = false
		case d.Added:
			s.tellBacklog(d.EndpointID)
		}
	}
	return err
}

// addTo adds to a change what gives events the deliveries that they do not have.
func (s *Store) addTo(events map[int64]*lockedEvent, deliveries []sender.NewDelivery, instance int32, c *change) {
	var wait waitingColumns
	pending := map[int32]int64{}
	for i := range deliveries {
		d := &deliveries[i]
		endpoint, _ := s.endpoints.known(d.EndpointID)
		e := events[d.Seq]
		if e == nil || slices.Contains(e.targets, endpoint) || slices.Contains(e.added, endpoint) {
			continue
		}
		e.added, d.Added = append(e.added, endpoint), true
		wait.add(&delivery{deliveryKey: deliveryKey{d.Seq, endpoint}, status: sender.Pending, due: d.Due.UnixMilli(), size: e.size})
		pending[endpoint]++
	}
	if len(wait.seqs) == 0 {
		return
	}
	var seqs []int64
	var added []string
	for seq, e := range events {
		if len(e.added) > 0 {
			seqs, added = append(seqs, seq), append(added, string(appendArray(nil, e.added)))
		}
	}
	c.exec(addTargets, seqs, added)
	wait.write(c)
	c.addPending(instance, pending)
}
