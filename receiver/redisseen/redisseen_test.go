package redisseen_test

import (
	"context"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"go.uber.org/goleak"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
	"github.com/manysends/caddy-webhooks/receiver/seentest"
)

func TestMain(m *testing.M) {
	// The client looks at its cluster or Sentinels again up to a second later,
	// and does not take that back when it is closed.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/rueidis.(*call).DelayDo.func1"))
}

// memory is a Memory that ends with the test, or before.
type memory struct {
	*redisseen.Memory
	closed atomic.Bool
}

func (m *memory) Close() {
	if !m.closed.Swap(true) {
		m.Memory.Close()
	}
}

func open(t testing.TB, o redisseen.Options) *memory {
	t.Helper()
	m, err := redisseen.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	opened := &memory{Memory: m}
	t.Cleanup(opened.Close)
	return opened
}

// dial connects a client of the test's own.
func dial(t testing.TB, o redisseen.Options) rueidis.Client {
	t.Helper()
	option, err := rueidis.ParseURL(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	option.DisableCache, option.TLSConfig = true, o.TLS
	c, err := rueidis.NewClient(option)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// must claims keys without waiting, and fails the test on any other outcome
// than want.
func must(t testing.TB, m *memory, want string, keys ...receiver.Key) receiver.Finding {
	t.Helper()
	found, err := m.Claim(context.Background(), keys, 0)
	if err != nil {
		t.Fatalf("claim: %v", err)
	}
	got := "busy"
	switch {
	case found.Hold != nil:
		got = "claimed"
	case found.Duplicate:
		got = "duplicate"
	}
	if got != want {
		t.Fatalf("the keys are %s, want %s", got, want)
	}
	return found
}

// age makes what is committed, or what is claimed, older by d.
func age(t testing.TB, c rueidis.Client, prefix string, committed bool, d time.Duration) {
	ctx := context.Background()
	keys, err := c.Do(ctx, c.B().Keys().Pattern(prefix+":*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	const script = `
local v = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 1) == ARGV[1] then
	local left = redis.call('PTTL', KEYS[1]) - tonumber(ARGV[2])
	if left > 0 then redis.call('PEXPIRE', KEYS[1], left) else redis.call('DEL', KEYS[1]) end
end
return 0`
	kind := "?"
	if committed {
		kind = "="
	}
	for _, k := range keys {
		err := c.Do(ctx, c.B().Eval().Script(script).Numkeys(1).Key(k).Arg(kind, strconv.FormatInt(d.Milliseconds(), 10)).Build()).Error()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Redis keeps the law, seen by three processes.
func TestRedisIsASeen(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	keepsTheLaw(t, redisseen.Options{URL: server.URL()})
}

// So does a cluster, which refuses a script whose keys are not in one slot.
func TestClusterIsASeen(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no", "--cluster-enabled", "yes", "--cluster-port", redistest.FreePort(t))
	node, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	ctx := context.Background()
	if err := node.Do(ctx, node.B().Arbitrary("CLUSTER", "ADDSLOTSRANGE", "0", "16383").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the cluster", func() bool {
		info, err := node.Do(ctx, node.B().ClusterInfo().Build()).ToString()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	keepsTheLaw(t, redisseen.Options{URL: server.URL()})
	t.Run("without a name", func(t *testing.T) {
		m := open(t, redisseen.Options{URL: server.URL()})
		must(t, m, "claimed", receiver.Key{1}, receiver.Key{2})
		must(t, open(t, redisseen.Options{URL: server.URL(), Name: redisseen.DefaultName}), "busy", receiver.Key{2})
	})
}

func keepsTheLaw(t *testing.T, o redisseen.Options) {
	c := dial(t, o)
	n := 0
	seentest.Run(t, func(t *testing.T) *seentest.Rig {
		n++
		prefix := "test" + strconv.Itoa(n)
		r := &seentest.Rig{}
		var all []*memory
		for range 3 {
			o := o
			o.Prefix, o.Name = prefix, "hooks"
			m := open(t, o)
			all = append(all, m)
			r.Views = append(r.Views, m)
		}
		r.Pass = func(d time.Duration) { age(t, c, prefix, true, d) }
		r.Lapse = func() { age(t, c, prefix, false, redisseen.DefaultLease) }
		r.Kill = func(view int) {
			all[view].Close()
			r.Lapse()
		}
		return r
	})
}

// All keys are short, in one slot, say nothing of the event, and expire.
func TestKeys(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	o := redisseen.Options{URL: server.URL(), Prefix: "p", Name: "a {b}"}
	c, m := dial(t, o), open(t, o)
	ctx := context.Background()
	found, err := m.Claim(ctx, []receiver.Key{{1}, {2}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	held, err := m.Claim(ctx, []receiver.Key{{3}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Hold.Commit(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	keys, err := c.Do(ctx, c.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	slots := map[int64]bool{}
	events := 0
	for _, k := range keys {
		if k != "p:{a+%7Bb%7D}:probe" {
			events++
		}
		if !strings.HasPrefix(k, "p:{a+%7Bb%7D}:") || len(k) > 40 {
			t.Errorf("key %q", k)
		}
		slot, err := c.Do(ctx, c.B().ClusterKeyslot().Key(k).Build()).AsInt64()
		if err != nil {
			slot = -1
		}
		slots[slot] = true
		if ttl, err := c.Do(ctx, c.B().Pttl().Key(k).Build()).AsInt64(); err != nil || ttl == -1 {
			t.Errorf("key %q does not expire: %d, error %v", k, ttl, err)
		}
	}
	if events != 3 || len(slots) != 1 {
		t.Errorf("%d keys of events in %d slots, want 3 in 1", events, len(slots))
	}
	if err := held.Hold.Release(ctx); err != nil {
		t.Fatal(err)
	}
}

// A claim is renewed for as long as its process lives.
func TestLongProcessing(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	m := open(t, redisseen.Options{URL: server.URL(), Prefix: "p", Name: "n", Lease: 400 * time.Millisecond})
	ctx := context.Background()
	found, err := m.Claim(ctx, []receiver.Key{{1}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	// Another, whose process is gone, is free by then; this one is not.
	gone := open(t, redisseen.Options{URL: server.URL(), Prefix: "p", Name: "n", Lease: 800 * time.Millisecond})
	if _, err := gone.Claim(ctx, []receiver.Key{{2}}, 0); err != nil {
		t.Fatal(err)
	}
	gone.Close()
	second, err := m.Claim(ctx, []receiver.Key{{2}}, time.Minute)
	if err != nil || second.Hold == nil {
		t.Fatalf("found %+v, error %v: want the claim of the process that is gone", second, err)
	}
	if busy, err := m.Claim(ctx, []receiver.Key{{1}}, 0); err != nil || busy.Hold != nil || busy.Duplicate {
		t.Errorf("found %+v, error %v: want busy", busy, err)
	}
	if err := found.Hold.Commit(ctx, time.Hour); err != nil {
		t.Error(err)
	}
	if err := second.Hold.Commit(ctx, time.Hour); err != nil {
		t.Error(err)
	}
}
