package sqlitestore

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
)

// listDocuments answers with all documents of a kind.
const listDocuments = `SELECT id, version, data FROM documents WHERE kind = ?1`

// documentStatements are those that write documents.
type documentStatements struct {
	version, put, remove *sqlite.Stmt
}

func (d *documentStatements) list() prepared {
	return prepared{
		{&d.version, `SELECT version FROM documents WHERE kind = ?1 AND id = ?2`},
		{&d.put, `INSERT INTO documents (kind, id, version, data) VALUES (?1, ?2, ?3, ?4)
			ON CONFLICT (kind, id) DO UPDATE SET version = excluded.version, data = excluded.data`},
		{&d.remove, `DELETE FROM documents WHERE kind = ?1 AND id = ?2`},
	}
}

// Documents implements [sender.Store].
func (s *Store) Documents(ctx context.Context, kind string) (documents []sender.Document, err error) {
	err = s.read(ctx, "reading documents", func(r *reader) error {
		stmt := r.documents
		stmt.BindText(1, kind)
		return rows(stmt, func() (bool, error) {
			documents = append(documents, sender.Document{
				Kind: kind, ID: stmt.ColumnText(0), Version: stmt.ColumnInt64(1), Data: columnBytes(stmt, 2),
			})
			return true, nil
		})
	})
	if err != nil {
		return nil, err
	}
	return documents, nil
}

// PutDocuments implements [sender.Store]. Of two documents of one name, the
// second replaces the first.
func (s *Store) PutDocuments(ctx context.Context, documents []*sender.Document) error {
	versions := make([]int64, len(documents))
	err := s.write(ctx, "storing documents", func(w *writer) error {
		return w.withoutTraces(func() (err error) {
			for i, d := range documents {
				if versions[i], err = w.putDocument(d); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	for i, d := range documents {
		d.Version = versions[i]
	}
	return nil
}

// putDocument stores a document and returns its new version.
func (w *writer) putDocument(d *sender.Document) (int64, error) {
	stored := int64(0)
	w.documents.version.BindText(1, d.Kind)
	w.documents.version.BindText(2, d.ID)
	if _, err := row(w.documents.version, func() { stored = w.documents.version.ColumnInt64(0) }); err != nil {
		return 0, err
	}
	if d.Version != sender.AnyVersion && d.Version != stored {
		return 0, fmt.Errorf("document %q of kind %q: %w: it has version %d, the change was made from version %d",
			d.ID, d.Kind, sender.ErrStale, stored, d.Version)
	}
	put := w.documents.put
	put.BindText(1, d.Kind)
	put.BindText(2, d.ID)
	put.BindInt64(3, stored+1)
	put.BindBytes(4, d.Data)
	return stored + 1, run(put)
}

// DeleteDocument implements [sender.Store].
func (s *Store) DeleteDocument(ctx context.Context, kind, id string) error {
	return s.write(ctx, "deleting a document", func(w *writer) error {
		return w.withoutTraces(func() error {
			w.documents.remove.BindText(1, kind)
			w.documents.remove.BindText(2, id)
			return run(w.documents.remove)
		})
	})
}

// withoutTraces runs do so that the pages which it frees are zeroed: what a
// document was before it was sealed, or deleted, must not stay in the file.
func (w *writer) withoutTraces(do func() error) error {
	if err := pragmas(w.conn, "secure_delete=ON"); err != nil {
		return err
	}
	err := do()
	return errors.Join(err, pragmas(w.conn, sparingDelete))
}
