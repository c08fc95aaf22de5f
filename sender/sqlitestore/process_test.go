package sqlitestore

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// The test binary is also the other processes that the tests need.
const (
	roleVariable = "SQLITESTORE_TEST_ROLE"
	pathVariable = "SQLITESTORE_TEST_PATH"
)

func TestMain(m *testing.M) {
	path := os.Getenv(pathVariable)
	switch os.Getenv(roleVariable) {
	case "open":
		_, err := Open(path, Options{})
		fmt.Println(errors.Is(err, sender.ErrStoreInUse), err)
	case "work":
		fmt.Println(work(path))
	default:
		os.Exit(m.Run())
	}
}

// process starts this binary in a role.
func process(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, pathVariable+"="+path)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestSecondProcessIsRefused(t *testing.T) {
	s := openTemp(t)
	answer, err := process(t, "open", s.Path()).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"true ", "store is in use by another process", s.Path()} {
		if !strings.Contains(string(answer), want) {
			t.Errorf("the second process says %q, want %q in it", answer, want)
		}
	}
	// The refusal did no harm.
	put(t, s, batch(1, 0, "a"))
}

// work stores and settles events for ever, and says so once they are safe:
// "put <first> <n>" and "settled <first> <n>".
func work(path string) error {
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	for first := int(s.lastSeq()); ; first += 10 {
		publications := batch(10, first, "a", "b")
		if err := s.PutEvents(background, publications); err != nil {
			return err
		}
		fmt.Println("put", first, 10)
		var outcomes []sender.Outcome
		for _, p := range publications[:5] {
			o := delivered
			o.Seq, o.EndpointID = p.Events[0].Seq, "a"
			outcomes = append(outcomes, o)
		}
		if err := s.Settle(background, outcomes); err != nil {
			return err
		}
		fmt.Println("settled", first, 5)
	}
}

// lastSeq is the number of the newest event.
func (s *Store) lastSeq() int64 {
	w := <-s.writer
	defer func() { s.writer <- w }()
	return w.nextSeq - 1
}

// TestKilled kills a process in the midst of its work, again and again, and
// looks for everything that it has said to be safe.
func TestKilled(t *testing.T) {
	path := makeStore(t, 0)
	stored, settled := map[int]bool{}, map[int]bool{}
	for round := range 6 {
		cmd := process(t, "work", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); n++ {
			var what string
			var first, count int
			if _, err := fmt.Sscan(lines.Text(), &what, &first, &count); err != nil {
				t.Fatalf("the process says %q", lines.Text())
			}
			for i := first; i < first+count; i++ {
				if what == "put" {
					stored[i] = true
				} else {
					settled[i] = true
				}
			}
			if n == 10+round*9 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the process was not killed")
		}
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatalf("after kill %d: %v", round, err)
		}
		checkSafe(t, s, stored, settled)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(stored) < 100 || len(settled) < 50 {
		t.Errorf("the processes stored %d events and settled %d: too few to tell", len(stored), len(settled))
	}
}

// checkSafe checks that the events are there, settled where they were, and can
// be claimed where they were not.
func checkSafe(t *testing.T, s *Store, stored, settled map[int]bool) {
	t.Helper()
	waiting := map[string]map[string]bool{}
	for _, endpoint := range []string{"a", "b"} {
		waiting[endpoint] = map[string]bool{}
		claimed, err := s.Claim(background, sender.ClaimQuery{
			EndpointID: endpoint, Now: start.AddDate(1, 0, 0), Limit: 1 << 20, Bytes: 1 << 40,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range claimed.Deliveries {
			waiting[endpoint][d.Event.ID] = true
		}
	}
	for n := range stored {
		id := batch(1, n)[0].Events[0].Event.ID
		record, err := s.Event(background, "", id)
		if err != nil {
			t.Errorf("event %d was safe: %v", n, err)
			continue
		}
		a := record.Deliveries[0]
		if settled[n] && (a.Status != sender.Succeeded || len(a.History) != 1) {
			t.Errorf("event %d was settled and is %s with %d attempts", n, a.Status, len(a.History))
		}
		if waiting["a"][id] != (a.Status == sender.Pending) || !waiting["b"][id] {
			t.Errorf("event %d is %s, and claimed: %t and %t", n, a.Status, waiting["a"][id], waiting["b"][id])
		}
	}
}

// TestKilledProcessFreesStore guards against a lock that outlives its process.
func TestKilledProcessFreesStore(t *testing.T) {
	path := makeStore(t, 0)
	cmd := process(t, "work", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_, err = Open(path, Options{})
	if !errors.Is(err, sender.ErrStoreInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open beside process %d = %v, want ErrStoreInUse", cmd.Process.Pid, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
