package postgresstore

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// turnPartition begins the next partition when a day has passed since the present
// one was begun. The one after that is made in advance, so that there is always
// one to go on in, even if it cannot be made for a while.
func (s *Store) turnPartition(ctx context.Context) error {
	var due bool
	if err := s.pool.QueryRow(ctx, s.in(partitionDue)).Scan(&due); err != nil || !due {
		return err
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Making a partition locks its parent for a moment: who reads for long is
		// not waited for, nor has others wait.
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '500ms'`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, s.in(`LOCK TABLE {s}.partitions`)); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, s.in(partitionDue)).Scan(&due); err != nil || !due {
			return err
		}
		_, err := tx.Exec(ctx, s.in(nextPartition), partitionBits)
		return err
	})
	if stateOf(err) == stateLockTimeout {
		return nil // next time
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
