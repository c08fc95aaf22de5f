package sqlitestore

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
)

// plan is how SQLite answers a statement.
func plan(t *testing.T, conn *sqlite.Conn, query string) string {
	t.Helper()
	stmt, err := conn.Prepare("EXPLAIN QUERY PLAN " + query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	var steps []string
	if err := rows(stmt, func() (bool, error) {
		steps = append(steps, stmt.GetText("detail"))
		return true, nil
	}); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return strings.Join(steps, "; ")
}

// TestPlans: every statement finds what it needs by a key or an index, and
// nothing is sorted, so that its cost does not grow with what is stored.
func TestPlans(t *testing.T) {
	s := openTemp(t)
	w, r := <-s.writer, <-s.readers
	defer func() { s.writer <- w; s.readers <- r }()
	var all prepared
	for _, list := range []prepared{w.put.list(), w.settle.list(), w.claim.list(), w.purge.list(), w.unwritten.list(),
		w.override.list(), w.counters.list(), w.documents.list(), r.list(), {{nil, unblockSome}, {nil, setTargets}}} {
		all = append(all, list...)
	}
	costly := regexp.MustCompile(`SCAN|TEMP B-TREE|AUTOMATIC`)
	for _, statement := range all {
		if p := plan(t, w.conn, statement.sql); costly.MatchString(p) {
			t.Errorf("%s\nis answered by: %s", statement.sql, p)
		}
	}
	// The searches that many rows depend on use all of the index.
	for query, want := range map[string]string{
		w.claim.list()[0].sql: "SEARCH deliveries USING COVERING INDEX deliveries_pending (endpoint=? AND retry=? AND (due,event_seq)>(?,?))",
		w.claim.list()[2].sql: "SEARCH deliveries USING COVERING INDEX deliveries_pending (endpoint>?)",
		purgeableEvents:       "SEARCH events USING INDEX events_stored_at (stored_at>? AND stored_at<?)",
		purgeableOf:           "SEARCH events USING INDEX events_tenant (tenant=? AND seq>? AND seq<?)",
		missingEvents:         "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
		missingEventsOf:       "SEARCH events USING INDEX events_tenant (tenant=? AND seq>? AND seq<?)",
		unblockSome: "SEARCH deliveries USING PRIMARY KEY (endpoint=? AND event_seq=?); LIST SUBQUERY 1; " +
			"SEARCH deliveries USING COVERING INDEX deliveries_ended_of (endpoint=? AND status=?)",
		countPending: "SCAN deliveries USING COVERING INDEX deliveries_pending",
	} {
		if got := plan(t, w.conn, query); got != want {
			t.Errorf("%s\nis answered by: %s\nwant: %s", query, got, want)
		}
	}
}

// TestListPlans: the statements of listings read one range of a key or an index
// each, in either direction.
func TestListPlans(t *testing.T) {
	s := openTemp(t)
	r := <-s.readers
	defer func() { s.readers <- r }()
	list := r.listing.list()
	statement := func(stmt **sqlite.Stmt) string {
		for _, p := range list {
			if p.stmt == stmt {
				return p.sql
			}
		}
		t.Fatal("a statement is not prepared")
		return ""
	}
	l := &r.listing
	for direction, bounds := range [2]string{
		newestFirst: "event_seq>? AND (event_seq,endpoint)<(?,?)", oldestFirst: "(event_seq,endpoint)>(?,?) AND event_seq<?",
	} {
		for stmt, want := range map[**sqlite.Stmt]string{
			&l.events[direction]:   "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
			&l.eventsOf[direction]: "SEARCH events USING INDEX events_tenant (tenant=? AND seq>? AND seq<?)",
			&l.key[direction]:      "SEARCH deliveries USING PRIMARY KEY (endpoint=? AND event_seq>? AND event_seq<?)",
			&l.endedOf[direction]:  "SEARCH deliveries USING COVERING INDEX deliveries_ended_of (endpoint=? AND status=? AND event_seq>? AND event_seq<?)",
			&l.ended[direction]:    "SEARCH deliveries USING COVERING INDEX deliveries_ended (status=? AND " + bounds + ")",
			&l.pending:             "SEARCH deliveries USING COVERING INDEX deliveries_pending (endpoint>? AND endpoint<?)",
			&l.storedBefore:        "SEARCH events USING COVERING INDEX events_stored_at (stored_at<?)",
			&l.storedFrom:          "SEARCH events USING COVERING INDEX events_stored_at (stored_at>?)",
		} {
			query := statement(stmt)
			if got := plan(t, r.conn, query); got != want {
				t.Errorf("%s\nis answered by: %s\nwant: %s", query, got, want)
			}
		}
	}
}

// TestEdges: every table and index is looked at when a large file is opened, by
// its ends alone.
func TestEdges(t *testing.T) {
	s := openTemp(t)
	w := <-s.writer
	defer func() { s.writer <- w }()
	var plans strings.Builder
	for _, edge := range edges {
		p := plan(t, w.conn, edge)
		if strings.Contains(p, "SCAN") {
			t.Errorf("%s is answered by: %s", edge, p)
		}
		fmt.Fprintln(&plans, edge, p)
	}
	stmt, err := w.conn.Prepare("SELECT name FROM sqlite_schema WHERE name <> 'marks'")
	if err != nil {
		t.Fatal(err)
	}
	if err := rows(stmt, func() (bool, error) {
		if name := stmt.ColumnText(0); !regexp.MustCompile(`\b` + name + `\b`).MatchString(plans.String()) {
			t.Errorf("%s is not looked at", name)
		}
		return true, nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestManyPending claims from, and lists, 200,000 pending deliveries of four
// endpoints.
func TestManyPending(t *testing.T) {
	const n = 200_000
	path := filepath.Join(t.TempDir(), "webhooks.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, batch(4, 0, "a", "b", "c", "d")) // numbers the endpoints from 1 to 4
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// Delivery i is due i ms after the start. The first tries are those of a,
	// whose number is 1, and the retries those of b; c has both, d has none.
	// Only those that are claimed need their events.
	execute(t, path, fmt.Sprintf(`
		DELETE FROM deliveries; DELETE FROM events;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		INSERT INTO deliveries (endpoint, event_seq, status, retry, attempts, due) SELECT 1 + i %% 3, i, 1,
			CASE i %% 3 WHEN 0 THEN 0 WHEN 1 THEN 1 ELSE i %% 2 END, CASE i %% 3 WHEN 0 THEN 0 WHEN 1 THEN 1 ELSE i %% 2 END,
			%[2]d + i FROM n;
		INSERT INTO events SELECT event_seq, due, 'e' || event_seq, '', 'a', 0, 0, NULL, NULL, x'', x'30', NULL
			FROM deliveries WHERE endpoint = 1 AND event_seq <= 15000;
		INSERT INTO deliveries (endpoint, event_seq, status, retry, attempts, due) SELECT 4, seq, 3, 0, 0, NULL FROM events;
		UPDATE marks SET value = %[3]d WHERE name IN ('low_water', 'last_seq')`, n, start.UnixMilli(), n))
	s, err = Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	due := func(i int) time.Time { return start.Add(time.Duration(i) * time.Millisecond) }
	want := []sender.Backlog{
		{EndpointID: "a", FirstTries: due(3)},
		{EndpointID: "b", Retries: due(1)},
		{EndpointID: "c", FirstTries: due(2), Retries: due(5)},
	}
	check := func() {
		t.Helper()
		backlog, err := s.Backlog(background)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(backlog, func(a, b sender.Backlog) int { return strings.Compare(a.EndpointID, b.EndpointID) })
		if diff := cmp.Diff(want, backlog); diff != "" {
			t.Errorf("Backlog (-want +got):\n%s", diff)
		}
	}
	check()
	for step := range 5 {
		claimed, err := s.Claim(background, sender.ClaimQuery{EndpointID: "a", Now: due(n), Limit: 1000, Bytes: 1 << 30})
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range claimed.Deliveries {
			if number := int64(3 * (1000*step + i + 1)); d.Seq != number {
				t.Fatalf("claim %d has event %d at %d, want %d", step, d.Seq, i, number)
			}
		}
		if next := due(3 * (1000*(step+1) + 1)); len(claimed.Deliveries) != 1000 || !claimed.Next.Equal(next) {
			t.Errorf("claim %d has %d deliveries, and the next is due at %v, want %v", step, len(claimed.Deliveries), claimed.Next, next)
		}
		want[0].FirstTries = claimed.Next
		check()
	}
	w := <-s.writer
	defer func() { s.writer <- w }()
	// What is held is not looked at again.
	visited := 0
	err = w.scan(w.endpoints.byID["a"], firstTries, func(position, bool) (bool, error) { visited++; return visited < 2, nil })
	if seen := w.endpoints.byID["a"].seen[firstTries]; err != nil || seen.seq != 15000 {
		t.Errorf("claims begin at event %d, want 15000, %v", seen.seq, err)
	}
}

// TestSettlePlans guards against conditions of indexes that SQLite makes a table
// for in memory, row by row: IN with more than two values is one, and made
// settling twice as dear.
func TestSettlePlans(t *testing.T) {
	s := openTemp(t)
	w := <-s.writer
	defer func() { s.writer <- w }()
	for _, statement := range slices.Concat(w.put.list(), w.settle.list(), w.unwritten.list()) {
		stmt, err := w.conn.Prepare("EXPLAIN " + statement.sql)
		if err != nil {
			t.Fatalf("%s: %v", statement.sql, err)
		}
		steps := 0
		if err := rows(stmt, func() (bool, error) {
			if steps++; stmt.GetText("opcode") == "OpenEphemeral" {
				t.Errorf("%s\nmakes a table in memory at step %d", statement.sql, stmt.GetInt64("addr"))
			}
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
		if steps == 0 {
			t.Errorf("%s\nhas no steps", statement.sql)
		}
	}
}
