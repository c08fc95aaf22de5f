package postgresstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// changeStep is how many deliveries one transaction unblocks or cancels, so that
// others do not have to wait for all of them.
const changeStep = 1000

// unblockSome makes up to $3 blocked deliveries of endpoint $1 pending, due at
// $2.
const unblockSome = `WITH found AS MATERIALIZED (
		SELECT event_seq FROM {s}.waiting WHERE status = 2 AND endpoint = $1 ORDER BY event_seq LIMIT $3 FOR UPDATE),
	freed AS (UPDATE {s}.waiting w SET status = 1, due = $2 FROM found
		WHERE w.event_seq = found.event_seq AND w.endpoint = $1 RETURNING 1),
	counted AS (INSERT INTO {s}.pending (endpoint, instance, part, deliveries)
		SELECT $1, $4, 1, count(*) FROM freed HAVING count(*) > 0
		ON CONFLICT (endpoint, instance, part) DO UPDATE SET deliveries = pending.deliveries + excluded.deliveries)
	SELECT count(*) FROM freed`

// Unblock implements [sender.Store]. On an error some deliveries may have been
// unblocked; calling it again goes on with the others.
func (s *Store) Unblock(ctx context.Context, endpointID string, due time.Time) (unblocked int, err error) {
	unblocked, err = s.inSteps(ctx, "unblocking deliveries", endpointID, unblockSome, due.UnixMilli())
	if unblocked > 0 {
		s.tellBacklog(endpointID)
	}
	return unblocked, err
}

// inSteps repeats a statement, each time in a transaction, for an endpoint ($1),
// with an argument ($2), and up to a number of deliveries ($3), until it answers
// with fewer.
func (s *Store) inSteps(ctx context.Context, doing, endpointID, statement string, arg int64) (total int, err error) {
	for n := changeStep; n >= changeStep; {
		n = 0
		err := s.write(ctx, doing, nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
			numbers, err := s.numbers(ctx, conn, []string{endpointID})
			if err != nil || len(numbers) == 0 {
				return err
			}
			c := s.newChange(instance)
			c.byKeys()
			c.query(statement, func(rows pgx.Rows) error { return rows.Scan(&n) }, numbers[0], arg, changeStep, instance)
			return c.send(ctx, conn)
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}
