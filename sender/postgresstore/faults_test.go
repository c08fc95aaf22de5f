//go:build unix

package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
)

// load puts and settles events, each to the endpoint "a", through one instance
// until it is stopped, as a sender does: what fails is done again.
type load struct {
	s      *Store
	name   string
	stored map[string]int64 // acknowledged, by ID
	ended  map[string]bool  // of which the outcome was acknowledged
	errs   int
}

// run makes events one batch after another. Of each batch, half is settled.
func (l *load) run(t *testing.T, stop <-chan struct{}) {
	l.stored, l.ended = map[string]int64{}, map[string]bool{}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		publications := batch(8, 0, "a")
		for i, p := range publications {
			p.Events[0].Event.ID = fmt.Sprintf("%s-%d-%d", l.name, n, i)
		}
		for err := l.s.PutEvents(background, publications); err != nil; err = l.s.PutEvents(background, publications) {
			l.errs++
			time.Sleep(20 * time.Millisecond)
		}
		for _, p := range publications {
			if p.Err != nil {
				t.Errorf("event %s: %v", p.Events[0].Event.ID, p.Err)
				return
			}
			l.stored[p.Events[0].Event.ID] = p.Events[0].Seq
		}
		list := outcomes(publications[:4], "a", delivered)
		for err := l.s.Settle(background, list); err != nil; err = l.s.Settle(background, list) {
			l.errs++
			time.Sleep(20 * time.Millisecond)
		}
		for _, p := range publications[:4] {
			l.ended[p.Events[0].Event.ID] = true
		}
	}
}

// check compares what is stored with what was acknowledged.
func (l *load) check(t *testing.T, s *Store) (pending int64) {
	t.Helper()
	if len(l.stored) == 0 {
		t.Errorf("%s has stored nothing", l.name)
	}
	for id, seq := range l.stored {
		record, err := s.Event(background, "", id)
		if err != nil {
			t.Errorf("the acknowledged event %s: %v", id, err)
			continue
		}
		d := record.Deliveries[0]
		if d.Seq != seq {
			t.Errorf("event %s has number %d, %d was acknowledged", id, d.Seq, seq)
		}
		switch {
		case l.ended[id] && (d.Status != sender.Succeeded || len(d.History) != 1):
			t.Errorf("the delivery of event %s is %s with %d attempts, its success was acknowledged", id, d.Status, len(d.History))
		case d.Status == sender.Pending:
			pending++
		}
	}
	return pending
}

// TestServerKilled: however often the server dies, nothing is missing that was
// acknowledged, nothing is counted twice, and all that is pending can be claimed.
func TestServerKilled(t *testing.T) {
	server := postgrestest.Start(t)
	o := options(t, server.URL())
	o.Lease = time.Second
	loads := []*load{{s: open(t, o), name: "x"}, {s: open(t, o), name: "y"}}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for _, l := range loads {
		wg.Go(func() { l.run(t, stop) })
	}
	for range 4 {
		time.Sleep(400 * time.Millisecond)
		server.Kill()
		time.Sleep(200 * time.Millisecond)
		server.Run(t)
	}
	time.Sleep(500 * time.Millisecond)
	close(stop)
	wg.Wait()
	if loads[0].errs+loads[1].errs == 0 {
		t.Error("no call has failed: the server was not used while it died")
	}
	checker := open(t, o)
	pending := loads[0].check(t, checker) + loads[1].check(t, checker)
	for _, l := range loads {
		if err := l.s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	claimed := int64(0)
	for {
		c, err := checker.Claim(background, sender.ClaimQuery{EndpointID: "a", Now: start.Add(time.Hour), Limit: 1000, Bytes: 1 << 40})
		if err != nil {
			t.Fatal(err)
		}
		if claimed += int64(len(c.Deliveries)); len(c.Deliveries) == 0 {
			break
		}
	}
	counts, err := checker.Pending(background)
	if err != nil || len(counts) != 1 || counts[0].Deliveries != claimed {
		t.Errorf("pending are %v, %d could be claimed, %v", counts, claimed, err)
	}
	// What failed and was never acknowledged may be there as well.
	if claimed < pending {
		t.Errorf("%d deliveries could be claimed, %d acknowledged ones are pending", claimed, pending)
	}
	attempts := int64(0)
	counters, err := checker.Counters(background, sender.CounterQuery{Step: sender.StepMinute})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counters {
		attempts += c.Attempts
	}
	if want := int64(len(loads[0].ended) + len(loads[1].ended)); attempts != want {
		t.Errorf("%d attempts were counted, %d were settled", attempts, want)
	}
}

// TestConnectionsKilled: connections that are ended in the middle of something
// leave nothing half done.
func TestConnectionsKilled(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	o := options(t, url)
	o.Lease = 2 * time.Second
	l := &load{s: open(t, o), name: "x"}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { l.run(t, stop) })
	for range 30 {
		time.Sleep(20 * time.Millisecond)
		server.Exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	}
	close(stop)
	wg.Wait()
	if l.errs == 0 {
		t.Error("no call has failed: the connections were not used when they were ended")
	}
	l.check(t, l.s)
}

// TestListeningLost: when the listening connection is lost, anything may have
// changed; then it listens again.
func TestListeningLost(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.Database(t)
	o := options(t, url)
	a, b := open(t, o), open(t, o)
	changes := make(chan sender.Change, 1000)
	go func() { _ = b.Watch(t.Context(), func(c sender.Change) { changes <- c }) }()
	want := func(kind sender.ChangeKind) {
		t.Helper()
		for deadline := time.After(30 * time.Second); ; {
			select {
			case c := <-changes:
				if c.Kind == kind {
					return
				}
			case <-deadline:
				t.Fatalf("change %d is not told", kind)
			}
		}
	}
	document := func() {
		t.Helper()
		if err := a.PutDocuments(background, []*sender.Document{{Kind: "k", ID: "1", Version: sender.AnyVersion}}); err != nil {
			t.Fatal(err)
		}
	}
	want(sender.ChangeAll)
	want(sender.ChangeAll) // it listens
	document()
	want(sender.ChangeDocument)
	for range 2 {
		server.Exec(t, url, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'`)
		want(sender.ChangeAll)
		document()
		want(sender.ChangeDocument)
	}
}

// TestDurableInSpiteOfTheServer: a server that commits before it has synced its
// disk, by default, does not do so for the store.
func TestDurableInSpiteOfTheServer(t *testing.T) {
	server := postgrestest.Start(t, "synchronous_commit=off", "wal_writer_delay=10s")
	o := options(t, server.URL())
	s := open(t, o)
	for i := range 5 {
		p := batch(10, 10*i, "a")
		publish(t, s, p)
		if i%2 == 0 {
			settleAll(t, s, outcomes(p, "a", delivered))
		}
		server.Kill()
		server.Run(t)
		for _, p := range p {
			record, err := s.Event(background, "", p.Events[0].Event.ID)
			if err != nil {
				t.Fatalf("after the death of the server: %v", err)
			}
			if got := record.Deliveries[0].Status; got == sender.Pending != (i%2 == 1) {
				t.Fatalf("after the death of the server the delivery is %s", got)
			}
		}
	}
}

// TestDuplicatesWaitForTheStandby guards that an event which is there already is
// not acknowledged before the standby has it that the server is to wait for.
func TestDuplicatesWaitForTheStandby(t *testing.T) {
	server := postgrestest.Start(t)
	s := open(t, options(t, server.URL()))
	p := batch(2, 0, "a")
	p = []*sender.Publication{{Events: append(p[0].Events, p[1].Events...)}}
	publish(t, s, p)
	set := func(standby string) {
		server.Exec(t, server.URL(), "ALTER SYSTEM SET synchronous_standby_names = '"+standby+"'")
		server.Exec(t, server.URL(), "SELECT pg_reload_conf()")
	}
	set("nobody")
	conn, probe := connect(t, server.URL()), connect(t, server.URL())
	waits := func(query string) (waits bool) {
		err := conn.QueryRow(background, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE $1)`, query).Scan(&waits)
		if err != nil {
			t.Fatal(err)
		}
		return waits
	}
	probing, stop := context.WithCancel(t.Context())
	defer stop()
	probed := make(chan error, 1)
	go func() {
		var err error
		for err == nil && probing.Err() == nil {
			_, err = probe.Exec(background, `SELECT pg_logical_emit_message(true, 'probe', '')`)
		}
		probed <- err
	}()
	soon(t, "the server waits for its standby", func() bool { return waits("%probe%") })
	stop()
	ended := make(chan error, 1)
	go func() { ended <- s.PutEvents(background, p) }()
	soon(t, "the store waits, or has ended", func() bool { return len(ended) > 0 || waits("%.change(%") })
	if len(ended) > 0 {
		t.Error("the events were acknowledged without the standby")
	}
	set("")
	if err := errors.Join(<-ended, <-probed); err != nil {
		t.Error(err)
	}
	if e := p[0].Events; !e[0].Duplicate || !e[1].Duplicate {
		t.Errorf("it stored %+v", e)
	}
}

// TestReadOnly: a server that has become a standby is told of; when it can be
// written to again, all goes on.
func TestReadOnly(t *testing.T) {
	server := postgrestest.Start(t)
	s := open(t, options(t, server.URL()))
	publish(t, s, batch(1, 0, "a"))
	set := func(value string) {
		server.Exec(t, server.URL(), "SET default_transaction_read_only = off")
		server.Exec(t, server.URL(), "ALTER SYSTEM SET default_transaction_read_only = "+value)
		server.Exec(t, server.URL(), "SELECT pg_reload_conf()")
	}
	set("on")
	var err error
	for until := time.Now().Add(10 * time.Second); err == nil && time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		err = s.PutEvents(background, batch(1, 1+int(time.Until(until).Milliseconds()), "a"))
	}
	if err == nil || stateOf(err) != stateReadOnly {
		t.Errorf("PutEvents = %v, want that the server is read-only", err)
	}
	if _, err := s.Event(background, "", batch(1, 0)[0].Events[0].Event.ID); err != nil {
		t.Errorf("Event = %v", err)
	}
	server.Kill()
	if err := s.PutEvents(background, batch(1, 0, "a")); err == nil {
		t.Error("PutEvents returned no error without a server")
	}
	server.Run(t)
	conn := "postgres://postgres@127.0.0.1:" + server.Port + "/postgres?sslmode=disable&default_transaction_read_only=off"
	server.Exec(t, conn, "ALTER SYSTEM RESET default_transaction_read_only")
	server.Exec(t, conn, "SELECT pg_reload_conf()")
	for until := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err = s.PutEvents(background, batch(1, 1_000_000, "a")); err == nil || time.Now().After(until) {
			break
		}
	}
	if err != nil {
		t.Errorf("PutEvents = %v, although the server can be written to again", err)
	}
}

// TestReadOnlyConnections guards that connections which were made while the
// server was read-only, as to the old primary by its name just after a failover,
// are not kept: neither by one that writes nor by one that only renews its lease.
func TestReadOnlyConnections(t *testing.T) {
	server := postgrestest.Shared(t)
	puts := func(s *Store) bool { return s.PutEvents(background, batch(1, 1, "a")) == nil }
	holds := func(s *Store) bool {
		_, count := s.Instances()
		return count == 1
	}
	for name, test := range map[string]struct {
		lease time.Duration
		works func(*Store) bool
	}{
		"storing events":     {0, puts},
		"renewing the lease": {time.Second, holds},
	} {
		t.Run(name, func(t *testing.T) {
			url := server.Database(t)
			o := options(t, url)
			o.Lease = test.lease
			s := open(t, o)
			conn := connect(t, url)
			database := pgx.Identifier{conn.Config().Database}.Sanitize()
			execute(t, conn, "ALTER DATABASE "+database+" SET default_transaction_read_only = on")
			s.pool.Reset()
			soon(t, "it cannot be written to", func() bool { return !test.works(s) })
			execute(t, conn, "ALTER DATABASE "+database+" RESET default_transaction_read_only")
			soon(t, "it can", func() bool { return test.works(s) })
			s.pool.Reset() // one that was made meanwhile may be left, and Close be the next that gets it
		})
	}
}

// TestSetBack: after a failover to a standby that did not have the last events,
// their numbers are given again. An instance that holds such events, and whose
// connections were idle at that moment, has to notice: what it would record of
// them is not true of the events that have their numbers now.
func TestSetBack(t *testing.T) {
	for name, notice := range map[string]func(*Store) error{
		"storing events":     func(s *Store) error { return s.PutEvents(background, batch(3, 50, "a")) },
		"renewing the lease": func(s *Store) error { return s.renew(background, s.keeper.number()) },
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, postgrestest.Shared(t).URL())
			o.Lease = time.Hour // so that nothing else renews it
			s := open(t, o)
			publish(t, s, batch(10, 0, "a"))
			gone := batch(100, 10, "a")
			publish(t, s, gone)
			back := gone[0].Events[0].Seq - 1
			conn := connect(t, postgrestest.Shared(t).URL())
			execute(t, conn, "BEGIN")
			execute(t, conn, s.in(`DELETE FROM {s}.events WHERE seq > $1`), back)
			execute(t, conn, s.in(`DELETE FROM {s}.event_ids WHERE seq > $1`), back)
			execute(t, conn, s.in(`UPDATE {s}.pending SET deliveries = 10`))
			execute(t, conn, s.in(`SELECT setval('{s}.seq', $1)`), back)
			execute(t, conn, "COMMIT")
			if err := notice(s); !errors.Is(err, errSetBack) {
				t.Fatalf("it returned %v, want that the database was set back", err)
			}
			settleAll(t, s, outcomes(gone, "a", delivered))
			soon(t, "events are stored", func() bool { return s.PutEvents(background, batch(3, 50, "a")) == nil })
			again := batch(20, 100, "a")
			publish(t, s, again)
			settleAll(t, s, outcomes(again, "a", delivered))
			counts, err := s.Pending(background)
			if err != nil || len(counts) != 1 || counts[0].Deliveries != 13 {
				t.Errorf("pending are %v, %v, want 13", counts, err)
			}
			backlog, err := s.Backlog(background)
			if err != nil || len(backlog) != 1 {
				t.Errorf("the backlog is %v, %v: what it held before is not free", backlog, err)
			}
		})
	}
}

// TestSetBackEndpoints guards that an instance notices that the database was set
// back although it has stored none of the events that are gone, and does not go on
// with the numbers of endpoints that it knows: events would go to others that have
// got these numbers since.
func TestSetBackEndpoints(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	s, other := open(t, o), open(t, o)
	publish(t, other, batch(10, 0, "a"))
	publish(t, other, batch(10, 10, "gone"))
	if _, err := s.Claim(background, sender.ClaimQuery{EndpointID: "gone", Now: start, Limit: 1, Bytes: 1}); err != nil {
		t.Fatal(err)
	}
	was := s.keeper.number()
	if err := errors.Join(s.renew(background, was), crash(other)); err != nil {
		t.Fatal(err)
	}
	conn := connect(t, o.URL)
	execute(t, conn, s.in(`UPDATE {s}.endpoints SET id = 'another' WHERE id = 'gone'`))
	execute(t, conn, s.in(`SELECT setval('{s}.seq', 10)`))
	_ = s.renew(background, was)
	soon(t, "it joins anew", func() bool { n := s.keeper.number(); return n != 0 && n != was })
	p := batch(1, 20, "gone")
	soon(t, "an event is stored", func() bool { return s.PutEvents(background, p) == nil })
	record, err := s.Event(background, "", p[0].Events[0].Event.ID)
	if err != nil || len(record.Deliveries) != 1 || record.Deliveries[0].EndpointID != "gone" {
		t.Errorf("its deliveries are %+v, %v, want one to the endpoint gone", record.Deliveries, err)
	}
	var name string
	if err := conn.QueryRow(background, s.in(`SELECT e.id FROM {s}.events JOIN {s}.endpoints e ON e.number = targets[1] WHERE events.id = $1`),
		p[0].Events[0].Event.ID).Scan(&name); err != nil || name != "gone" {
		t.Errorf("the event goes to the endpoint %q, %v", name, err)
	}
	if p[0].Events[0].Seq <= 20 {
		t.Errorf("it has number %d, which another event had", p[0].Events[0].Seq)
	}
}

// TestDiskFull: no room is told as that, and what is stored stays.
func TestDiskFull(t *testing.T) {
	server := postgrestest.Shared(t)
	s := openTemp(t)
	publish(t, s, batch(1, 0, "a"))
	// The state that PostgreSQL answers with when it cannot extend a file.
	server.Exec(t, server.URL(), s.in(`CREATE FUNCTION {s}.full() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
		CREATE TRIGGER t BEFORE INSERT ON {s}.events FOR EACH ROW EXECUTE FUNCTION {s}.full()`))
	if err := s.PutEvents(background, batch(1, 1, "a")); !errors.Is(err, sender.ErrStoreFull) {
		t.Errorf("PutEvents = %v, want ErrStoreFull", err)
	}
	if _, err := s.Event(background, "", batch(1, 0)[0].Events[0].Event.ID); err != nil {
		t.Errorf("Event = %v", err)
	}
	server.Exec(t, server.URL(), s.in(`DROP TRIGGER t ON {s}.events`))
	publish(t, s, batch(1, 1, "a"))
	counts, err := s.Pending(background)
	if err != nil || len(counts) != 1 || counts[0].Deliveries != 2 {
		t.Errorf("pending are %v, %v", counts, err)
	}
}

// TestCallEndsInTime: a context that ends during a call does not break off what
// is being written, so that it is known what was.
func TestCallEndsInTime(t *testing.T) {
	s := openTemp(t)
	number := s.keeper.number()
	for i := range 50 {
		ctx, cancel := context.WithCancel(background)
		time.AfterFunc(time.Duration(i)*20*time.Microsecond, cancel)
		err := s.PutEvents(ctx, batch(1, i, "a"))
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if s.keeper.number() != number {
		t.Error("it has joined anew")
	}
}
