package receiver

import (
	"crypto/sha256"
	"hash/maphash"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	limitShards = 64

	// maxLimitKeys is how many keys a limit tells apart that have not proven
	// anything, and how many that have. A client that makes up keys must not be
	// able to fill the memory.
	maxLimitKeys = 100_000

	// overflowBuckets is how many buckets the keys share for which there is no
	// room. It is a multiple of limitShards.
	overflowBuckets = 4096

	// knownFor is how long the bucket of a client is kept that has proven to
	// be authentic, full as it may be: in a flood, a client without a bucket of
	// its own has to share one.
	knownFor = int64(time.Hour)

	// sweepEvery is how many requests a shard sees at least from one sweep to
	// the next. With the number of its keys added, a sweep costs each request
	// the same however many keys there are.
	sweepEvery = 64
)

// limitKey is what requests are counted by.
type limitKey interface {
	comparable

	// group is the hash of what the key shares a bucket with when there is no
	// room for a bucket of its own.
	group(seed maphash.Seed) uint64

	// limit is the number of the limit that the key is for. Keys of different
	// limits share nothing.
	limit() int
}

// clientKey is a client address, as [keyOfClient] makes it.
type clientKey netip.Addr

// group is the network that the address is in, a /16 or for IPv6 a /32: about
// what one provider has. So a flood from many addresses takes the room of its
// own networks, not that of all others.
func (k clientKey) group(seed maphash.Seed) uint64 {
	addr := netip.Addr(k)
	bits := 16
	if addr.Is6() {
		bits = 32
	}
	network, err := addr.Prefix(bits)
	if err != nil {
		return maphash.Comparable(seed, addr)
	}
	return maphash.Comparable(seed, network.Addr())
}

func (clientKey) limit() int { return 0 }

// sourceKey is a source of authentic requests.
type sourceKey struct {
	index  int // of the limit
	source string
}

// maxSourceLength is how long a source is kept as it is, in bytes. A longer one
// is kept as its digest: it may be a header of which nobody has signed anything.
const maxSourceLength = 64

func newSourceKey(index int, source string) sourceKey {
	if len(source) > maxSourceLength {
		sum := sha256.Sum256([]byte(source))
		source = string(sum[:])
	}
	return sourceKey{index, source}
}

func (k sourceKey) group(seed maphash.Seed) uint64 { return maphash.String(seed, k.source) }

func (k sourceKey) limit() int { return k.index }

// limits counts requests per key with token buckets. A key that is not in use
// is dropped, but only when its bucket is full again, so that dropping it
// gives nobody a fresh budget. Keys over the maximum share buckets by their
// group.
type limits[K limitKey] struct {
	now              func() time.Time
	max              int64
	seed             maphash.Seed
	strangers, known atomic.Int64 // keys
	shards           [limitShards]limitShard[K]
}

// limitShard holds whole groups, so that one lock guards a key and what it
// shares.
type limitShard[K limitKey] struct {
	mu       sync.Mutex
	buckets  map[K]*bucket
	overflow map[overflowKey]*bucket
	peak     int // most buckets since the map was made
	calls    int // since the last sweep
}

// overflowKey names a shared bucket of a limit.
type overflowKey struct {
	limit int
	group uint16
}

// bucket is a limiter with the rate that it was set to.
type bucket struct {
	limiter *rate.Limiter
	rate    webhook.Rate
	used    int64 // when it was used last, in Unix nanoseconds
	known   bool  // the client has proven to be authentic
}

// demand is one request's wish for a token, and what became of it.
type demand[K limitKey] struct {
	key  K
	rate webhook.Rate

	bucket *bucket
	known  bool          // the client has proven to be authentic
	tokens float64       // that are left
	wait   time.Duration // until there is one, in whole seconds; 0: it is there
}

func newLimits[K limitKey](now func() time.Time) *limits[K] {
	return &limits[K]{now: now, max: maxLimitKeys, seed: maphash.MakeSeed()}
}

// keys is how many keys have a bucket of their own.
func (l *limits[K]) keys() int { return int(l.strangers.Load() + l.known.Load()) }

// allow takes a token for each demand if all of them can have one, and none
// otherwise. The buckets follow the demanded rates from now on. It returns the
// index of the demand that has to wait longest, or -1.
func (l *limits[K]) allow(demands []demand[K]) (refused int) {
	var room [8]uint64
	groups := room[:0]
	for i := range demands {
		groups = append(groups, demands[i].key.group(l.seed))
	}
	l.lock(groups)
	defer l.unlock(groups)
	// The clock is read under the locks: an older time after a newer one would
	// turn a bucket back and fill it twice for the same time.
	now := l.now()
	refused = -1
	for i := range demands {
		d := &demands[i]
		d.bucket = l.find(d, groups[i], now)
		d.known = d.bucket.known
		d.look(now)
		if d.wait > 0 && (refused < 0 || d.wait > demands[refused].wait) {
			refused = i
		}
	}
	if refused < 0 {
		for i := range demands {
			d := &demands[i]
			d.bucket.limiter.AllowN(now, 1)
			d.tokens--
		}
	}
	// Not before: a bucket that is about to be used may be full.
	for _, g := range groups {
		if s := &l.shards[g%limitShards]; s.calls >= sweepEvery+len(s.buckets)+len(s.overflow) {
			l.sweep(s, now)
		}
	}
	return refused
}

// lock locks the shards of the groups, each once and in ascending order, so
// that two requests cannot wait for each other.
func (l *limits[K]) lock(groups []uint64) {
	if len(groups) == 1 {
		l.shards[groups[0]%limitShards].mu.Lock()
		return
	}
	for i := range l.shardsOf(groups) {
		l.shards[i].mu.Lock()
	}
}

func (l *limits[K]) unlock(groups []uint64) {
	if len(groups) == 1 {
		l.shards[groups[0]%limitShards].mu.Unlock()
		return
	}
	for i := range l.shardsOf(groups) {
		l.shards[i].mu.Unlock()
	}
}

// shardsOf yields the indexes of the groups' shards.
func (l *limits[K]) shardsOf(groups []uint64) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		var set uint64 // one bit for each shard
		for _, g := range groups {
			set |= 1 << (g % limitShards)
		}
		for i := range limitShards {
			if set&(1<<i) != 0 && !yield(i) {
				return
			}
		}
	}
}

// find is the bucket for a demand, made if it is not there. The group's shard
// must be locked.
func (l *limits[K]) find(d *demand[K], group uint64, now time.Time) *bucket {
	s := &l.shards[group%limitShards]
	s.calls++
	b := s.buckets[d.key]
	if b == nil {
		b = l.make(s, d, group)
	}
	b.used = now.UnixNano()
	if b.rate != d.rate {
		// Neither call refills the bucket.
		b.limiter.SetLimitAt(now, rate.Limit(d.rate.PerSecond()))
		b.limiter.SetBurstAt(now, d.rate.BurstSize())
		b.rate = d.rate
	}
	return b
}

// make makes a bucket for a key that has none, or returns the one that it has
// to share.
func (l *limits[K]) make(s *limitShard[K], d *demand[K], group uint64) *bucket {
	if l.strangers.Add(1) <= l.max {
		b := newBucket(d.rate)
		s.put(d.key, b)
		return b
	}
	l.strangers.Add(-1)
	shared := overflowKey{d.key.limit(), uint16(group % overflowBuckets)}
	b := s.overflow[shared]
	if b == nil {
		b = newBucket(d.rate)
		if s.overflow == nil {
			s.overflow = make(map[overflowKey]*bucket)
		}
		s.overflow[shared] = b
	}
	return b
}

// know notes that requests of k are authentic. It gets a bucket of its own if
// it has none, and keeps it for a while.
func (l *limits[K]) know(k K, want webhook.Rate) {
	s := &l.shards[k.group(l.seed)%limitShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[k]
	if b != nil && b.known {
		return
	}
	if l.known.Add(1) > l.max {
		l.known.Add(-1)
		return
	}
	if b != nil {
		l.strangers.Add(-1)
		b.known = true
		return
	}
	now := l.now()
	b = newBucket(want)
	b.known, b.used = true, now.UnixNano()
	b.limiter.AllowN(now, 1) // for the request that has shown it
	s.put(k, b)
}

func newBucket(r webhook.Rate) *bucket {
	return &bucket{limiter: rate.NewLimiter(rate.Limit(r.PerSecond()), r.BurstSize()), rate: r}
}

// look sees how many tokens there are.
func (d *demand[K]) look(now time.Time) {
	d.tokens = d.bucket.limiter.TokensAt(now)
	d.judge()
}

// judge sees how long it takes until there is a token.
func (d *demand[K]) judge() {
	// The limiter counts what is less than a nanosecond away as there.
	if missing := (1 - d.tokens) / d.rate.PerSecond(); missing >= 1e-9 {
		d.wait = wholeSeconds(missing)
	}
}

// reset is the number of seconds until the bucket is full, or if it has no
// token left, until it has one.
func (d *demand[K]) reset() time.Duration {
	until := float64(d.rate.BurstSize())
	if d.tokens < 1 {
		until = 1
	}
	return wholeSeconds((until - d.tokens) / d.rate.PerSecond())
}

// wholeSeconds rounds up to whole seconds, at least one.
func wholeSeconds(seconds float64) time.Duration {
	const rounding = 1e-6 // so that 10.0000000001 is not made 11
	return time.Duration(min(max(1, math.Ceil(seconds-rounding)), math.MaxInt32)) * time.Second
}

func (s *limitShard[K]) put(k K, b *bucket) {
	if s.buckets == nil {
		s.buckets = make(map[K]*bucket)
	}
	s.buckets[k] = b
	s.peak = max(s.peak, len(s.buckets))
}

// sweep drops the buckets that are full, except those of known clients that
// were here not long ago.
func (l *limits[K]) sweep(s *limitShard[K], now time.Time) {
	s.calls = 0
	strangers, known := 0, 0
	for k, b := range s.buckets {
		switch {
		case b.known && now.UnixNano()-b.used < knownFor, !b.full(now):
			continue
		case b.known:
			known++
		default:
			strangers++
		}
		delete(s.buckets, k)
	}
	for k, b := range s.overflow {
		if b.full(now) {
			delete(s.overflow, k)
		}
	}
	l.strangers.Add(int64(-strangers))
	l.known.Add(int64(-known))
	s.buckets, s.peak = shrunk(s.buckets, s.peak)
}

func (b *bucket) full(now time.Time) bool {
	return b.limiter.TokensAt(now) >= float64(b.limiter.Burst())
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
