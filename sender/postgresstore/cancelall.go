package postgresstore

import (
	"context"

	"github.com/manysends/caddy-webhooks/sender"
)

// cancelSome cancels up to $3 deliveries of endpoint $1 that are blocked, or
// pending and not held. $2 is the status: cancelled.
const cancelSome = `WITH found AS MATERIALIZED (
		SELECT event_seq FROM {s}.waiting WHERE endpoint = $1 AND holder IS NULL LIMIT $3 FOR UPDATE SKIP LOCKED),
	gone AS (DELETE FROM {s}.waiting w USING found WHERE w.event_seq = found.event_seq AND w.endpoint = $1
		RETURNING w.event_seq, w.attempts, w.schedule_start, w.status),
	ended AS (INSERT INTO {s}.deliveries (event_seq, endpoint, attempts, schedule_start, status)
		SELECT event_seq, $1, attempts, schedule_start, $2 FROM gone),
	counted AS (INSERT INTO {s}.pending (endpoint, instance, part, deliveries)
		SELECT $1, $4, 1, -count(*) FROM gone WHERE status = 1 HAVING count(*) > 0
		ON CONFLICT (endpoint, instance, part) DO UPDATE SET deliveries = pending.deliveries + excluded.deliveries)
	SELECT count(*) FROM gone`

// CancelAll implements [sender.Store]. Calling it again after an error goes on
// with the others.
func (s *Store) CancelAll(ctx context.Context, endpointID string) (cancelled int, err error) {
	return s.inSteps(ctx, "cancelling deliveries", endpointID, cancelSome, int64(sender.Cancelled))
}
