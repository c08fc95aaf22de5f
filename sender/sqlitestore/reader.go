package sqlitestore

import (
	"slices"

	"zombiezen.com/go/sqlite"
)

// reader is a connection that only reads.
type reader struct {
	conn            *sqlite.Conn
	begin, rollback *sqlite.Stmt

	event, eventOfAny, eventAt, delivery, attempts, last *sqlite.Stmt
	endpoint, number                                     *sqlite.Stmt
	purgeable, purgeableOf, ended                        *sqlite.Stmt
	missing, missingOf                                   *sqlite.Stmt
	documents                                            *sqlite.Stmt
	counters                                             counterQueries
	listing                                              listStatements

	// names are the IDs of the endpoints seen so far, by number. A number keeps
	// its endpoint for ever.
	names map[int64]string

	// scratch is reused for what is taken apart.
	scratch     []byte
	scratchNums []int64
}

func (r *reader) list() prepared {
	all := prepared{
		{&r.event, `SELECT ` + eventColumns + `, seq, stored_at, targets FROM events WHERE id = ?1 AND tenant = ?2`},
		{&r.eventOfAny, `SELECT seq FROM events WHERE id = ?1 LIMIT 2`},
		{&r.eventAt, `SELECT ` + eventColumns + `, seq, stored_at, targets FROM events WHERE seq = ?1`},
		{&r.delivery, `SELECT status, attempts, due, schedule_start FROM deliveries WHERE event_seq = ?1 AND endpoint = ?2`},
		{&r.attempts, `SELECT ` + attemptColumns + `, response_body
			FROM attempts WHERE event_seq = ?1 AND endpoint = ?2 ORDER BY number`},
		{&r.last, `SELECT ` + attemptColumns + `
			FROM attempts WHERE event_seq = ?1 AND endpoint = ?2 ORDER BY number DESC LIMIT 1`},
		{&r.endpoint, `SELECT id FROM endpoints WHERE number = ?1`},
		{&r.number, `SELECT number FROM endpoints WHERE id = ?1`},
		{&r.purgeable, purgeableEvents},
		{&r.purgeableOf, purgeableOf},
		{&r.ended, endedDelivery},
		{&r.missing, missingEvents},
		{&r.missingOf, missingEventsOf},
		{&r.documents, listDocuments},
	}
	all = append(all, r.counters.list()...)
	return append(all, r.listing.list()...)
}

// openReader opens a reading connection to the file of an open writer.
func openReader(path string) (*reader, error) {
	conn, err := connect(path)
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn, names: map[int64]string{}}
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

// name is the ID of an endpoint.
func (r *reader) name(endpoint int64) (string, error) {
	if id, known := r.names[endpoint]; known {
		return id, nil
	}
	r.endpoint.BindInt64(1, endpoint)
	var id string
	found, err := row(r.endpoint, func() { id = r.endpoint.ColumnText(0) })
	if err != nil {
		return "", err
	}
	if !found {
		return "", errTargets
	}
	r.names[endpoint] = id
	return id, nil
}

// numbers are those of endpoints, ascending and each once. Endpoints that never
// had a delivery have none.
func (r *reader) numbers(ids []string) (numbers []int64, err error) {
	for _, id := range ids {
		r.number.BindText(1, id)
		if _, err := row(r.number, func() { numbers = append(numbers, r.number.ColumnInt64(0)) }); err != nil {
			return nil, err
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), nil
}
