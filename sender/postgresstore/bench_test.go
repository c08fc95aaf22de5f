//go:build linux

package postgresstore

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
)

// usage is how much processor time was used, by this process and by the
// server's.
type usage struct {
	client, server time.Duration
	at             time.Time

	// After it was measured, which takes some itself.
	clientAfter time.Duration
	atAfter     time.Time
}

// processorTime is what the process has used of it so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		b.Fatal(err)
	}
	return time.Duration(own.Utime.Nano() + own.Stime.Nano())
}

// measure reads how much was used so far. Processes of the server that have
// ended count for the one that started them.
func measure(b *testing.B, server *postgrestest.Server) usage {
	b.Helper()
	u := usage{client: processorTime(b), at: time.Now()}
	pid, err := server.PID()
	if err != nil {
		b.Fatal(err)
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		b.Fatal(err)
	}
	ticks := int64(0)
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// proc(5): after the name there are the state, the parent, and, as 14th to
		// 17th of all, the times of the process and of children that were waited for.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		own := filepath.Base(filepath.Dir(path)) == strconv.Itoa(pid)
		if !own && fields[1] != strconv.Itoa(pid) {
			continue
		}
		for i, field := range fields[11:15] {
			if n, err := strconv.ParseInt(field, 10, 64); err == nil && (own || i < 2) {
				ticks += n
			}
		}
	}
	u.server = time.Duration(ticks) * 10 * time.Millisecond
	u.clientAfter, u.atAfter = processorTime(b), time.Now()
	return u
}

// add adds what was used since.
func (u *usage) add(b *testing.B, server *postgrestest.Server, since usage) {
	now := measure(b, server)
	u.client += now.client - since.clientAfter
	u.server += now.server - since.server
	u.at = u.at.Add(now.at.Sub(since.atAfter))
}

// report reports events per second, and the processor time of each.
func (u *usage) report(b *testing.B, events int) {
	b.ReportMetric(float64(events)/u.at.Sub(time.Time{}).Seconds(), "events/s")
	b.ReportMetric(float64(u.client.Nanoseconds())/1000/float64(events), "client-µs/event")
	b.ReportMetric(float64(u.server.Nanoseconds())/1000/float64(events), "server-µs/event")
}

var batchSizes = []int{1, 16, 64, 256}

// onServer runs a benchmark for batches of each size on a server of its own.
func onServer(b *testing.B, run func(b *testing.B, server *postgrestest.Server, size int)) {
	server := postgrestest.Start(b)
	for _, size := range batchSizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) { run(b, server, size) })
	}
}

// BenchmarkInsert is what there is to compare with: events as plain rows, each
// inserted by a statement of its own, in one transaction for each batch and one
// round trip.
func BenchmarkInsert(b *testing.B) {
	onServer(b, func(b *testing.B, server *postgrestest.Server, size int) {
		conn, err := pgx.Connect(background, server.URL())
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close(background)
		if _, err := conn.Exec(background, `DROP TABLE IF EXISTS plain; CREATE TABLE plain (
			seq bigserial PRIMARY KEY, id text NOT NULL UNIQUE, stored_at timestamptz NOT NULL, type text NOT NULL, endpoint text NOT NULL, data bytea NOT NULL)`); err != nil {
			b.Fatal(err)
		}
		publications := batch(size, 0, "a")
		var used usage
		before := measure(b, server)
		for n := 0; b.Loop(); n += size {
			renumber(publications, n)
			var inserts pgx.Batch
			for _, p := range publications {
				e := &p.Events[0]
				inserts.Queue(`INSERT INTO plain (id, stored_at, type, endpoint, data) VALUES ($1, $2, $3, $4, $5)`,
					e.Event.ID, e.StoredAt, e.Event.Type, "a", e.Event.Data)
			}
			if err := conn.SendBatch(background, &inserts).Close(); err != nil {
				b.Fatal(err)
			}
		}
		used.add(b, server, before)
		used.report(b, b.N*size)
	})
}

// BenchmarkPutEvents stores batches of 1 KB events.
func BenchmarkPutEvents(b *testing.B) {
	onServer(b, func(b *testing.B, server *postgrestest.Server, size int) {
		s := open(b, options(b, server.URL()))
		publications := batch(size, 0, "a")
		var used usage
		b.ReportAllocs()
		before := measure(b, server)
		for n := 0; b.Loop(); n += size {
			renumber(publications, n)
			publish(b, s, publications)
		}
		used.add(b, server, before)
		used.report(b, b.N*size)
	})
}

// BenchmarkSettle settles deliveries whose first attempt succeeded; storing them
// is not counted.
func BenchmarkSettle(b *testing.B) {
	const rounds = 50 // the server's time is measured in steps of 10 ms
	onServer(b, func(b *testing.B, server *postgrestest.Server, size int) {
		s := open(b, options(b, server.URL()))
		var used usage
		n := 0
		for b.Loop() {
			b.StopTimer()
			var settling [][]sender.Outcome
			for range rounds {
				publications := batch(size, n, "a")
				n += size
				publish(b, s, publications)
				settling = append(settling, outcomes(publications, "a", delivered))
			}
			before := measure(b, server)
			b.StartTimer()
			for _, list := range settling {
				settleAll(b, s, list)
			}
			b.StopTimer()
			used.add(b, server, before)
			b.StartTimer()
		}
		used.report(b, n)
	})
}

// BenchmarkPutSettle stores batches and settles them: the life of an event that is
// delivered at once.
func BenchmarkPutSettle(b *testing.B) {
	onServer(b, func(b *testing.B, server *postgrestest.Server, size int) {
		s := open(b, options(b, server.URL()))
		publications := batch(size, 0, "a")
		var used usage
		before := measure(b, server)
		for n := 0; b.Loop(); n += size {
			renumber(publications, n)
			publish(b, s, publications)
			settleAll(b, s, outcomes(publications, "a", delivered))
		}
		used.add(b, server, before)
		used.report(b, b.N*size)
	})
}

// BenchmarkClaim claims 100 deliveries among 200,000 pending ones, and puts them
// back, which is not counted in the time of a call.
func BenchmarkClaim(b *testing.B) {
	const pending, limit = 200_000, 100
	server := postgrestest.Start(b)
	s := open(b, options(b, server.URL()))
	for n := 0; n < pending; n += 1000 {
		publications := batch(1000, n, "a")
		publish(b, s, publications)
		settleAll(b, s, outcomes(publications, "a", sender.Outcome{Status: sender.Pending, Due: start}))
	}
	var took []time.Duration
	var used usage
	for b.Loop() {
		before, began := measure(b, server), time.Now()
		claimed, err := s.Claim(background, sender.ClaimQuery{EndpointID: "a", Now: start.Add(time.Hour), Limit: limit, Bytes: 1 << 30})
		if err != nil || len(claimed.Deliveries) != limit {
			b.Fatal(len(claimed.Deliveries), err)
		}
		took = append(took, time.Since(began))
		used.add(b, server, before)
		b.StopTimer()
		list := make([]sender.Outcome, limit)
		for i, d := range claimed.Deliveries {
			list[i] = sender.Outcome{Seq: d.Seq, EndpointID: d.EndpointID, Status: sender.Pending, Due: d.Due}
		}
		settleAll(b, s, list)
		b.StartTimer()
	}
	used.report(b, b.N*limit)
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs/claim-p50")
}
