package sqlitestore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/storetest"
)

// TestSource runs the conformance suite on stores that were closed, and on
// those that a crash has left.
func TestSource(t *testing.T) {
	t.Run("closed", func(t *testing.T) {
		storetest.RunSource(t, func(t *testing.T) (sender.Store, func() (sender.CopySource, error)) {
			s := openTemp(t)
			return s, func() (sender.CopySource, error) { return OpenSource(s.Path()) }
		})
	})
	t.Run("crashed", func(t *testing.T) {
		storetest.RunSource(t, func(t *testing.T) (sender.Store, func() (sender.CopySource, error)) {
			crashed := &crashedStore{openTemp(t), t.TempDir()}
			return crashed, func() (sender.CopySource, error) { return OpenSource(filepath.Join(crashed.folder, "webhooks.db")) }
		})
	})
}

// crashedStore is left as by a kill when it is closed.
type crashedStore struct {
	*Store
	folder string
}

func (c *crashedStore) Close() error {
	_, err := crash(c.Store, c.folder)
	return err
}

// TestSourceIsUntouched copies from a store with a log beside it, and from one
// without: no byte of either changes, and it can be opened afterwards.
func TestSourceIsUntouched(t *testing.T) {
	closed := makeStore(t, 100)
	s := openTemp(t)
	put(t, s, batch(100, 0, "a", "b"))
	crashed, err := crash(s, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{closed, crashed} {
		before := filesOf(t, path)
		source, err := OpenSource(path)
		if err != nil {
			t.Fatal(err)
		}
		events, err := source.CopyEvents(t.Context(), 0, 1000, 1<<30)
		if err != nil || len(events) != 100 {
			t.Errorf("%d events, %v, want 100", len(events), err)
		}
		if _, err := Open(path, Options{}); !errors.Is(err, sender.ErrStoreInUse) {
			t.Errorf("opening the store meanwhile: %v, want ErrStoreInUse", err)
		}
		if err := source.Close(); err != nil {
			t.Fatal(err)
		}
		for name, content := range before {
			if after := filesOf(t, path)[name]; !bytes.Equal(after, content) {
				t.Errorf("%s%s has changed: %d bytes, were %d", path, name, len(after), len(content))
			}
		}
		store, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// filesOf are the contents of a store's files, by what their names end with.
func filesOf(t *testing.T, path string) map[string][]byte {
	t.Helper()
	contents := map[string][]byte{}
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		contents[suffix] = b
	}
	return contents
}

func TestOpenSourceRefuses(t *testing.T) {
	s := openTemp(t)
	if _, err := OpenSource(s.Path()); !errors.Is(err, sender.ErrStoreInUse) {
		t.Errorf("a store in use: %v, want ErrStoreInUse", err)
	}
	old := filepath.Join(t.TempDir(), "old.db")
	execute(t, old, version1)
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	execute(t, foreign, "CREATE TABLE t (a)")
	absent := filepath.Join(t.TempDir(), "absent.db")
	for path, want := range map[string]string{
		old:     "its schema is 1, and what is copied must be of the newest, ",
		foreign: "of another program",
		absent:  "there is nothing to copy",
	} {
		if _, err := OpenSource(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q and the path in it", path, err, want)
		}
	}
	if _, err := os.Stat(absent + ".lock"); !errors.Is(err, os.ErrNotExist) {
		t.Error("a lock was left beside a file that there is not")
	}
}
