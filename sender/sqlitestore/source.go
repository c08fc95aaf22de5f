package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/manysends/caddy-webhooks/sender"
)

// Source is a store that another one is copied from: the same file, opened to
// be read alone, while nobody else can open it. Make it with [OpenSource].
type Source struct {
	path string
	lock *os.File

	mu     sync.Mutex // one call at a time
	reader *reader

	next, documents, start *sqlite.Stmt
}

var _ sender.CopySource = (*Source)(nil)

// OpenSource opens the store in the file at path to copy it. It changes nothing
// in the file. The error wraps [sender.ErrStoreInUse] when a process has the
// store open; a store of an older version is refused.
func OpenSource(path string) (_ *Source, err error) {
	path, err = existingFile(path)
	if err != nil {
		return nil, err
	}
	s := &Source{path: path}
	if s.lock, err = lockFile(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	conn, err := connectReadOnly(path)
	if err != nil {
		return nil, s.failed("opening it", err)
	}
	s.reader = &reader{conn: conn, names: map[int64]string{}}
	version, err := number(conn, "PRAGMA user_version")
	if err == nil {
		err = ours(conn)
	}
	if err == nil && version < int64(len(migrations)) {
		err = fmt.Errorf("its schema is %d, and what is copied must be of the newest, %d: start and stop this program on it once", version, len(migrations))
	}
	if err == nil {
		err = check(conn)
	}
	if err == nil {
		err = append(s.reader.list(), s.list()...).prepare(conn)
	}
	return s, s.failed("opening it", err)
}

// existingFile is the path of a store that must be there, absolute and with
// symbolic links resolved, as its lock is named.
func existingFile(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("store %s: finding its folder: %w", path, err)
	}
	resolved, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return "", fmt.Errorf("store %s: there is nothing to copy: %w", absolute, err)
	}
	return resolved, nil
}

// connectReadOnly opens a connection that changes nothing. Where a crash has
// left a log beside the file, it is read too; where there is none, SQLite is
// told so, since it would make one.
func connectReadOnly(path string) (*sqlite.Conn, error) {
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	if log, err := os.Stat(path + "-wal"); err != nil || log.Size() == 0 {
		name.RawQuery = "immutable=1"
	}
	conn, err := sqlite.OpenConn(name.String(), sqlite.OpenReadOnly|sqlite.OpenURI)
	if err != nil {
		return nil, err
	}
	if err := pragmas(conn, "query_only=ON", "trusted_schema=OFF", "cell_size_check=ON"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func (s *Source) list() prepared {
	return prepared{
		{&s.next, `SELECT seq FROM events WHERE seq > ?1 ORDER BY seq LIMIT 1`},
		{&s.documents, `SELECT kind, id, version, data FROM documents WHERE (kind, id) > (?1, ?2) ORDER BY kind, id LIMIT ?3`},
		{&s.start, `SELECT min(start) FROM counters WHERE step = ?1 AND start > ?2`},
	}
}

// Close lets others open the store again.
func (s *Source) Close() error {
	var err error
	if s.reader != nil {
		err = s.reader.conn.Close()
	}
	return s.failed("closing it", errors.Join(err, s.lock.Close()))
}

// Name implements [sender.CopySource]: it is the file.
func (s *Source) Name() string { return "sqlite:" + s.path }

// CopyDocuments implements [sender.CopySource].
func (s *Source) CopyDocuments(ctx context.Context, after sender.Document, limit int) (documents []sender.Document, err error) {
	err = s.read(ctx, "reading documents", func() error {
		s.documents.BindText(1, after.Kind)
		s.documents.BindText(2, after.ID)
		s.documents.BindInt64(3, int64(limit))
		return rows(s.documents, func() (bool, error) {
			documents = append(documents, sender.Document{
				Kind: s.documents.ColumnText(0), ID: s.documents.ColumnText(1),
				Version: s.documents.ColumnInt64(2), Data: columnBytes(s.documents, 3),
			})
			return true, nil
		})
	})
	return documents, err
}

// CopyEvents implements [sender.CopySource].
func (s *Source) CopyEvents(ctx context.Context, after int64, limit int, bytes int64) (events []sender.StoredEvent, err error) {
	err = s.read(ctx, "reading events", func() error {
		for len(events) < limit && bytes > 0 {
			s.next.BindInt64(1, after)
			found, err := row(s.next, func() { after = s.next.ColumnInt64(0) })
			if err != nil || !found {
				return err
			}
			s.reader.eventAt.BindInt64(1, after)
			record, err := s.reader.eventRecord(s.reader.eventAt, nil)
			if err != nil {
				return err
			}
			event := sender.StoredEvent{Seq: after, EventRecord: *record}
			bytes -= event.Size()
			events = append(events, event)
		}
		return nil
	})
	return events, err
}

// CopyCounters implements [sender.CopySource].
func (s *Source) CopyCounters(ctx context.Context, step sender.Step, after time.Time) (counters []sender.Counter, err error) {
	err = s.read(ctx, "reading counters", func() (err error) {
		first, found := int64(0), false
		s.start.BindInt64(1, int64(step))
		s.start.BindInt64(2, after.UnixMilli())
		if _, err = row(s.start, func() { first, found = s.start.ColumnInt64(0), !s.start.ColumnIsNull(0) }); err != nil || !found {
			return err
		}
		counters, err = s.reader.countersAt(nil, step, first, nil)
		return err
	})
	return counters, err
}

// Inventory implements [sender.CopySource]. It goes through all events.
func (s *Source) Inventory(ctx context.Context) (i sender.Inventory, err error) {
	err = s.read(ctx, "counting what is in it", func() error {
		conn := s.reader.conn
		for _, count := range []struct {
			into  *int64
			query string
		}{
			{&i.Documents, "SELECT count(*) FROM documents"},
			{&i.Attempts, "SELECT count(*) FROM attempts"},
			{&i.Counters, "SELECT count(*) FROM counters"},
			{&i.LastSeq, lastSeq},
		} {
			if *count.into, err = number(conn, count.query); err != nil {
				return err
			}
		}
		return s.countDeliveries(ctx, &i)
	})
	return i, err
}

// countDeliveries counts events and deliveries. Those that have no row are
// pending, so that pending is what is left of all.
func (s *Source) countDeliveries(ctx context.Context, i *sender.Inventory) error {
	var list []byte
	var endpoints []int64
	err := sqlitex.Execute(s.reader.conn, "SELECT targets FROM events", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) (err error) {
			list, endpoints, err = columnTargets(stmt, 0, list, endpoints)
			i.Events++
			i.Pending += int64(len(endpoints))
			return errors.Join(err, ctx.Err())
		},
	})
	if err != nil {
		return err
	}
	ended := map[sender.Status]*int64{sender.Blocked: &i.Blocked, sender.Succeeded: &i.Succeeded, sender.Failed: &i.Failed, sender.Cancelled: &i.Cancelled}
	return sqlitex.Execute(s.reader.conn, "SELECT status, count(*) FROM deliveries WHERE status <> 1 GROUP BY status", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			into := ended[sender.Status(stmt.ColumnInt64(0))]
			if into == nil {
				return fmt.Errorf("there are deliveries of the unknown status %d", stmt.ColumnInt64(0))
			}
			*into = stmt.ColumnInt64(1)
			i.Pending -= *into
			return nil
		},
	})
}

// read runs do, one at a time.
func (s *Source) read(ctx context.Context, doing string, do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return s.failed(doing, err)
	}
	return s.failed(doing, do())
}

func (s *Source) failed(doing string, err error) error { return failed(s.path, doing, err) }
