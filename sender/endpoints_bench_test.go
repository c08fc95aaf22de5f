//go:build linux

package sender_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

// countingClock is the computer's clock, and counts how often it wakes the
// sender.
type countingClock struct{ woken atomic.Int64 }

func (*countingClock) Now() time.Time { return time.Now() }

func (c *countingClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, func() {
		c.woken.Add(1)
		f()
	})
	return func() { t.Stop() }
}

// BenchmarkIdle is what a sender does that has nothing to do: how often its
// timers fire, how often any thread of the process gets to run, and the
// processor time that this takes.
func BenchmarkIdle(b *testing.B) {
	const watched = 20 * time.Second
	clock := &countingClock{}
	store := openStore(b, filepath.Join(b.TempDir(), "idle.db"))
	c := toPeers()
	c.Endpoints = []sender.Endpoint{{ID: "a", URL: "http://127.0.0.1:1/"}}
	s, err := sender.New(c, store, sender.Options{Clock: clock})
	if err != nil {
		b.Fatal(err)
	}
	defer closeBoth(b, s, store)
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		runtime.GC()
		woken, switches, used := clock.woken.Load(), contextSwitches(b), processorTime(b)
		time.Sleep(watched) // how much happens in a while is what is measured
		b.ReportMetric(float64(clock.woken.Load()-woken)/watched.Minutes(), "timers/min")
		b.ReportMetric(float64(contextSwitches(b)-switches)/watched.Minutes(), "switches/min")
		b.ReportMetric(milliseconds(processorTime(b)-used)/watched.Minutes(), "cpu-ms/min")
		b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
	}
	b.ReportMetric(0, "ns/op") // says nothing
}

// BenchmarkManyEndpoints is what many tenants cost, up to 100,000, that have made an
// endpoint each at run time.
func BenchmarkManyEndpoints(b *testing.B) {
	for _, endpoints := range []int{1, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint(endpoints), func(b *testing.B) {
			for b.Loop() {
				manyEndpoints(b, endpoints)
			}
			b.ReportMetric(0, "ns/op") // says nothing
		})
	}
}

func manyEndpoints(b *testing.B, n int) {
	path := filepath.Join(b.TempDir(), "endpoints.db")
	got := newSink(b)
	c := toPeers()
	store := openStore(b, path)
	s, err := sender.New(c, store, sender.Options{})
	if err != nil {
		b.Fatal(err)
	}
	tenant := func(i int) string { return fmt.Sprintf("tenant-%06d", i) }
	ids := make([]string, n)
	began := time.Now()
	step, half := began, time.Duration(0)
	for i := range n {
		if i == n/2 {
			half, step = time.Since(step), time.Now()
		}
		info, _, err := s.CreateEndpoint(b.Context(), sender.NewEndpoint{
			Endpoint: sender.Endpoint{Tenant: tenant(i), URL: got.url, Events: []string{"message.*", "conversation.*"}}, Active: true,
		})
		if err != nil {
			b.Fatal(err)
		}
		ids[i] = info.ID
	}
	b.ReportMetric(milliseconds(time.Since(began))/float64(n), "create-ms")
	b.ReportMetric(time.Since(step).Seconds()/half.Seconds(), "create-2nd/1st-half")
	// Each has been published for, so that the store knows them all.
	batch := make([]webhook.Event, 0, fillStep)
	for i := range n {
		batch = append(batch, webhook.Event{Type: "message.created", Tenant: tenant(i), Data: []byte(`{}`)})
		if len(batch) == fillStep || i == n-1 {
			if _, err := s.Publish(b.Context(), batch...); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	closeBoth(b, s, store)

	runtime.GC()
	before := heap()
	began = time.Now()
	store = openStore(b, path)
	b.ReportMetric(milliseconds(time.Since(began)), "open-ms")
	began = time.Now()
	if s, err = sender.New(c, store, sender.Options{}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(milliseconds(time.Since(began)), "new-ms")
	began = time.Now()
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(milliseconds(time.Since(began)), "start-ms")
	for got.got.Load() < int64(n) && time.Since(began) < 10*time.Minute {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(milliseconds(time.Since(began)), "one-each-delivered-ms")
	until(b, "all is settled", func() bool { return s.Unsettled() == 0 })
	runtime.GC()
	b.ReportMetric((heap()-before)/float64(n), "heap-B/endpoint")

	one := tenant(n / 2)
	began = time.Now()
	const published = 20_000
	publishN(b, published, func() error {
		_, err := s.Publish(b.Context(), webhook.Event{Type: "message.created", Tenant: one, Data: benchData})
		return err
	})
	b.ReportMetric(published/time.Since(began).Seconds(), "published/s")
	until(b, "all is delivered", func() bool { return got.got.Load() >= int64(n+published) })
	b.ReportMetric(published/time.Since(began).Seconds(), "delivered/s")

	each := func(name string, do func() error) {
		const times = 20
		began := time.Now()
		for range times {
			if err := do(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(milliseconds(time.Since(began))/times, name)
	}
	each("list-ms", func() error {
		_, err := s.Endpoints(b.Context(), one)
		return err
	})
	each("get-ms", func() error {
		_, err := s.Endpoint(b.Context(), one, ids[n/2])
		return err
	})
	each("update-ms", func() error {
		_, err := s.UpdateEndpoint(b.Context(), one, ids[n/2], func(e *sender.Endpoint) error {
			e.Description += "."
			return nil
		})
		return err
	})
	each("stats-ms", func() error {
		_, err := s.Stats(b.Context(), one, sender.StatsQuery{})
		return err
	})
	each("apply-ms", func() error { return s.Apply(c) })
	closeBoth(b, s, store)
}

func closeBoth(b *testing.B, s *sender.Sender, store *sqlitestore.Store) {
	if err := s.Close(); err != nil {
		b.Error(err)
	}
	if err := store.Close(); err != nil {
		b.Error(err)
	}
}

// heap is how many bytes are in use.
func heap() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// processorTime is what the process has used of it so far.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// contextSwitches is how often threads of this process have stopped running so
// far, as threads do that have been woken.
func contextSwitches(b *testing.B) (n int64) {
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		b.Fatal(err)
	}
	for _, file := range files {
		status, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(line, ":")
			if name != "voluntary_ctxt_switches" && name != "nonvoluntary_ctxt_switches" {
				continue
			}
			switches, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			n += switches
		}
	}
	return n
}
