package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
)

// TestOutboxOfThreeCaddys publishes in transactions, of which some are rolled
// back, while each of three Caddys is killed once and PostgreSQL as well. What
// was committed is delivered, in order; what was rolled back is not; and an
// event that nobody may publish is left over, and told of.
func TestOutboxOfThreeCaddys(t *testing.T) {
	server := postgrestest.Start(t)
	url := server.Database(t)
	customer := newArrivals(t)
	options := sharedEndpoints(customer.URL)
	caddys, sites := threeCaddys(t, url, options)
	committed, n := []string(nil), 0
	var conn *pgx.Conn
	connect := func() {
		var err error
		if conn, err = pgx.Connect(t.Context(), url); err != nil {
			t.Fatal(err)
		}
	}
	exec := func(statement string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement, args...); err != nil {
			t.Fatal(err)
		}
	}
	connect()
	publishSome := func() {
		t.Helper()
		for range 100 {
			n++
			id := fmt.Sprintf("evt_%d", n)
			exec("BEGIN")
			for _, kind := range []string{"label.created", "message.created"} {
				exec(`SELECT webhooks.publish($1, json_build_object('n', $2::int), id => $3)`, kind, n, kind[:1]+id)
			}
			if n%5 == 0 {
				exec("ROLLBACK")
				continue
			}
			exec("COMMIT")
			committed = append(committed, id)
		}
	}
	exec(`SELECT webhooks.publish('order.paid', '{}', id => 'unknown-type')`)
	for i, c := range caddys {
		publishSome()
		c.kill()
		publishSome()
		c.again(sites[i], options)
	}
	server.Kill()
	server.Run(t)
	connect()
	publishSome()
	kills := len(caddys) + 1
	for prefix, path := range map[string]string{"l": "/strict", "m": "/shared"} {
		waitFor(t, "what was committed to come to "+path, func() bool {
			got := customer.counts(path)
			return !slices.ContainsFunc(committed, func(id string) bool { return got[prefix+id] == 0 })
		})
		repeats := -len(committed)
		for id, times := range customer.counts(path) {
			if repeats += times; !slices.Contains(committed, strings.TrimPrefix(id, prefix)) {
				t.Errorf("%s was rolled back, and came to %s", id, path)
			}
		}
		if t.Logf("%s: %d events, %d repeats", path, len(committed), repeats); repeats > 100*kills {
			t.Errorf("%s: %d deliveries were repeated, want at most %d", path, repeats, 100*kills)
		}
	}
	// What a Caddy had published of a turn when it died comes late.
	wantOrder(t, customer.of("/strict"), 50*kills)

	const invalid = `caddy_webhooks_outbox_events{state="invalid"} 1`
	waitFor(t, "the metrics to tell of the invalid event", func() bool {
		resp, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+caddys[0].admin+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, answer := exchange(t, resp)
		return strings.Contains(string(answer), invalid)
	})
	out, err := caddys[1].command("webhooks", "status", "--address", caddys[1].admin).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "0 events wait, 1 cannot be published") {
		t.Errorf("the status does not tell of the invalid event: %v\n%s", err, out)
	}
	for _, c := range caddys {
		c.stop()
	}
	var reason string
	if err := conn.QueryRow(t.Context(), `SELECT error FROM webhooks.outbox WHERE id = 'unknown-type'`).Scan(&reason); err != nil || !strings.Contains(reason, `event type "order.paid" is unknown`) {
		t.Errorf("the row of the invalid event says %q, %v", reason, err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
