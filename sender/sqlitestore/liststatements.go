package sqlitestore

import (
	"math"
	"strings"

	"zombiezen.com/go/sqlite"
)

// headColumns are what columnHead reads, from the first column on.
const (
	headColumns     = `id, type, timestamp, timestamp_ns, tenant, content_type, trace_parent`
	headColumnCount = 7
)

// The two directions of a listing, as indexes.
const (
	newestFirst = iota
	oldestFirst
)

// listStatements are those that find what is listed. The statements of streams
// have in common: from event ?1 to event ?2, ?3 deliveries at most; of endpoint
// ?4, or, where the endpoints share an index, beyond that one; of status ?5.
type listStatements struct {
	events, eventsOf         [2]*sqlite.Stmt
	key, endedOf, ended      [2]*sqlite.Stmt
	pending                  *sqlite.Stmt
	storedBefore, storedFrom *sqlite.Stmt
	lowWater                 *sqlite.Stmt
}

func (s *listStatements) list() prepared {
	all := prepared{
		{&s.pending, `SELECT event_seq, endpoint FROM deliveries INDEXED BY deliveries_pending
			WHERE status = 1 AND endpoint >= ?1 AND endpoint <= ?2`},
		{&s.storedBefore, `SELECT seq FROM events INDEXED BY events_stored_at WHERE stored_at < ?1
			ORDER BY stored_at DESC, seq DESC LIMIT 1`},
		{&s.storedFrom, `SELECT seq FROM events INDEXED BY events_stored_at WHERE stored_at >= ?1
			ORDER BY stored_at, seq LIMIT 1`},
		{&s.lowWater, `SELECT value FROM marks WHERE name = 'low_water'`},
	}
	ordered := func(stmts *[2]*sqlite.Stmt, query string) {
		all = append(all, prepared{
			{&stmts[oldestFirst], query},
			{&stmts[newestFirst], strings.ReplaceAll(query, "ASC", "DESC")},
		}...)
	}
	ordered(&s.events, `SELECT `+headColumns+`, seq, stored_at, targets FROM events
		WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq ASC`)
	ordered(&s.eventsOf, `SELECT `+headColumns+`, seq, stored_at, targets FROM events INDEXED BY events_tenant
		WHERE tenant <> '' AND tenant = ?3 AND seq >= ?1 AND seq <= ?2 ORDER BY seq ASC`)
	ordered(&s.key, `SELECT event_seq, endpoint, status FROM deliveries
		WHERE endpoint = ?4 AND event_seq >= ?1 AND event_seq <= ?2 ORDER BY event_seq ASC LIMIT ?3`)
	ordered(&s.endedOf, `SELECT event_seq, endpoint, status FROM deliveries INDEXED BY deliveries_ended_of
		WHERE status <> 1 AND status <> 3 AND endpoint = ?4 AND status = ?5 AND event_seq >= ?1 AND event_seq <= ?2
		ORDER BY event_seq ASC LIMIT ?3`)
	const shared = `SELECT event_seq, endpoint, status FROM deliveries INDEXED BY deliveries_ended
		WHERE status <> 1 AND status <> 3 AND status = ?5 AND `
	return append(all, prepared{
		{&s.ended[oldestFirst], shared + `(event_seq, endpoint) > (?1, ?4) AND event_seq <= ?2
			ORDER BY event_seq, endpoint LIMIT ?3`},
		{&s.ended[newestFirst], shared + `(event_seq, endpoint) < (?2, ?4) AND event_seq >= ?1
			ORDER BY event_seq DESC, endpoint DESC LIMIT ?3`},
	}...)
}

// storedBefore is the last event that may have been stored before a time, as
// far as times are in the order of numbers: the next one was not.
func (r *reader) storedBefore(before int64) (last int64, err error) {
	last = math.MaxInt64
	stmt := r.listing.storedFrom
	stmt.BindInt64(1, before)
	_, err = row(stmt, func() { last = stmt.ColumnInt64(0) - 1 })
	return last, err
}

// lowWater is the mark below which every delivery has a row.
func (r *reader) lowWater() (mark int64, err error) {
	_, err = row(r.listing.lowWater, func() { mark = r.listing.lowWater.ColumnInt64(0) })
	return mark, err
}
