package postgresstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// How much one transaction of a take-over does, so that it does not hold up
// others: numbers of events that it looks at, and deliveries that it frees.
const (
	takeOverEvents     = 5000
	takeOverDeliveries = 2000
)

// retire makes an instance one that is no more: $2 says that it is this one, and
// not one whose lease must have ended. The row goes only when no transaction of
// the instance is under way, and after that none begins.
const retire = `WITH gone AS (DELETE FROM {s}.instances WHERE number = $1 AND ($2 OR lease_until <= clock_timestamp()) RETURNING number, low_water)
	INSERT INTO {s}.retired (number, low_water) SELECT number, low_water FROM gone`

// takeOverLoop takes over what others have left, when some are found whose
// leases have ended.
func (s *Store) takeOverLoop() {
	for {
		select {
		case <-s.keeper.dead:
		case <-s.background.Done():
			return
		}
		if n, err := s.takeOverAll(s.background); err != nil && s.background.Err() == nil {
			s.logger.Error("taking over what another instance has left failed; it is tried again", "error", s.failed("taking over", err))
		} else if n > 0 {
			s.logger.Info("took over what another instance has left", "deliveries", n)
		}
		token(s.keeper.look)
	}
}

// takeOverAll takes over from all instances that are no more. It returns how
// many deliveries were without a row.
func (s *Store) takeOverAll(ctx context.Context) (written int, err error) {
	numbers, err := s.ints(ctx, `SELECT number FROM {s}.instances WHERE lease_until <= clock_timestamp() AND number <> $1
		UNION SELECT number FROM {s}.retired`, s.keeper.number())
	if err != nil {
		return 0, err
	}
	for _, number := range numbers {
		n, err := s.takeOver(ctx, number, false)
		if written += n; err != nil {
			return written, err
		}
	}
	return written, nil
}

// ints runs a statement that answers with numbers.
func (s *Store) ints(ctx context.Context, statement string, args ...any) ([]int32, error) {
	rows, err := s.pool.Query(ctx, s.in(statement), args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int32])
}

// takeOver frees all that an instance holds that is no more, or, where own is
// set, is this one and ends. Several may do it at once, and go on where another one has stopped.
func (s *Store) takeOver(ctx context.Context, number int32, own bool) (written int, err error) {
	if _, err := s.pool.Exec(ctx, s.in(retire), number, own); err != nil {
		return 0, err
	}
	for {
		done := false
		err := s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
			n, end, err := s.takeOverStep(ctx, conn, number, own)
			written, done = written+n, end
			return err
		})
		if err != nil || done {
			return written, err
		}
	}
}

// lockRetired has one take-over of an instance at a time, and says from where
// to go on.
const lockRetired = `SELECT low_water, (SELECT last_value FROM {s}.seq) FROM {s}.retired WHERE number = $1 FOR UPDATE`

// writeLeft writes rows for the deliveries of events from $2 to $3 that
// instance $1 has stored and that have none: they are pending, and held by
// nobody. That a row is there is looked for by itself: one that somebody takes
// away meanwhile, as the delivery is settled, is no conflict any more.
const writeLeft = `WITH added AS (
		INSERT INTO {s}.waiting (event_seq, due, endpoint, attempts, schedule_start, size, holder, status, retry)
		SELECT e.seq, e.stored_at, t.endpoint, 0, 0, e.size, NULL, 1, false
		FROM {s}.events e CROSS JOIN LATERAL unnest(e.targets) AS t(endpoint)
		WHERE e.seq >= $2 AND e.seq <= $3 AND e.holder = $1
			AND (SELECT true FROM {s}.deliveries d WHERE d.endpoint = t.endpoint AND d.event_seq = e.seq) IS NULL
			AND (SELECT true FROM {s}.waiting w WHERE w.event_seq = e.seq AND w.endpoint = t.endpoint) IS NULL
		ON CONFLICT DO NOTHING RETURNING endpoint)
	SELECT endpoint, count(*) FROM added GROUP BY endpoint`

// freeHeld frees some of the deliveries with rows that an instance holds. They are
// locked as they are found, since others may just be settling some: fewer than the
// limit mean that there are no more.
const freeHeld = `WITH found AS MATERIALIZED (SELECT event_seq, endpoint FROM {s}.waiting WHERE holder = $1 LIMIT $2 FOR UPDATE),
	freed AS (UPDATE {s}.waiting w SET holder = NULL FROM found
		WHERE w.event_seq = found.event_seq AND w.endpoint = found.endpoint AND w.holder = $1 RETURNING w.endpoint)
	SELECT endpoint, count(*) FROM freed GROUP BY endpoint`

// foldPending makes the counts of an instance those of nobody, 0.
const foldPending = `WITH gone AS (DELETE FROM {s}.pending WHERE instance = $1 RETURNING endpoint, deliveries)
	INSERT INTO {s}.pending (endpoint, instance, part, deliveries)
	SELECT endpoint, 0, 1, sum(deliveries) FROM gone GROUP BY endpoint ORDER BY endpoint
	ON CONFLICT (endpoint, instance, part) DO UPDATE SET deliveries = pending.deliveries + excluded.deliveries`

// takeOverStep does a part of a take-over in one transaction.
func (s *Store) takeOverStep(ctx context.Context, conn *pgxpool.Conn, number int32, own bool) (written int, done bool, err error) {
	freed := map[int32]struct{}{}
	var names []string
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		written, done, names = 0, false, nil
		if _, err := tx.Exec(ctx, lookUp); err != nil {
			return err
		}
		var mark, last int64
		err := tx.QueryRow(ctx, s.in(lockRetired), number).Scan(&mark, &last)
		if done = errors.Is(err, pgx.ErrNoRows); done {
			return nil
		}
		if err != nil {
			return err
		}
		count := func(statement string, args ...any) (n int, err error) {
			rows, err := tx.Query(ctx, s.in(statement), args...)
			if err != nil {
				return 0, err
			}
			err = each(rows, func(rows pgx.Rows) error {
				var endpoint int32
				var deliveries int
				err := rows.Scan(&endpoint, &deliveries)
				freed[endpoint] = struct{}{}
				n += deliveries
				return err
			})
			return n, err
		}
		n, err := count(freeHeld, number, takeOverDeliveries)
		if err != nil || n == takeOverDeliveries {
			return err
		}
		if mark <= last {
			next, err := s.takeOverEnd(ctx, tx, mark, last)
			if err != nil {
				return err
			}
			if written, err = count(writeLeft, number, mark, next); err != nil {
				return err
			}
			if next < last {
				_, err = tx.Exec(ctx, s.in(`UPDATE {s}.retired SET low_water = $2 WHERE number = $1`), number, next+1)
				return err
			}
			// It has stored nothing after it was retired: that others go on
			// storing events does not make this any longer.
		}
		rows, err := tx.Query(ctx, s.in(`DELETE FROM {s}.holds WHERE instance = $1 RETURNING name`), number)
		if err != nil {
			return err
		}
		if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.in(foldPending), number); err != nil {
			return err
		}
		done = true
		_, err = tx.Exec(ctx, s.in(`DELETE FROM {s}.retired WHERE number = $1`), number)
		return err
	})
	if err != nil {
		return 0, false, err
	}
	// What it had to tell itself may not have been told.
	return written, done, s.tellFreed(ctx, conn, freed, names, done && !own)
}

// takeOverEnd is up to where the next step goes that begins at a mark.
func (s *Store) takeOverEnd(ctx context.Context, tx pgx.Tx, mark, last int64) (int64, error) {
	end := last
	err := tx.QueryRow(ctx, s.in(`SELECT seq FROM {s}.events WHERE seq >= $1 ORDER BY seq LIMIT 1 OFFSET $2`),
		mark, takeOverEvents-1).Scan(&end)
	if errors.Is(err, pgx.ErrNoRows) {
		return last, nil
	}
	return end, err
}

// tellFreed tells of deliveries and names that nobody holds any more.
func (s *Store) tellFreed(ctx context.Context, conn *pgxpool.Conn, endpoints map[int32]struct{}, names []string, all bool) error {
	for number := range endpoints {
		id, err := s.name(ctx, conn, number)
		if err != nil {
			return err
		}
		s.tellBacklog(id)
	}
	for _, name := range names {
		s.notifier.tell(message{kind: kindHold, id: name})
		s.watch.add(message{kind: kindHold, id: name})
	}
	if all {
		s.notifier.tell(message{kind: kindAll})
		s.watch.add(message{kind: kindAll})
	}
	return nil
}
