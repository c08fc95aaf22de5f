package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestKeyCacheFetchesOnce guards that of many that need a key at the same time
// one fetches it, and that it goes on when the request of that one ends.
func TestKeyCacheFetchesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fetches atomic.Int64
		c := newKeyCache(func(ctx context.Context, name string) (string, time.Duration, error) {
			fetches.Add(1)
			time.Sleep(time.Second)
			return "key of " + name, time.Hour, ctx.Err()
		})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if got, err := c.get(context.Background(), "a", verifyNow, 0); err == nil && got != "key of a" {
					t.Errorf("get: %q, %v", got, err)
				}
			})
		}
		wg.Go(func() { _, _ = c.get(ctx, "a", verifyNow, 0) })
		synctest.Wait()
		cancel()
		wg.Wait()
		if n := fetches.Load(); n != 1 {
			t.Errorf("fetched %d times", n)
		}
		if got, err := c.get(t.Context(), "a", verifyNow, 0); err != nil || got != "key of a" {
			t.Errorf("get: %q, %v", got, err)
		}
	})
}

// TestKeyCacheWaitEndsWithRequest guards that a request does not wait for a key
// any longer than its client does.
func TestKeyCacheWaitEndsWithRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := newKeyCache(func(context.Context, string) (string, time.Duration, error) {
			<-release
			return "key", time.Hour, nil
		})
		go func() { _, _ = c.get(context.Background(), "a", verifyNow, 0) }()
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.get(ctx, "a", verifyNow, 0); !errors.Is(err, ErrKeysUnavailable) {
			t.Errorf("get: %v", err)
		}
		close(release)
		synctest.Wait()
	})
}

// TestKeyCacheUsesTheOldMeanwhile guards that while a key is fetched again,
// requests that the old one will do for do not wait for a host that hangs.
func TestKeyCacheUsesTheOldMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fetches := 0
		release := make(chan struct{})
		c := newKeyCache(func(context.Context, string) (int, time.Duration, error) {
			if fetches++; fetches > 1 {
				<-release
			}
			return fetches, time.Hour, nil
		})
		if got, err := c.get(t.Context(), "a", verifyNow, 0); err != nil || got != 1 {
			t.Fatalf("get: %d, %v", got, err)
		}
		later := verifyNow.Add(2 * time.Hour)
		fresh := make(chan int, 2)
		ask := func(maxAge time.Duration) {
			got, _ := c.get(context.Background(), "a", later, maxAge)
			fresh <- got
		}
		go ask(0) // fetches it again
		synctest.Wait()
		go ask(time.Minute) // needs a new one
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got, err := c.get(ctx, "a", later, 0); err != nil || got != 1 {
			t.Errorf("while it is fetched again: %d, %v; want the old one", got, err)
		}
		if len(fresh) > 0 {
			t.Error("one that needs a new key did not wait for it")
		}
		close(release)
		if a, b := <-fresh, <-fresh; a != 2 || b != 2 {
			t.Errorf("once it was fetched again: %d and %d", a, b)
		}
	})
}

func TestKeyCacheAges(t *testing.T) {
	fetches, failure := 0, error(nil)
	c := newKeyCache(func(context.Context, string) (int, time.Duration, error) {
		fetches++
		return fetches, time.Hour, failure
	})
	unreachable := fmt.Errorf("%w: it is away", ErrKeysUnavailable)
	steps := []struct {
		after   time.Duration // since the start
		maxAge  time.Duration
		failure error
		want    int // -1: none
		fetches int
	}{
		{0, 0, unreachable, -1, 1},
		{failureKept - 1, 0, nil, -1, 1}, // a failure is remembered for a while
		{failureKept, 0, nil, 2, 2},
		{time.Hour, 0, nil, 2, 2},
		{time.Hour, unknownAfter, nil, 3, 3}, // asked for a fresh one
		{time.Hour + unknownAfter - 1, unknownAfter, nil, 3, 3},
		{3 * time.Hour, 0, unreachable, 3, 4}, // an old one is better than none
		{3*time.Hour + 1, 0, nil, 3, 4},
		{time.Hour + staleKept + 1, 0, unreachable, -1, 5},
		{time.Hour + staleKept + 1 + failureKept, 0, fmt.Errorf("%w: x", errNotPublished), -1, 6},
		{time.Hour + staleKept + 1 + 2*failureKept, 0, nil, 7, 7},
	}
	for i, s := range steps {
		failure = s.failure
		got, err := c.get(t.Context(), "a", verifyNow.Add(s.after), s.maxAge)
		if s.want < 0 && err == nil || s.want >= 0 && (err != nil || got != s.want) || fetches != s.fetches {
			t.Errorf("step %d: %d, %v after %d fetches; want %d after %d", i, got, err, fetches, s.want, s.fetches)
		}
		if errors.Is(s.failure, errNotPublished) && !errors.Is(err, webhook.ErrSignatureMismatch) {
			t.Errorf("step %d: %v", i, err)
		}
	}
}

// TestKeyCacheIsBounded guards that whoever names keys that do not exist can
// neither fill the memory, nor have any number of them fetched, nor push out the
// one that is needed.
func TestKeyCacheIsBounded(t *testing.T) {
	fetches := 0
	c := newKeyCache(func(_ context.Context, name string) (string, time.Duration, error) {
		fetches++
		if name == "good" {
			return name, 24 * time.Hour, nil
		}
		return "", 0, fmt.Errorf("%w: x", errNotPublished)
	})
	now := verifyNow
	if _, err := c.get(t.Context(), "good", now, 0); err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		_, err := c.get(t.Context(), fmt.Sprint("bad", i), now, 0)
		if err == nil {
			t.Fatal("a key was found that does not exist")
		}
	}
	if fetches > fetchBurst {
		t.Errorf("%d fetches at once", fetches)
	}
	for i := range 1000 {
		now = now.Add(fetchEvery)
		_, _ = c.get(t.Context(), fmt.Sprint("worse", i), now, 0)
	}
	if len(c.kept) > maxKept {
		t.Errorf("%d keys are kept", len(c.kept))
	}
	before := fetches
	if _, err := c.get(t.Context(), "good", now, 0); err != nil || fetches != before {
		t.Errorf("the good key was pushed out: %v", err)
	}
}

// TestKeyCachePanic guards that nobody waits forever for a fetch that panicked.
func TestKeyCachePanic(t *testing.T) {
	c := newKeyCache(func(context.Context, string) (string, time.Duration, error) { panic("broken") })
	func() {
		defer func() { _ = recover() }()
		_, _ = c.get(t.Context(), "a", verifyNow, 0)
	}()
	if _, err := c.get(t.Context(), "a", verifyNow, 0); !errors.Is(err, ErrKeysUnavailable) {
		t.Errorf("get: %v", err)
	}
}

func TestFetching(t *testing.T) {
	h := newKeyHost(t)
	h.publish("keys.example.com/good", "text")
	h.publish("keys.example.com/large", strings.Repeat("x", 101))
	for path, status := range map[string]int{"moved": http.StatusFound, "busy": http.StatusTooManyRequests, "broken": http.StatusBadGateway, "gone": http.StatusGone} {
		h.answer("keys.example.com/"+path, status)
	}
	client := fetchingClient(h.client)
	tests := []struct {
		path string
		want error
	}{
		{"good", nil},
		{"large", ErrKeysUnavailable},
		{"moved", ErrKeysUnavailable}, // not followed
		{"busy", ErrKeysUnavailable},
		{"broken", ErrKeysUnavailable},
		{"gone", errNotPublished},
		{"missing", errNotPublished},
	}
	for _, tt := range tests {
		text, err := get(t.Context(), client, "https://keys.example.com/"+tt.path, 100)
		if tt.want == nil && (err != nil || string(text) != "text") || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("%s: %q, %v, want %v", tt.path, text, err, tt.want)
		}
	}
	if h.times("elsewhere.example.com/") != 0 {
		t.Error("a redirect was followed")
	}
}

// TestPublicClient guards that the client for which nobody cared connects to no
// address inside.
func TestPublicClient(t *testing.T) {
	for _, address := range []string{"https://127.0.0.1:1/", "https://localhost:1/", "https://[::1]:1/"} {
		_, err := get(t.Context(), fetchingClient(nil), address, 100)
		if !errors.Is(err, ErrKeysUnavailable) || !strings.Contains(fmt.Sprint(err), "not public") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
