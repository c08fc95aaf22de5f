package receiver

import (
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

const (
	// settleEvery is how long committed keys may collect before they are
	// settled together: waking up for each would cost more than settling it.
	settleEvery = time.Second

	// settleAt is how many collected keys are settled without delay.
	settleAt = 1 << 16

	// settleBatch is how many keys are settled in one go. It must stay below
	// ristretto's buffer of 32,768 sets, or they would be dropped.
	settleBatch = 1024
)

// settler moves committed keys from the exact table to ristretto, forgets the
// old ones, and gives memory back. It is one goroutine, started by the first
// commit; nothing else writes to ristretto.
type settler struct {
	start   sync.Once
	started atomic.Bool
	wake    chan struct{}
	stop    chan struct{}
	done    chan struct{}
	every   time.Duration

	// cache is set by the settler and read under a shard's lock.
	cache atomic.Pointer[ristretto.Cache[[]byte, struct{}]]

	mu     sync.Mutex // held while settling
	batch  []key
	gone   []forgotten
	missed []key // settled once, but ristretto did not keep them
	peak   int   // most settled keys since the cache was made
}

func (t *settler) init() {
	t.wake = make(chan struct{}, 1)
	t.stop = make(chan struct{})
	t.done = make(chan struct{})
	t.every = settleEvery
}

// noticed is told how many keys are pending after a commit.
func (t *settler) noticed(s *seenSet, pending int) {
	if !t.started.Load() {
		t.start.Do(func() {
			t.started.Store(true)
			go t.run(s)
		})
	}
	if pending >= settleAt {
		select {
		case t.wake <- struct{}{}:
		default:
		}
	}
}

// run settles until it is told to stop, then closes ristretto: nobody else may,
// since its writes panic when it is closed meanwhile.
func (t *settler) run(s *seenSet) {
	defer close(t.done)
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-t.wake:
		case <-t.stop:
			t.closeCache()
			return
		}
		s.settle()
	}
}

func (t *settler) closeCache() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if cache := t.cache.Load(); cache != nil {
		cache.Close()
	}
}

// close stops the settler. Nothing may be claimed or committed afterwards.
// The channel is closed when everything has ended.
func (s *seenSet) close() <-chan struct{} {
	t := &s.settler
	close(t.stop)
	t.start.Do(func() {
		t.closeCache()
		close(t.done)
	})
	return t.done
}

func (t *settler) stopping() bool {
	select {
	case <-t.stop:
		return true
	default:
		return false
	}
}

// settle forgets what may be forgotten and settles what is pending.
func (s *seenSet) settle() {
	t := &s.settler
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.batch == nil {
		t.batch, t.gone = make([]key, 0, settleBatch), make([]forgotten, 0, settleBatch)
	}
	retry := t.missed
	t.missed = nil
	for !t.stopping() {
		forgotten := s.forget()
		batch, taken := s.history.takePending(t.batch[:0])
		s.store(batch)
		if forgotten == 0 && taken == 0 {
			break
		}
		t.giveWay()
	}
	for len(retry) > 0 && !t.stopping() {
		n := min(len(retry), settleBatch)
		s.store(s.stillExact(retry[:n]))
		retry = retry[n:]
		t.giveWay()
	}
	t.missed = append(t.missed, retry...)
	s.shrink()
}

// giveWay lets others go first between two batches: requests, and whoever
// waits for the lock, which is held before and after.
func (t *settler) giveWay() {
	t.mu.Unlock()
	runtime.Gosched()
	t.mu.Lock()
}

// openCache returns ristretto, which is made when it is first needed. It
// never evicts by itself: every entry costs 1 of what could not be used up.
// It does not expire entries either, so that the time is ours to tell. Its
// counters serve Get, which is not used.
func (t *settler) openCache() *ristretto.Cache[[]byte, struct{}] {
	if cache := t.cache.Load(); cache != nil {
		return cache
	}
	cache := newCache()
	t.cache.Store(cache)
	return cache
}

// newCache returns nil in the case that cannot be, a configuration that
// ristretto refuses. All keys stay in the exact table then.
func newCache() *ristretto.Cache[[]byte, struct{}] {
	cache, err := ristretto.NewCache(&ristretto.Config[[]byte, struct{}]{
		NumCounters:            64,
		MaxCost:                1 << 62,
		BufferItems:            64,
		KeyToHash:              hashes,
		IgnoreInternalCost:     true,
		TtlTickerDurationInSec: 24 * 60 * 60,
	})
	if err != nil {
		return nil
	}
	return cache
}

// store puts keys that are in the exact table into ristretto, and takes out
// of the table those that it sees there.
func (s *seenSet) store(keys []key) {
	if len(keys) == 0 {
		return
	}
	t := &s.settler
	cache := t.openCache()
	if cache == nil {
		t.missed = append(t.missed, keys...)
		return
	}
	setAll(cache, keys)
	moved, missed := 0, 0
	for i := range keys {
		sh := s.shard(&keys[i])
		sh.mu.Lock()
		if !isSettled(cache, &keys[i]) {
			t.missed = append(t.missed, keys[i])
			missed++
		} else if holder, there := sh.held[keys[i]]; there && holder == nil {
			delete(sh.held, keys[i])
			moved++
		}
		sh.mu.Unlock()
	}
	s.exact.Add(int64(-moved))
	t.peak = max(t.peak, int(s.settled.Add(int64(moved))))
	s.resets.Add(int64(missed))
}

// setAll sets keys and waits until ristretto has taken them or not.
func setAll(cache *ristretto.Cache[[]byte, struct{}], keys []key) {
	for i := range keys {
		// A full buffer is empty after Wait. What is refused even so is found
		// missing afterwards and tried again later.
		for try := 0; !cache.Set(keys[i][:], struct{}{}, 1) && try < 8; try++ {
			cache.Wait()
		}
	}
	cache.Wait()
}

// stillExact drops from keys those that have been forgotten meanwhile.
func (s *seenSet) stillExact(keys []key) []key {
	kept := keys[:0]
	for i := range keys {
		sh := s.shard(&keys[i])
		sh.mu.Lock()
		holder, there := sh.held[keys[i]]
		sh.mu.Unlock()
		if there && holder == nil {
			kept = append(kept, keys[i])
		}
	}
	return kept
}

// forget forgets up to a batch of keys and returns how many.
func (s *seenSet) forget() int {
	t := &s.settler
	capacity := math.MaxInt
	if c := s.capacity.Load(); c > 0 {
		capacity = int(c)
	}
	gone, over, youngest := s.history.forget(t.gone[:0], capacity)
	if over > 0 {
		s.forgotten.Add(int64(over))
		if least := s.youngest.Load(); least == 0 || int64(youngest) < least {
			s.youngest.Store(max(1, int64(youngest)))
		}
	}
	cache := t.cache.Load()
	for i := range gone {
		k := &gone[i].key
		sh := s.shard(k)
		sh.mu.Lock()
		holder, there := sh.held[*k]
		if there && holder == nil {
			delete(sh.held, *k)
		}
		sh.mu.Unlock()
		if there && holder == nil {
			s.exact.Add(-1)
		} else {
			s.settled.Add(-1)
		}
		if !gone[i].pending && cache != nil {
			cache.Del(k[:])
		}
	}
	return len(gone)
}

// shrink gives memory back after a peak.
func (s *seenSet) shrink() {
	for i := range s.shards {
		sh := &s.shards[i]
		sh.mu.Lock()
		sh.held, sh.peak = shrunk(sh.held, sh.peak)
		sh.mu.Unlock()
	}
	if t := &s.settler; t.peak >= minShrink*seenShards && int(s.settled.Load()) <= t.peak/8 && !t.stopping() {
		s.renewCache()
	}
}

// renewCache moves all settled keys to a new ristretto and closes the old one.
func (s *seenSet) renewCache() {
	t := &s.settler
	fresh := newCache()
	if fresh == nil {
		return
	}
	var settled []key
	s.history.mu.Lock()
	for _, f := range s.history.fifos {
		settled = slices.AppendSeq(settled, f.settled)
	}
	s.history.mu.Unlock()

	for rest := settled; len(rest) > 0; {
		n := min(len(rest), settleBatch)
		setAll(fresh, rest[:n])
		rest = rest[n:]
	}
	back := 0
	for i := range settled {
		if isSettled(fresh, &settled[i]) {
			continue
		}
		sh := s.shard(&settled[i])
		sh.mu.Lock()
		if _, there := sh.held[settled[i]]; !there {
			sh.put(settled[i], nil)
			t.missed = append(t.missed, settled[i])
			back++
		}
		sh.mu.Unlock()
	}
	s.exact.Add(int64(back))
	s.settled.Add(int64(-back))

	old := t.cache.Swap(fresh)
	t.peak = len(settled)
	// Whoever still looks into the old one holds a lock.
	for i := range s.shards {
		s.shards[i].mu.Lock()
		s.shards[i].mu.Unlock() //nolint:staticcheck // only to wait for the holder
	}
	old.Close()
}
