package receiver

import (
	"encoding/binary"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// numberedKey is the key of an event number, spread as real keys are.
func numberedKey(n uint64) (k key) {
	binary.LittleEndian.PutUint64(k[:], n*0x9e3779b97f4a7c15)
	binary.LittleEndian.PutUint64(k[8:], (n^0x5555)*0xbf58476d1ce4e5b9)
	return k
}

// bareTable is what remembering would cost without ristretto and without
// expiry: the floor that the seen-set is compared with.
type bareTable [seenShards]struct {
	mu   sync.Mutex
	keys map[key]bool // true: committed
}

func (b *bareTable) claim(k key) bool {
	s := &b[shardOf(&k)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.keys[k]; taken {
		return false
	}
	if s.keys == nil {
		s.keys = make(map[key]bool)
	}
	s.keys[k] = false
	return true
}

func (b *bareTable) commit(k key) {
	s := &b[shardOf(&k)]
	s.mu.Lock()
	s.keys[k] = true
	s.mu.Unlock()
}

// BenchmarkClaimCommit is the claim and commit of a new event, beside the same
// with a bare exact map. cpu-ns/op includes the settler.
func BenchmarkClaimCommit(b *testing.B) {
	b.Run("seen-set", func(b *testing.B) {
		s := newSeenSet(time.Now)
		var n atomic.Uint64
		b.ReportAllocs()
		before := cpuTime()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				c := new(claim)
				c.add(numberedKey(n.Add(1)))
				if got, _ := s.try(c); got != claimed {
					b.Errorf("outcome %d for a new key", got)
				}
				s.commit(c, DefaultTTL, 1<<40)
			}
		})
		b.StopTimer()
		s.settle()
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
		<-s.close()
	})
	b.Run("bare-map", func(b *testing.B) {
		var t bareTable
		var n atomic.Uint64
		b.ReportAllocs()
		before := cpuTime()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				k := numberedKey(n.Add(1))
				if !t.claim(k) {
					b.Error("a new key was taken")
				}
				t.commit(k)
			}
		})
		b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
	})
}

// BenchmarkDuplicate is the look at an event that has been settled.
func BenchmarkDuplicate(b *testing.B) {
	const events = 1_000_000
	s := newSeenSet(time.Now)
	for n := range uint64(events) {
		c := new(claim)
		c.add(numberedKey(n))
		s.try(c)
		s.commit(c, DefaultTTL, events)
	}
	s.settle()
	b.ReportAllocs()
	b.ResetTimer()
	var n atomic.Uint64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c := new(claim)
			c.add(numberedKey(n.Add(1) * 7919 % events))
			if got, _ := s.try(c); got != duplicate {
				b.Errorf("outcome %d for a settled key", got)
			}
		}
	})
	b.StopTimer()
	<-s.close()
}

// BenchmarkSettle is the background work for each event: putting it into
// ristretto, and forgetting it later.
func BenchmarkSettle(b *testing.B) {
	const events = 200_000
	var clock atomic.Int64
	s := newSeenSet(func() time.Time { return time.Unix(0, clock.Load()) })
	s.settler.every = time.Hour
	s.settler.start.Do(func() { close(s.settler.done) }) // settle by hand
	var next uint64
	var settling, forgetting time.Duration
	for b.Loop() {
		b.StopTimer()
		for range events {
			c := new(claim)
			c.add(numberedKey(next))
			next++
			s.try(c)
			s.commit(c, time.Second, events)
		}
		b.StartTimer()
		before := cpuTime()
		s.settle()
		settling += cpuTime() - before
		clock.Add(int64(time.Minute))
		before = cpuTime()
		s.settle()
		forgetting += cpuTime() - before
	}
	b.ReportMetric(float64(settling)/float64(next), "settle-cpu-ns/ID")
	b.ReportMetric(float64(forgetting)/float64(next), "forget-cpu-ns/ID")
	s.settler.closeCache()
}

// BenchmarkMemoryPerID is the heap that a remembered event takes.
func BenchmarkMemoryPerID(b *testing.B) {
	for _, events := range []int{1_000_000, 5_000_000} {
		b.Run(strconv.Itoa(events), func(b *testing.B) {
			for b.Loop() {
				before := heapInUse()
				s := newSeenSet(time.Now)
				for n := range uint64(events) {
					c := new(claim)
					c.add(numberedKey(n))
					s.try(c)
					s.commit(c, DefaultTTL, events)
				}
				s.settle()
				b.ReportMetric(float64(heapInUse()-before)/float64(events), "B/ID")
				if left := s.exact.Load(); left != 0 {
					b.Fatalf("%d events are not settled", left)
				}
				<-s.close()
			}
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkHandle is a whole accepted request with a body of 1 KB: signature,
// both limits, claim and commit.
func BenchmarkHandle(b *testing.B) {
	for _, variant := range []string{"standard", "standard without limits", "manysends_body"} {
		b.Run(variant, func(b *testing.B) {
			provider, without, _ := strings.Cut(variant, " ")
			cfg := testConfig(provider)
			if without == "" {
				cfg.IPRate, cfg.Rates = fastRate(), []SourceRate{{Rate: *fastRate()}}
			}
			cfg.Dedupe.Capacity = 1 << 40
			state := NewState(StateOptions{})
			defer state.Close()
			rc, err := New(cfg, Options{State: state})
			if err != nil {
				b.Fatal(err)
			}
			const made = 20_000
			requests := make([]*http.Request, made)
			bodies := make([]*loopBody, made)
			prepare := func(round int) {
				for i := range requests {
					id := eventID(round*made + i)
					r, body := signedRequest(b, provider, id, time.Now(), paddedData(id, 1024))
					bodies[i] = &loopBody{text: body}
					r.Body = bodies[i]
					requests[i] = r
				}
			}
			next := func(w http.ResponseWriter, _ *http.Request) error {
				w.WriteHeader(http.StatusNoContent)
				return nil
			}
			b.ReportAllocs()
			var before, used time.Duration
			n := 0
			for b.Loop() {
				if n%made == 0 {
					b.StopTimer()
					used += cpuTime() - before
					prepare(n / made)
					if n == 0 {
						used = 0
					}
					before = cpuTime()
					b.StartTimer()
				}
				// A server has headers of its own.
				w := silentWriter{header: http.Header{"Server": headerTrue}}
				if err := rc.Handle(&w, requests[n%made], next); err != nil || w.status != http.StatusNoContent {
					b.Fatalf("status %d, error %v", w.status, err)
				}
				n++
			}
			used += cpuTime() - before
			b.ReportMetric(float64(used)/float64(n), "cpu-ns/op")
		})
	}
}

// BenchmarkTypeOf looks for the type of an event in a body of 1 KB that has
// none.
func BenchmarkTypeOf(b *testing.B) {
	body := []byte(`{"event":"message.created","data":` + string(paddedData("evt_1", 1024)) + `}`)
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		if got := typeOf(body, "type"); got != "" {
			b.Fatal(got)
		}
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}
