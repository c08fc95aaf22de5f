package postgresstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
)

// claimSome takes, for instance $1, up to $5 deliveries of endpoint $2 and kind $3
// that are due at $4, as long as their events have no more than $6 bytes
// together, and answers with them. Those that another transaction is taking are
// left to it.
const claimSome = `WITH found AS MATERIALIZED (
		SELECT event_seq, due, size FROM {s}.waiting
		WHERE status = 1 AND holder IS NULL AND endpoint = $2 AND retry = $3 AND due <= $4
		ORDER BY due, event_seq LIMIT $5 FOR UPDATE SKIP LOCKED),
	sized AS (SELECT event_seq, sum(size) OVER earlier AS bytes, row_number() OVER earlier AS n
		FROM found WINDOW earlier AS (ORDER BY due, event_seq)),
	claimed AS (UPDATE {s}.waiting w SET holder = $1 FROM sized
		WHERE w.event_seq = sized.event_seq AND w.endpoint = $2 AND (sized.n = 1 OR sized.bytes <= $6)
		RETURNING w.event_seq, w.due, w.attempts, w.schedule_start)
	SELECT ` + eventColumns + `, e.seq, e.stored_at, c.due, c.attempts, c.schedule_start
	FROM claimed c JOIN {s}.events e ON e.seq = c.event_seq ORDER BY c.due, c.event_seq`

// nextDue is when the earliest delivery of an endpoint and a kind is due that
// nobody holds.
const nextDue = `SELECT due FROM {s}.waiting WHERE status = 1 AND holder IS NULL AND endpoint = $1 AND retry = $2
	ORDER BY due LIMIT 1`

// Claim implements [sender.Store].
func (s *Store) Claim(ctx context.Context, q sender.ClaimQuery) (claimed sender.Claimed, err error) {
	err = s.write(ctx, "claiming deliveries", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		numbers, err := s.numbers(ctx, conn, []string{q.EndpointID})
		if err != nil || len(numbers) == 0 {
			return err
		}
		claimed = sender.Claimed{}
		c := s.newChange(instance)
		c.byKeys()
		c.query(claimSome, func(rows pgx.Rows) error {
			d := &sender.Delivery{EndpointID: q.EndpointID, Status: sender.Pending}
			var event eventRow
			var storedAt, due int64
			if err := rows.Scan(append(event.columns(), &d.Seq, &storedAt, &due, &d.Attempts, &d.ScheduleStart)...); err != nil {
				return err
			}
			d.StoredAt, d.Due = fromMilli(storedAt), fromMilli(due)
			d.Event, err = event.event()
			claimed.Deliveries = append(claimed.Deliveries, d)
			return err
		}, instance, numbers[0], q.Retries, q.Now.UnixMilli(), q.Limit, q.Bytes)
		c.query(nextDue, func(rows pgx.Rows) error {
			var due int64
			err := rows.Scan(&due)
			claimed.Next = fromMilli(due)
			return err
		}, numbers[0], q.Retries)
		if err := c.send(ctx, conn); err != nil {
			return err
		}
		return s.rememberClaimed(instance, numbers[0], claimed.Deliveries)
	})
	if err != nil {
		return sender.Claimed{}, err
	}
	return claimed, nil
}

// rememberClaimed notes that deliveries are held, unless the instance has lost
// its lease since, and with it what it has claimed.
func (s *Store) rememberClaimed(instance, endpoint int32, deliveries []*sender.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeper.number() != instance {
		return errRejoining
	}
	for _, d := range deliveries {
		s.holds.take(deliveryKey{d.Seq, endpoint}, int32(d.Attempts))
	}
	return nil
}

// fromMilli is a time kept in milliseconds.
func fromMilli(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// listBacklog goes from endpoint to endpoint by the index of what can be claimed.
const listBacklog = `WITH RECURSIVE found AS (
		(SELECT endpoint FROM {s}.waiting WHERE status = 1 AND holder IS NULL ORDER BY endpoint LIMIT 1)
		UNION ALL
		SELECT (SELECT w.endpoint FROM {s}.waiting w WHERE w.status = 1 AND w.holder IS NULL AND w.endpoint > found.endpoint
			ORDER BY w.endpoint LIMIT 1)
		FROM found WHERE found.endpoint IS NOT NULL)
	SELECT e.id,
		(SELECT due FROM {s}.waiting w WHERE w.status = 1 AND w.holder IS NULL AND w.endpoint = found.endpoint AND NOT w.retry ORDER BY due LIMIT 1),
		(SELECT due FROM {s}.waiting w WHERE w.status = 1 AND w.holder IS NULL AND w.endpoint = found.endpoint AND w.retry ORDER BY due LIMIT 1)
	FROM found JOIN {s}.endpoints e ON e.number = found.endpoint`

// Backlog implements [sender.Store].
func (s *Store) Backlog(ctx context.Context) (backlog []sender.Backlog, err error) {
	err = s.read(ctx, "listing the backlog", func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, s.in(listBacklog))
		if err != nil {
			return err
		}
		backlog = nil
		return each(rows, func(rows pgx.Rows) error {
			var b sender.Backlog
			var first, retries *int64
			err := rows.Scan(&b.EndpointID, &first, &retries)
			if first != nil {
				b.FirstTries = fromMilli(*first)
			}
			if retries != nil {
				b.Retries = fromMilli(*retries)
			}
			backlog = append(backlog, b)
			return err
		})
	})
	return backlog, err
}
