package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/manysends/caddy-webhooks/sender"
)

// copySuffix stands behind the store's name in the names of copies that are being
// made, with digits behind it. Nobody calls a backup of his own so.
const copySuffix = ".copy-in-the-making-"

// Copy is a copy of a store, to be read once and closed. It is itself a store,
// in one file.
type Copy struct {
	file *os.File
	size int64
}

// Backup makes a copy of the store as it is now, while it is in use: with
// everything that was stored before the call. The copy lies beside the store
// until it is closed, so that there must be room for it. Publishing goes on
// meanwhile, but the store's log keeps growing. Errors name the file; they wrap
// [sender.ErrStoreFull] when there is no room, [sender.ErrStoreClosed], or the
// context's error.
func (s *Store) Backup(ctx context.Context) (_ *Copy, err error) {
	select {
	case <-s.closing:
		return nil, s.failed("copying it", sender.ErrStoreClosed)
	default:
	}
	// The mode of a file that is made beforehand stays; SQLite takes an empty one.
	f, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+copySuffix)
	if err != nil {
		return nil, fmt.Errorf("store %s: copying it: %w", s.path, err)
	}
	c := &Copy{file: f}
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	// A connection of its own: those of the store are for what is quick.
	conn, err := connect(s.path)
	if err != nil {
		return nil, s.failed("copying it", err)
	}
	ending, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ending.Done():
		}
	}()
	conn.SetInterrupt(ending.Done())
	err = sqlitex.ExecuteTransient(conn, "VACUUM INTO ?1", &sqlitex.ExecOptions{Args: []any{f.Name()}})
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	conn.SetInterrupt(nil)
	if err := errors.Join(err, conn.Close()); err != nil {
		if sqlite.ErrCode(err) == sqlite.ResultInterrupt {
			err = sender.ErrStoreClosed
		}
		return nil, s.failed("copying it", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("store %s: copying it: %w", s.path, err)
	}
	c.size = info.Size()
	return c, nil
}

// Size is how many bytes the copy has.
func (c *Copy) Size() int64 { return c.size }

// Read reads the copy from the beginning.
func (c *Copy) Read(p []byte) (int, error) { return c.file.Read(p) }

// Close removes the copy.
func (c *Copy) Close() error { return errors.Join(c.file.Close(), os.Remove(c.file.Name())) }

// removeCopies removes copies that a crash has left behind, and nothing else: a
// person may have put a backup beside the store. The caller holds the store's lock,
// so that none is being made.
func removeCopies(path string) error {
	folder := filepath.Dir(path)
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		digits, left := strings.CutPrefix(e.Name(), filepath.Base(path)+copySuffix)
		if left && digits != "" && strings.Trim(digits, "0123456789") == "" && e.Type().IsRegular() {
			_ = os.Remove(filepath.Join(folder, e.Name())) // it only takes up room
		}
	}
	return nil
}
