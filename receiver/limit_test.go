package receiver

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

func perMinute(events, burst int) webhook.Rate {
	return webhook.Rate{Events: events, Per: webhook.Duration(time.Minute), Burst: burst}
}

// source is a key of the first limit.
func named(name string) sourceKey { return sourceKey{source: name} }

// numbered is a key of the first limit, with a number for a name.
func numbered(n int) sourceKey { return named(strconv.Itoa(n)) }

// ask asks for one token.
func ask[K limitKey](l *limits[K], k K, want webhook.Rate) (wait time.Duration, ok bool) {
	wish := []demand[K]{{key: k, rate: want}}
	refused := l.allow(wish)
	return wish[0].wait, refused < 0
}

// pass counts how many of n requests get through.
func pass[K limitKey](l *limits[K], k K, want webhook.Rate, n int) (passed int) {
	for range n {
		if _, ok := ask(l, k, want); ok {
			passed++
		}
	}
	return passed
}

func TestLimitPerKey(t *testing.T) {
	tick := newClock()
	l := newLimits[sourceKey](tick.Now)
	rate := perMinute(6, 3)
	if got := pass(l, named("a"), rate, 10); got != 3 {
		t.Errorf("%d passed at once, want the burst of 3", got)
	}
	if got := pass(l, named("b"), rate, 10); got != 3 {
		t.Errorf("%d of another key passed, want 3", got)
	}
	tick.advance(10 * time.Second)
	if got := pass(l, named("a"), rate, 10); got != 1 {
		t.Errorf("%d passed after 10s, want 1", got)
	}
}

// TestLongSourcesTakeNoRoom: what requests are counted by may be a header that
// nobody has signed, as long as headers may be.
func TestLongSourcesTakeNoRoom(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	a, b := newSourceKey(0, long+"a"), newSourceKey(0, long+"b")
	if len(a.source) > maxSourceLength || a == b || a != newSourceKey(0, long+"a") || a == newSourceKey(1, long+"a") {
		t.Errorf("long sources are kept as %q and %q", a.source, b.source)
	}
	if k := newSourceKey(1, "192.0.2.1"); k != (sourceKey{1, "192.0.2.1"}) {
		t.Errorf("a short one is kept as %+v", k)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		rate    webhook.Rate
		elapsed time.Duration
		want    time.Duration
	}{
		{perMinute(6, 1), 0, 10 * time.Second},
		{perMinute(6, 1), 3500 * time.Millisecond, 7 * time.Second},
		{perMinute(6, 1), 9900 * time.Millisecond, time.Second},
		{webhook.Rate{Events: 1000, Burst: 1}, 0, time.Second},
		{webhook.Rate{Events: 1, Per: webhook.Duration(24 * time.Hour)}, time.Hour, 23 * time.Hour},
		{webhook.Rate{Events: 1, Per: webhook.Duration(100 * 365 * 24 * time.Hour)}, 0, (1<<31 - 1) * time.Second},
	} {
		tick := newClock()
		l := newLimits[sourceKey](tick.Now)
		if _, ok := ask(l, named("a"), c.rate); !ok {
			t.Fatal("the first was refused")
		}
		tick.advance(c.elapsed)
		if got, ok := ask(l, named("a"), c.rate); ok || got != c.want {
			t.Errorf("%s after %s: ok %t, wait %s, want %s", c.rate, c.elapsed, ok, got, c.want)
		}
	}
}

// Guards against the clock being read before the lock is taken: goroutines
// with an old time would turn the bucket back and fill it again and again.
func TestLimitUnderContention(t *testing.T) {
	const burst, perSecond = 10, 1000
	l := newLimits[sourceKey](time.Now)
	rate := webhook.Rate{Events: perSecond, Burst: burst}
	began := time.Now()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() { passed.Add(int64(pass(l, named("a"), rate, 2000))) })
	}
	wg.Wait()
	most := burst + 1 + int64(time.Since(began).Seconds()*perSecond)
	if got := passed.Load(); got < burst || got > most {
		t.Errorf("%d passed, want %d to %d", got, burst, most)
	}
}

func TestChangedRateDoesNotRefill(t *testing.T) {
	tick := newClock()
	l := newLimits[sourceKey](tick.Now)
	if got := pass(l, named("a"), perMinute(6, 6), 6); got != 6 {
		t.Fatalf("%d passed, want 6", got)
	}
	if got := pass(l, named("a"), perMinute(60, 100), 10); got != 0 {
		t.Errorf("%d passed right after the rate was raised, want 0", got)
	}
	tick.advance(time.Second)
	if got := pass(l, named("a"), perMinute(60, 100), 10); got != 1 {
		t.Errorf("%d passed a second later, want 1 at the new rate", got)
	}
	tick.advance(time.Hour)
	if got := pass(l, named("a"), perMinute(60, 2), 10); got != 2 {
		t.Errorf("%d passed with the burst lowered, want 2", got)
	}
}

// A key is dropped when its bucket is full and not before, so that being
// dropped is worth nothing.
func TestSweepDropsFullBucketsOnly(t *testing.T) {
	tick := newClock()
	l := newLimits[sourceKey](tick.Now)
	const keys = 2000
	rate := perMinute(1, 2)
	for k := range keys {
		pass(l, numbered(k), rate, 2)
	}
	tick.advance(119 * time.Second) // not quite full
	pass(l, numbered(-1), rate, 1)
	for i := range l.shards {
		l.sweep(&l.shards[i], tick.Now())
	}
	if got := l.keys(); got != keys+1 {
		t.Fatalf("%d keys are left, want %d", got, keys+1)
	}
	tick.advance(time.Second)
	// Requests sweep on their own: each shard when it has seen enough.
	for range 8 {
		for k := keys; k < 2*keys; k++ {
			pass(l, numbered(k), rate, 1)
		}
	}
	if got := l.keys(); got > keys+1 {
		t.Errorf("%d keys are left, want %d or so: the full ones were not dropped", got, keys)
	}
	for k := range keys {
		if got := pass(l, numbered(k), rate, 3); got != 2 {
			t.Fatalf("key %d: %d passed, want the burst of 2", k, got)
		}
	}
}

func TestShrunkKeepsTheEntries(t *testing.T) {
	m := map[int]int{1: 10, 2: 20}
	small, peak := shrunk(m, minShrink)
	if peak != 2 || len(small) != 2 || small[1] != 10 || small[2] != 20 {
		t.Errorf("%v with peak %d, want the same entries and peak 2", small, peak)
	}
	delete(small, 1)
	if len(m) != 2 {
		t.Error("the map was not replaced")
	}
	if _, peak := shrunk(m, minShrink-1); peak != minShrink-1 {
		t.Errorf("peak %d: a small map is not worth it", peak)
	}
}

func TestClientKey(t *testing.T) {
	for _, c := range []struct{ address, want string }{
		{"192.0.2.1", "192.0.2.1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
		{"2001:db8:1:2::", "2001:db8:1:2::"},
		{"2001:db8:1:3::1", "2001:db8:1:3::"},
		{"fe80::1%eth0", "fe80::"},
	} {
		if got := netip.Addr(keyOfClient(netip.MustParseAddr(c.address))); got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: key %s, want %s", c.address, got, c.want)
		}
	}
	if got := netip.Addr(keyOfClient(netip.Addr{})); got != (netip.Addr{}) {
		t.Errorf("no address: key %s, want none", got)
	}
}
