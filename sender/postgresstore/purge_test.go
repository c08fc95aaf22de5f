package postgresstore

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/sender"
)

// TestPurgePassesOverWhatIsBeingChanged: however often an event that is to go
// gets another delivery just then, the ones that may go do, and it is no failure.
func TestPurgePassesOverWhatIsBeingChanged(t *testing.T) {
	const changing, more = 8, 2
	s := openTemp(t)
	events := batch(changing+more, 1, "a")
	publish(t, s, events)
	settleAll(t, s, outcomes(events, "a", delivered))
	another := batch(1, 1+changing+more, "b")
	publish(t, s, another)
	b, _ := s.endpoints.known("b")
	var adding []*pgx.Conn
	for _, p := range events[:changing] {
		seqs := []int64{p.Events[0].Seq}
		conn := connect(t, s.pool.Config().ConnString())
		adding = append(adding, conn)
		execute(t, conn, "BEGIN")
		execute(t, conn, s.in(lockEvents), seqs)
		execute(t, conn, s.in(addTargets), seqs, []string{string(appendArray(nil, []int32{b}))})
	}
	purged := make(chan error, 1)
	n := 0
	go func() {
		var err error
		n, err = s.Purge(background, sender.PurgeQuery{Before: start.AddDate(1, 0, 0), Limit: 1})
		purged <- err
	}()
	for _, conn := range adding {
		untilWaiting(t, s, conn.PgConn().PID(), purged)
		execute(t, conn, "COMMIT")
	}
	if err := <-purged; err != nil || n != 1 {
		t.Errorf("Purge = %d, %v, want 1", n, err)
	}
	if n, err := s.Purge(background, sender.PurgeQuery{Before: start.AddDate(1, 0, 0), Limit: 100}); err != nil || n != more-1 {
		t.Errorf("Purge of the others = %d, %v, want %d", n, err, more-1)
	}
	var left int
	if err := s.pool.QueryRow(background, s.in(`SELECT count(*) FROM {s}.events`)).Scan(&left); err != nil || left != changing+len(another) {
		t.Errorf("%d events are left (%v), want the %d with deliveries that are pending", left, err, changing+len(another))
	}
}

// execute runs a statement on a connection.
func execute(t *testing.T, conn *pgx.Conn, statement string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(background, statement, args...); err != nil {
		t.Fatal(err)
	}
}
