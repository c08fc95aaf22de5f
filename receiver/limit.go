package receiver

import (
	"hash/maphash"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	limitShards = 64

	// maxLimitKeys is how many keys a limit tells apart. A client that makes
	// up keys must not be able to fill the memory.
	maxLimitKeys = 100_000

	// sweepEvery is how many requests a shard sees at least from one sweep to
	// the next. With the number of its keys added, a sweep costs each request
	// the same however many keys there are.
	sweepEvery = 64
)

// limits counts requests per key with token buckets. A key that is not in use
// is dropped, but only when its bucket is full again, so that dropping it
// gives nobody a fresh budget. Keys over the maximum share one bucket.
type limits[K comparable] struct {
	now      func() time.Time
	max      int64
	seed     maphash.Seed
	keys     atomic.Int64
	shards   [limitShards]limitShard[K]
	overflow limitShard[K]
}

type limitShard[K comparable] struct {
	mu      sync.Mutex
	buckets map[K]bucket
	peak    int // most buckets since the map was made
	calls   int // since the last sweep
}

// bucket is a limiter with the rate that it was set to.
type bucket struct {
	limiter *rate.Limiter
	rate    webhook.Rate
}

func newLimits[K comparable](now func() time.Time) *limits[K] {
	return &limits[K]{now: now, max: maxLimitKeys, seed: maphash.MakeSeed()}
}

// allow takes one request of k from its bucket, which follows want from now
// on. When the bucket is empty it returns how long until it is not, in whole
// seconds and at least one.
func (l *limits[K]) allow(k K, want webhook.Rate) (wait time.Duration, ok bool) {
	s := &l.shards[maphash.Comparable(l.seed, k)%limitShards]
	s.mu.Lock()
	// The clock is read under the lock: an older time after a newer one would
	// turn the bucket back and fill it twice for the same time.
	now := l.now()
	s.calls++
	if s.calls >= sweepEvery+len(s.buckets) {
		l.keys.Add(int64(-s.sweep(now)))
	}
	b, known := s.buckets[k]
	if !known {
		if l.keys.Add(1) > l.max {
			l.keys.Add(-1)
			s.mu.Unlock()
			return l.allowOverflow(want)
		}
	}
	wait, ok = s.take(k, b, want, now)
	s.mu.Unlock()
	return wait, ok
}

// allowOverflow takes one request from the bucket that all keys share for
// which there is no room.
func (l *limits[K]) allowOverflow(want webhook.Rate) (time.Duration, bool) {
	s := &l.overflow
	s.mu.Lock()
	defer s.mu.Unlock()
	var all K
	return s.take(all, s.buckets[all], want, l.now())
}

// take takes one request from b, which is made first if it is not there.
func (s *limitShard[K]) take(k K, b bucket, want webhook.Rate, now time.Time) (time.Duration, bool) {
	limit := rate.Limit(want.PerSecond())
	switch {
	case b.limiter == nil:
		b = bucket{rate.NewLimiter(limit, want.BurstSize()), want}
		s.put(k, b)
	case b.rate != want:
		// Neither call refills the bucket.
		b.limiter.SetLimitAt(now, limit)
		b.limiter.SetBurstAt(now, want.BurstSize())
		b.rate = want
		s.put(k, b)
	}
	if b.limiter.AllowN(now, 1) {
		return 0, true
	}
	const rounding = 1e-6 // so that 10.0000000001 is not made 11
	seconds := math.Ceil((1-b.limiter.TokensAt(now))/float64(limit) - rounding)
	return time.Duration(min(max(1, seconds), math.MaxInt32)) * time.Second, false
}

func (s *limitShard[K]) put(k K, b bucket) {
	if s.buckets == nil {
		s.buckets = make(map[K]bucket)
	}
	s.buckets[k] = b
	s.peak = max(s.peak, len(s.buckets))
}

// sweep drops the buckets that are full and returns how many.
func (s *limitShard[K]) sweep(now time.Time) (dropped int) {
	s.calls = 0
	for k, b := range s.buckets {
		if b.limiter.TokensAt(now) >= float64(b.limiter.Burst()) {
			delete(s.buckets, k)
			dropped++
		}
	}
	s.buckets, s.peak = shrunk(s.buckets, s.peak)
	return dropped
}

// minShrink is the size that a map must have had to be worth shrinking.
const minShrink = 256

// shrunk returns m in a new map if it is mostly empty, since a map never gives
// memory back by itself. The peak is the most that m has held; what is
// returned with the map is its new peak.
func shrunk[K comparable, V any](m map[K]V, peak int) (map[K]V, int) {
	if peak < minShrink || len(m) > peak/8 {
		return m, peak
	}
	smaller := make(map[K]V, len(m))
	for k, v := range m {
		smaller[k] = v
	}
	return smaller, len(m)
}

// overRate is the refusal of a request that is over a limit.
func overRate(reason Reason, wait time.Duration) *Refusal {
	return &Refusal{Status: http.StatusTooManyRequests, Reason: reason, RetryAfter: wait}
}
