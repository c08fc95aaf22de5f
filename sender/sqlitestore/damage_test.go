package sqlitestore

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// TestDamagedLog: behind damage in the log of a process that was killed nothing
// can be read, since it looks like the end of the log. What lies before it is
// all there, and the store goes on from there.
func TestDamagedLog(t *testing.T) {
	const events = 100
	s := openTemp(t)
	for n := range events {
		put(t, s, batch(1, n, "a"))
	}
	log, err := os.ReadFile(s.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(s.Path())
	if err != nil {
		t.Fatal(err)
	}
	counts := map[int]bool{}
	for _, at := range []int{0, len(log) / 4, len(log) / 2, len(log) - 1} {
		path := filepath.Join(t.TempDir(), "webhooks.db")
		damaged := append([]byte(nil), log...)
		damaged[at] ^= 0x10
		if err := errors.Join(os.WriteFile(path, file, 0o600), os.WriteFile(path+"-wal", damaged, 0o600)); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		kept := map[int]bool{}
		for n := range events {
			_, err := s.Event(background, "", batch(1, n)[0].Events[0].Event.ID)
			switch {
			case err == nil:
				kept[n] = true
			case !errors.Is(err, sender.ErrNotFound):
				t.Fatal(err)
			}
		}
		for n := range len(kept) {
			if !kept[n] {
				t.Errorf("damage at %d: %d events are there, and number %d is not", at, len(kept), n)
			}
		}
		if len(kept) == events {
			t.Errorf("damage at %d of the log has done nothing", at)
		}
		counts[len(kept)] = true
		put(t, s, batch(1, events, "a"))
		if _, err := s.Event(background, "", batch(1, events)[0].Events[0].Event.ID); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(counts) < 3 {
		t.Errorf("wherever the damage was, %v events were left", counts)
	}
}

// TestFlippedBits: whatever bit of the file is wrong, opening the store and
// reading it work or fail with an error that names the file, and nothing is
// emptied.
func TestFlippedBits(t *testing.T) {
	const events, rounds = 100, 40
	path := makeStore(t, events)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for round := range rounds {
		damaged := append([]byte(nil), whole...)
		at := random.IntN(len(damaged))
		if round%2 == 0 { // in what says how a page is laid out
			at = at/4096*4096 + at%16
		}
		damaged[at] ^= 1 << random.IntN(8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		errs := readAll(path, events)
		for _, err := range errs {
			if !strings.Contains(err.Error(), path) {
				t.Fatalf("bit at %d: %v", at, err)
			}
		}
		if len(errs) > 0 {
			refused++
		}
		if now, err := os.ReadFile(path); err != nil || len(now) < len(whole) {
			t.Fatalf("bit at %d: of %d bytes %d are left, %v", at, len(whole), len(now), err)
		}
		for _, suffix := range []string{"-wal", "-shm"} {
			_ = os.Remove(path + suffix)
		}
	}
	if refused == 0 {
		t.Error("no bit of them all was noticed")
	}
	t.Logf("of %d bits %d were noticed: the others are in free room, or in the data of events, which have no checksums", rounds, refused)
}

// readAll opens a store and reads its events, and gathers the errors that are
// not about an event that is not found.
func readAll(path string, events int) (errs []error) {
	s, err := Open(path, Options{})
	if err != nil {
		return []error{err}
	}
	for n := range events {
		if _, err := s.Event(background, "", batch(1, n)[0].Events[0].Event.ID); err != nil && !errors.Is(err, sender.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	if err := s.Close(); err != nil {
		errs = append(errs, err)
	}
	return errs
}
