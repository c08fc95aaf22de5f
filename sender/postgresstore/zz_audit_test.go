//go:build unix

package postgresstore

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

func TestZZAudit(t *testing.T) {
	dur, err := time.ParseDuration(os.Getenv("ZZ"))
	if err != nil {
		t.Skip("no ZZ")
	}
	server := postgrestest.Start(t)
	server.Exec(t, server.URL(), os.Getenv("ZZSQL")+"SELECT 1")
	all, ordered := newSite(t), newSite(t)
	c := sites(all.URL, ordered.URL)
	o := options(t, server.URL())
	o.Lease = senderLease
	if os.Getenv("ZZPGB") != "" { o.URL, o.ListenURL = server.PgBouncer(t, server.URL()), server.URL() }
	lf, _ := os.Create(os.Getenv("ZZLOG"))
	var senders []*sender.Sender
	for i := range 3 {
		oo := o
		oo.Logger = slog.New(slog.NewTextHandler(lf, nil)).With("i", i)
		store, err := Open(background, oo)
		if err != nil {
			t.Fatal(err)
		}
		s, err := sender.New(c, store, sender.Options{Logger: oo.Logger})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error("close sender", err)
			}
			if err := store.Close(); err != nil {
				t.Error("close store", err)
			}
		})
		if err := s.Start(background); err != nil {
			t.Fatal(err)
		}
		senders = append(senders, s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), dur)
	defer cancel()
	var wg sync.WaitGroup
	// cut
	wg.Go(func() {
		var conn *pgx.Conn
		for ctx.Err() == nil {
			time.Sleep(time.Duration(100+rand.IntN(1500)) * time.Millisecond)
			if conn == nil || conn.IsClosed() {
				conn, _ = pgx.Connect(ctx, server.URL())
				if conn == nil {
					continue
				}
			}
			q := "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='caddy-webhooks' ORDER BY random() LIMIT 2"
			switch rand.IntN(6) {
			case 0:
				q = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='caddy-webhooks' AND state<>'idle'"
			case 1:
				q = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='caddy-webhooks'"
			case 2:
				q = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name='caddy-webhooks'"
			}
			_, _ = conn.Exec(ctx, q)
		}
	})
	if os.Getenv("ZZRESTART") != "" {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-time.After(time.Duration(8+rand.IntN(8)) * time.Second):
				}
				server.Kill()
				time.Sleep(time.Duration(rand.IntN(4000)) * time.Millisecond)
				server.Run(t)
			}
		})
	}
	var mu sync.Mutex
	accepted := map[string]bool{}
	pub := func(s *sender.Sender, id, kind string) (tries int) {
		for tries = 1; ; tries++ {
			_, err := s.Publish(context.Background(), webhook.Event{ID: id, Type: kind, Data: []byte(`{"name":"` + id + `"}`)})
			if err == nil {
				break
			}
			s = senders[rand.IntN(3)]
			time.Sleep(20 * time.Millisecond)
		}
		mu.Lock()
		accepted[id] = true
		mu.Unlock()
		return tries
	}
	for p := range 6 {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				pub(senders[rand.IntN(3)], fmt.Sprintf("p%d-%d", p, n), "other.x")
				time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			}
		})
	}
	clean := map[int]bool{}
	total := 0
	infos := map[int]string{}
	wg.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			at, w := time.Now(), rand.IntN(3)
			clean[n] = pub(senders[w], fmt.Sprintf("o-%d", n), "ordered.x") == 1
			infos[n] = fmt.Sprintf("o-%d sender %d began %s took %v", n, w, at.Format("05.000"), time.Since(at))
			total = n + 1
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		}
	})
	// outbox
	outbox := 0
	wg.Go(func() {
		var conn *pgx.Conn
		for ctx.Err() == nil {
			time.Sleep(30 * time.Millisecond)
			if conn == nil || conn.IsClosed() {
				conn, _ = pgx.Connect(ctx, server.URL())
				if conn == nil {
					continue
				}
			}
			id := "ob-" + strconv.Itoa(outbox)
			if _, err := conn.Exec(context.Background(), inSchema(`SELECT {s}.publish('other.y', '{"a":1}', id => $1)`, o.Schema), id); err == nil {
				mu.Lock()
				accepted[id] = true
				mu.Unlock()
				outbox++
			}
		}
	})
	wg.Wait()
	began := time.Now()
	missing := func() (m []string) {
		got := map[string]bool{}
		for _, id := range all.got() {
			got[id] = true
		}
		for id := range accepted {
			if !got[id] {
				m = append(m, id)
			}
		}
		return m
	}
	for until := time.Now().Add(90 * time.Second); len(missing()) > 0 && time.Now().Before(until); {
		time.Sleep(200 * time.Millisecond)
	}
	for until := time.Now().Add(90 * time.Second); time.Now().Before(until); time.Sleep(200 * time.Millisecond) {
		got := map[string]bool{}
		for _, id := range ordered.got() {
			got[id] = true
		}
		if len(got) >= total {
			break
		}
	}
	m := missing()
	t.Logf("accepted %d, requests %d; outbox %d; ordered %d, requests %d; drained in %v", len(accepted), len(all.got()), outbox, total, len(ordered.got()), time.Since(began))
	if len(m) > 0 {
		t.Errorf("missing %d: %.300v", len(m), m)
	}
	first := map[int]int{}
	for i, id := range ordered.got() {
		n, _ := strconv.Atoi(id[2:])
		if _, ok := first[n]; !ok {
			first[n] = i
		}
	}
	max, maxn, bad, dirty := -1, -1, 0, 0
	for n := range total {
		at, ok := first[n]
		if !ok {
			t.Errorf("ordered %d missing", n)
			continue
		}
		if !clean[n] {
			dirty++
			continue
		}
		if at < max {
			bad++
			if bad < 20 {
				t.Errorf("o-%d came (at %d) before o-%d (at %d)", n, at, maxn, max)
				for k := n - 2; k < maxn+2; k++ { t.Log(infos[k], clean[k]) }
			}
		}
		if at > max {
			max, maxn = at, n
		}
	}
	t.Logf("order violations %d, of not clean events %d", bad, dirty)
	conn := connect(t, server.URL())
	var waiting int
	var pend int64
	for until := time.Now().Add(60 * time.Second); time.Now().Before(until); time.Sleep(500 * time.Millisecond) {
	if err := conn.QueryRow(background, inSchema("SELECT (SELECT count(*) FROM {s}.waiting), (SELECT sum(deliveries) FROM {s}.pending)", o.Schema)).Scan(&waiting, &pend); err != nil {
		t.Error(err)
	}
	if waiting == 0 && pend == 0 { break }
	}
	if waiting != 0 || pend != 0 { t.Error("left") }
	t.Logf("waiting %d pending %d", waiting, pend)
}
