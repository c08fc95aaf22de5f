package sqlitestore

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/manysends/caddy-webhooks/sender"
)

// makeStore makes a store of n settled events, closes it, and returns its
// path.
func makeStore(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "webhooks.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; first < n; first += 1000 {
		publications := batch(min(1000, n-first), first, "a")
		put(t, s, publications)
		settleAll(t, s, publications, "a", delivered)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// execute runs statements on a file that is not open.
func execute(t *testing.T, path string, script string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecuteScript(conn, script, nil), conn.Close()); err != nil {
		t.Fatal(err)
	}
}

// overwrite writes bytes at an offset of a file.
func overwrite(t *testing.T, path string, offset int64, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteAt(b, offset)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// unwritableFolder is a folder in which this user cannot make files.
func unwritableFolder(t *testing.T) string {
	if os.Geteuid() == 0 {
		return "/proc" // no mode keeps root out
	}
	folder := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(folder, 0o500); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestOpenRefuses(t *testing.T) {
	garbage := bytes.Repeat([]byte{0xa5, 0x5a, 0x00, 0xff}, 1024)
	tests := []struct {
		name string
		path func(t *testing.T) string
		says string
		is   error
	}{
		{"no path", func(*testing.T) string { return "" }, "the path is empty: name a file", nil},
		{"a folder that is a file", func(t *testing.T) string {
			return filepath.Join(makeStore(t, 0), "webhooks.db")
		}, "its folder cannot be made", nil},
		{"a folder that is not writable", func(t *testing.T) string {
			return filepath.Join(unwritableFolder(t), "webhooks.db")
		}, "its folder is not writable", nil},
		{"a folder in place of the file", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "webhooks.db")
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			return path
		}, "it cannot be opened for writing", nil},
		{"text", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "webhooks.db")
			if err := os.WriteFile(path, []byte("some notes of mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, "the file is not a SQLite database: name another path", nil},
		{"one byte", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "webhooks.db")
			if err := os.WriteFile(path, []byte("S"), 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, "the file is not a SQLite database: name another path", nil},
		{"another program's database", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "webhooks.db")
			execute(t, path, "CREATE TABLE notes (note TEXT); INSERT INTO notes VALUES ('mine')")
			return path
		}, "a SQLite database of another program: name another path", errForeign},
		{"another program's version", func(t *testing.T) string {
			path := filepath.Join(t.TempDir(), "webhooks.db")
			execute(t, path, "PRAGMA user_version = 1")
			return path
		}, "a SQLite database of another program: name another path", errForeign},
		{"a newer version", func(t *testing.T) string {
			path := makeStore(t, 1)
			execute(t, path, "PRAGMA user_version = 99")
			return path
		}, "made by a newer version: update this program, or name another path", errNewer},
		{"a file that was cut short", func(t *testing.T) string {
			path := makeStore(t, 100)
			if err := os.Truncate(path, 3*4096+100); err != nil {
				t.Fatal(err)
			}
			return path
		}, "the file is damaged: restore it from a backup", nil},
		{"a file that was emptied beside its log", func(t *testing.T) string {
			path := makeStore(t, 1)
			if err := errors.Join(os.WriteFile(path+"-wal", garbage, 0o600), os.Truncate(path, 0)); err != nil {
				t.Fatal(err)
			}
			return path
		}, "the file is missing or empty, but its log", nil},
		{"a damaged schema", func(t *testing.T) string {
			path := makeStore(t, 100)
			overwrite(t, path, 100, garbage[:3000])
			return path
		}, "the file is damaged: restore it from a backup", nil},
		{"a damaged page in a small file", func(t *testing.T) string {
			path := makeStore(t, 100)
			overwrite(t, path, 20*4096, garbage)
			return path
		}, "the file is damaged: restore it from a backup", nil},
		{"a damaged index in a large file", func(t *testing.T) string {
			path := makeStore(t, 13_000)
			if info, err := os.Stat(path); err != nil || info.Size() <= smallFile {
				t.Fatalf("the file is not large: %v, %v", info, err)
			}
			overwrite(t, path, (rootPage(t, path, "events_id")-1)*4096, garbage)
			return path
		}, "the file is damaged: restore it from a backup", nil},
		{"a store that is open", func(t *testing.T) string {
			return openTemp(t).Path()
		}, "store is in use by another process, or twice in this one", sender.ErrStoreInUse},
		{"a link to a store that is open", func(t *testing.T) string {
			link := filepath.Join(t.TempDir(), "link.db")
			if err := os.Symlink(openTemp(t).Path(), link); err != nil {
				t.Fatal(err)
			}
			return link
		}, "store is in use by another process, or twice in this one", sender.ErrStoreInUse},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := test.path(t)
			before, _ := os.ReadFile(path)
			s, err := Open(path, Options{})
			if err == nil {
				t.Fatal("it was opened", s.Close())
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q does not say %q", err, test.says)
			}
			named, resolveErr := filepath.EvalSymlinks(path)
			if resolveErr != nil {
				named = path
			}
			if !strings.Contains(err.Error(), named) {
				t.Errorf("error %q does not name the file %s", err, named)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has several lines", err)
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("error %q does not wrap %q", err, test.is)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Errorf("the file was changed: %d bytes before, %d after", len(before), len(after))
			}
		})
	}
}

// rootPage is the number of an index's first page.
func rootPage(t *testing.T, path, index string) (page int64) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	page, err = number(conn, "SELECT rootpage FROM sqlite_schema WHERE name = '"+index+"'")
	if err := errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	return page
}

// TestOpenByLink: a store that is made where a symbolic link leads has the lock of
// the file, not one of the link, so that nobody opens it a second time; and neither
// does who names the file itself.
func TestOpenByLink(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "data", "webhooks.db")
	links := []string{filepath.Join(folder, "absolute.db"), filepath.Join(folder, "relative.db"), filepath.Join(folder, "link.db")}
	for i, to := range []string{file, "data/webhooks.db", "relative.db"} {
		if err := os.Symlink(to, links[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range links {
		if err := os.RemoveAll(filepath.Dir(file)); err != nil {
			t.Fatal(err)
		}
		s, err := Open(link, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range append(links, file) {
			if second, err := Open(name, Options{}); !errors.Is(err, sender.ErrStoreInUse) {
				t.Errorf("made as %s, opened again as %s: %v, want ErrStoreInUse", link, name, err)
				if err == nil {
					_ = second.Close()
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wantFiles(t, file, "webhooks.db", "webhooks.db.lock")
	}
	endless := filepath.Join(folder, "endless.db")
	if err := os.Symlink(endless, endless); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(endless, Options{}); err == nil || !strings.Contains(err.Error(), "too many symbolic links") {
		t.Errorf("a link to itself: %v", err)
	}
}

// TestOpenAfterRefusal guards against a lock or a connection left behind.
func TestOpenAfterRefusal(t *testing.T) {
	path := makeStore(t, 1)
	execute(t, path, "PRAGMA user_version = 99")
	if _, err := Open(path, Options{}); !errors.Is(err, errNewer) {
		t.Fatalf("Open = %v, want errNewer", err)
	}
	execute(t, path, fmt.Sprintf("PRAGMA user_version = %d", len(migrations)))
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFileModes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "folder")
	s, err := Open(filepath.Join(folder, "webhooks.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, batch(1, 0, "a"))
	want := map[string]os.FileMode{
		filepath.Dir(folder): 0o700 | os.ModeDir, folder: 0o700 | os.ModeDir,
		s.Path(): 0o600, s.Path() + "-wal": 0o600, s.Path() + "-shm": 0o600, s.Path() + ".lock": 0o600,
	}
	if runtime.GOOS == "windows" {
		want = nil // modes are not kept there
	}
	for name, mode := range want {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
		} else if info.Mode() != mode {
			t.Errorf("%s has mode %v, want %v", name, info.Mode(), mode)
		}
	}
}

// TestSettings guards what durability and the form of the file rest on.
func TestSettings(t *testing.T) {
	s := openTemp(t)
	w := <-s.writer
	defer func() { s.writer <- w }()
	for pragma, want := range map[string]int64{
		"synchronous": 2, "page_size": 4096, "wal_autocheckpoint": 1000, "cache_size": -16384,
		"application_id": applicationID, "user_version": int64(len(migrations)), "fullfsync": 1,
	} {
		if got, err := number(w.conn, "PRAGMA "+pragma); err != nil || got != want {
			t.Errorf("%s is %d, want %d, %v", pragma, got, want, err)
		}
	}
	if mode, err := text(w.conn, "PRAGMA journal_mode"); err != nil || mode != "wal" {
		t.Errorf("journal_mode is %q, want wal, %v", mode, err)
	}
}

// TestCloseLeavesOneFile: the log is part of a store only while it is open.
func TestCloseLeavesOneFile(t *testing.T) {
	path := makeStore(t, 10)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != "webhooks.db webhooks.db.lock" {
		t.Errorf("Close leaves %v", names)
	}
}
