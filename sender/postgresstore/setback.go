package postgresstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"
)

// errSetBack means that events are gone that this instance has stored, or seen: their
// numbers would be given again. Then it joins anew.
var errSetBack = errors.New("the database was set back, and events are gone that were taken in, as after a failover to a standby that did not have them yet")

// checkNumbers looks whether numbers of events are given again.
func (s *Store) checkNumbers(ctx context.Context, conn *pgxpool.Conn) error {
	last, _, err := s.number(ctx, conn, `SELECT last_value FROM {s}.seq`)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && last < s.holds.next-1 {
		err = errSetBack
	}
	return err
}

// maxSkipped is how many numbers are skipped at most.
const maxSkipped = 1_000_000

// skipNumbers sees to it that numbers which this instance has seen are not given
// again. What it still records of the events that had them would be taken for
// what has become of others. They are used up and not set, since others may take
// some at the same time.
func (s *Store) skipNumbers(ctx context.Context) error {
	s.mu.Lock()
	last := s.holds.next - 1
	s.mu.Unlock()
	_, err := s.pool.Exec(ctx, s.in(`SELECT count(nextval('{s}.seq')) FROM generate_series(1, (SELECT least($1 - last_value, $2) FROM {s}.seq))`),
		max(last, s.keeper.lastSeen()), maxSkipped)
	return err
}
