//go:build unix

package postgresstore

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// fillRows makes n events to two of four endpoints each: of the first deliveries
// one in ten is pending and one in a hundred blocked, the others have succeeded;
// of the second ones one in a hundred has failed. One in ten events is a tenant's.
func fillRows(t *testing.T, s *Store, n int) {
	t.Helper()
	publish(t, s, batch(1, 1_000_000, "a", "b", "c", "d")) // numbers the endpoints from 1 to 4
	postgrestest.Shared(t).Exec(t, postgrestest.Shared(t).URL(), strings.ReplaceAll(s.in(`
		INSERT INTO {s}.events (seq, stored_at, timestamp, timestamp_ns, holder, size, targets, id, type, tenant, data)
			SELECT i, i, 0, 0, 0, 100, ARRAY[1 + i % 2, 3 + i % 2], 'id' || i, 'a', CASE WHEN i % 10 = 0 THEN 't'::bytea ELSE '' END, repeat('x', 100)::bytea
			FROM generate_series(1000, 999 + $n) i;
		INSERT INTO {s}.event_ids (seq, id, tenant) SELECT seq, id, tenant FROM {s}.events WHERE seq >= 1000;
		INSERT INTO {s}.waiting (event_seq, due, endpoint, attempts, schedule_start, size, status, retry)
			SELECT i, i, 1 + i % 2, i % 2, 0, 100, CASE WHEN i % 100 = 7 THEN 2 ELSE 1 END, i % 2 = 1 FROM generate_series(1000, 999 + $n) i WHERE i % 10 = 3 OR i % 100 = 7;
		INSERT INTO {s}.deliveries (event_seq, endpoint, attempts, schedule_start, status, attempt)
			SELECT i, 1 + i % 2, 1, 0, 3, '\x0102000000020200' FROM generate_series(1000, 999 + $n) i WHERE NOT (i % 10 = 3 OR i % 100 = 7);
		INSERT INTO {s}.deliveries (event_seq, endpoint, attempts, schedule_start, status, attempt)
			SELECT i, 3 + i % 2, 1, 0, CASE WHEN i % 100 = 9 THEN 4 ELSE 3 END, '\x0102000000020200' FROM generate_series(1000, 999 + $n) i;
		SELECT setval('{s}.seq', 999 + $n);
		UPDATE {s}.instances SET low_water = 1000 + $n;`), "$n", fmt.Sprint(n)))
}

// everything makes each call of a store that has been filled.
func everything(t *testing.T, s *Store, n int) {
	t.Helper()
	tenant, none, now := "t", "", fromMilli(int64(n))
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	p := batch(3, 2_000_000+n, "a")
	publish(t, s, p)
	note(nil, s.PutEvents(background, p)) // duplicates
	note(nil, s.PutEvents(background, []*sender.Publication{{Events: []sender.PutEvent{p[0].Events[0], p[1].Events[0]}}}))
	settleAll(t, s, outcomes(p[:1], "a", delivered))
	settleAll(t, s, outcomes(p[1:], "a", sender.Outcome{Status: sender.Pending, Due: now.Add(time.Hour)}))
	for _, retries := range []bool{false, true} {
		claimed, err := s.Claim(background, sender.ClaimQuery{EndpointID: "a", Retries: retries, Now: now.Add(24 * time.Hour), Limit: 10, Bytes: 1 << 20})
		note(nil, err)
		for _, d := range claimed.Deliveries {
			o := delivered
			attempt := *delivered.Attempt
			attempt.Number = d.Attempts + 1
			o.Seq, o.EndpointID, o.Attempt = d.Seq, "a", &attempt
			note(nil, s.Settle(background, []sender.Outcome{o}))
			note(nil, s.Override(background, []sender.Override{{Seq: d.Seq, EndpointID: "a", Status: sender.Pending, Due: now}}))
		}
	}
	note(s.Backlog(background))
	note(s.Pending(background))
	note(s.Unblock(background, "d", now))
	for _, q := range []sender.MissingQuery{{EndpointID: "a"}, {EndpointID: "b", Tenant: "t", Whole: true}} {
		q.From, q.To, q.Limit, q.Bytes = fromMilli(2000), fromMilli(2010), 3, 1<<20
		missing, err := s.Missing(background, q)
		note(nil, err)
		var add []sender.NewDelivery
		for _, e := range missing.Events {
			add = append(add, sender.NewDelivery{Seq: e.Seq, EndpointID: q.EndpointID, Due: now})
		}
		note(nil, s.AddDeliveries(background, append(add, sender.NewDelivery{Seq: 1001, EndpointID: q.EndpointID, Due: now})))
	}
	note(s.Event(background, "", "id1001"))
	note(s.Delivery(background, 1001, "b"))
	note(s.Counters(background, sender.CounterQuery{Step: sender.StepMinute}))
	note(s.Purge(background, sender.PurgeQuery{Before: fromMilli(900), Limit: 10}))
	note(s.Purge(background, sender.PurgeQuery{Before: fromMilli(900), Limit: 10, Tenant: &tenant}))
	for _, q := range []sender.DeliveryQuery{
		{}, {EndpointIDs: []string{"a"}}, {EndpointIDs: []string{"a", "d"}, Statuses: []sender.Status{sender.Pending}},
		{Statuses: []sender.Status{sender.Failed}}, {EndpointIDs: []string{"c"}, Statuses: []sender.Status{sender.Failed}},
		{Statuses: []sender.Status{sender.Pending}}, {Tenant: &tenant}, {Tenant: &none, Statuses: []sender.Status{sender.Blocked}},
		{Types: []webhook.Pattern{"a"}}, {From: fromMilli(2000), To: fromMilli(2010)},
	} {
		for _, q.OldestFirst = range []bool{false, true} {
			q.Limit = 20
			note(s.Deliveries(background, q))
		}
	}
	for i, err := range errs {
		if err != nil && !errors.Is(err, sender.ErrNotFound) { // it is empty at first
			t.Fatalf("call %d: %v", i, err)
		}
	}
}

// scans are how often each large table was read as a whole, with how many rows
// were seen. Connections tell when they end.
func scans(t *testing.T, s *Store) map[string]int64 {
	t.Helper()
	s.pool.Reset()
	for until := time.Now().Add(10 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if stat := s.pool.Stat(); stat.TotalConns() == 0 {
			break
		}
	}
	conn, err := pgx.Connect(background, s.pool.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(background)
	time.Sleep(100 * time.Millisecond) // the server ends its side
	rows, err := conn.Query(background, `SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = $1
		AND relname ~ '^(events|deliveries|attempts|waiting|event_ids)'`, s.schema)
	if err != nil {
		t.Fatal(err)
	}
	read := map[string]int64{}
	if err := each(rows, func(rows pgx.Rows) error {
		var table string
		var n int64
		err := rows.Scan(&table, &n)
		read[table] = n
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return read
}

// TestPlans: no call reads a table as a whole, neither with plans that were made
// when it was empty nor with those for what is in it.
func TestPlans(t *testing.T) {
	const n = 30_000
	o := options(t, postgrestest.Shared(t).URL())
	o.MaxConns = 2
	s := open(t, o)
	for i := range 8 { // then a plan is kept
		everything(t, s, 10*i)
	}
	check := func(state string, first int) {
		t.Helper()
		for i := range 8 {
			everything(t, s, first+10*i)
		}
	}
	fillRows(t, s, n)
	before := scans(t, s)
	check("without statistics", n)
	after := scans(t, s)
	for table, rows := range after {
		if rows-before[table] > n {
			t.Errorf("without statistics, %d rows of %s were read one after the other", rows-before[table], table)
		}
	}
	postgrestest.Shared(t).Exec(t, o.URL, "ANALYZE")
	before = scans(t, s)
	check("with statistics", 2*n)
	for table, rows := range scans(t, s) {
		if rows-before[table] > n {
			t.Errorf("with statistics, %d rows of %s were read one after the other", rows-before[table], table)
		}
	}
}

// TestClaimPlans: what is asked all the time reads one range of an index, and
// sorts nothing.
func TestClaimPlans(t *testing.T) {
	s := openTemp(t)
	fillRows(t, s, 30_000)
	postgrestest.Shared(t).Exec(t, s.pool.Config().ConnString(), "ANALYZE")
	for _, test := range []struct {
		name, statement, want string
		args                  []any
	}{
		{"claim", claimSome, "waiting_claim", []any{int32(1), int32(1), false, int64(1 << 40), 100, int64(1 << 30)}},
		{"next", nextDue, "waiting_claim", []any{int32(1), false}},
		{"backlog", listBacklog, "waiting_claim", nil},
		{"unblock", unblockSome, "waiting_blocked", []any{int32(1), int64(1), 100, int32(1)}},
		{"held", freeHeld, "waiting_held", []any{int32(1), 100}},
	} {
		rows, err := s.pool.Query(background, "EXPLAIN "+s.in(test.statement), test.args...)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		plan := strings.Join(lines, "\n")
		if !strings.Contains(plan, test.want) || strings.Contains(plan, "Seq Scan on waiting") {
			t.Errorf("%s does not use %s:\n%s", test.name, test.want, plan)
		}
	}
}
