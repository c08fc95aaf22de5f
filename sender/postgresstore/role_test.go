//go:build unix

package postgresstore

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
)

// role makes a superuser with a setting, and returns the URL of the server for it.
func role(t *testing.T, setting, value string) string {
	t.Helper()
	server := postgrestest.Shared(t)
	name := fmt.Sprint("role", time.Now().UnixNano())
	server.Exec(t, server.URL(), "CREATE ROLE "+name+" LOGIN SUPERUSER; ALTER ROLE "+name+" SET "+setting+" = '"+value+"'")
	return strings.Replace(server.URL(), "postgres@", name+"@", 1)
}

// TestIsolationOfTheRole guards that the role's isolation is not that of the
// store's transactions. With a stricter one, who waits for another transaction
// fails when that has committed.
func TestIsolationOfTheRole(t *testing.T) {
	url := role(t, "default_transaction_isolation", "serializable")
	s := open(t, options(t, url))
	var isolation string
	if err := s.pool.QueryRow(background, `SHOW transaction_isolation`).Scan(&isolation); err != nil || isolation != readCommitted {
		t.Errorf("transactions are %q, %v", isolation, err)
	}
	server := postgrestest.Shared(t)
	server.Exec(t, server.URL(), `ALTER ROLE postgres SET default_transaction_isolation = 'repeatable read'`)
	defer server.Exec(t, server.URL(), `ALTER ROLE postgres RESET default_transaction_isolation`)
	behind, err := Open(background, options(t, server.PgBouncer(t, server.URL())))
	if err == nil {
		behind.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "repeatable read: run ALTER ROLE") {
		t.Errorf("behind a pooler: %v", err)
	}
}

// TestIdleSessions guards that the connection that listens is not cut again and
// again, with a warning and all being read anew each time, where the role's
// sessions may not be idle for long.
func TestIdleSessions(t *testing.T) {
	url := role(t, "idle_session_timeout", "300ms")
	o := options(t, url)
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
	time.Sleep(time.Second)
	if strings.Contains(text(), "listening for changes was interrupted") {
		t.Errorf("the connection was cut:\n%s", text())
	}
}
