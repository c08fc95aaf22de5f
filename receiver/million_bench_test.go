package receiver

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkFiveMillion presents five million events, each twice, by 64
// goroutines: the second time somewhere in between, from the next moment to the
// end. Then it presents all of them once more. It takes minutes, so run it alone:
//
//	go test ./receiver -run '^$' -bench FiveMillion -benchtime 1x -timeout 30m
func BenchmarkFiveMillion(b *testing.B) {
	for b.Loop() {
		presentFiveMillion(b)
	}
}

func presentFiveMillion(b *testing.B) {
	const events, goroutines = 5_000_000, 64
	taken := make([]atomic.Uint32, events)
	before := heapInUse()
	state := NewState(StateOptions{})
	defer state.Close()
	cfg := testConfig("standard")
	cfg.Dedupe.Capacity = events
	rc, err := New(cfg, Options{State: state})
	if err != nil {
		b.Fatal(err)
	}
	// Half of the presentations go through the events in order, and the other
	// half in an order that jumps about: the step has no divisor in common with
	// the number of events.
	const step = 1_999_993
	var next [2]atomic.Int64
	var duplicates, twice, refused atomic.Int64
	began := time.Now()
	run := func(each func(w int, i int64) int64) {
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				half := g % 2
				for {
					i := next[half].Add(1) - 1
					if i >= events {
						return
					}
					n := each(half, i)
					c := claimOn(rc.keys.ofID(eventID(int(n))))
					switch got, _ := state.seen.take(b.Context(), c, time.Minute); got {
					case duplicate:
						duplicates.Add(1)
					case busy:
						refused.Add(1)
					case claimed:
						runtime.Gosched() // the application
						if taken[n].Add(1) > 1 {
							twice.Add(1)
						}
						state.seen.commit(c, rc.ttl, rc.capacity)
					}
				}
			})
		}
		wg.Wait()
	}
	run(func(half int, i int64) int64 {
		if half == 0 {
			return i
		}
		return i * step % events
	})
	took := time.Since(began)
	missing := 0
	for n := range taken {
		if taken[n].Load() == 0 {
			missing++
		}
	}
	first := duplicates.Load()
	state.seen.settle()
	perID := float64(heapInUse()-before) / events
	next = [2]atomic.Int64{}
	run(func(_ int, i int64) int64 { return i })
	b.ReportMetric(2*events/took.Seconds(), "presented/s")
	b.ReportMetric(float64(twice.Load()), "accepted-twice")
	b.ReportMetric(float64(missing), "never-accepted")
	b.ReportMetric(perID, "B/ID")
	if twice.Load() != 0 || missing != 0 || refused.Load() != 0 || first != events || duplicates.Load() != 3*events {
		b.Errorf("%d twice, %d never, %d refused, %d and %d duplicates", twice.Load(), missing, refused.Load(), first, duplicates.Load())
	}
	if perID > 200 {
		b.Errorf("%.0f bytes per ID, want at most 200", perID)
	}
}
