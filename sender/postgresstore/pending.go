package postgresstore

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
)

// addPending adds to a change that the numbers of pending deliveries of endpoints
// become others. They are changed in their order, so that two changes wait for
// each other and do not block each other.
func (c *change) addPending(instance int32, by map[int32]int64) {
	maps.DeleteFunc(by, func(_ int32, n int64) bool { return n == 0 })
	if len(by) == 0 {
		return
	}
	endpoints := slices.Sorted(maps.Keys(by))
	numbers := make([]int64, len(endpoints))
	for i, endpoint := range endpoints {
		numbers[i] = by[endpoint]
	}
	c.exec(`INSERT INTO {s}.pending (endpoint, instance, part, deliveries)
		SELECT endpoint, $1, 1, deliveries FROM unnest($2::integer[], $3::bigint[]) AS u(endpoint, deliveries)
		ON CONFLICT (endpoint, instance, part) DO UPDATE SET deliveries = pending.deliveries + excluded.deliveries`,
		instance, endpoints, numbers)
}

// Pending implements [sender.Store].
func (s *Store) Pending(ctx context.Context) (counts []sender.PendingCount, err error) {
	err = s.read(ctx, "counting what is pending", func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, s.in(`SELECT e.id, sum(p.deliveries)::bigint FROM {s}.pending p JOIN {s}.endpoints e ON e.number = p.endpoint
			GROUP BY e.id HAVING sum(p.deliveries) > 0`))
		if err != nil {
			return err
		}
		counts = nil
		return each(rows, func(rows pgx.Rows) error {
			var count sender.PendingCount
			err := rows.Scan(&count.EndpointID, &count.Deliveries)
			counts = append(counts, count)
			return err
		})
	})
	return counts, err
}
