package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
)

// maxCopied is above the numbers of events that can be copied: those of the
// first partition.
const maxCopied = 1 << partitionBits

// errCopying means that the row of a copy is not as this process left it.
var errCopying = errors.New("another process copies into it, or has ended the copy: let only one do so")

// Target is a schema that another store is copied into, and nobody uses
// meanwhile. Make it with [OpenTarget].
type Target struct {
	store *Store // not an instance
	conn  *pgxpool.Conn

	// last is the number of the last event that was copied.
	last int64
}

var _ sender.CopyTarget = (*Target)(nil)

// OpenTarget connects to the database, and makes or migrates the schema, to copy
// another store into it. Errors are as those of [Open].
func OpenTarget(ctx context.Context, o Options) (_ *Target, err error) {
	set, err := o.resolve()
	if err != nil {
		return nil, fmt.Errorf("store postgres: %w", err)
	}
	s := &Store{schema: o.Schema, logger: slog.New(slog.DiscardHandler)}
	s.endpoints.init()
	s.background, s.stop = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			s.disconnect()
		}
	}()
	if _, err := s.prepare(ctx, set.pool); err != nil {
		return nil, s.failed("opening it", err)
	}
	set.pool.MaxConns = 1
	if s.pool, err = pgxpool.NewWithConfig(s.background, set.pool); err != nil {
		return nil, s.failed("opening it", err)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, s.failed("opening it", err)
	}
	return &Target{store: s, conn: conn}, nil
}

// Close implements [sender.CopyTarget].
func (t *Target) Close() error {
	t.conn.Release()
	t.store.disconnect()
	return nil
}

// transact runs do in one transaction, which is on the disk when it is done.
func (t *Target) transact(ctx context.Context, doing string, do func(pgx.Tx) error) error {
	return t.store.failed(doing, pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', true)"); err != nil {
			return err
		}
		return do(tx)
	}))
}

// BeginCopy implements [sender.CopyTarget].
func (t *Target) BeginCopy(ctx context.Context, source string) (resume int64, err error) {
	err = t.transact(ctx, "beginning to copy into it", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, t.store.in(`LOCK TABLE {s}.copies, {s}.instances`)); err != nil {
			return err
		}
		var other string
		err := tx.QueryRow(ctx, t.store.in(`SELECT source, last_seq FROM {s}.copies`)).Scan(&other, &t.last)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return t.begin(ctx, tx, source)
		case err != nil:
			return err
		case other != source:
			return fmt.Errorf("%w: a copy of %s into it was not finished: go on with that one, or drop the schema", sender.ErrNotEmpty, other)
		}
		return nil
	})
	return t.last, err
}

// begin begins a copy into what must be empty and unused. The caller has locked
// the tables, so that nobody joins before the copy is known.
func (t *Target) begin(ctx context.Context, tx pgx.Tx, source string) error {
	var used, worn, full bool
	err := tx.QueryRow(ctx, t.store.in(`SELECT EXISTS (SELECT FROM {s}.instances WHERE lease_until > clock_timestamp()),
		NOT EXISTS (SELECT FROM {s}.partitions WHERE number = 0 AND purged = 0),
		EXISTS (SELECT FROM {s}.event_ids) OR EXISTS (SELECT FROM {s}.documents) OR EXISTS (SELECT FROM {s}.counters)
			OR EXISTS (SELECT FROM {s}.outbox)`)).Scan(&used, &worn, &full)
	switch {
	case err != nil:
		return err
	case used:
		return fmt.Errorf("%w by a sender: stop all that use it, or wait until the lease of one that was killed has ended", sender.ErrStoreInUse)
	case worn:
		return fmt.Errorf("%w: it has been used for days, and there is no room any more for the numbers of what is copied: drop the schema, or name another", sender.ErrNotEmpty)
	case full:
		return fmt.Errorf("%w: no copy into it is unfinished: use it as it is, or name another schema or database", sender.ErrNotEmpty)
	}
	t.last = 0
	_, err = tx.Exec(ctx, t.store.in(`INSERT INTO {s}.copies (source, last_seq) VALUES ($1, 0)`), source)
	return err
}

// EndCopy implements [sender.CopyTarget].
func (t *Target) EndCopy(ctx context.Context, lastSeq int64) error {
	return t.transact(ctx, "ending the copy", func(tx pgx.Tx) error {
		if err := checkCopied(lastSeq); err != nil {
			return err
		}
		if err := t.advance(ctx, tx, t.last); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, t.store.in(`SELECT setval('{s}.seq', $1) FROM {s}.seq WHERE last_value < $1`), lastSeq); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, t.store.in(`DELETE FROM {s}.copies`))
		return err
	})
}

// checkCopied refuses an event's number that is too great.
func checkCopied(seq int64) error {
	if seq >= maxCopied {
		return fmt.Errorf("event number %d is too great to be copied: it must be less than %d", seq, int64(maxCopied))
	}
	return nil
}

// advance notes the last event of a copy that no other process has gone on with.
func (t *Target) advance(ctx context.Context, tx pgx.Tx, to int64) error {
	tag, err := tx.Exec(ctx, t.store.in(`UPDATE {s}.copies SET last_seq = $2 WHERE last_seq = $1`), t.last, to)
	if err == nil && tag.RowsAffected() == 0 {
		err = errCopying
	}
	return err
}

// unfinished says that the schema is half a copy, if it is.
func (s *Store) unfinished(ctx context.Context) error {
	var source string
	err := s.pool.QueryRow(ctx, s.in(`SELECT source FROM {s}.copies`)).Scan(&source)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: call the command again that copies %s, or drop the schema", sender.ErrIncomplete, source)
}

// Inventory implements [sender.CopyTarget].
func (t *Target) Inventory(ctx context.Context) (i sender.Inventory, err error) {
	err = t.conn.QueryRow(ctx, t.store.in(`SELECT (SELECT count(*) FROM {s}.documents), (SELECT count(*) FROM {s}.events),
		(SELECT count(*) FROM {s}.waiting WHERE status = 1), (SELECT count(*) FROM {s}.waiting WHERE status = 2),
		(SELECT count(*) FROM {s}.deliveries WHERE status = 3), (SELECT count(*) FROM {s}.deliveries WHERE status = 4),
		(SELECT count(*) FROM {s}.deliveries WHERE status = 5),
		(SELECT count(*) FROM {s}.attempts) + (SELECT count(attempt) FROM {s}.deliveries), (SELECT count(*) FROM {s}.counters),
		(SELECT last_value FROM {s}.seq)`)).
		Scan(&i.Documents, &i.Events, &i.Pending, &i.Blocked, &i.Succeeded, &i.Failed, &i.Cancelled, &i.Attempts, &i.Counters, &i.LastSeq)
	return i, t.store.failed("counting what is in it", err)
}
