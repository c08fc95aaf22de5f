package postgresstore

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// holdName takes a name for instance $2, unless another one has it, and answers
// with who has it now.
const holdName = `WITH taken AS (INSERT INTO {s}.holds (name, instance) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING instance)
	SELECT instance FROM taken UNION ALL SELECT instance FROM {s}.holds WHERE name = $1`

// Hold implements [sender.SharedStore].
func (s *Store) Hold(ctx context.Context, name string) (held bool, err error) {
	err = s.write(ctx, "taking a name", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		c := s.newChange(instance)
		c.query(holdName, func(rows pgx.Rows) error {
			var holder int32
			err := rows.Scan(&holder)
			held = held || holder == instance
			return err
		}, name, instance)
		return c.send(ctx, conn)
	})
	return held && err == nil, err
}

// Release implements [sender.SharedStore].
func (s *Store) Release(ctx context.Context, name string) error {
	released := false
	err := s.write(ctx, "releasing a name", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		c := s.newChange(instance)
		c.query(`DELETE FROM {s}.holds WHERE name = $1 AND instance = $2 RETURNING 1`, func(pgx.Rows) error {
			released = true
			return nil
		}, name, instance)
		return c.send(ctx, conn)
	})
	if err == nil && released {
		s.notifier.tell(message{kind: kindHold, id: name})
	}
	return err
}
