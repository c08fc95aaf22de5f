package receiver

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// address is the IPv4 address of a number.
func address(n uint32) clientKey {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return keyOfClient(netip.AddrFrom4(b))
}

// A request that one limit refuses must not use up another.
func TestAllLimitsOrNone(t *testing.T) {
	tick := newClock()
	l := newLimits[sourceKey](tick.Now)
	wide, narrow := perMinute(60, 10), perMinute(6, 2)
	both := func() (refused int) {
		return l.allow([]demand[sourceKey]{{key: sourceKey{0, "a"}, rate: wide}, {key: sourceKey{1, "a"}, rate: narrow}})
	}
	for n, want := range []int{-1, -1, 1, 1, 1} {
		if got := both(); got != want {
			t.Errorf("request %d: limit %d refused it, want %d", n, got, want)
		}
	}
	if got := pass(l, sourceKey{0, "a"}, wide, 20); got != 8 {
		t.Errorf("%d passed the wide limit alone, want the 8 that the refused ones left", got)
	}
	tick.advance(10 * time.Second)
	if got := both(); got != -1 {
		t.Errorf("limit %d refused the request after a pause", got)
	}
}

// The limits are told apart even for the same source, and the longest wait is
// told.
func TestLongestWaitIsTold(t *testing.T) {
	tick := newClock()
	l := newLimits[sourceKey](tick.Now)
	wishes := func() []demand[sourceKey] {
		return []demand[sourceKey]{{key: sourceKey{0, "a"}, rate: perMinute(1, 1)}, {key: sourceKey{1, "b"}, rate: webhook.Rate{Events: 1, Per: webhook.Duration(time.Hour)}}}
	}
	if l.allow(wishes()) != -1 {
		t.Fatal("the first was refused")
	}
	again := wishes()
	if got := l.allow(again); got != 1 || again[got].wait != time.Hour {
		t.Errorf("limit %d, wait %s: want limit 1 and an hour", got, again[1].wait)
	}
}

// TestKeysOverTheMaximumShareBuckets fills a table and asks for more.
func TestKeysOverTheMaximumShareBuckets(t *testing.T) {
	tick := newClock()
	l := newLimits[clientKey](tick.Now)
	l.max = 10
	rate := perMinute(1, 3)
	for n := range uint32(10) {
		pass(l, address(1<<24+n), rate, 1)
	}
	passed := 0
	for n := range uint32(1000) {
		passed += pass(l, address(2<<24+n), rate, 1)
	}
	if passed != 3 {
		t.Errorf("%d requests of one network over the maximum passed, want 3", passed)
	}
	if got := pass(l, address(3<<24), rate, 5); got != 3 {
		t.Errorf("%d of another network passed, want the 3 of its own bucket", got)
	}
	if got := pass(l, address(1<<24), rate, 5); got != 2 {
		t.Errorf("%d of a key in the table passed, want the 2 that it had left", got)
	}
	if got := l.keys(); got != 10 {
		t.Errorf("%d keys, want 10", got)
	}
}

// A client that has proven to be authentic gets a bucket of its own even when
// there is no room for others, and keeps it while it is full.
func TestKnownClientsKeepTheirBuckets(t *testing.T) {
	tick := newClock()
	l := newLimits[clientKey](tick.Now)
	l.max = 4
	rate := perMinute(60, 3)
	for n := range uint32(4) {
		pass(l, address(n), rate, 1)
	}
	client, neighbour := address(9<<24), address(9<<24+1)
	if pass(l, client, rate, 1) != 1 {
		t.Fatal("a new network was refused")
	}
	l.know(client, rate)
	l.know(client, rate)
	if got := pass(l, neighbour, rate, 9); got != 2 {
		t.Fatalf("%d of a neighbour passed, want the 2 that the network had left", got)
	}
	if got := pass(l, client, rate, 9); got != 2 {
		t.Errorf("%d of a known client passed, want the 2 that it had left", got)
	}
	tick.advance(10 * time.Minute)
	for i := range l.shards {
		l.sweep(&l.shards[i], tick.Now())
	}
	if got := l.keys(); got != 1 {
		t.Errorf("%d keys are left after a pause, want the known one", got)
	}
	tick.advance(2 * time.Hour)
	for i := range l.shards {
		l.sweep(&l.shards[i], tick.Now())
	}
	if got := l.keys(); got != 0 {
		t.Errorf("%d keys are left after hours", got)
	}
	for n := range uint32(10) {
		l.know(address(n), rate)
	}
	if got := l.known.Load(); got != 4 {
		t.Errorf("%d known keys, want the maximum of 4", got)
	}
}

// TestFlood sends requests from a million addresses, while clients that are
// known go on sending and others come for the first time.
func TestFlood(t *testing.T) {
	addresses, newEvery := 1_000_000, 1000
	if testing.Short() || raceDetector {
		// As many new ones must come as let no chance decide: which networks share a
		// bucket is another in each run.
		addresses, newEvery = 250_000, 100
	}
	rate := perMinute(1, 5) // so slow that the table stays full
	for _, c := range []struct {
		name    string
		address func(*rand.Rand) uint32
		newOnes float64 // which part of the new clients gets through, at least
	}{
		// A provider's network, or what a botnet has in some hundred of them.
		{"from 200 networks", func(r *rand.Rand) uint32 { return uint32(r.IntN(200))<<16 | uint32(r.IntN(1<<16)) }, 0.9},
		{"from everywhere", func(r *rand.Rand) uint32 { return r.Uint32() &^ (1 << 31) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			tick := newClock()
			random := rand.New(rand.NewPCG(1, 2))
			before := heapInUse()
			l := newLimits[clientKey](tick.Now)
			const knownClients = 1000
			for n := range uint32(knownClients) {
				pass(l, address(200<<24+n<<8), rate, 1)
				l.know(address(200<<24+n<<8), rate)
			}
			tick.advance(time.Minute)
			refusedKnown, newPassed, newTried := 0, 0, 0
			for n := range addresses {
				if n%100 == 0 {
					tick.advance(10 * time.Millisecond) // 10,000 requests a second
				}
				ask(l, address(c.address(random)), rate)
				if n%1000 == 50 { // each known client once in 100 seconds
					if _, ok := ask(l, address(200<<24+uint32(n/1000%knownClients)<<8), rate); !ok {
						refusedKnown++
					}
				}
				if n%newEvery == newEvery/2 && n > 2*maxLimitKeys { // a new client in a network of its own
					newTried++
					if _, ok := ask(l, address(uint32(128+newTried>>8&63)<<24|uint32(newTried&255)<<16), rate); ok {
						newPassed++
					}
				}
			}
			shared := 0
			for i := range l.shards {
				shared += len(l.shards[i].overflow)
			}
			took := heapInUse() - before
			t.Logf("%d addresses: %.1f MB, %d keys and %d shared buckets; %d of %d new clients passed", addresses, float64(took)/1e6, l.keys(), shared, newPassed, newTried)
			if refusedKnown != 0 {
				t.Errorf("%d requests of known clients were refused", refusedKnown)
			}
			if l.keys() > 2*maxLimitKeys || shared > overflowBuckets {
				t.Errorf("%d keys and %d shared buckets: they are not bounded", l.keys(), shared)
			}
			if took > 100<<20 {
				t.Errorf("%d bytes: the memory is not bounded", took)
			}
			if got := float64(newPassed) / float64(max(1, newTried)); got < c.newOnes {
				t.Errorf("%.0f %% of the new clients passed, want %.0f %%", 100*got, 100*c.newOnes)
			}
		})
	}
}

// Guards against a bucket being dropped by a sweep while it is being used: what
// was taken from it would be lost.
func TestSweepSparesTheBucketsInUse(t *testing.T) {
	tick := newClock()
	l := newLimits[sourceKey](tick.Now)
	rates := []webhook.Rate{perMinute(1, 2), perMinute(1, 1000)}
	passed := 0
	for range 5 * sweepEvery {
		wishes := []demand[sourceKey]{{key: sourceKey{0, "a"}, rate: rates[0]}, {key: sourceKey{1, "a"}, rate: rates[1]}}
		if l.allow(wishes) < 0 {
			passed++
		}
	}
	if passed != 2 {
		t.Errorf("%d passed, want 2", passed)
	}
}

func TestRateLimitHeaders(t *testing.T) {
	hourly := webhook.Rate{Events: 3, Per: webhook.Duration(time.Hour)}
	for _, c := range []struct {
		name         string
		config       func(*Config)
		requests     int
		policy, want string // after the last request
	}{
		{"no limit", func(*Config) {}, 1, "", ""},
		{"address", func(c *Config) { c.IPRate = &hourly }, 1, `"ip";q=3;w=3600`, `"ip";r=2;t=1200`},
		{"address, the last one", func(c *Config) { c.IPRate = &hourly }, 3, `"ip";q=3;w=3600`, `"ip";r=0;t=1200`},
		{"address, refused", func(c *Config) { c.IPRate = &hourly }, 4, `"ip";q=3;w=3600`, `"ip";r=0;t=1200`},
		{"source", func(c *Config) { c.Rates = []SourceRate{{Rate: hourly}} }, 2, `"rate_0";q=3;w=3600`, `"rate_0";r=1;t=2400`},
		{
			"two, one refused", func(c *Config) {
				c.Rates = []SourceRate{{Rate: webhook.Rate{Events: 10, Burst: 20}}, {Rate: hourly}}
			}, 4, `"rate_0";q=20;w=2, "rate_1";q=3;w=3600`, `"rate_0";r=17;t=1, "rate_1";r=0;t=1200`,
		},
		{
			"all", func(c *Config) { c.IPRate, c.Rates = &hourly, []SourceRate{{Rate: hourly}} }, 1,
			`"ip";q=3;w=3600, "rate_0";q=3;w=3600`, `"rate_0";r=2;t=1200`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig("standard")
			c.config(&cfg)
			b := newBench(t, cfg)
			var w *httptest.ResponseRecorder
			for n := range c.requests {
				w, _ = b.send(b.signed(t, n))
			}
			if got := w.Header().Get("RateLimit-Policy"); got != c.policy {
				t.Errorf("RateLimit-Policy %s, want %s", got, c.policy)
			}
			if got := w.Header().Get("RateLimit"); got != c.want {
				t.Errorf("RateLimit %s, want %s", got, c.want)
			}
		})
	}
}

// A client becomes known by an authentic request and by nothing less.
func TestClientsBecomeKnown(t *testing.T) {
	cfg := testConfig("standard")
	cfg.IPRate = fastRate()
	b := newBench(t, cfg)
	forged, _ := requestSignedWith(t, foreignSecret, "standard", eventID(1), b.clock.Now(), []byte(`{}`))
	old, _ := signedRequest(t, "standard", eventID(1), b.clock.Now().Add(-time.Hour), []byte(`{}`))
	for i, c := range []struct {
		request *http.Request
		known   int64
	}{{forged, 0}, {old, 0}, {b.signed(t, 1), 1}, {b.signed(t, 2), 1}} {
		c.request.RemoteAddr = "192.0.2.1:5"
		_, _ = b.send(c.request)
		if got := b.state.ip.known.Load(); got != c.known {
			t.Errorf("request %d: %d known clients, want %d", i, got, c.known)
		}
	}
}

// BenchmarkLimits is what one limit costs a request.
func BenchmarkLimits(b *testing.B) {
	for _, keys := range []int{1, 50_000} {
		b.Run(fmt.Sprintf("%d keys", keys), func(b *testing.B) {
			l := newLimits[clientKey](time.Now)
			rate := *fastRate()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				ask(l, address(uint32(n%keys)), rate)
				n++
			}
		})
	}
}
