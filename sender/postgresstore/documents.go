package postgresstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
)

// Documents implements [sender.Store].
func (s *Store) Documents(ctx context.Context, kind string) (documents []sender.Document, err error) {
	err = s.read(ctx, "reading documents", func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, s.in(`SELECT id, version, data FROM {s}.documents WHERE kind = $1`), kind)
		if err != nil {
			return err
		}
		documents = nil
		return each(rows, func(rows pgx.Rows) error {
			d := sender.Document{Kind: kind}
			err := rows.Scan(&d.ID, &d.Version, &d.Data)
			documents = append(documents, d)
			return err
		})
	})
	return documents, err
}

// The statements that store a document and answer with its new version: where
// there is none (0) or any ($3 = -1), and in place of version $3. Of the second,
// nothing is left to replace when another instance is just deleting it.
const (
	putDocument = `INSERT INTO {s}.documents AS d (kind, id, version, data) VALUES ($1, $2, 1, $4)
		ON CONFLICT (kind, id) DO UPDATE SET version = d.version + 1, data = excluded.data WHERE $3::bigint = -1
		RETURNING version`
	replaceDocument = `UPDATE {s}.documents SET version = version + 1, data = $4 WHERE kind = $1 AND id = $2 AND version = $3
		RETURNING version`
)

// PutDocuments implements [sender.Store]. Of two documents of one name, the
// second replaces the first.
func (s *Store) PutDocuments(ctx context.Context, documents []*sender.Document) error {
	if len(documents) == 0 {
		return s.read(ctx, "storing documents", func(context.Context, *pgxpool.Conn) error { return nil })
	}
	// In the order of their names, so that two calls wait for each other and do
	// not block each other.
	ordered := slices.Clone(documents)
	slices.SortStableFunc(ordered, func(a, b *sender.Document) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	versions := make([]int64, len(ordered))
	err := s.write(ctx, "storing documents", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, s.in(`SELECT {s}.change($1)`), instance); err != nil {
				return err
			}
			for i, d := range ordered {
				data := d.Data
				if data == nil {
					data = []byte{}
				}
				statement := putDocument
				if d.Version > 0 {
					statement = replaceDocument
				}
				err := tx.QueryRow(ctx, s.in(statement), d.Kind, d.ID, d.Version, data).Scan(&versions[i])
				if errors.Is(err, pgx.ErrNoRows) {
					return s.stale(ctx, tx, d)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for i, d := range ordered {
		d.Version = versions[i]
		s.notifier.tell(message{kindDocument, d.Kind, d.ID})
	}
	return nil
}

// stale says of a document that it is not the version that was changed.
func (s *Store) stale(ctx context.Context, tx pgx.Tx, d *sender.Document) error {
	version := int64(0)
	err := tx.QueryRow(ctx, s.in(`SELECT version FROM {s}.documents WHERE kind = $1 AND id = $2`), d.Kind, d.ID).Scan(&version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	return fmt.Errorf("document %q of kind %q: %w: it has version %d, the change was made from version %d",
		d.ID, d.Kind, sender.ErrStale, version, d.Version)
}

// DeleteDocument implements [sender.Store].
func (s *Store) DeleteDocument(ctx context.Context, kind, id string) error {
	err := s.write(ctx, "deleting a document", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		c := s.newChange(instance)
		c.exec(`DELETE FROM {s}.documents WHERE kind = $1 AND id = $2`, kind, id)
		return c.send(ctx, conn)
	})
	if err == nil {
		s.notifier.tell(message{kindDocument, kind, id})
	}
	return err
}
