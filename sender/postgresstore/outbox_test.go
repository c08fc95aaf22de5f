package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// outboxRig is a schema with an outbox, and what was published from it.
type outboxRig struct {
	t       *testing.T
	options Options
	conn    *pgx.Conn // of the application
	stores  []*Store

	mu        sync.Mutex
	published []webhook.Event
	taking    map[int]int // how many each store has published

	refuse func(webhook.Event) error // nil: nothing is refused
}

// newOutboxRig opens n stores, which drain nothing yet.
func newOutboxRig(t *testing.T, n int) *outboxRig {
	t.Helper()
	r := &outboxRig{t: t, options: options(t, postgrestest.Shared(t).URL()), taking: map[int]int{}}
	for range n {
		r.stores = append(r.stores, open(t, r.options))
	}
	r.conn = r.connect()
	return r
}

func (r *outboxRig) connect() *pgx.Conn {
	r.t.Helper()
	return connect(r.t, r.options.URL)
}

// drain has all stores drain until the test ends.
func (r *outboxRig) drain() {
	ctx, stop := context.WithCancel(r.t.Context())
	var drains sync.WaitGroup
	for i, s := range r.stores {
		drains.Go(func() { s.DrainOutbox(ctx, r.publisher(i)) })
		drains.Go(func() { _ = s.Watch(ctx, func(sender.Change) {}) })
	}
	r.t.Cleanup(func() {
		stop()
		drains.Wait()
	})
}

// publisher notes what a store publishes, all of a call or nothing.
func (r *outboxRig) publisher(store int) func(context.Context, ...webhook.Event) ([]sender.Receipt, error) {
	return func(_ context.Context, events ...webhook.Event) ([]sender.Receipt, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, e := range events {
			if r.refuse != nil {
				if err := r.refuse(e); err != nil {
					return nil, err
				}
			}
		}
		r.published = append(r.published, events...)
		r.taking[store] += len(events)
		return make([]sender.Receipt, len(events)), nil
	}
}

// exec runs a statement of the application, in which {s} is the schema.
func (r *outboxRig) exec(statement string, args ...any) {
	r.t.Helper()
	if _, err := r.conn.Exec(r.t.Context(), inSchema(statement, r.options.Schema), args...); err != nil {
		r.t.Fatal(err)
	}
}

// ids are those of what was published, in order.
func (r *outboxRig) ids() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.published {
		ids = append(ids, e.ID)
	}
	return ids
}

// wantIDs waits until so many events were published, and compares them.
func (r *outboxRig) wantIDs(want ...string) {
	r.t.Helper()
	r.await(len(want))
	if diff := cmp.Diff(want, r.ids()); diff != "" {
		r.t.Errorf("published (-want +got):\n%s", diff)
	}
}

func (r *outboxRig) await(n int) {
	r.t.Helper()
	r.until(fmt.Sprint(n, " events to be published"), func() bool { return len(r.ids()) >= n })
}

func (r *outboxRig) until(what string, is func() bool) {
	r.t.Helper()
	for until := time.Now().Add(60 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			r.t.Fatalf("gave up waiting for %s", what)
		}
	}
}

// wantCount waits until so many events are in the outbox.
func (r *outboxRig) wantCount(want sender.OutboxCount) {
	r.t.Helper()
	r.until(fmt.Sprintf("the outbox to have %+v", want), func() bool {
		got, err := r.stores[0].CountOutbox(r.t.Context())
		if err != nil {
			r.t.Fatal(err)
		}
		return got == want
	})
}

func TestOutboxPublishesWhatWasCommitted(t *testing.T) {
	r := newOutboxRig(t, 1)
	r.exec("BEGIN")
	r.exec(`SELECT {s}.publish('a', '1', id => 'rolled back')`)
	r.exec("ROLLBACK")
	r.exec(`SELECT {s}.publish('a', '2', id => 'before')`)
	r.drain()
	r.wantIDs("before")
	r.exec("BEGIN")
	r.exec(`SELECT {s}.publish('order.paid', '{"n": 1.0, "a": [1, 2]}', tenant => 'acme', id => 'whole', "timestamp" => '2024-03-05 10:30:00.123456Z')`)
	r.exec(`SELECT {s}.publish('b', json_build_object('n', 1))`)
	time.Sleep(20 * time.Millisecond)
	if ids := r.ids(); len(ids) != 1 {
		t.Errorf("%q were published before they were committed", ids)
	}
	began := time.Now()
	r.exec("COMMIT")
	r.await(3)
	r.wantCount(sender.OutboxCount{})
	r.mu.Lock()
	defer r.mu.Unlock()
	want := webhook.Event{ID: "whole", Type: "order.paid", Tenant: "acme", Data: []byte(`{"n": 1.0, "a": [1, 2]}`),
		Timestamp: time.Date(2024, 3, 5, 10, 30, 0, 123456000, time.UTC)}
	if diff := cmp.Diff(want, r.published[1]); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	made := r.published[2]
	if err := webhook.CheckEventID(made.ID); err != nil || !strings.HasPrefix(made.ID, "evt_") || len(made.ID) != 36 || made.ID[16] != '7' || !strings.Contains("89ab", made.ID[20:21]) {
		t.Errorf("the ID that was made is %q, %v", made.ID, err)
	}
	if d := began.Sub(made.Timestamp); d < -time.Minute || d > time.Minute {
		t.Errorf("the timestamp is %v, want about %v", made.Timestamp, began)
	}
}

// TestOutboxEmptyID guards that an event that is given an empty ID has one when
// it is in the outbox. Otherwise it would get one at each try to publish it, and be
// published twice when one failed after it was stored.
func TestOutboxEmptyID(t *testing.T) {
	r := newOutboxRig(t, 1)
	var id string
	if err := r.conn.QueryRow(t.Context(), inSchema(`SELECT {s}.publish('a', '1', id => '')`, r.options.Schema)).Scan(&id); err != nil {
		t.Fatal(err)
	}
	if err := webhook.CheckEventID(id); err != nil || !strings.HasPrefix(id, "evt_") {
		t.Errorf("the function returned the ID %q, %v", id, err)
	}
	r.drain()
	r.wantIDs(id)
	if _, err := r.conn.Exec(t.Context(), inSchema(`INSERT INTO {s}.outbox (id, tenant, type, data) VALUES ('', '', 'a', '1')`, r.options.Schema)); err == nil {
		t.Error("a row without an ID was taken")
	}
}

// TestOutboxIsSharedInOrder has three stores drain what two applications
// publish. Each event is published once, and those of each application in its
// order.
func TestOutboxIsSharedInOrder(t *testing.T) {
	const events = 1500
	r := newOutboxRig(t, 3)
	r.drain()
	var applications sync.WaitGroup
	for a := range 2 {
		conn := r.connect()
		applications.Go(func() {
			for n := range events {
				if _, err := conn.Exec(t.Context(), inSchema(`SELECT {s}.publish('a', '1', id => $1)`, r.options.Schema), fmt.Sprintf("%d-%06d", a, n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	applications.Wait()
	r.await(2 * events)
	r.wantCount(sender.OutboxCount{})
	ids := r.ids()
	for _, application := range []string{"0-", "1-"} {
		own := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !strings.HasPrefix(id, application) })
		if len(own) != events || !slices.IsSorted(own) {
			t.Errorf("%d events of the application %s were published, in order: %t", len(own), application, slices.IsSorted(own))
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t.Logf("published by each: %v", r.taking)
}

// TestOutboxSetsInvalidEventsAside: what cannot be published holds up nothing,
// and can be corrected.
func TestOutboxSetsInvalidEventsAside(t *testing.T) {
	r := newOutboxRig(t, 2)
	r.refuse = func(e webhook.Event) error {
		switch e.Type {
		case "bad":
			return fmt.Errorf("%w: event type %q is unknown", sender.ErrInvalid, e.Type)
		case "taken":
			return fmt.Errorf("event %q: %w", e.ID, sender.ErrConflict)
		}
		return nil
	}
	var want []string
	for n := range 40 {
		kind := "good"
		switch n {
		case 0, 17, 18, 39:
			kind = "bad"
		case 20:
			kind = "taken"
		default:
			want = append(want, fmt.Sprintf("%02d", n))
		}
		r.exec(`SELECT {s}.publish($1, '1', id => $2)`, kind, fmt.Sprintf("%02d", n))
	}
	r.drain()
	r.wantIDs(want...)
	r.wantCount(sender.OutboxCount{Invalid: 5})
	rows, err := r.conn.Query(t.Context(), inSchema(`SELECT id || ' ' || error FROM {s}.outbox WHERE failed_at IS NOT NULL ORDER BY number`, r.options.Schema))
	if err != nil {
		t.Fatal(err)
	}
	errs, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(errs) != 5 || !strings.HasPrefix(errs[0], `00 invalid event: event type "bad" is unknown`) || !strings.Contains(errs[3], sender.ErrConflict.Error()) {
		t.Errorf("what was set aside: %q, %v", errs, err)
	}
	r.exec(`UPDATE {s}.outbox SET type = 'good', error = NULL WHERE type = 'bad'`)
	r.exec(`SELECT {s}.publish('good', '1', id => 'last')`)
	r.wantIDs(append(want, "00", "17", "18", "39", "last")...)
	r.wantCount(sender.OutboxCount{Invalid: 1})
}

// TestOutboxSetsEndlessTimesAside guards that an infinity, which PostgreSQL has
// among its timestamps, holds up no other event.
func TestOutboxSetsEndlessTimesAside(t *testing.T) {
	r := newOutboxRig(t, 1)
	for _, timestamp := range []string{"infinity", "-infinity", "2024-03-05 10:30Z"} {
		r.exec(`SELECT {s}.publish('a', '1', id => $1, "timestamp" => $2)`, "at "+timestamp, timestamp)
	}
	r.drain()
	r.wantIDs("at 2024-03-05 10:30Z")
	r.wantCount(sender.OutboxCount{Invalid: 2})
	var reason string
	err := r.conn.QueryRow(t.Context(), inSchema(`SELECT DISTINCT error FROM {s}.outbox`, r.options.Schema)).Scan(&reason)
	if err != nil || !strings.Contains(reason, "timestamp is infinity") {
		t.Errorf("the reason is %q, %v", reason, err)
	}
}

// TestOutboxOfAnotherEncoding guards that events are UTF-8 whatever the encoding of
// the database is.
func TestOutboxOfAnotherEncoding(t *testing.T) {
	server := postgrestest.Shared(t)
	name := fmt.Sprint("latin", time.Now().UnixNano())
	server.Exec(t, server.URL(), "CREATE DATABASE "+name+" ENCODING 'LATIN1' TEMPLATE template0")
	url := strings.Replace(server.URL(), "/postgres?", "/"+name+"?", 1)
	r := &outboxRig{t: t, options: options(t, url), taking: map[int]int{}}
	r.stores = append(r.stores, open(t, r.options))
	r.conn = connect(t, url+"&client_encoding=UTF8")
	r.exec(`SELECT {s}.publish('a', '"Zoë"', tenant => 'Zoë', id => 'e')`)
	r.drain()
	r.wantIDs("e")
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.published[0]; string(e.Data) != `"Zoë"` || e.Tenant != "Zoë" {
		t.Errorf("published %q of the tenant %q", e.Data, e.Tenant)
	}
}

// TestOutboxAfterACrashBetween kills the connection when events were published
// and are not taken out yet: they are published again under the same IDs.
func TestOutboxAfterACrashBetween(t *testing.T) {
	r := newOutboxRig(t, 1)
	killed := false
	r.refuse = func(e webhook.Event) error {
		if !killed && e.ID == "2" {
			killed = true
			if _, err := r.conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
				WHERE locktype = 'advisory' AND application_name = 'caddy-webhooks'`); err != nil {
				t.Error(err)
			}
		}
		return nil
	}
	r.exec(`SELECT {s}.publish('a', '1', id => '1'), {s}.publish('a', '1', id => '2')`)
	r.drain()
	r.wantIDs("1", "2", "1", "2")
	r.wantCount(sender.OutboxCount{})
}

// TestOutboxTriesAgain: when the sender cannot take events in for now, they
// stay, and are not invalid.
func TestOutboxTriesAgain(t *testing.T) {
	r := newOutboxRig(t, 1)
	tries := 0
	r.refuse = func(webhook.Event) error {
		if tries++; tries == 1 {
			return fmt.Errorf("publishing: %w", sender.ErrBacklog)
		}
		return nil
	}
	r.exec(`SELECT {s}.publish('a', '1', id => '1')`)
	r.drain()
	r.wantIDs("1")
	r.wantCount(sender.OutboxCount{})
}

// TestOutboxPassesOverARowSomebodyChanges: a row that is locked does not hold up
// the others.
func TestOutboxPassesOverARowSomebodyChanges(t *testing.T) {
	r := newOutboxRig(t, 1)
	r.exec(`SELECT {s}.publish('a', '1', id => '1'), {s}.publish('a', '1', id => '2')`)
	other := r.connect()
	for _, statement := range []string{"BEGIN", `UPDATE {s}.outbox SET tenant = 'acme' WHERE id = '1'`} {
		if _, err := other.Exec(t.Context(), inSchema(statement, r.options.Schema)); err != nil {
			t.Fatal(err)
		}
	}
	r.drain()
	r.wantIDs("2")
	if _, err := other.Exec(t.Context(), "COMMIT"); err != nil {
		t.Fatal(err)
	}
	r.wantIDs("2", "1")
	if tenant := r.published[1].Tenant; tenant != "acme" {
		t.Errorf("the event was published for %q, want acme", tenant)
	}
}

// TestOutboxRights: who may call the function may do nothing else.
func TestOutboxRights(t *testing.T) {
	r := newOutboxRig(t, 1)
	role := "shop" + strings.ToLower(fmt.Sprint(time.Now().UnixNano()))
	r.exec("CREATE ROLE " + role)
	defer func() {
		r.exec("RESET ROLE")
		r.exec("DROP OWNED BY " + role)
		r.exec("DROP ROLE " + role)
	}()
	r.exec("GRANT USAGE ON SCHEMA {s} TO " + role)
	r.exec("SET ROLE " + role)
	denied := func(statement string) {
		t.Helper()
		if _, err := r.conn.Exec(t.Context(), inSchema(statement, r.options.Schema)); stateOf(err) != stateForbidden {
			t.Errorf("%s: %v, want that it is forbidden", statement, err)
		}
	}
	denied(`SELECT {s}.publish('a', '1')`)
	r.exec("RESET ROLE")
	r.exec("GRANT EXECUTE ON FUNCTION {s}.publish TO " + role)
	r.exec("SET ROLE " + role)
	r.exec(`SELECT {s}.publish('a', '1', id => '1')`)
	for _, statement := range []string{
		"SELECT * FROM {s}.outbox", "DELETE FROM {s}.outbox", "SELECT * FROM {s}.documents", "INSERT INTO {s}.holds VALUES ('x', 1)",
		"CREATE TABLE {s}.t (a int)", `INSERT INTO {s}.outbox (id, tenant, type, data) VALUES ('1', '', 'a', '1')`,
	} {
		denied(statement)
	}
	for _, statement := range []string{`SELECT {s}.publish(NULL, '1')`, `SELECT {s}.publish('a', NULL)`, `SELECT {s}.publish('a', '{"a":')`} {
		if _, err := r.conn.Exec(t.Context(), inSchema(statement, r.options.Schema)); err == nil {
			t.Errorf("%s is no error", statement)
		}
	}
}

// TestOutboxOfTheSameEventTwice publishes with a real sender: the same event
// under the same ID is published once, another one is set aside.
func TestOutboxOfTheSameEventTwice(t *testing.T) {
	r := newOutboxRig(t, 1)
	s, err := sender.New(sender.Config{EventTypes: []webhook.EventType{{Name: "*"}}}, r.stores[0], sender.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r.exec(`SELECT {s}.publish('order.paid', '{"n": 1}', id => 'order-1')`)
		r.wantCount(sender.OutboxCount{})
	}
	if e, err := r.stores[0].Event(t.Context(), "", "order-1"); err != nil || string(e.Event.Data) != `{"n":1}` {
		t.Errorf("the event: %+v, %v", e, err)
	}
	r.exec(`SELECT {s}.publish('order.paid', '{"n": 2}', id => 'order-1')`)
	r.wantCount(sender.OutboxCount{Invalid: 1})
	r.exec(`SELECT {s}.publish('Order Paid', '{"n": 2}', id => 'order-2')`)
	r.wantCount(sender.OutboxCount{Invalid: 2})
	if _, err := r.stores[0].Event(t.Context(), "", "order-2"); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("an event of a malformed type: %v, want ErrNotFound", err)
	}
}
