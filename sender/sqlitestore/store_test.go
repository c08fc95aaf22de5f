package sqlitestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/storetest"
)

// TestStore runs the conformance suite.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Harness {
		path := filepath.Join(t.TempDir(), "webhooks.db")
		return storetest.Harness{
			Open: func() (sender.Store, error) { return Open(path, Options{}) },
			Crash: func(store sender.Store) (err error) {
				path, err = crash(store.(*Store), t.TempDir())
				return err
			},
		}
	})
}

// crash leaves in another folder what a killed process would leave of an open
// store, and returns its path.
func crash(s *Store, folder string) (string, error) {
	path, err := copyStore(s.path, folder)
	return path, errors.Join(err, s.Close())
}

// copyStore copies the files of a store to another folder. SQLite hands every
// write to the system at once, so a copy of an open store has all that would
// be there if its process were killed now.
func copyStore(from, folder string) (string, error) {
	path := filepath.Join(folder, "webhooks.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(from + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(path+suffix, b, 0o600)
		}
		if err != nil {
			return "", err
		}
	}
	return path, nil
}
