package redisseen_test

import (
	"context"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
)

// gate stands in front of a Redis. While it is shut it cuts off whoever knocks.
type gate struct {
	net.Listener

	to     string
	mu     sync.Mutex
	shut   bool
	conns  []net.Conn
	knocks []time.Time
	wg     sync.WaitGroup
}

func newGate(t testing.TB, to string) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{Listener: l, to: to}
	g.wg.Go(g.run)
	t.Cleanup(func() {
		_ = l.Close()
		g.set(true)
		g.wg.Wait()
	})
	return g
}

func (g *gate) run() {
	for {
		conn, err := g.Accept()
		if err != nil {
			return
		}
		g.mu.Lock()
		g.knocks = append(g.knocks, time.Now())
		shut := g.shut
		g.conns = append(g.conns, conn)
		g.mu.Unlock()
		if shut {
			_ = conn.Close()
			continue
		}
		server, err := net.Dial("tcp", g.to)
		if err != nil {
			_ = conn.Close()
			continue
		}
		g.wg.Go(func() { pipe(conn, server) })
		g.wg.Go(func() { pipe(server, conn) })
	}
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

// set shuts the gate, which cuts off everyone, or opens it.
func (g *gate) set(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	if shut {
		for _, c := range g.conns {
			_ = c.Close()
		}
		g.conns = nil
	}
}

// since are the knocks since a time.
func (g *gate) since(t time.Time) []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.IndexFunc(g.knocks, func(k time.Time) bool { return k.After(t) })
	if i < 0 {
		return nil
	}
	return slices.Clone(g.knocks[i:])
}

// comeBack has many receivers lose Redis for a while, all of them asked all the
// time, and returns when they knocked before and after it was back, and when
// the last of them had it again.
func comeBack(t testing.TB, receivers int, away time.Duration) (before, after []time.Time, gone, back, last time.Time) {
	server := redistest.Start(t, "--appendonly", "no")
	g := newGate(t, server.Addr)
	ctx := context.Background()
	var all []*memory
	for range receivers {
		all = append(all, open(t, redisseen.Options{URL: "redis://" + g.Addr().String(), Name: "n", Timeout: 10 * time.Second}))
	}
	ask := func(m *memory) bool {
		found, err := m.Claim(ctx, []receiver.Key{{1}}, 0)
		if err == nil && found.Hold != nil {
			err = found.Hold.Release(ctx)
		}
		return err == nil
	}
	for _, m := range all {
		eventually(t, "a claim", func() bool { return ask(m) })
	}
	gone = time.Now()
	g.set(true)
	var wg sync.WaitGroup
	for _, m := range all {
		wg.Go(func() {
			for failed := false; ; time.Sleep(10 * time.Millisecond) {
				had := ask(m)
				if had && failed {
					return
				}
				failed = failed || !had
			}
		})
	}
	time.Sleep(away)
	before = g.since(gone)
	back = time.Now()
	g.set(false)
	wg.Wait()
	return before, g.since(back), gone, back, time.Now()
}

// However many receivers there are, and however often they are asked, each
// knocks at a Redis that is away less and less often.
func TestComingBackIsNoStampede(t *testing.T) {
	const receivers = 50
	before, after, gone, back, _ := comeBack(t, receivers, 2*time.Second)
	// The first attempt may be made with what there is, and each may take two
	// connections. The pauses are at least half of 50 ms, 100 ms and so on.
	attempts := 1
	for pause, passed := 25*time.Millisecond, time.Duration(0); passed < back.Sub(gone); pause = min(2*pause, 2500*time.Millisecond) {
		passed += pause
		attempts++
	}
	if most := 2 * attempts * receivers; len(before) > most || len(before) < receivers {
		t.Errorf("%d receivers knocked %d times in %s, want %d at most and once each at least", receivers, len(before), back.Sub(gone), most)
	}
	if most := 4 * receivers; len(after) > most {
		t.Errorf("%d receivers knocked %d times when Redis was back, want %d at most", receivers, len(after), most)
	}
}

// BenchmarkComeBack tells how often a hundred receivers knock at a Redis that is
// away for 10 seconds, and how they are spread when it is back.
func BenchmarkComeBack(b *testing.B) {
	const receivers = 100
	for b.Loop() {
		before, after, _, back, last := comeBack(b, receivers, 10*time.Second)
		b.ReportMetric(float64(len(before))/receivers, "knocks-while-away/receiver")
		b.ReportMetric(float64(len(after))/receivers, "knocks-afterwards/receiver")
		b.ReportMetric(float64(busiest(before, 100*time.Millisecond)), "knocks-in-busiest-100ms-away")
		b.ReportMetric(float64(busiest(after, 100*time.Millisecond)), "knocks-in-busiest-100ms-afterwards")
		b.ReportMetric(last.Sub(back).Seconds(), "s-until-all-are-back")
	}
}

// busiest is the most that there were in any such time.
func busiest(times []time.Time, d time.Duration) (most int) {
	for i := range times {
		n := 0
		for _, t := range times[i:] {
			if t.Sub(times[i]) < d {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}
