//go:build unix

package postgresstore

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

func TestZZFull(t *testing.T) {
	if os.Getenv("ZZFULL") == "" {
		t.Skip()
	}
	ballast := os.Getenv("ZZFULL") + "/ballast"
	os.WriteFile(ballast, make([]byte, 8<<20), 0o644)
	server := postgrestest.Start(t, "shared_buffers=16MB", "min_wal_size=32MB", "max_wal_size=64MB")
	var up atomic.Bool
	var mu sync.Mutex
	got := map[string]int{}
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			w.WriteHeader(503)
			return
		}
		mu.Lock()
		got[r.Header.Get("webhook-id")]++
		mu.Unlock()
	}))
	defer peer.Close()
	c := sender.Config{EventTypes: []webhook.EventType{{Name: "*"}}, Egress: sender.Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true},
		Endpoints: []sender.Endpoint{{ID: "all", URL: peer.URL}}}
	o := options(t, server.URL())
	o.Lease = senderLease
	lf, _ := os.Create("/tmp/zzfull.log")
	o.Logger = slog.New(slog.NewTextHandler(lf, nil))
	store, err := Open(background, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sender.New(c, store, sender.Options{Logger: o.Logger})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { t.Log(s.Close(), store.Close()) }()
	if err := s.Start(background); err != nil {
		t.Fatal(err)
	}
	var accepted []string
	data := []byte(`"` + strings.Repeat("x", 20000) + `"`)
	errs := map[string]int{}
	for n, bad := 0, 0; bad < 60 && n < 8000; n++ {
		id := fmt.Sprint("e", n)
		_, err := s.Publish(background, webhook.Event{ID: id, Type: "a.b", Data: data})
		if err == nil {
			accepted = append(accepted, id)
			continue
		}
		bad++
		errs[fmt.Sprintf("%.250s", err)]++
		time.Sleep(100 * time.Millisecond)
	}
	for e, n := range errs {
		t.Log(n, e)
	}
	_, perr := server.PID()
	t.Log("accepted", len(accepted), "pid err", perr)
	os.Remove(ballast)
	time.Sleep(3 * time.Second)
	if conn, err := pgx.Connect(background, server.URL()); err != nil {
		t.Log("server is down; restart", err)
		server.Kill()
		server.Run(t)
	} else {
		conn.Close(background)
	}
	up.Store(true)
	_, err = s.Publish(background, webhook.Event{ID: "after", Type: "a.b", Data: []byte("1")})
	t.Log("publish after", err)
	for until := time.Now().Add(120 * time.Second); time.Now().Before(until); time.Sleep(time.Second) {
		mu.Lock()
		n := len(got)
		mu.Unlock()
		if n >= len(accepted) {
			break
		}
	}
	miss := 0
	for _, id := range accepted {
		if got[id] == 0 {
			miss++
		}
	}
	t.Log("got", len(got), "missing", miss)
	if miss > 0 {
		t.Error("missing")
	}
}

func TestZZConns(t *testing.T) {
	server := postgrestest.Start(t, "max_connections=20")
	server.Exec(t, server.URL(), "CREATE ROLE app LOGIN; GRANT CREATE ON DATABASE postgres TO app")
	all, ordered := newSite(t), newSite(t)
	lf, _ := os.Create("/tmp/zzconns.log")
	o := options(t, strings.Replace(server.URL(), "postgres@", "app@", 1))
	o.Lease = senderLease
	o.Logger = slog.New(slog.NewTextHandler(lf, nil))
	store, err := Open(background, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sender.New(sites(all.URL, ordered.URL), store, sender.Options{Logger: o.Logger})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { t.Log(s.Close(), store.Close()) }()
	if err := s.Start(background); err != nil {
		t.Fatal(err)
	}
	publish := publishAt(s)
	accepted := map[string]bool{}
	pub := func(id string) {
		if err := publish(id, "x.y"); err != nil {
			t.Logf("%s: %.200s", id, err)
		} else {
			accepted[id] = true
		}
	}
	pub("before")
	// hog
	var conns []*pgx.Conn
	hog := func() {
		for {
			conn, err := pgx.Connect(background, o.URL)
			if err != nil {
				return
			}
			conns = append(conns, conn)
		}
	}
	hog()
	for n := range 10 {
		pub(fmt.Sprint("hogged", n))
	}
	server.Exec(t, server.URL(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='caddy-webhooks'")
	hog()
	for n := range 10 {
		pub(fmt.Sprint("cut", n))
		time.Sleep(500 * time.Millisecond)
	}
	began := time.Now()
	for _, c := range conns {
		c.Close(background)
	}
	for n := 0; ; n++ {
		if err := publish(fmt.Sprint("after", n), "x.y"); err == nil {
			accepted[fmt.Sprint("after", n)] = true
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Log("back after", time.Since(began))
	time.Sleep(2 * time.Second)
	got := map[string]bool{}
	for _, id := range all.got() {
		got[id] = true
	}
	for id := range accepted {
		if !got[id] {
			t.Error("missing", id)
		}
	}
}
