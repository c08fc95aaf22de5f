//go:build unix

package postgresstore

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
)

// TestOpenErrors: errors name what is wrong and what to do, and hold no password.
func TestOpenErrors(t *testing.T) {
	server := postgrestest.Shared(t)
	const secret = "s3cr3t"
	url := strings.Replace(server.URL(), "postgres@", "postgres:"+secret+"@", 1)
	server.Exec(t, server.URL(), "CREATE ROLE nobody LOGIN; CREATE ROLE readonly LOGIN SUPERUSER; ALTER ROLE readonly SET default_transaction_read_only = on")
	newer := open(t, options(t, server.URL()))
	server.Exec(t, server.URL(), newer.in("UPDATE {s}.schema_version SET version = 1000"))
	for name, test := range map[string]struct {
		options Options
		want    []string
	}{
		"no URL":                     {Options{}, []string{"url:"}},
		"a URL that is none":         {Options{URL: "postgres://u:" + secret + "@%zz/"}, []string{"url:", "postgres://user:password@host"}},
		"another scheme":             {Options{URL: "mysql://u:" + secret + "@localhost/"}, []string{"url:"}},
		"another form":               {Options{URL: "nobody://u:" + secret + "@localhost/?sslmode=disable"}, []string{"url:"}},
		"a listen URL that is none":  {Options{URL: url, ListenURL: "postgres://u:" + secret + "@%zz/"}, []string{"listen_url:"}},
		"a schema that is none":      {Options{URL: url, Schema: `x"; DROP`}, []string{"schema:", "lower-case"}},
		"a schema of the server":     {Options{URL: url, Schema: "pg_x"}, []string{"schema:"}},
		"a word of SQL":              {Options{URL: url, Schema: "order"}, []string{"schema:", "order", "another name"}},
		"a lease too short":          {Options{URL: url, Lease: time.Millisecond}, []string{"lease:", "500ms"}},
		"too few connections":        {Options{URL: url, MaxConns: 1}, []string{"max_conns:", "2 to 1000"}},
		"nobody there":               {Options{URL: strings.Replace(url, ":"+server.Port, ":1", 1)}, []string{"cannot be reached", "host and port in url"}},
		"no database":                {Options{URL: strings.Replace(url, "/postgres?", "/nothing?", 1)}, []string{"nothing", "createdb"}},
		"no right":                   {Options{URL: strings.Replace(url, "//postgres:", "//nobody:", 1), Schema: "fresh"}, []string{"GRANT CREATE"}},
		"a server that is read-only": {Options{URL: strings.Replace(url, "//postgres:", "//readonly:", 1)}, []string{"read-only", "target_session_attrs"}},
		"a newer schema":             {Options{URL: url, Schema: newer.schema}, []string{"newer version", newer.schema, "1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(background, 20*time.Second)
			defer cancel()
			s, err := Open(ctx, test.options)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not hold %q", err, want)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error %q holds the password", err)
			}
		})
	}
}

// TestExplained: states of SQL that have a remedy have it in the error.
func TestExplained(t *testing.T) {
	for state, want := range map[string]string{
		stateDiskFull: "make room", stateReadOnly: "primary", stateForbidden: "GRANT", stateNoDatabase: "createdb",
		statePassword: "pg_hba.conf", stateNotAllowed: "pg_hba.conf", stateTooMany: "max_connections", stateNoSchema: "restore",
		stateNoTable: "restore", stateStarting: "starting",
	} {
		err := explained(&pgconn.PgError{Code: state, Severity: "ERROR"})
		if !strings.Contains(err.Error(), want) || stateOf(err) != state {
			t.Errorf("%s is explained as %q", state, err)
		}
		if errors.Is(err, sender.ErrStoreFull) != (state == stateDiskFull) {
			t.Errorf("%s wraps ErrStoreFull: %v", state, err)
		}
	}
}

// TestCertain: only a server's own word, or nothing sent at all, says that nothing
// was done.
func TestCertain(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want bool
	}{
		"an error of the server":    {&pgconn.PgError{Code: "23505", SeverityUnlocalized: "ERROR"}, true},
		"the end of the connection": {&pgconn.PgError{Code: "57P01", SeverityUnlocalized: "FATAL"}, false},
		"a broken connection":       {errors.New("unexpected EOF"), false},
		"a context that ended":      {context.DeadlineExceeded, false},
		"a stale document":          {sender.ErrStale, true},
		"given up":                  {errContended, true},
		"a part was done before":    {errors.Join(errPartly, &pgconn.PgError{SeverityUnlocalized: "ERROR"}), false},
	} {
		if certain(test.err) != test.want {
			t.Errorf("%s: certain is %t", name, !test.want)
		}
	}
}

// TestOpenAtOnce: of instances that start at once, one makes the schema.
func TestOpenAtOnce(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	stores := make([]*Store, 5)
	var wg sync.WaitGroup
	for i := range stores {
		wg.Go(func() {
			s, err := Open(background, o)
			if err != nil {
				t.Errorf("Open: %v", err)
				return
			}
			stores[i] = s
		})
	}
	wg.Wait()
	for i, s := range stores {
		if s == nil {
			continue
		}
		publish(t, s, batch(1, i, "a"))
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// TestMigrateAgain: a schema that is there already is left as it is, also by a
// user who may not make one.
func TestMigrateAgain(t *testing.T) {
	server := postgrestest.Shared(t)
	o := options(t, server.URL())
	s := open(t, o)
	publish(t, s, batch(1, 0, "a"))
	server.Exec(t, server.URL(), s.in(`CREATE ROLE again LOGIN; GRANT USAGE ON SCHEMA {s} TO again;
		GRANT ALL ON ALL TABLES IN SCHEMA {s} TO again; GRANT ALL ON ALL SEQUENCES IN SCHEMA {s} TO again`))
	o.URL = strings.Replace(o.URL, "postgres@", "again@", 1)
	again := open(t, o)
	publish(t, again, batch(1, 1, "a"))
}

// TestParametersOfThePool guards that a URL with parameters of the pool is good for
// the connection that listens as well.
func TestParametersOfThePool(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL()+"&pool_max_conn_idle_time=5m")
	s := open(t, o)
	conn, err := pgx.ConnectConfig(background, s.listen)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(background); err != nil {
		t.Error(err)
	}
}

// TestPassword: neither the log nor an error of a call holds the password.
func TestPassword(t *testing.T) {
	server := postgrestest.Shared(t)
	const secret = "s3cr3t"
	url := server.Database(t)
	o := options(t, strings.Replace(url, "postgres@", "postgres:"+secret+"@", 1))
	o.Lease = MinLease
	log, text := recorder()
	o.Logger = log
	s := open(t, o)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = s.Watch(ctx, func(sender.Change) {}) }()
	for until := time.Now().Add(10 * time.Second); s.deaf(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it does not listen")
		}
	}
	name := url[strings.LastIndex(url, "/")+1 : strings.Index(url, "?")]
	server.Exec(t, server.URL(), "ALTER DATABASE "+name+" ALLOW_CONNECTIONS false; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '"+name+"'")
	for until := time.Now().Add(10 * time.Second); !strings.Contains(text(), "renewing the lease failed") || !strings.Contains(text(), "listening for changes was interrupted"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("the log does not tell of the loss:\n%s", text())
		}
	}
	_, err := s.Backlog(background)
	server.Exec(t, server.URL(), "ALTER DATABASE "+name+" ALLOW_CONNECTIONS true")
	if err == nil {
		t.Error("Backlog returned no error")
	}
	for _, shown := range []string{text(), err.Error()} {
		if strings.Contains(shown, secret) || !strings.Contains(shown, s.schema) {
			t.Errorf("it holds the password, or does not name the schema:\n%s", shown)
		}
	}
}
