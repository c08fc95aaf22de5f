package postgresstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
)

// allEnded tells of an event e whether all of its deliveries have come to an end.
const allEnded = `cardinality(e.targets) = (SELECT count(*) FROM unnest(e.targets) AS t(endpoint) CROSS JOIN LATERAL (
		SELECT FROM {s}.deliveries d WHERE d.endpoint = t.endpoint AND d.event_seq = e.seq OFFSET 0) d)`

// The statements that find up to $2 events that were stored before $1 and may
// go: everybody's, and those of the tenant $3 that has a name.
const (
	purgeable = `SELECT e.seq FROM {s}.events e WHERE e.stored_at < $1 AND ($3::bytea IS NULL OR e.tenant = $3) AND ` + allEnded + `
		ORDER BY e.stored_at, e.seq LIMIT $2`
	purgeableOf = `SELECT e.seq FROM {s}.events e WHERE e.stored_at < $1 AND e.tenant <> '' AND e.tenant = $3 AND ` + allEnded + `
		ORDER BY e.tenant, e.seq LIMIT $2`
)

// deleteEvents deletes those of the events $1, which are locked, whose
// deliveries have all come to an end, with all that belongs to them, and answers
// with how many there were.
const deleteEvents = `WITH gone AS (DELETE FROM {s}.events e WHERE e.seq = ANY($1::bigint[]) AND ` + allEnded + `
		RETURNING seq, id, tenant, targets, octet_length(data) + coalesce(octet_length(headers), 0) AS bytes),
	ids AS (DELETE FROM {s}.event_ids i USING gone WHERE i.id = gone.id AND i.tenant = gone.tenant AND i.seq = gone.seq),
	deliveries AS (DELETE FROM {s}.deliveries d USING (SELECT seq, unnest(targets) AS endpoint FROM gone) k
		WHERE d.endpoint = k.endpoint AND d.event_seq = k.seq
		RETURNING d.event_seq AS seq, coalesce(octet_length(d.attempt), 0) + coalesce(octet_length(d.body), 0) AS bytes, d.attempt IS NOT NULL AS attempted),
	attempts AS (DELETE FROM {s}.attempts a USING gone WHERE a.event_seq = gone.seq
		RETURNING a.event_seq AS seq, octet_length(a.attempt) + coalesce(octet_length(a.body), 0) AS bytes),
	freed AS (
		SELECT seq, bytes + $3::integer AS bytes FROM gone
		UNION ALL SELECT seq, bytes + CASE WHEN attempted THEN $4::integer ELSE 0 END FROM deliveries
		UNION ALL SELECT seq, bytes + $4 FROM attempts),
	volume AS (INSERT INTO {s}.volume (partition, instance, bytes)
		SELECT (seq >> $5)::integer, $2::integer, -sum(bytes) FROM freed GROUP BY 1 ORDER BY 1
		ON CONFLICT (partition, instance) DO UPDATE SET bytes = volume.bytes + excluded.bytes)
	SELECT count(*) FROM gone`

// Purge implements [sender.Store]. The oldest event is the one stored first by
// its StoredAt; of equals, the one with the lower number. Of one tenant that has
// a name, it is the one with the lowest number. Partitions of which nothing is
// wanted any more go first, each as a whole: of their events the IDs are deleted
// one after the other, and the rest, which until then is listed, with the last.
func (s *Store) Purge(ctx context.Context, q sender.PurgeQuery) (purged int, err error) {
	if q.Limit < 1 {
		return 0, nil
	}
	statement, tenant := purgeable, []byte(nil)
	if q.Tenant != nil {
		if tenant = []byte(*q.Tenant); len(tenant) > 0 {
			statement = purgeableOf
		}
	}
	err = s.write(ctx, "deleting old events", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		purged = 0
		if q.Tenant == nil {
			purged, err = s.dropOld(ctx, conn, instance, q.Before.UnixMilli(), q.Limit)
			if errors.Is(err, errLocked) {
				return nil // it goes on next time
			}
			if err != nil {
				return err
			}
		}
		for purged < q.Limit {
			rows, err := conn.Query(ctx, s.in(statement), q.Before.UnixMilli(), q.Limit-purged, tenant)
			if err != nil {
				return err
			}
			seqs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			if err != nil || len(seqs) == 0 {
				return err
			}
			deleted := 0
			c := s.newChange(instance)
			c.byKeys()
			c.exec(lockEvents, seqs)
			c.query(deleteEvents, func(rows pgx.Rows) error { return rows.Scan(&deleted) },
				seqs, instance, eventOverhead, deliveryOverhead, partitionBits)
			if err := c.send(ctx, conn); err != nil {
				return err
			}
			if purged += deleted; deleted == len(seqs) {
				return nil
			}
			// The others have got pending deliveries meanwhile, or somebody else
			// has deleted them: there may be more that may go.
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return purged, nil
}
