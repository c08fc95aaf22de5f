package postgresstore

import (
	"context"
	"errors"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// turnPartition begins the next partition when a day has passed since the present
// one was begun. The one after that is made in advance, so that there is always
// one to go on in, even if it cannot be made for a while.
func (s *Store) turnPartition(ctx context.Context) error {
	var due bool
	if err := s.pool.QueryRow(ctx, s.in(partitionDue)).Scan(&due); err != nil || !due {
		return err
	}
	err := s.alone(ctx, s.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, s.in(partitionDue)).Scan(&due); err != nil || !due {
			return err
		}
		_, err := tx.Exec(ctx, s.in(nextPartition), partitionBits)
		return err
	})
	if errors.Is(err, errLocked) {
		return nil // next time
	}
	return err
}

// errLocked means that others use a partition for too long to wait for.
var errLocked = errors.New("a partition is in use")

// beginner is a connection, or a pool of them.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// alone runs do in a transaction in which only this instance makes or drops
// partitions. That locks their parents for a moment: who reads for long is not
// waited for, nor has others wait. Who has a connection gives that one: it may be
// the last one that is free.
func (s *Store) alone(ctx context.Context, db beginner, do func(pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.in(`LOCK TABLE {s}.partitions IN EXCLUSIVE MODE`)); err != nil {
			return err
		}
		return do(tx)
	})
	if stateOf(err) == stateLockTimeout {
		return errLocked
	}
	return err
}

// partitionDue tells whether a partition is to be begun, or made in advance.
const partitionDue = `SELECT (SELECT max(begun) FROM {s}.partitions) < clock_timestamp() - interval '1 day'
	OR NOT EXISTS (SELECT FROM {s}.partitions WHERE begun IS NULL)`

// nextPartition makes a partition and begins the one that was made before, if it
// is time to.
const nextPartition = `WITH next AS (UPDATE {s}.partitions SET begun = clock_timestamp()
		WHERE number = (SELECT min(number) FROM {s}.partitions WHERE begun IS NULL)
		AND (SELECT max(begun) FROM {s}.partitions) < clock_timestamp() - interval '1 day' RETURNING number)
	SELECT (SELECT setval('{s}.seq', number::bigint << $1) FROM next), {s}.make_partition((SELECT max(number) + 1 FROM {s}.partitions))`

// droppable names the oldest partition of which nothing is wanted any more: it has
// had successors for an hour, so that nobody is storing in it; all of its events
// were stored before $1; none has a delivery that waits, nor, by the marks, one
// without a row.
const droppable = `SELECT p.number FROM {s}.partitions p
	CROSS JOIN LATERAL (SELECT p.number::bigint << $2 AS first, (p.number + 1)::bigint << $2 AS next) AS range
	WHERE EXISTS (SELECT FROM {s}.partitions n WHERE n.number > p.number AND n.begun < clock_timestamp() - interval '1 hour')
	AND coalesce((SELECT e.stored_at FROM {s}.events e WHERE e.seq >= first AND e.seq < next ORDER BY e.stored_at DESC LIMIT 1) < $1, true)
	AND NOT EXISTS (SELECT FROM {s}.waiting WHERE event_seq >= first AND event_seq < next)
	AND NOT EXISTS (SELECT FROM {s}.instances WHERE low_water < next)
	AND NOT EXISTS (SELECT FROM {s}.retired WHERE low_water < next)
	ORDER BY p.number LIMIT 1`

// forgetIDs deletes the IDs of up to $3 events of partition $1, and answers with
// how many there were.
const forgetIDs = `WITH next AS MATERIALIZED (
		SELECT e.seq, e.id, e.tenant FROM {s}.events e
		WHERE e.seq > greatest((SELECT purged FROM {s}.partitions WHERE number = $1), ($1::bigint << $2) - 1)
		AND e.seq < ($1 + 1)::bigint << $2 ORDER BY e.seq LIMIT $3),
	gone AS (DELETE FROM {s}.event_ids i USING next WHERE i.id = next.id AND i.tenant = next.tenant AND i.seq = next.seq),
	noted AS (UPDATE {s}.partitions SET purged = next.last FROM (SELECT max(seq) AS last FROM next) AS next
		WHERE number = $1 AND next.last IS NOT NULL)
	SELECT count(*) FROM next`

// dropOld deletes up to a number of events that are the oldest of a partition that
// goes as a whole, and drops it with the last one. It returns how many there were;
// fewer than the limit mean that no such partition is left.
func (s *Store) dropOld(ctx context.Context, conn *pgxpool.Conn, instance int32, before int64, limit int) (dropped int, err error) {
	for dropped < limit {
		number, found, err := s.number(ctx, conn, droppable, before, partitionBits)
		if err != nil || !found {
			return dropped, err
		}
		n := 0
		c := s.newChange(instance)
		c.byKeys()
		c.query(forgetIDs, func(rows pgx.Rows) error { return rows.Scan(&n) }, number, partitionBits, limit-dropped)
		if err := c.send(ctx, conn); err != nil {
			return dropped, err
		}
		if dropped += n; dropped == limit {
			return dropped, nil
		}
		if err := s.drop(ctx, conn, number, before); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// drop drops a partition, if it is still the one to be dropped.
func (s *Store) drop(ctx context.Context, conn *pgxpool.Conn, number, before int64) error {
	err := s.alone(ctx, conn, func(tx pgx.Tx) error {
		// The parents first, as everybody does; then nothing can change any more.
		if _, err := tx.Exec(ctx, s.in(`LOCK TABLE ONLY {s}.events, ONLY {s}.deliveries, ONLY {s}.attempts IN ACCESS EXCLUSIVE MODE`)); err != nil {
			return err
		}
		var still int64
		err := tx.QueryRow(ctx, s.in(droppable), before, partitionBits).Scan(&still)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && still != number {
			return errLocked
		}
		if err != nil {
			return err
		}
		for _, table := range []string{"events", "deliveries", "attempts"} {
			if _, err := tx.Exec(ctx, s.in(`DROP TABLE {s}.`+table+`_`)+strconv.FormatInt(number, 10)); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, s.in(`DELETE FROM {s}.volume WHERE partition = $1`), number); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, s.in(`DELETE FROM {s}.partitions WHERE number = $1`), number)
		return err
	})
	if err == nil {
		s.mu.Lock()
		delete(s.volume, int32(number))
		s.mu.Unlock()
	}
	return err
}
