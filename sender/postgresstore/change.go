package postgresstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// change is what is sent to the server at once and done as a whole or not at
// all: one transaction of an instance in one round trip.
type change struct {
	s     *Store
	batch pgx.Batch
}

// newChange begins the change of an instance. It is refused when the instance is
// no more.
func (s *Store) newChange(instance int32) *change {
	c := &change{s: s}
	c.exec(`SELECT {s}.change($1)`, instance)
	return c
}

// lookUp has PostgreSQL look up rows by their keys for the rest of a transaction,
// and not read tables as a whole because it believes them small.
const lookUp = `SELECT set_config('idle_in_transaction_session_timeout', '10s', true), set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`

// byKeys has the rows that the change is about looked up by their keys.
func (c *change) byKeys() { c.exec(lookUp) }

// exec adds a statement whose answer does not matter.
func (c *change) exec(statement string, args ...any) {
	c.batch.Queue(c.s.in(statement), args...)
}

// query adds a statement; scan reads each row of its answer.
func (c *change) query(statement string, scan func(pgx.Rows) error, args ...any) {
	c.batch.Queue(c.s.in(statement), args...).Query(func(rows pgx.Rows) error {
		return each(rows, scan)
	})
}

// each has scan read each row.
func each(rows pgx.Rows, scan func(pgx.Rows) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// send makes the change.
func (c *change) send(ctx context.Context, conn *pgxpool.Conn) error {
	return conn.SendBatch(ctx, &c.batch).Close()
}

// transact runs do in a transaction of an instance, for changes that depend on
// what is stored: first sees what is asked of the server first, do what is then
// to be written.
func (s *Store) transact(ctx context.Context, conn *pgxpool.Conn, instance int32, first, then func(*change)) error {
	reading := &change{s: s}
	reading.exec("BEGIN")
	reading.exec(`SELECT {s}.change($1)`, instance)
	reading.byKeys()
	first(reading)
	err := reading.send(ctx, conn)
	if err == nil {
		writing := &change{s: s}
		then(writing)
		writing.exec("COMMIT")
		err = writing.send(ctx, conn)
	}
	if err != nil && !conn.Conn().IsClosed() {
		if _, e := conn.Exec(ctx, "ROLLBACK"); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}
