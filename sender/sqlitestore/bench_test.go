//go:build unix

package sqlitestore

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/storedtest"
	"github.com/manysends/caddy-webhooks/webhook"
)

// processorTime is what the process has used of it so far.
func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// report reports the events per second and the processor time of each since a
// benchmark's loop began.
func report(b *testing.B, events int, began time.Time, used time.Duration) {
	b.ReportMetric(float64(events)/time.Since(began).Seconds(), "events/s")
	b.ReportMetric(float64((processorTime(b)-used).Nanoseconds())/1000/float64(events), "cpu-µs/event")
}

var batchSizes = []int{1, 16, 64, 256}

// BenchmarkAppend is the limit: the bare bytes of a batch appended to a file
// and synced.
func BenchmarkAppend(b *testing.B) {
	for _, size := range batchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			var buffer []byte
			used, began := processorTime(b), time.Now()
			for b.Loop() {
				buffer = buffer[:0]
				for range size {
					buffer = append(buffer, kilobyte...)
				}
				if _, err := f.Write(buffer); err != nil {
					b.Fatal(err)
				}
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
			}
			report(b, b.N*size, began, used)
		})
	}
}

// BenchmarkPutEvents stores batches of 1 KB events.
func BenchmarkPutEvents(b *testing.B) {
	for _, size := range batchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			benchmarkPut(b, batch(size, 0, "a"))
		})
	}
}

// BenchmarkSettle settles deliveries whose first attempt succeeded; storing
// them is not counted.
func BenchmarkSettle(b *testing.B) {
	for _, size := range batchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			benchmarkSettle(b, size, delivered)
		})
	}
}

// BenchmarkPutTenants stores batches of events of 100 tenants.
func BenchmarkPutTenants(b *testing.B) {
	publications := batch(256, 0, "a")
	for i, p := range publications {
		p.Events[0].Event.Tenant = fmt.Sprint("tenant", i*7%100)
	}
	benchmarkPut(b, publications)
}

// benchmarkPut stores publications under ever new IDs.
func benchmarkPut(b *testing.B, publications []*sender.Publication) {
	s := openTemp(b)
	size := len(publications)
	b.ReportAllocs()
	used, began := processorTime(b), time.Now()
	for n := 0; b.Loop(); n += size {
		renumber(publications, n)
		put(b, s, publications)
	}
	report(b, b.N*size, began, used)
}

// BenchmarkSettleWhole settles attempts with all that is kept of them.
func BenchmarkSettleWhole(b *testing.B) {
	outcome, whole := delivered, storedtest.WholeAttempt()
	outcome.Attempt = &whole
	benchmarkSettle(b, 256, outcome)
}

// benchmarkSettle settles batches of deliveries; storing them is not counted.
func benchmarkSettle(b *testing.B, size int, outcome sender.Outcome) {
	s := openTemp(b)
	publications := batch(size, 0, "a")
	b.ReportAllocs()
	var used, took time.Duration
	for n := 0; b.Loop(); n += size {
		b.StopTimer()
		renumber(publications, n)
		put(b, s, publications)
		before, began := processorTime(b), time.Now()
		b.StartTimer()
		settleAll(b, s, publications, "a", outcome)
		took += time.Since(began)
		used += processorTime(b) - before
	}
	b.ReportMetric(float64(b.N*size)/took.Seconds(), "events/s")
	b.ReportMetric(float64(used.Nanoseconds())/1000/float64(b.N*size), "cpu-µs/event")
}

// BenchmarkDeliveries lists 50 among 200,000 deliveries to four endpoints, of
// which one in a hundred has failed and one in a thousand is pending.
func BenchmarkDeliveries(b *testing.B) {
	s := openTemp(b)
	fillListing(b, s, 200_000)
	failed, pending := []sender.Status{sender.Failed}, []sender.Status{sender.Pending}
	tenant := "tenant1"
	for _, test := range []struct {
		name  string
		query sender.DeliveryQuery
		want  int
	}{
		{"all", sender.DeliveryQuery{}, 50},
		{"endpoint", sender.DeliveryQuery{EndpointIDs: []string{"a"}}, 50},
		{"endpoint, succeeded", sender.DeliveryQuery{EndpointIDs: []string{"a"}, Statuses: []sender.Status{sender.Succeeded}}, 50},
		{"endpoint, failed", sender.DeliveryQuery{EndpointIDs: []string{"a"}, Statuses: failed}, 50},
		{"endpoint, pending", sender.DeliveryQuery{EndpointIDs: []string{"c"}, Statuses: pending}, 50},
		{"failed", sender.DeliveryQuery{Statuses: failed}, 50},
		{"failed, type", sender.DeliveryQuery{Statuses: failed, Types: []webhook.Pattern{"conversation.*"}}, 50},
		{"pending", sender.DeliveryQuery{Statuses: pending}, 50},
		{"tenant", sender.DeliveryQuery{Tenant: &tenant}, 50},
		{"nothing found", sender.DeliveryQuery{Types: []webhook.Pattern{"other"}}, 0},
	} {
		b.Run(test.name, func(b *testing.B) {
			test.query.Limit = 50
			b.ReportAllocs()
			for b.Loop() {
				page, err := s.Deliveries(background, test.query)
				if err != nil || len(page.Deliveries) != test.want {
					b.Fatal(len(page.Deliveries), err)
				}
			}
		})
	}
}

// fillListing stores and settles n events, each for one of four endpoints and
// one of ten tenants.
func fillListing(tb testing.TB, s *Store, n int) {
	const step = 1000
	outcomes := make([]sender.Outcome, step)
	for first := 0; first < n; first += step {
		publications := batch(step, first)
		for i, p := range publications {
			e := &p.Events[0]
			e.EndpointIDs = []string{string(rune('a' + i/10%4))}
			e.Event.Tenant = fmt.Sprint("tenant", i%10)
		}
		put(tb, s, publications)
		for i, p := range publications {
			outcomes[i] = delivered
			outcomes[i].Seq, outcomes[i].EndpointID = p.Events[0].Seq, p.Events[0].EndpointIDs[0]
			switch {
			case i == 500:
				outcomes[i].Status = sender.Pending
			case i%100 == 7:
				outcomes[i].Status = sender.Failed
			}
		}
		if err := s.Settle(background, outcomes); err != nil {
			tb.Fatal(err)
		}
	}
}

// BenchmarkPutSettle stores batches and settles them: the life of an event
// that is delivered at once.
func BenchmarkPutSettle(b *testing.B) {
	for _, size := range batchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := openTemp(b)
			publications := batch(size, 0, "a")
			b.ReportAllocs()
			used, began := processorTime(b), time.Now()
			for n := 0; b.Loop(); n += size {
				renumber(publications, n)
				put(b, s, publications)
				settleAll(b, s, publications, "a", delivered)
			}
			report(b, b.N*size, began, used)
		})
	}
}

// BenchmarkOpen opens a store that a crash has left with 100,000 pending
// deliveries without a row.
func BenchmarkOpen(b *testing.B) {
	const pending = 100_000
	s := openTemp(b)
	fill(b, s, pending)
	path, err := crash(s, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		copied, err := copyStore(path, b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		s, err := Open(copied, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkClaim claims 100 deliveries among a million pending ones, with
// 1,000 held before them.
func BenchmarkClaim(b *testing.B) {
	const pending = 1_000_000
	s := openTemp(b)
	fill(b, s, pending)
	path := s.Path()
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	claim := func(limit int) []*sender.Delivery {
		claimed, err := s.Claim(background, sender.ClaimQuery{EndpointID: "a", Now: start.Add(time.Hour), Limit: limit, Bytes: 1 << 30})
		if err != nil || len(claimed.Deliveries) != limit {
			b.Fatal(len(claimed.Deliveries), err)
		}
		return claimed.Deliveries
	}
	claim(1000)
	b.ReportAllocs()
	for b.Loop() {
		deliveries := claim(100)
		b.StopTimer()
		outcomes := make([]sender.Outcome, len(deliveries))
		for i, d := range deliveries {
			outcomes[i] = sender.Outcome{Seq: d.Seq, EndpointID: d.EndpointID, Status: sender.Pending, Due: d.Due}
		}
		if err := s.Settle(background, outcomes); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkPurge deletes 500 events at a time.
func BenchmarkPurge(b *testing.B) {
	const step = 500
	s := openTemp(b)
	publications := batch(step, 0, "a")
	for n := 0; b.Loop(); n += step {
		b.StopTimer()
		renumber(publications, n)
		put(b, s, publications)
		settleAll(b, s, publications, "a", delivered)
		b.StartTimer()
		if purged, err := s.Purge(background, sender.PurgeQuery{Before: start.Add(1000 * time.Hour), Limit: step}); purged != step || err != nil {
			b.Fatal(purged, err)
		}
	}
}
