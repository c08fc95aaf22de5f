package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// How the outbox is drained.
const (
	outboxBatch = 500     // events at once
	outboxBytes = 8 << 20 // and how much data they have, about

	// outboxEvery is how often it is looked into without a notification.
	outboxEvery = time.Second

	// outboxPatience is how long one sender waits while others drain, and
	// outboxTimeout is after how long PostgreSQL ends a transaction that
	// nothing is heard of, so that a sender that hangs does not stop the others.
	outboxPatience = "10s"
	outboxTimeout  = "60s"

	// After an error the next try comes later, up to this.
	outboxMaxPause = 30 * time.Second
)

// outboxPublish is [sender.Sender.Publish].
type outboxPublish = func(context.Context, ...webhook.Event) ([]sender.Receipt, error)

// DrainOutbox implements [sender.Outbox]. The outbox is what applications put
// there with the function publish of the schema. Several senders drain it
// together: they take turns, so that events are published in the order of the
// outbox, and the deliveries are spread over the senders. An event that cannot
// be published stays, with the reason in its row.
func (s *Store) DrainOutbox(ctx context.Context, publish outboxPublish) {
	pause := outboxEvery
	for ctx.Err() == nil {
		n, err := s.drainSome(ctx, publish)
		switch {
		case ctx.Err() != nil, errors.Is(err, sender.ErrClosed), errors.Is(err, sender.ErrStoreClosed):
			return
		case err != nil:
			s.logger.Error("publishing from the outbox failed; it is tried again", "error", err, "in", pause)
			s.awaitOutbox(ctx, pause, false)
			pause = min(2*pause, outboxMaxPause)
			continue
		case n == 0:
			s.awaitOutbox(ctx, outboxEvery, true)
		}
		pause = outboxEvery
	}
}

// awaitOutbox waits, no longer than until the outbox has something new if
// wakes is set.
func (s *Store) awaitOutbox(ctx context.Context, wait time.Duration, wakes bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	wake := s.watch.outbox
	if !wakes {
		wake = nil
	}
	select {
	case <-wake:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// maxOutboxCount is up to how many events the outbox is counted.
const maxOutboxCount = 100_000

// CountOutbox implements [sender.Outbox].
func (s *Store) CountOutbox(ctx context.Context) (count sender.OutboxCount, err error) {
	err = s.read(ctx, "counting the outbox", func(ctx context.Context, conn *pgxpool.Conn) error {
		return conn.QueryRow(ctx, s.in(`SELECT (SELECT count(*) FROM (SELECT FROM {s}.outbox WHERE error IS NULL LIMIT $1) w),
			(SELECT count(*) FROM (SELECT FROM {s}.outbox WHERE error IS NOT NULL LIMIT $1) i)`), maxOutboxCount).Scan(&count.Waiting, &count.Invalid)
	})
	return count, err
}

// outboxRow is an event in the outbox.
type outboxRow struct {
	number int64
	event  webhook.Event

	// given tells that the publisher chose the timestamp.
	given bool

	// endless tells that it chose infinity, which PostgreSQL has for one.
	endless bool
}

// errEndless is why such an event cannot be published.
var errEndless = fmt.Errorf("%w: timestamp is infinity: give the time at which the event happened", sender.ErrInvalid)

// drainSome publishes the next events and returns how many it has dealt with.
// It is no call of the store meanwhile, since it makes some.
func (s *Store) drainSome(ctx context.Context, publish outboxPublish) (n int, err error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	s.end()
	var waiting bool
	if err := s.pool.QueryRow(ctx, s.in(`SELECT EXISTS (SELECT FROM {s}.outbox WHERE error IS NULL)`)).Scan(&waiting); err != nil || !waiting {
		return 0, s.failed("looking into the outbox", err)
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := s.takeTurn(ctx, tx); err != nil {
			return err
		}
		rows, err := s.readOutbox(ctx, tx)
		if err != nil {
			return err
		}
		n = len(rows)
		return s.publishRows(ctx, tx, rows, publish)
	})
	return n, s.failed("draining the outbox", err)
}

// takeTurn waits until no other sender drains. The turn ends with the
// transaction, whose loss in a crash does no harm, so that it need not be synced.
func (s *Store) takeTurn(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true),
		set_config('synchronous_commit', 'off', true)`, outboxPatience, outboxTimeout); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('caddy-webhooks outbox ' || $1::text, 0))`, s.schema)
	return err
}

// readOutbox reads the next events, and locks their rows. Those that somebody
// is changing are left out.
func (s *Store) readOutbox(ctx context.Context, tx pgx.Tx) ([]outboxRow, error) {
	found, err := tx.Query(ctx, s.in(`WITH next AS MATERIALIZED (
			SELECT number, sum(size) OVER (ORDER BY number) - size AS before
			FROM (SELECT number, pg_column_size(data) AS size FROM {s}.outbox WHERE error IS NULL ORDER BY number LIMIT $1) waiting)
		SELECT number, id, tenant, type, data::text, "timestamp" IS NOT NULL, coalesce("timestamp", written_at)
		FROM {s}.outbox JOIN next USING (number) WHERE before < $2 AND error IS NULL ORDER BY number FOR UPDATE OF outbox SKIP LOCKED`),
		outboxBatch, outboxBytes)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) (r outboxRow, err error) {
		var timestamp pgtype.Timestamptz
		err = row.Scan(&r.number, &r.event.ID, &r.event.Tenant, &r.event.Type, &r.event.Data, &r.given, &timestamp)
		r.event.Timestamp, r.endless = timestamp.Time.UTC(), timestamp.InfinityModifier != pgtype.Finite
		return r, err
	})
}

// publishRows publishes events, and takes them out of the outbox. When one of
// them cannot be published, each half is tried by itself.
func (s *Store) publishRows(ctx context.Context, tx pgx.Tx, rows []outboxRow, publish outboxPublish) error {
	if len(rows) == 0 {
		return nil
	}
	numbers, events := make([]int64, len(rows)), make([]webhook.Event, len(rows))
	for i, row := range rows {
		numbers[i], events[i] = row.number, row.event
	}
	err := errEndless
	if !slices.ContainsFunc(rows, func(r outboxRow) bool { return r.endless }) {
		_, err = publish(ctx, events...)
	}
	if errors.Is(err, sender.ErrConflict) && len(rows) == 1 && !rows[0].given {
		// The same event may have been published with another time of writing.
		events[0].Timestamp = time.Time{}
		_, err = publish(ctx, events...)
	}
	invalid := errors.Is(err, sender.ErrInvalid) || errors.Is(err, sender.ErrConflict)
	switch {
	case invalid && len(rows) == 1:
		s.logger.Error("an event in the outbox cannot be published; it stays there", "number", rows[0].number, "event_id", rows[0].event.ID,
			"event", rows[0].event.Type, "error", err)
		_, err = tx.Exec(ctx, s.in(`UPDATE {s}.outbox SET error = $2, failed_at = clock_timestamp() WHERE number = $1`), rows[0].number, err.Error())
	case invalid:
		half := len(rows) / 2
		if err := s.publishRows(ctx, tx, rows[:half], publish); err != nil {
			return err
		}
		err = s.publishRows(ctx, tx, rows[half:], publish)
	case err == nil:
		_, err = tx.Exec(ctx, s.in(`DELETE FROM {s}.outbox WHERE number = ANY($1)`), numbers)
	}
	return err
}
