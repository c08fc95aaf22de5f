package receiver

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"math"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// openAt opens a State with a file, to be closed after the test.
func openAt(t testing.TB, path string, now func() time.Time) *State {
	t.Helper()
	s, err := OpenState(StateOptions{Path: path, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// process commits keys as a request does.
func process(t testing.TB, s *State, ttl time.Duration, keys ...key) {
	t.Helper()
	s.seen.commit(mustTry(t, s.seen, claimed, keys...), ttl, 1<<30)
}

// known tells which of the keys from 0 to n are taken for duplicates.
func known(s *State, n uint64) (list []uint64) {
	for i := range n {
		c := claimOn(numberedKey(i))
		if got, _ := s.seen.try(c); got == duplicate {
			list = append(list, i)
		} else {
			s.seen.release(c)
		}
	}
	return list
}

func TestEventsSurviveARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	tick := newClock()
	first := openAt(t, path, tick.Now)
	process(t, first, time.Hour, numberedKey(0))
	process(t, first, time.Minute, numberedKey(1))
	first.seen.release(mustTry(t, first.seen, claimed, numberedKey(2)))
	tick.advance(30 * time.Second)
	process(t, first, time.Hour, numberedKey(3), numberedKey(4))
	if !first.seen.forgetEvent(numberedKey(0)) {
		t.Error("there was nothing to forget")
	}
	process(t, first, time.Minute, numberedKey(5))
	first.Close()

	second := openAt(t, path, tick.Now)
	if diff := cmp.Diff([]uint64{1, 3, 4, 5}, known(second, 8)); diff != "" {
		t.Errorf("known after the restart (-want +got):\n%s", diff)
	}
	tick.advance(30 * time.Second) // the minute of 1 is over, that of 5 is not
	second.seen.settle()
	if diff := cmp.Diff([]uint64{3, 4, 5}, known(second, 8)); diff != "" {
		t.Errorf("known half a minute later (-want +got):\n%s", diff)
	}
	// The halves of a pair still belong together.
	if !second.seen.forgetEvent(numberedKey(3)) {
		t.Error("the pair is not there")
	}
	if diff := cmp.Diff([]uint64{5}, known(second, 8)); diff != "" {
		t.Errorf("known after forgetting one (-want +got):\n%s", diff)
	}
	second.Close()
	if diff := cmp.Diff([]uint64{5}, known(openAt(t, path, tick.Now), 8)); diff != "" {
		t.Errorf("known after another restart (-want +got):\n%s", diff)
	}
}

// TestVeryLongTTL guards that an event which is to be remembered for ever, or
// nearly so, is not forgotten by a restart, because its end would be behind the
// last time that a file can name.
func TestVeryLongTTL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	tick := newClock()
	s := openAt(t, path, tick.Now)
	process(t, s, math.MaxInt64, numberedKey(0))
	process(t, s, 250*365*24*time.Hour, numberedKey(1))
	s.Close()
	tick.advance(24 * time.Hour)
	if diff := cmp.Diff([]uint64{0, 1}, known(openAt(t, path, tick.Now), 3)); diff != "" {
		t.Errorf("known after the restart (-want +got):\n%s", diff)
	}
}

// A whole request is a duplicate after a restart of everything.
func TestReceiverWithAFile(t *testing.T) {
	cfg := testConfig("standard")
	cfg.Dedupe.Persist = filepath.Join(t.TempDir(), "seen")
	for _, want := range []string{"", "true"} {
		rc, err := New(cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := signedRequest(t, "standard", eventID(1), time.Now(), []byte(`{}`))
		w := httptest.NewRecorder()
		if err := rc.Handle(w, r, answerWith(200)); err != nil || w.Header().Get(HeaderDuplicate) != want {
			t.Errorf("error %v, duplicate %q, want %q", err, w.Header().Get(HeaderDuplicate), want)
		}
		rc.state.Close()
	}
	// A State that keeps its events elsewhere would forget them silently.
	memory := NewState(StateOptions{})
	defer memory.Close()
	if _, err := New(cfg, Options{State: memory}); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), cfg.Dedupe.Persist) {
		t.Errorf("error %v, want one about the file", err)
	}
}

// What a crash leaves behind is a file that was written some time ago. It is
// copied here while the State is in use.
func TestCrash(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "seen")
	tick := newClock()
	s := openAt(t, path, tick.Now)
	process(t, s, time.Hour, numberedKey(0))
	s.journal.flush(&s.seen.history)
	s.journal.writing.Lock() // what comes now is not written any more
	process(t, s, time.Hour, numberedKey(1))
	mustTry(t, s.seen, claimed, numberedKey(2))
	data, err := os.ReadFile(path)
	s.journal.writing.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for cut := range recordSize + 1 {
		copied := filepath.Join(folder, "copy")
		if err := os.WriteFile(copied, data[:len(data)-cut], 0o600); err != nil {
			t.Fatal(err)
		}
		after := openAt(t, copied, tick.Now)
		want := []uint64{0}
		if cut > 0 {
			want = nil
		}
		if diff := cmp.Diff(want, known(after, 4)); diff != "" {
			t.Fatalf("%d bytes cut off (-want +got):\n%s", cut, diff)
		}
		process(t, after, time.Hour, numberedKey(7))
		after.Close()
		// What is written after a torn end can be read.
		again := openAt(t, copied, tick.Now)
		if diff := cmp.Diff(append(want, 7), known(again, 8)); diff != "" {
			t.Fatalf("%d bytes cut off, then written (-want +got):\n%s", cut, diff)
		}
		again.Close()
	}
}

// Anything that is broken in the middle costs only what is broken.
func TestBrokenRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	tick := newClock()
	s := openAt(t, path, tick.Now)
	for n := range uint64(4) {
		process(t, s, time.Hour, numberedKey(n))
	}
	s.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(fileHeader)+recordSize+3] ^= 1
	clear(data[len(fileHeader)+2*recordSize : len(fileHeader)+3*recordSize])
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	again := openAt(t, path, tick.Now)
	if diff := cmp.Diff([]uint64{0, 3}, known(again, 4)); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	if info, err := os.Stat(path); err != nil || info.Size() != int64(len(fileHeader)+2*recordSize) {
		t.Errorf("size %d, error %v: the file was not written anew", info.Size(), err)
	}
}

// A file that is something else is left alone.
func TestForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	for _, content := range []string{"SQLite format 3\x00 and so on, for more than a header", "short"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenState(StateOptions{Path: path})
		if err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one that names the file", err)
		}
		if got, _ := os.ReadFile(path); string(got) != content {
			t.Errorf("the file is %q now", got)
		}
	}
}

func TestOneStateAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	first := openAt(t, path, time.Now)
	_, err := OpenState(StateOptions{Path: path})
	if !errors.Is(err, ErrStateInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want ErrStateInUse with the file's name", err)
	}
	// Another process, that asks for the same lock.
	if flock, err := exec.LookPath("flock"); err == nil && runtime.GOOS == "linux" {
		if exec.CommandContext(t.Context(), flock, "--nonblock", path+".lock", "true").Run() == nil {
			t.Error("another process got the lock")
		}
	}
	first.Close()
	openAt(t, path, time.Now)
}

// TestFileIsNotWrittenThroughALink: where others may write to the folder, a link
// under a name that is written to must lead nowhere.
func TestFileIsNotWrittenThroughALink(t *testing.T) {
	folder := t.TempDir()
	path, theirs := filepath.Join(folder, "seen"), filepath.Join(folder, "theirs")
	if err := os.WriteFile(theirs, []byte("kept"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(theirs, path+".new"); err != nil {
		t.Skip("there are no links here")
	}
	s := openAt(t, path, newClock().Now)
	process(t, s, time.Hour, numberedKey(0))
	s.Close()
	if text, err := os.ReadFile(theirs); err != nil || string(text) != "kept" {
		t.Errorf("the other file holds %q, %v", text, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if !info.Mode().IsRegular() || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %s", info.Mode())
	}
}

func TestFolderIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "seen")
	_, err := OpenState(StateOptions{Path: path})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names the file", err)
	}
}

// A file that is mostly in vain is written anew, and nothing is lost by it.
func TestCompaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	tick := newClock()
	s := openAt(t, path, tick.Now)
	const many = journalSlack + 1000
	for n := range uint64(many) {
		process(t, s, time.Minute, numberedKey(n))
	}
	s.journal.flush(&s.seen.history)
	tick.advance(time.Hour)
	for n := range uint64(5) {
		process(t, s, time.Hour, numberedKey(n+many))
	}
	s.seen.settle()
	s.journal.flush(&s.seen.history)
	process(t, s, time.Hour, numberedKey(many+5))
	s.journal.flush(&s.seen.history)
	if info, err := os.Stat(path); err != nil || info.Size() != int64(len(fileHeader)+6*recordSize) {
		t.Errorf("size %d, error %v: want six records", info.Size(), err)
	}
	s.Close()
	again := openAt(t, path, tick.Now)
	if got := again.Stats().Exact + again.Stats().Settled; got != 6 {
		t.Errorf("%d events are known, want 6", got)
	}
}

// When the file cannot be written, events are remembered in memory, it is told
// of once, and the file is made good later. No request is refused.
func TestDiskFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	tick := newClock()
	var log strings.Builder
	s, err := OpenState(StateOptions{Path: path, Now: tick.Now, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	// The journal's own goroutine must not come in between.
	close(s.journal.stop)
	<-s.journal.done
	s.journal.stop, s.journal.done = make(chan struct{}), make(chan struct{})
	s.journal.file, _ = os.Open(path) // which refuses to be written, as a full disk would
	s.journal.lock, _ = lockFile(path)

	process(t, s, time.Hour, numberedKey(0))
	s.journal.flush(&s.seen.history)
	process(t, s, time.Hour, numberedKey(1))
	if got := s.Stats(); got.PersistErrors != 1 || got.Persisting || got.Exact+got.Settled != 2 {
		t.Errorf("stats %+v: want one error, and both events", got)
	}
	// The way to write it anew is barred as well.
	if err := os.Mkdir(path+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new/x", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.journal.flush(&s.seen.history) // too early to try again
	tick.advance(journalRetry)
	s.journal.flush(&s.seen.history)
	if got := s.Stats().PersistErrors; got != 2 {
		t.Errorf("%d errors, want 2", got)
	}
	if err := os.RemoveAll(path + ".new"); err != nil {
		t.Fatal(err)
	}
	tick.advance(journalRetry)
	s.journal.flush(&s.seen.history)
	if got := s.Stats(); !got.Persisting || got.PersistErrors != 2 {
		t.Errorf("stats %+v: it can be written again", got)
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 1 || !strings.Contains(log.String(), path) || !strings.Contains(log.String(), "again") {
		t.Errorf("%d errors in the log, want one, and that it is over:\n%s", got, log.String())
	}
	data, err := os.ReadFile(path)
	if err != nil || len(data) != len(fileHeader)+2*recordSize {
		t.Errorf("%d bytes, error %v: want both events", len(data), err)
	}
	go s.journal.run(&s.seen.history) // which Close waits for
}

// The file must not grow in memory while the disk hangs.
func TestUnwrittenKeysAreBounded(t *testing.T) {
	j := &journal{}
	for range maxUnwritten + 1 {
		j.note(remembered{}, 1)
	}
	if !j.lost || j.unwritten != nil {
		t.Errorf("%d keys are waiting", len(j.unwritten))
	}
}

// Setting the clock back must not make events stay for longer than their TTL,
// or expire in the wrong order.
func TestClockSetBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "seen")
	tick := newClock()
	s := openAt(t, path, tick.Now)
	process(t, s, time.Minute, numberedKey(0))
	s.Close()
	tick.advance(-30 * time.Minute)
	s = openAt(t, path, tick.Now)
	process(t, s, time.Minute, numberedKey(1))
	s.Close()
	s = openAt(t, path, tick.Now)
	if diff := cmp.Diff([]uint64{0, 1}, known(s, 2)); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	tick.advance(time.Minute)
	s.seen.settle()
	if got := known(s, 2); got != nil {
		t.Errorf("%v are known after the TTL", got)
	}
}

// FuzzRestore reads foreign files. Nothing may panic, and what is kept must be
// in the order of expiry and not expired.
func FuzzRestore(f *testing.F) {
	const now = 1_800_000_000_000_000_000
	var good []byte
	for n := range uint64(4) {
		r := record{key: numberedKey(n % 3), expires: now + int64(n)*1e9, ttl: time.Hour, paired: n == 1}
		good = r.appendTo(good)
	}
	f.Add(append(append([]byte(nil), fileHeader...), good...))
	f.Add(good)
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		content, err := checkFile(data)
		if err != nil {
			return
		}
		// Checksums would keep the fuzzer out.
		for at := 0; at < len(content.records); at += recordSize {
			r := content.records[at : at+recordSize]
			if r[31]&1 == 0 {
				binary.LittleEndian.PutUint32(r[28:], crc32.Checksum(r[:28], castagnoli))
			}
		}
		tick := newClock()
		s := newSeenSet(tick.Now)
		s.settler.start.Do(func() { close(s.settler.done) })
		defer s.settler.closeCache()
		s.restore(content.records, now)
		total := 0
		for _, fifo := range s.history.fifos {
			before := int64(0)
			for r := range fifo.all {
				total++
				if at := r.expires &^ 1; at < before || at > fifo.ttl {
					t.Fatalf("expires at %d after %d, with a TTL of %d", at, before, fifo.ttl)
				}
				before = r.expires &^ 1
				if got, _ := s.try(claimOn(r.key)); got != duplicate {
					t.Fatalf("outcome %d for a restored key", got)
				}
			}
		}
		if total != int(s.exact.Load()) || total != s.history.pending {
			t.Fatalf("%d entries, %d exact, %d pending", total, s.exact.Load(), s.history.pending)
		}
		s.settle()
		tick.advance(1 << 62)
		s.settle()
		if got := s.exact.Load() + s.settled.Load(); got != 0 {
			t.Fatalf("%d keys are left after everything", got)
		}
	})
}

// BenchmarkRestore is the start with a million events in the file.
func BenchmarkRestore(b *testing.B) {
	const events = 1_000_000
	path := filepath.Join(b.TempDir(), "seen")
	s := openAt(b, path, time.Now)
	for n := range uint64(events) {
		process(b, s, DefaultTTL, numberedKey(n))
	}
	s.Close()
	for b.Loop() {
		again, err := OpenState(StateOptions{Path: path})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if got := again.Stats(); got.Exact+got.Settled != events {
			b.Fatalf("%+v: want %d", got, events)
		}
		again.Close()
		b.StartTimer()
	}
}
