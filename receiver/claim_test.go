package receiver

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// handSettled is a seen-set that settles only when told to.
func handSettled(t testing.TB, now func() time.Time) *seenSet {
	t.Helper()
	s := newSeenSet(now)
	s.settler.start.Do(func() { close(s.settler.done) })
	t.Cleanup(s.settler.closeCache)
	return s
}

func claimOn(keys ...key) *claim {
	c := new(claim)
	for _, k := range keys {
		c.add(k)
	}
	return c
}

// mustTry claims keys and fails the test on any other outcome than want.
func mustTry(t testing.TB, s *seenSet, want outcome, keys ...key) *claim {
	t.Helper()
	c := claimOn(keys...)
	if got, _ := s.try(c); got != want {
		t.Fatalf("outcome %d, want %d", got, want)
	}
	return c
}

func TestClaimLife(t *testing.T) {
	tick := newClock()
	s := handSettled(t, tick.Now)
	a := numberedKey(1)

	first := mustTry(t, s, claimed, a)
	mustTry(t, s, busy, a)
	s.release(first)
	second := mustTry(t, s, claimed, a)
	s.commit(second, time.Hour, 10)
	mustTry(t, s, duplicate, a)

	// Settling moves it, and nothing changes for those who ask.
	s.settle()
	if s.exact.Load() != 0 || s.settled.Load() != 1 {
		t.Fatalf("exact %d, settled %d: want 0 and 1", s.exact.Load(), s.settled.Load())
	}
	mustTry(t, s, duplicate, a)

	tick.advance(time.Hour - 1)
	s.settle()
	mustTry(t, s, duplicate, a)
	tick.advance(1)
	s.settle()
	third := mustTry(t, s, claimed, a)
	if s.settled.Load() != 0 || s.claimed.Load() != 1 {
		t.Fatalf("settled %d, claimed %d: want 0 and 1", s.settled.Load(), s.claimed.Load())
	}
	s.release(third)
}

// An event that expires before it was settled is only in the exact table.
func TestExpiryWhilePending(t *testing.T) {
	tick := newClock()
	s := handSettled(t, tick.Now)
	a := numberedKey(1)
	s.commit(mustTry(t, s, claimed, a), time.Second, 10)
	tick.advance(time.Second)
	s.settle()
	if s.exact.Load() != 0 || s.settled.Load() != 0 {
		t.Fatalf("exact %d, settled %d: want 0 and 0", s.exact.Load(), s.settled.Load())
	}
	mustTry(t, s, claimed, a)
}

func TestTwoKeysAreTakenTogether(t *testing.T) {
	s := handSettled(t, time.Now)
	a, b, c := numberedKey(1), numberedKey(2), numberedKey(3)

	ab := mustTry(t, s, claimed, a, b)
	mustTry(t, s, busy, b, c)
	// The attempt left nothing behind on c.
	onlyC := mustTry(t, s, claimed, c)
	s.release(onlyC)
	s.release(ab)

	s.commit(mustTry(t, s, claimed, a, b), time.Hour, 10)
	mustTry(t, s, duplicate, a, c)
	mustTry(t, s, duplicate, c, b)
	held := mustTry(t, s, claimed, c)
	// One key in flight, the other committed: it is a duplicate already.
	mustTry(t, s, duplicate, c, a)
	s.release(held)
	s.settle()
	mustTry(t, s, duplicate, c, b)
	mustTry(t, s, claimed, c)
}

// Guards against two requests that share keys in opposite order waiting for
// each other, in the locks or in the claims.
func TestSharedKeysDoNotDeadlock(t *testing.T) {
	s := newSeenSet(time.Now)
	defer s.close()
	var wg sync.WaitGroup
	var done atomic.Int64
	for g := range uint64(32) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(g, 1))
			for range 500 {
				c := claimOn(numberedKey(random.Uint64N(6)), numberedKey(random.Uint64N(6)))
				if got, _ := s.take(context.Background(), c, time.Hour); got != claimed {
					t.Error("a claim did not get its turn")
					return
				}
				s.release(c)
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if got := s.claimed.Load(); got != 0 {
		t.Errorf("%d keys are still claimed", got)
	}
	if done.Load() != 32*500 {
		t.Errorf("%d claims ended, want %d", done.Load(), 32*500)
	}
}

func TestOverCapacityTheOldestGo(t *testing.T) {
	tick := newClock()
	s := handSettled(t, tick.Now)
	const capacity = 100
	for n := range uint64(150) {
		s.commit(mustTry(t, s, claimed, numberedKey(n)), time.Hour, capacity)
		tick.advance(time.Second)
		if n == 120 {
			s.settle() // some go settled, some pending
		}
	}
	s.settle()
	if got := s.exact.Load() + s.settled.Load(); got != capacity {
		t.Errorf("%d events are remembered, want %d", got, capacity)
	}
	if got := s.forgotten.Load(); got != 50 {
		t.Errorf("%d events were forgotten, want 50", got)
	}
	if got, want := time.Duration(s.youngest.Load()), 101*time.Second; got != want {
		t.Errorf("the youngest was %s old, want %s", got, want)
	}
	for n := range uint64(150) {
		want := duplicate
		if n < 50 {
			want = claimed
		}
		c := mustTry(t, s, want, numberedKey(n))
		if want == claimed {
			s.release(c)
		}
	}
}

// The TTL is that of each commit: a long one does not keep a short one, and a
// short one does not take a long one along.
func TestTTLIsPerCommit(t *testing.T) {
	tick := newClock()
	s := handSettled(t, tick.Now)
	long, short := numberedKey(1), numberedKey(2)
	s.commit(mustTry(t, s, claimed, long), time.Hour, 10)
	s.commit(mustTry(t, s, claimed, short), time.Minute, 10)
	tick.advance(time.Minute)
	s.settle()
	mustTry(t, s, duplicate, long)
	mustTry(t, s, claimed, short)
}

func TestEndlessTTLDoesNotOverflow(t *testing.T) {
	tick := newClock()
	s := handSettled(t, tick.Now)
	tick.advance(time.Hour)
	s.commit(mustTry(t, s, claimed, numberedKey(1)), 1<<63-1, 10)
	s.settle()
	mustTry(t, s, duplicate, numberedKey(1))
}

// Ristretto refuses a key whose first half is taken by another key. Such a key
// must stay in the exact table until its time is over.
func TestKeyThatRistrettoCannotHold(t *testing.T) {
	tick := newClock()
	s := handSettled(t, tick.Now)
	resident := numberedKey(1)
	clash := resident
	clash[12] ^= 1
	s.commit(mustTry(t, s, claimed, resident), 2*time.Hour, 10)
	s.settle()
	s.commit(mustTry(t, s, claimed, clash), time.Hour, 10)
	for range 3 {
		s.settle()
		mustTry(t, s, duplicate, clash)
		mustTry(t, s, duplicate, resident)
	}
	if s.exact.Load() != 1 || s.settled.Load() != 1 || s.resets.Load() == 0 {
		t.Fatalf("exact %d, settled %d, resets %d: want 1, 1 and some", s.exact.Load(), s.settled.Load(), s.resets.Load())
	}
	tick.advance(time.Hour)
	s.settle()
	mustTry(t, s, duplicate, resident)
	s.release(mustTry(t, s, claimed, clash))
	if s.exact.Load() != 0 || len(s.settler.missed) != 0 {
		t.Fatalf("exact %d, to be settled again %d: want 0 and 0", s.exact.Load(), len(s.settler.missed))
	}
	tick.advance(time.Hour)
	s.settle()
	mustTry(t, s, claimed, resident)
}

func TestMemoryIsGivenBackAfterAPeak(t *testing.T) {
	tick := newClock()
	s := handSettled(t, tick.Now)
	const events = 2 * minShrink * seenShards
	for n := range uint64(events) {
		s.commit(mustTry(t, s, claimed, numberedKey(n)), time.Hour, events)
	}
	tick.advance(time.Minute)
	const kept = 10_000
	for n := range uint64(kept) {
		s.commit(mustTry(t, s, claimed, numberedKey(events+n)), time.Hour, 2*events)
	}
	s.settle()
	peak := s.settler.cache.Load()
	for i := range s.shards {
		if got := s.shards[i].peak; got >= minShrink {
			t.Fatalf("shard %d is empty and has kept room for %d keys", i, got)
		}
	}
	tick.advance(time.Hour - time.Minute)
	s.settle()
	if s.settler.cache.Load() == peak {
		t.Fatal("ristretto has kept the memory of the peak")
	}
	if s.settled.Load() != kept || s.exact.Load() != 0 {
		t.Fatalf("%d events are settled and %d are not, want %d and 0", s.settled.Load(), s.exact.Load(), kept)
	}
	for n := range uint64(kept) {
		mustTry(t, s, duplicate, numberedKey(events+n))
	}
	mustTry(t, s, claimed, numberedKey(0))
	tick.advance(time.Hour)
	s.settle()
	mustTry(t, s, claimed, numberedKey(events))
}

// Ten thousand requests wait for one event. The first fails, one of the
// waiting takes over, and its success answers all others.
func TestManyWaiters(t *testing.T) {
	waiters := 10_000
	if raceDetector {
		waiters = 2_000
	}
	s := newSeenSet(time.Now)
	defer s.close()
	first := mustTry(t, s, claimed, numberedKey(1))
	var outcomes [3]atomic.Int64
	var wg, asked sync.WaitGroup
	for range waiters {
		asked.Add(1)
		wg.Go(func() {
			c := claimOn(numberedKey(1))
			asked.Done()
			got, _ := s.take(context.Background(), c, time.Hour)
			outcomes[got].Add(1)
			if got == claimed {
				s.commit(c, time.Hour, 10)
			}
		})
	}
	asked.Wait()
	s.release(first)
	wg.Wait()
	if outcomes[claimed].Load() != 1 || outcomes[duplicate].Load() != int64(waiters-1) {
		t.Errorf("%d took over, %d were duplicates: want 1 and %d", outcomes[claimed].Load(), outcomes[duplicate].Load(), waiters-1)
	}
}

func TestWaitEnds(t *testing.T) {
	s := newSeenSet(time.Now)
	defer s.close()
	held := mustTry(t, s, claimed, numberedKey(1))
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name string
		ctx  context.Context
		wait time.Duration
	}{
		{"not at all", context.Background(), -1},
		{"timeout", context.Background(), time.Millisecond},
		{"client gone", gone, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, _ := s.take(c.ctx, claimOn(numberedKey(1)), c.wait); got != busy {
				t.Errorf("outcome %d, want busy", got)
			}
		})
	}
	s.release(held)
	s.release(mustTry(t, s, claimed, numberedKey(1)))
}

// Ristretto compares only the first half of a key whose second half is 0.
func TestBothHalvesOfAKeyCount(t *testing.T) {
	first, second := hashes([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	if first != 1 || second == 0 {
		t.Errorf("halves %d and %d, want 1 and anything but 0", first, second)
	}
}
