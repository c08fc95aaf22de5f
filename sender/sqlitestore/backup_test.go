package sqlitestore

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// save makes a copy of a store and puts it into a file.
func save(t *testing.T, s *Store) (path string) {
	t.Helper()
	backup, err := s.Backup(background)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(backup)
	if err := errors.Join(err, backup.Close()); err != nil {
		t.Fatal(err)
	}
	if int64(len(content)) != backup.Size() {
		t.Errorf("the copy has %d bytes and says %d", len(content), backup.Size())
	}
	path = filepath.Join(t.TempDir(), "restored.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestBackup: a copy that is made while events are stored and settled is a
// store, and has everything that was safe before it was begun.
func TestBackup(t *testing.T) {
	s := openTemp(t)
	var stored, settled atomic.Int64 // events up to this number
	stop := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() {
		for first := 0; ; first += 10 {
			select {
			case <-stop:
				return
			default:
			}
			publications := batch(10, first, "a", "b")
			if err := s.PutEvents(background, publications); err != nil {
				t.Error(err)
				return
			}
			stored.Store(int64(first + 10))
			var outcomes []sender.Outcome
			for _, p := range publications {
				o := delivered
				o.Seq, o.EndpointID = p.Events[0].Seq, "a"
				outcomes = append(outcomes, o)
			}
			if err := s.Settle(background, outcomes); err != nil {
				t.Error(err)
				return
			}
			settled.Store(int64(first + 10))
		}
	})
	for round := range 3 {
		for stored.Load() < int64(1000*(round+1)) {
			runtime.Gosched()
		}
		puts, settles := int(stored.Load()), int(settled.Load())
		restored, err := Open(save(t, s), Options{})
		if err != nil {
			t.Fatal(err)
		}
		safe, done := map[int]bool{}, map[int]bool{}
		for n := range puts {
			safe[n], done[n] = true, n < settles
		}
		checkSafe(t, restored, safe, done)
		put(t, restored, batch(1, 1<<20, "a"))
		if err := restored.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	working.Wait()
	wantFiles(t, s.Path(), "webhooks.db", "webhooks.db-shm", "webhooks.db-wal", "webhooks.db.lock")
}

// wantFiles checks what lies in the folder of a store.
func wantFiles(t *testing.T, path string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if strings.Join(names, " ") != strings.Join(want, " ") {
		t.Errorf("the folder has %v, want %v", names, want)
	}
}

// TestBackupMode: the copy can be read by its owner alone, as the store can.
func TestBackupMode(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // modes are not kept there
	}
	s := openTemp(t)
	put(t, s, batch(10, 0, "a"))
	backup, err := s.Backup(background)
	if err != nil {
		t.Fatal(err)
	}
	defer backup.Close()
	info, err := os.Stat(backup.file.Name())
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("the copy has mode %v, %v", info.Mode(), err)
	}
}

// TestBackupGivenUp: nothing is left of a copy that is not made, or that a crash
// has left behind, and files that somebody has put beside the store stay.
func TestBackupGivenUp(t *testing.T) {
	s := openTemp(t)
	put(t, s, batch(1000, 0, "a"))
	ctx, cancel := context.WithCancel(background)
	cancel()
	if _, err := s.Backup(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), s.Path()) {
		t.Errorf("Backup = %v, want context.Canceled and the file", err)
	}
	wantFiles(t, s.Path(), "webhooks.db", "webhooks.db-shm", "webhooks.db-wal", "webhooks.db.lock")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(background); !errors.Is(err, sender.ErrStoreClosed) {
		t.Errorf("Backup = %v, want ErrStoreClosed", err)
	}
	for _, suffix := range []string{copySuffix + "123", ".backup-mine", ".backup-20261130", ".backup-2026-11-30", copySuffix + "1-mine"} {
		if err := os.WriteFile(s.Path()+suffix, []byte("whole"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(s.Path(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, s.Path(), "webhooks.db", "webhooks.db.backup-2026-11-30", "webhooks.db.backup-20261130", "webhooks.db.backup-mine",
		"webhooks.db"+copySuffix+"1-mine", "webhooks.db.lock")
}
