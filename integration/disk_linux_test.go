package integration

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// smallDisk mounts a disk in memory, of so many bytes.
func smallDisk(t *testing.T, options string) (folder string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk: run the tests as root, in a container for instance")
	}
	folder = t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", options, "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("a small disk cannot be mounted: give the container CAP_SYS_ADMIN: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	return folder
}

// wantPublished publishes until an answer has the status, and checks what else
// it says.
func wantPublished(t *testing.T, s *loadtest.Scene, status int, sentence string) {
	t.Helper()
	var resp *http.Response
	var answer []byte
	waitFor(t, http.StatusText(status), func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.Publishers.URL, strings.NewReader(`{"event":"message.created","data":"`+strings.Repeat("x", 1000)+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		resp, answer = exchange(t, req)
		return resp.StatusCode == status
	})
	if resp.Header.Get("Retry-After") == "" || !strings.Contains(string(answer), sentence) {
		t.Errorf("answered %d, Retry-After %q, %s", status, resp.Header.Get("Retry-After"), answer)
	}
}

// TestDiskFull: on a full disk events are refused with 507, and nothing that was
// accepted is lost, also when Caddy is killed then; when it does not start for
// want of room it says so; and with room it goes on by itself.
func TestDiskFull(t *testing.T) {
	for name, killed := range map[string]bool{"room returns": false, "killed meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			s := newTrafficScene(t)
			disk := smallDisk(t, "size=6m")
			s.Store = filepath.Join(disk, "webhooks.db")
			filler := filepath.Join(disk, "filler")
			if err := os.WriteFile(filler, make([]byte, 3<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := s.Start(s.Caddyfile("first")); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Kill() }) // before the disk goes
			s.Publishers.Data = 4000
			s.Publishers.Start()
			defer s.Publishers.Stop()
			wantPublished(t, s, http.StatusInsufficientStorage, "there is no room")
			waitFor(t, "the log to say it", func() bool { return strings.Contains(s.Output(), "store is full: make room on its disk") })
			if killed {
				killScene(t, s)
				fill(t, filepath.Join(disk, "more"))
				// It may need no room, when everything had been recorded.
				if err := s.Start(s.Caddyfile("first")); err != nil && (!strings.Contains(err.Error(), s.Store) || !strings.Contains(err.Error(), "make room on its disk")) {
					t.Errorf("without room, starting = %v", err)
				}
				killScene(t, s)
				if err := os.Remove(filepath.Join(disk, "more")); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			if killed {
				if err := s.Start(s.Caddyfile("first")); err != nil {
					t.Fatal(err)
				}
			}
			acknowledged(t, s, 1)
			s.Publishers.Stop()
			wantNothingLost(t, s, killed)
		})
	}
}

// killScene kills Caddy, if it runs.
func killScene(t *testing.T, s *loadtest.Scene) {
	t.Helper()
	s.Ledger.Kill()
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	s.Site.AwaitQuiet()
	s.Ledger.Begin()
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// TestDiskReadOnly: Caddy does not start on a disk that cannot be written, and
// says which file it is about.
func TestDiskReadOnly(t *testing.T) {
	s := newTrafficScene(t)
	s.Store = filepath.Join(smallDisk(t, "size=1m,ro"), "webhooks.db")
	if err := s.Start(s.Caddyfile("first")); err == nil || !strings.Contains(err.Error(), "store "+s.Store+": its folder is not writable") {
		t.Errorf("starting = %v", err)
	}
}

// faultyDisk has system calls that a process makes on a file fail, or take
// long, as strace's inject says it, until it is ended.
func faultyDisk(t *testing.T, pid, path, call, fault string) (end func()) {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed: apt-get install strace")
	}
	var notes output
	cmd := exec.Command("strace", "-f", "-p", pid, "-P", path, "-e", "trace="+call, "-e", "inject="+call+":"+fault, "-o", "/dev/null")
	cmd.Stderr = &notes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		ended <- nil
	}
	t.Cleanup(end)
	waitFor(t, "strace to be attached", func() bool {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("strace: %v\n%s", err, notes.String())
		default:
		}
		return notes.Has("attached")
	})
	return end
}

// TestDiskFails: while the disk fails, events are refused with 503; afterwards
// it goes on by itself, and nothing is lost or repeated.
func TestDiskFails(t *testing.T) {
	for _, tt := range []struct{ name, call, fault, logged string }{
		{"writes fail", "pwrite64", "error=EIO", "disk I/O error"},
		{"syncs fail", "fsync", "error=EIO", "disk I/O error"},
		{"it has become read-only", "pwrite64", "error=EROFS", "disk I/O error"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newTrafficScene(t)
			if err := s.Start(s.Caddyfile("first")); err != nil {
				t.Fatal(err)
			}
			s.Publishers.Start()
			defer s.Publishers.Stop()
			acknowledged(t, s, 50)
			end := faultyDisk(t, strconv.Itoa(s.PID()), s.Store+"-wal", tt.call, tt.fault)
			wantPublished(t, s, http.StatusServiceUnavailable, "could not be stored: publish it again later")
			waitFor(t, "the log to say it", func() bool { return strings.Contains(s.Output(), tt.logged) })
			end()
			acknowledged(t, s, 50)
			s.Publishers.Stop()
			wantNothingLost(t, s, false)
		})
	}
}

// TestDiskSlow: when each sync takes a quarter of a second, events are accepted
// all the same, many with each sync.
func TestDiskSlow(t *testing.T) {
	s := newTrafficScene(t)
	if err := s.Start(s.Caddyfile("first")); err != nil {
		t.Fatal(err)
	}
	s.Publishers.Count = 64
	s.Publishers.Start()
	defer s.Publishers.Stop()
	acknowledged(t, s, 50)
	end := faultyDisk(t, strconv.Itoa(s.PID()), s.Store+"-wal", "fsync", "delay_enter=250000")
	acknowledged(t, s, 200)
	end()
	s.Publishers.Stop()
	wantNothingLost(t, s, false)
}
