package integration

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// newTrafficScene makes a scene whose Caddy is not started yet.
func newTrafficScene(t *testing.T) *loadtest.Scene {
	t.Helper()
	program, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s, err := loadtest.NewScene(program, t.TempDir(), map[string]loadtest.Behaviour{"fast": {}, "flaky": {FailEvery: 4}})
	if err != nil {
		t.Fatal(err)
	}
	s.Publishers.ReceiverURL = ""
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// acknowledged waits for so many more events to be acknowledged.
func acknowledged(t *testing.T, s *loadtest.Scene, more int64) {
	t.Helper()
	before := s.Publishers.Acks.Load()
	waitFor(t, "events to be taken in", func() bool { return s.Publishers.Acks.Load() >= before+more })
}

// wantNothingLost lets everything be delivered and holds it against what was
// promised. Without a kill nothing may come twice.
func wantNothingLost(t *testing.T, s *loadtest.Scene, killed bool) {
	t.Helper()
	if err := s.AwaitDelivered(90 * time.Second); err != nil {
		t.Errorf("%v\n%s", err, s.Output())
	}
	for _, name := range s.Publishers.Endpoints {
		a := s.Ledger.Account(name)
		if a.Promised == 0 || len(a.Lost) > 0 || !killed && len(a.Repeats) > 0 {
			t.Errorf("%s: %d promised, lost %v, repeated %v", name, a.Promised, a.Lost, a.Repeats)
		}
	}
}

// TestDamagedStoreIsLeftAlone: Caddy does not start with a store that is damaged
// or is none. It names the file and says what to do, and changes nothing.
func TestDamagedStoreIsLeftAlone(t *testing.T) {
	s := newTrafficScene(t)
	if err := s.Start(s.Caddyfile("first")); err != nil {
		t.Fatal(err)
	}
	s.Publishers.Start()
	acknowledged(t, s, 200)
	s.Publishers.Stop()
	if err := errors.Join(s.AwaitDelivered(time.Minute), s.Stop()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(s.Store)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		content []byte
		log     []byte
		says    string
	}{
		"cut short":            {whole[:len(whole)/2-100], nil, "the file is damaged: restore it from a backup"},
		"one byte":             {whole[:1], nil, "the file is not a SQLite database"},
		"not a database":       {[]byte(strings.Repeat("notes of mine\n", 1000)), nil, "the file is not a SQLite database"},
		"emptied beside a log": {nil, []byte("frames"), "the file is missing or empty, but its log"},
		"pages of zeros":       {append(append(bytes.Clone(whole[:8192]), make([]byte, 8192)...), whole[16384:]...), nil, "the file is damaged: restore it from a backup"},
		"a page of noise":      {append(append(bytes.Clone(whole[:8192]), bytes.Repeat([]byte{0xa5, 0x5a, 0x00, 0xff}, 1024)...), whole[12288:]...), nil, "the file is damaged: restore it from a backup"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{s.Store: tt.content}
			if tt.log != nil {
				files[s.Store+"-wal"] = tt.log
			}
			for path, content := range files {
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := s.Start(s.Caddyfile("first"))
			if err == nil || !strings.Contains(err.Error(), s.Store) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("starting = %v, want %q and the path", err, tt.says)
			}
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			for path, content := range files {
				if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, content) {
					t.Errorf("%s was changed: %d bytes, %v", path, len(now), err)
				}
				if err := os.Remove(path); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestBackupUnderLoad: a backup that is made under load has every event that
// was acknowledged before it was begun, and can be put in the store's place.
func TestBackupUnderLoad(t *testing.T) {
	s := newTrafficScene(t)
	if err := s.Start(s.Caddyfile("first")); err != nil {
		t.Fatal(err)
	}
	s.Publishers.Start()
	defer s.Publishers.Stop()
	acknowledged(t, s, 100)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	before := s.Ledger.Promised("fast")
	file := filepath.Join(s.Home, "backup.db")
	out, err := s.Command(ctx, "webhooks", "backup", "--address", s.Admin, file)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := s.Command(ctx, "webhooks", "backup", "--address", s.Admin, file); err == nil || !strings.Contains(out, "it exists: name a new file") {
		t.Errorf("a second backup to the same file: %v\n%s", err, out)
	}
	acknowledged(t, s, 50)
	s.Publishers.Stop()
	if err := errors.Join(s.AwaitDelivered(time.Minute), s.Stop()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file, s.Store); err != nil {
		t.Fatal(err)
	}
	if err := s.Start(s.Caddyfile("first")); err != nil {
		t.Fatal(err)
	}
	for _, id := range before {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Admin+"/webhooks/events/"+id, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, answer := exchange(t, req); resp.StatusCode != http.StatusOK {
			t.Errorf("%s was acknowledged before the backup, and is answered with %d %s", id, resp.StatusCode, answer)
		}
	}
}
