package postgresstore

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
)

// TestTakeOverEndsUnderLoad: a take-over ends although others store events all
// the time, so that the names that the dead one held become free.
func TestTakeOverEndsUnderLoad(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	living, dying := open(t, o), open(t, o)
	put := func(s *Store, first int) {
		t.Helper()
		if err := s.PutEvents(background, batch(1, first, "a")); err != nil {
			t.Fatal(err)
		}
	}
	put(dying, 1)
	if held, err := dying.Hold(background, "lane a"); err != nil || !held {
		t.Fatalf("Hold = %t, %v", held, err)
	}
	number := dying.keeper.number()
	if err := crash(dying); err != nil {
		t.Fatal(err)
	}
	if _, err := living.pool.Exec(background, living.in(retire), number, false); err != nil {
		t.Fatal(err)
	}
	for step := 1; ; step++ {
		put(living, 1+step)
		var done bool
		err := living.pool.AcquireFunc(background, func(conn *pgxpool.Conn) (err error) {
			_, done, err = living.takeOverStep(context.Background(), conn, number, false)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if done {
			break
		}
		if step == 10 {
			t.Fatalf("the take-over has not ended after %d steps", step)
		}
	}
	if held, err := living.Hold(background, "lane a"); err != nil || !held {
		t.Errorf("Hold after the take-over = %t, %v", held, err)
	}
	record, err := living.Event(background, "", batch(1, 1)[0].Events[0].Event.ID)
	if err != nil || len(record.Deliveries) != 1 {
		t.Errorf("the event of the dead instance: %+v, %v", record, err)
	}
}

// TestTakeOverFreesAll guards that deliveries of a dead instance are all free in
// the end, although another one settles some of them in the middle of a step.
func TestTakeOverFreesAll(t *testing.T) {
	const dead = 1_000_000
	o := options(t, postgrestest.Shared(t).URL())
	s := open(t, o)
	conn := connect(t, o.URL)
	execute(t, conn, s.in(`INSERT INTO {s}.endpoints (id) VALUES ('a')`))
	execute(t, conn, s.in(`INSERT INTO {s}.retired (number, low_water) VALUES ($1, 1)`), dead)
	execute(t, conn, s.in(`INSERT INTO {s}.waiting (event_seq, due, endpoint, attempts, schedule_start, size, holder, status, retry)
		SELECT n, 0, 1, 1, 0, 1, $1, 1, true FROM generate_series(1, $2::integer) n`), dead, 2*takeOverDeliveries)
	execute(t, conn, "BEGIN")
	execute(t, conn, s.in(`DELETE FROM {s}.waiting WHERE event_seq <= 10`))
	ended := make(chan error, 1)
	go func() {
		_, err := s.takeOver(context.Background(), dead, false)
		ended <- err
	}()
	untilWaiting(t, s, conn.PgConn().PID(), ended)
	execute(t, conn, "COMMIT")
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	var held int
	if err := conn.QueryRow(background, s.in(`SELECT count(*) FROM {s}.waiting WHERE holder IS NOT NULL`)).Scan(&held); err != nil || held > 0 {
		t.Errorf("%d deliveries are held by an instance that is no more, %v", held, err)
	}
}

// TestTakeOverPassesOverWhatIsBeingSettled guards that a delivery whose row
// another instance takes away while a take-over looks, because it has settled
// it, does not become pending again.
func TestTakeOverPassesOverWhatIsBeingSettled(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	living, dying := open(t, o), open(t, o)
	if err := dying.PutEvents(background, batch(3, 1, "a")); err != nil {
		t.Fatal(err)
	}
	number := dying.keeper.number()
	if err := crash(dying); err != nil {
		t.Fatal(err)
	}
	if _, err := living.takeOver(background, number, false); err != nil {
		t.Fatal(err)
	}
	// A step that goes through the same events again, as one after a long step
	// goes through events whose deliveries that one has freed.
	if _, err := living.pool.Exec(background, living.in(`INSERT INTO {s}.retired (number, low_water) VALUES ($1, 0)`), number); err != nil {
		t.Fatal(err)
	}
	settling, err := living.pool.Begin(background)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = settling.Rollback(context.WithoutCancel(t.Context())) }()
	tag, err := settling.Exec(background, living.in(`WITH gone AS (DELETE FROM {s}.waiting RETURNING event_seq, endpoint)
		INSERT INTO {s}.deliveries (event_seq, endpoint, attempts, schedule_start, status) SELECT event_seq, endpoint, 1, 0, 3 FROM gone`))
	if err != nil || tag.RowsAffected() != 3 {
		t.Fatal(tag, err)
	}
	var pid uint32
	if err := settling.QueryRow(background, `SELECT pg_backend_pid()`).Scan(&pid); err != nil {
		t.Fatal(err)
	}
	stepped := make(chan error, 1)
	go func() {
		stepped <- living.pool.AcquireFunc(background, func(conn *pgxpool.Conn) error {
			_, _, err := living.takeOverStep(context.Background(), conn, number, false)
			return err
		})
	}()
	untilWaiting(t, living, pid, stepped)
	if err := settling.Commit(background); err != nil {
		t.Fatal(err)
	}
	if err := <-stepped; err != nil {
		t.Fatal(err)
	}
	var pending int
	if err := living.pool.QueryRow(background, living.in(`SELECT count(*) FROM {s}.waiting`)).Scan(&pending); err != nil || pending != 0 {
		t.Errorf("%d deliveries that were settled are pending again (%v)", pending, err)
	}
}
