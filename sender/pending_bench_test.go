//go:build linux

package sender_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

// What BenchmarkMillionPending does.
const (
	pendingCount  = 1_000_000
	pendingSize   = 300 // bytes of data
	pendingRounds = 3
	pendingEvents = 30_000 // published, to measure the speed
)

// The test binary is also the process that works on a filled store. It is told
// which by these.
const (
	pendingPath      = "SENDER_BENCH_PATH"
	pendingEndpoints = "SENDER_BENCH_ENDPOINTS"
	pendingBorn      = "SENDER_BENCH_BORN" // Unix nanoseconds
)

// BenchmarkMillionPending is what a million pending deliveries cost: until a
// new process delivers the first of them, in memory, and in the speed of
// publishing and delivering, compared with an empty store in the same run. The
// times are medians, the memory is the greatest.
func BenchmarkMillionPending(b *testing.B) {
	if path := os.Getenv(pendingPath); path != "" {
		workOnPending(b, path)
		return
	}
	for _, variant := range []struct {
		name      string
		endpoints int
		retries   bool // of the future
	}{
		{"1-endpoint", 1, false},
		{"100-endpoints", 100, false},
		{"1000-endpoints", 1000, false},
		{"future-retries", 1, true},
	} {
		b.Run(variant.name, func(b *testing.B) {
			began := time.Now()
			full := fillStore(b, pendingCount, pendingSize, pendingIDs(variant.endpoints)...)
			if variant.retries {
				postpone(b, full)
			}
			info, err := os.Stat(full)
			if err != nil {
				b.Fatal(err)
			}
			b.Logf("filled in %.0f s: %d MiB", time.Since(began).Seconds(), info.Size()>>20)
			for b.Loop() {
				empty, million := measures{}, measures{}
				for round := range pendingRounds {
					empty.add(pendingProcess(b, filepath.Join(b.TempDir(), fmt.Sprintf("empty-%d.db", round)), variant.endpoints))
					if variant.retries {
						putDue(b, full)
					}
					million.add(pendingProcess(b, full, variant.endpoints))
				}
				empty.report(b, "empty")
				million.report(b, "million")
				for _, name := range []string{"published/s", "delivered/s"} {
					b.ReportMetric(median(million[name])/median(empty[name]), name+"-ratio")
				}
			}
			b.ReportMetric(0, "ns/op") // says nothing
		})
	}
}

// pendingIDs name endpoints.
func pendingIDs(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("old-%d", i))
	}
	return ids
}

// postpone makes what is pending in a store of one endpoint retries that are
// due tomorrow.
func postpone(b *testing.B, path string) {
	store := openStore(b, path)
	defer store.Close()
	id := pendingIDs(1)[0]
	now := time.Now()
	for {
		claimed, err := store.Claim(context.Background(), sender.ClaimQuery{EndpointID: id, Now: now.Add(time.Hour), Limit: fillStep, Bytes: 1 << 30})
		if err != nil {
			b.Fatal(err)
		}
		if len(claimed.Deliveries) == 0 {
			break
		}
		var outcomes []sender.Outcome
		for _, d := range claimed.Deliveries {
			outcomes = append(outcomes, sender.Outcome{
				Seq: d.Seq, EndpointID: id, Status: sender.Pending, Due: now.Add(24 * time.Hour), Type: d.Event.Type,
				Attempt: &sender.Attempt{Number: 1, StartedAt: now, StatusCode: 503, Verdict: sender.VerdictRetry, Error: "the endpoint answered 503"},
			})
		}
		if err := store.Settle(context.Background(), outcomes); err != nil {
			b.Fatal(err)
		}
	}
}

// putDue adds a delivery that is due now.
func putDue(b *testing.B, path string) {
	store := openStore(b, path)
	defer store.Close()
	putEvents(b, store, 1, pendingSize, func(int) string { return pendingIDs(1)[0] })
}

// measures are values by their names.
type measures map[string][]float64

func (m measures) add(other measures) {
	for name, values := range other {
		m[name] = append(m[name], values...)
	}
}

func (m measures) report(b *testing.B, of string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		value := median(m[name])
		if strings.HasPrefix(name, "Vm") {
			value = slices.Max(m[name])
		}
		b.ReportMetric(value, of+"-"+name)
	}
}

// pendingProcess has another process work on a store, and returns what it has
// measured.
func pendingProcess(b *testing.B, path string, endpoints int) measures {
	binary, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), binary, "-test.run=^$", "-test.bench=^BenchmarkMillionPending$", "-test.benchtime=1x")
	cmd.Env = append(os.Environ(), pendingPath+"="+path, pendingEndpoints+"="+strconv.Itoa(endpoints),
		pendingBorn+"="+strconv.FormatInt(time.Now().UnixNano(), 10))
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		b.Fatalf("the process failed: %v\n%s", err, output)
	}
	m := measures{}
	for lines := bufio.NewScanner(bytes.NewReader(output)); lines.Scan(); {
		var name string
		var value float64
		if n, _ := fmt.Sscanf(lines.Text(), "measured %s %g", &name, &value); n == 2 {
			m[name] = append(m[name], value)
		}
	}
	b.Logf("%s: %v", filepath.Base(path), m)
	return m
}

// workOnPending is what the other process does: it opens a store, delivers
// what is pending for a while, and then publishes, first without delivering
// and then with what is pending held back.
func workOnPending(b *testing.B, path string) {
	endpoints, err := strconv.Atoi(os.Getenv(pendingEndpoints))
	if err != nil {
		b.Fatal(err)
	}
	nanoseconds, err := strconv.ParseInt(os.Getenv(pendingBorn), 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	born := time.Unix(0, nanoseconds)

	old, fresh := newSink(b), newSink(b)
	c := toPeers()
	for _, id := range pendingIDs(endpoints) {
		c.Endpoints = append(c.Endpoints, sender.Endpoint{ID: id, URL: old.url, Events: []string{"old.*"}, Secrets: []string{secretText}})
	}
	c.Endpoints = append(c.Endpoints, sender.Endpoint{ID: "fresh", URL: fresh.url, Events: []string{"message.*"}, Secrets: []string{secretText}})

	opening := time.Now()
	store, err := sqlitestore.Open(path, sqlitestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	measured("open-s", time.Since(opening).Seconds())
	s, err := sender.New(c, store, sender.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Log(err) // a busy disk may take longer than Stop waits
		}
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}()
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	if filepath.Base(path) != "filled.db" {
		publishOne(b, s, "old.one")
	}
	until(b, "something is delivered", func() bool { return old.got.Load() > 0 })
	measured("first-s", time.Since(born).Seconds())
	measured("first-s-from-Open", time.Since(opening).Seconds())
	got, began := old.got.Load(), time.Now()
	time.Sleep(3 * time.Second) // how much it delivers in a while is what is measured
	measured("drained/s", float64(old.got.Load()-got)/time.Since(began).Seconds())
	measureMemory(b, "")

	if err := s.Stop(b.Context()); err != nil {
		b.Log(err)
	}
	began = time.Now()
	publishMany(b, s, "nobody.listens")
	measured("published/s", pendingEvents/time.Since(began).Seconds())

	rate := webhook.Rate{Events: 1, Per: webhook.Duration(time.Hour)}
	for i := range endpoints {
		c.Endpoints[i].Rate = &rate
	}
	if err := s.Apply(c); err != nil {
		b.Fatal(err)
	}
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	began = time.Now()
	publishMany(b, s, "message.created")
	until(b, "all is delivered", func() bool { return fresh.got.Load() >= pendingEvents })
	measured("delivered/s", pendingEvents/time.Since(began).Seconds())
	measureMemory(b, "-end")
}

// measured tells the process that waits for it.
func measured(name string, value float64) { fmt.Println("\nmeasured", name, value) }

// measureMemory measures the resident memory of this process, and the most that
// it has had.
func measureMemory(b *testing.B, when string) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		if name != "VmRSS" && name != "VmHWM" {
			continue
		}
		kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		if err != nil {
			b.Fatal(err)
		}
		measured(name+"-MiB"+when, float64(kilobytes)/1024)
	}
}

func publishOne(b *testing.B, s *sender.Sender, eventType string) {
	if _, err := s.Publish(b.Context(), webhook.Event{Type: eventType, Data: benchData}); err != nil {
		b.Error(err)
	}
}

// publishMany publishes from 64 goroutines.
func publishMany(b *testing.B, s *sender.Sender, eventType string) {
	publishN(b, pendingEvents, func() error {
		_, err := s.Publish(b.Context(), webhook.Event{Type: eventType, Data: benchData})
		return err
	})
}
