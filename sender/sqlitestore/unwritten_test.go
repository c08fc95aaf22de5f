package sqlitestore

import (
	"fmt"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// query is the one number that a statement answers with.
func (s *Store) query(t *testing.T, query string) int64 {
	t.Helper()
	w := <-s.writer
	defer func() { s.writer <- w }()
	n, err := number(w.conn, query)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const lowWaterMark = "SELECT value FROM marks WHERE name = 'low_water'"

// TestMarkFollows: the mark in the file is close to the oldest event with an
// unwritten delivery, and never after it.
func TestMarkFollows(t *testing.T) {
	s := openTemp(t)
	for n := range 10 {
		publications := batch(100, n*100, "a", "b")
		put(t, s, publications)
		settleAll(t, s, publications, "a", delivered)
		if n != 6 {
			settleAll(t, s, publications, "b", delivered)
		}
		oldest := int64((n + 1) * 100) // of the settled events
		if n >= 6 {
			oldest = 600
		}
		if mark := s.query(t, lowWaterMark); mark > oldest+1 || mark <= oldest-markStep {
			t.Errorf("after %d events the mark is %d, want it near %d", (n+1)*100, mark, oldest+1)
		}
	}
	path, err := crash(s, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if mark := s.query(t, lowWaterMark); mark != 1001 {
		t.Errorf("after Open the mark is %d, want 1001", mark)
	}
	claimed, err := s.Claim(background, sender.ClaimQuery{EndpointID: "b", Now: start.AddDate(1, 0, 0), Limit: 1000, Bytes: 1 << 30})
	if err != nil || len(claimed.Deliveries) != 100 {
		t.Fatalf("claimed %d, want 100, %v", len(claimed.Deliveries), err)
	}
}

// TestOpenManySteps: Open writes more rows than fit in one of its
// transactions, and has the same to do when it is cut off and runs again.
func TestOpenManySteps(t *testing.T) {
	const n = 2*unwrittenStep + 100
	s := openTemp(t)
	fill(t, s, n)
	path, err := crash(s, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	execute(t, path, fmt.Sprintf(`INSERT INTO deliveries (endpoint, event_seq, status, retry, attempts, due)
		SELECT 1, seq, 3, 0, 0, NULL FROM events WHERE seq <= %d AND seq %% 2 = 0`, unwrittenStep))
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.query(t, "SELECT count(*) FROM deliveries WHERE status = 1"); got != n-unwrittenStep/2 {
		t.Errorf("%d deliveries are pending, want %d", got, n-unwrittenStep/2)
	}
	if got := s.query(t, "SELECT count(*) FROM deliveries"); got != n {
		t.Errorf("%d deliveries have rows, want %d", got, n)
	}
}

// TestLaggingIsWritten: an endpoint that stands still does not keep the mark
// from rising, and its deliveries stay held.
func TestLaggingIsWritten(t *testing.T) {
	const n = maxLag + 3*lagStep
	s := openTemp(t)
	slow := batch(lagStep+10, n, "a", "slow", "slower")
	put(t, s, slow)
	for first := 0; first < n; first += 1024 {
		publications := batch(1024, first, "a")
		put(t, s, publications)
		settleAll(t, s, publications, "a", delivered)
	}
	settleAll(t, s, slow, "a", delivered)
	if got := s.query(t, "SELECT count(*) FROM deliveries WHERE endpoint <> 1 AND status = 1"); got != 2*int64(len(slow)) {
		t.Errorf("%d lagging deliveries have rows, want %d", got, 2*len(slow))
	}
	if mark := s.query(t, lowWaterMark); mark < n-markStep {
		t.Errorf("the mark is %d, want it near %d", mark, n)
	}
	claimed, err := s.Claim(background, sender.ClaimQuery{EndpointID: "slow", Now: start.AddDate(1, 0, 0), Limit: 10, Bytes: 1 << 30})
	if err != nil || len(claimed.Deliveries) != 0 {
		t.Fatalf("claimed %d held deliveries, %v", len(claimed.Deliveries), err)
	}
	settleAll(t, s, slow, "slow", delivered)
	record, err := s.Event(background, "", slow[0].Events[0].Event.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := record.Deliveries[1]; d.Status != sender.Succeeded || d.Attempts != 1 || len(d.History) != 1 {
		t.Errorf("a lagging delivery is %s with %d attempts", d.Status, d.Attempts)
	}
	if d := record.Deliveries[2]; d.Status != sender.Pending || !d.Due.Equal(record.StoredAt) {
		t.Errorf("a lagging delivery is %s, due at %v", d.Status, d.Due)
	}
}
