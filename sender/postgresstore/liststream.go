package postgresstore

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
)

// maxStreams is for how many endpoints deliveries are looked for endpoint by
// endpoint; for more, they are among those of all.
const maxStreams = 64

// Streams answer with numbers of events from $1 to $2, $3 at most of each group,
// in the order of the listing; with what they are grouped by; and with their
// types, where these are at hand. They are written for the oldest first.
const (
	// streamEvents: all events, of a tenant ($4) or everybody, from a mark ($5) on.
	streamEvents = `SELECT e.seq, 0, e.type FROM {s}.events e WHERE e.seq >= $1 AND e.seq <= $2 AND e.seq >= $5
		AND ($4::bytea IS NULL OR e.tenant = $4) ORDER BY e.seq ASC LIMIT $3`

	// streamTenant: those of a tenant that has a name, by the index of these.
	streamTenant = `SELECT e.seq, 0, e.type FROM {s}.events e WHERE e.seq >= $1 AND e.seq <= $2 AND e.seq >= $5
		AND e.tenant <> '' AND e.tenant = $4 ORDER BY e.seq ASC LIMIT $3`

	// streamWaiting: those of which deliveries wait.
	streamWaiting = `SELECT event_seq, 0, '' FROM {s}.waiting WHERE event_seq >= $1 AND event_seq <= $2 ORDER BY event_seq ASC LIMIT $3`

	// streamWaitingOf: the same for each of the endpoints $4.
	streamWaitingOf = `SELECT w.event_seq, k.endpoint, '' FROM unnest($4::integer[]) AS k(endpoint) CROSS JOIN LATERAL (
		SELECT event_seq FROM {s}.waiting WHERE endpoint = k.endpoint AND event_seq >= $1 AND event_seq <= $2
		ORDER BY event_seq ASC LIMIT $3) w`

	// streamEndedOf: those of which deliveries to the endpoints $4 have ended.
	streamEndedOf = `SELECT d.event_seq, k.endpoint, '' FROM unnest($4::integer[]) AS k(endpoint) CROSS JOIN LATERAL (
		SELECT event_seq FROM {s}.deliveries WHERE endpoint = k.endpoint AND event_seq >= $1 AND event_seq <= $2
		ORDER BY event_seq ASC LIMIT $3) d`

	// streamFew: those of which deliveries have ended with one of the statuses $4
	// that are few.
	streamFew = `SELECT d.event_seq, k.status, '' FROM unnest($4::integer[]) AS k(status) CROSS JOIN LATERAL (
		SELECT event_seq FROM {s}.deliveries WHERE status <> 3 AND status = k.status AND event_seq >= $1 AND event_seq <= $2
		ORDER BY event_seq ASC LIMIT $3) d`

	// streamFewOf: the same for each of the endpoints $5.
	streamFewOf = `SELECT d.event_seq, 8 * k.endpoint + u.status, '' FROM unnest($4::integer[]) AS u(status)
		CROSS JOIN unnest($5::integer[]) AS k(endpoint) CROSS JOIN LATERAL (
		SELECT event_seq FROM {s}.deliveries WHERE status <> 3 AND status = u.status AND endpoint = k.endpoint
		AND event_seq >= $1 AND event_seq <= $2 ORDER BY event_seq ASC LIMIT $3) d`
)

// lowestMark is the lowest mark of all instances: from there on, events may have
// deliveries without rows. That of this one ($1) may be higher by now ($2).
const lowestMark = `SELECT min(mark) FROM (
	SELECT CASE WHEN number = $1 THEN greatest(low_water, $2) ELSE low_water END AS mark FROM {s}.instances
	UNION ALL SELECT low_water FROM {s}.retired) m`

// stream is one way to find events.
type stream struct {
	statement string
	args      []any // from the fourth on
}

// streams are those that find all that is wanted.
func (l *listing) streams(ctx context.Context) (streams []stream, err error) {
	few := l.fewStatuses()
	by := l.endpoints
	if len(by) > maxStreams {
		by = nil
	}
	if len(by) == 0 && l.wanted[sender.Succeeded] {
		return []stream{l.eventStream(1)}, nil
	}
	switch {
	case l.wanted[sender.Succeeded]:
		streams = append(streams, stream{streamEndedOf, []any{by}})
	case len(few) > 0 && len(by) > 0:
		streams = append(streams, stream{streamFewOf, []any{few, by}})
	case len(few) > 0:
		streams = append(streams, stream{streamFew, []any{few}})
	}
	if !l.wanted[sender.Pending] && !l.wanted[sender.Blocked] {
		return streams, nil
	}
	// The mark is read before the rows: below it there is one for each delivery.
	if l.wanted[sender.Pending] {
		l.s.mu.Lock()
		number, own := l.s.keeper.number(), l.s.holds.lowWater()
		l.s.mu.Unlock()
		mark, _, err := l.s.number(ctx, l.conn, lowestMark, number, own)
		if err != nil {
			return nil, err
		}
		streams = append(streams, l.eventStream(mark))
	}
	if len(by) > 0 {
		return append(streams, stream{streamWaitingOf, []any{by}}), nil
	}
	return append(streams, stream{streamWaiting, nil}), nil
}

// fewStatuses are the wanted statuses of deliveries that have ended, unless they
// have succeeded.
func (l *listing) fewStatuses() (few []int32) {
	for _, status := range [...]sender.Status{sender.Failed, sender.Cancelled} {
		if l.wanted[status] {
			few = append(few, int32(status))
		}
	}
	return few
}

// eventStream finds all events from a mark on that are the tenant's.
func (l *listing) eventStream(mark int64) stream {
	switch {
	case l.q.Tenant == nil:
		return stream{streamEvents, []any{[]byte(nil), mark}}
	case *l.q.Tenant == "":
		return stream{streamEvents, []any{[]byte{}, mark}}
	}
	return stream{streamTenant, []any{[]byte(*l.q.Tenant), mark}}
}

// find finds the next events that may be wanted, in order, and takes them out of
// the range that is left: as far as all streams have come.
func (l *listing) find(ctx context.Context, streams []stream) (seqs []int64, err error) {
	end, cut := int64(0), false // where the first stream was cut off
	for _, s := range streams {
		groups := map[int64]int{}
		statement := s.statement
		if !l.q.OldestFirst {
			statement = newestFirst(statement)
		}
		rows, err := l.conn.Query(ctx, l.s.in(statement), append([]any{l.low, l.high, l.fetching}, s.args...)...)
		if err != nil {
			return nil, err
		}
		if err := each(rows, func(rows pgx.Rows) error {
			var seq, group int64
			var kind string
			if err := rows.Scan(&seq, &group, &kind); err != nil {
				return err
			}
			if groups[group]++; groups[group] == l.fetching {
				if !cut || (seq < end) == l.q.OldestFirst {
					end, cut = seq, true
				}
			}
			if kind == "" || l.wantsType(kind) {
				seqs = append(seqs, seq)
			} else {
				l.examined++
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	slices.Sort(seqs)
	seqs = slices.Compact(seqs)
	if !l.q.OldestFirst {
		slices.Reverse(seqs)
	}
	switch {
	case !cut:
		l.low, l.high = 1, 0
	case l.q.OldestFirst:
		l.low = end + 1
		seqs = slices.DeleteFunc(seqs, func(seq int64) bool { return seq > end })
	default:
		l.high = end - 1
		seqs = slices.DeleteFunc(seqs, func(seq int64) bool { return seq < end })
	}
	return seqs, nil
}

// newestFirst turns the order of a statement round.
func newestFirst(statement string) string { return strings.ReplaceAll(statement, " ASC", " DESC") }

// listedRow is a delivery as it is read for a listing.
type listedRow struct {
	seq, storedAt int64
	event         eventRow
	n             int // which of the event's deliveries it is, from 1
	endpoint      int32
	state         stateRow
	last          []byte
}

// listDeliveries answers with the deliveries of the events $1, of a tenant ($2) or
// everybody, that were stored at $3 or later and before $4.
const listDeliveries = `SELECT e.seq, e.stored_at, ` + headColumns + `, t.n, t.endpoint, ` + stateColumns + `,
		CASE WHEN d.attempt IS NOT NULL THEN d.attempt WHEN coalesce(w.attempts, d.attempts, 0) > 0 THEN
			(SELECT a.attempt FROM {s}.attempts a WHERE a.event_seq = e.seq AND a.endpoint = t.endpoint ORDER BY a.number DESC LIMIT 1) END
	FROM unnest($1::bigint[]) WITH ORDINALITY AS k(seq, place)
	CROSS JOIN LATERAL (SELECT * FROM {s}.events WHERE seq = k.seq OFFSET 0) e ` + joinStates + `
	WHERE ($2::bytea IS NULL OR e.tenant = $2) AND e.stored_at >= $3 AND e.stored_at < $4
	ORDER BY k.place, t.n`

// readListed reads the deliveries of events, in the order given.
func (l *listing) readListed(ctx context.Context, seqs []int64) (list []listedRow, err error) {
	var tenant []byte
	if l.q.Tenant != nil {
		tenant = []byte(*l.q.Tenant)
	}
	rows, err := l.conn.Query(ctx, l.s.in(listDeliveries), seqs, tenant, l.from, l.to)
	if err != nil {
		return nil, err
	}
	err = each(rows, func(rows pgx.Rows) error {
		list = append(list, listedRow{})
		r := &list[len(list)-1]
		columns := append([]any{&r.seq, &r.storedAt}, r.event.head()...)
		columns = append(append(columns, &r.n, &r.endpoint), r.state.columns()...)
		return rows.Scan(append(columns, &r.last)...)
	})
	return list, err
}

// number runs a statement that answers with one number or none.
func (s *Store) number(ctx context.Context, conn *pgxpool.Conn, statement string, args ...any) (n int64, found bool, err error) {
	var answer *int64
	err = conn.QueryRow(ctx, s.in(statement), args...).Scan(&answer)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if answer != nil {
		n = *answer
	}
	return n, answer != nil, err
}
