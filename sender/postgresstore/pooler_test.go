//go:build unix

package postgresstore

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/storetest"
)

// TestPgBouncer runs the suites through a PgBouncer in transaction mode, whose
// three connections to the server are another one for each transaction.
func TestPgBouncer(t *testing.T) {
	server := postgrestest.Shared(t)
	url := server.PgBouncer(t, server.URL())
	kept := recycled{server: server, inUse: map[string]Options{}}
	through := func(t *testing.T) Options {
		o := kept.take(t)
		o.URL, o.ListenURL, o.Lease = url, server.URL(), time.Second
		return o
	}
	t.Run("shared", func(t *testing.T) {
		storetest.RunShared(t, func(t *testing.T) storetest.SharedHarness { return sharedHarness(through(t)) })
	})
	t.Run("alone", func(t *testing.T) {
		s := open(t, through(t))
		if mode := s.pool.Config().ConnConfig.DefaultQueryExecMode; mode != pgx.QueryExecModeCacheDescribe {
			t.Errorf("statements are executed in mode %v", mode)
		}
		for i := range 20 {
			p := batch(10, 10*i, "a", "b")
			publish(t, s, p)
			settleAll(t, s, outcomes(p, "a", delivered))
			settleAll(t, s, outcomes(p, "b", sender.Outcome{Status: sender.Pending}))
			if claimed, err := s.Claim(background, sender.ClaimQuery{EndpointID: "b", Now: start.Add(time.Hour), Limit: 10, Bytes: 1 << 30}); err != nil || len(claimed.Deliveries) != 10 {
				t.Fatalf("claimed %d, %v", len(claimed.Deliveries), err)
			}
		}
	})
}

// TestDeaf: where notifications do not come, what others change is looked for.
func TestDeaf(t *testing.T) {
	server := postgrestest.Shared(t)
	o := options(t, server.URL())
	watcher := o
	watcher.ListenURL = server.PgBouncer(t, server.URL()) // takes LISTEN, and passes nothing on
	a, b := open(t, o), open(t, watcher)
	changes := make(chan sender.Change, 1000)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _ = b.Watch(ctx, func(c sender.Change) { changes <- c }) }()
	for until := time.Now().Add(time.Second); time.Now().Before(until); { // what is told to begin with
		select {
		case <-changes:
		case <-time.After(100 * time.Millisecond):
		}
	}
	for range 3 {
		for len(changes) > 0 {
			<-changes
		}
		if err := a.PutDocuments(background, []*sender.Document{{Kind: "k", ID: "1", Version: sender.AnyVersion}}); err != nil {
			t.Fatal(err)
		}
		for {
			select {
			case c := <-changes:
				if c.Kind != sender.ChangeAll {
					continue
				}
			case <-time.After(30 * time.Second):
				t.Fatal("a change is not found")
			}
			break
		}
	}
}
