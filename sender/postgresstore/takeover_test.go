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
