package receiver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// claim is one request's hold on the keys of its event: one key, or two where
// the ID and the content both count.
type claim struct {
	keys [2]key
	n    int8
	held bool // by the request that is being served
	late bool // it is to be tried when the request has been served

	mu   sync.Mutex
	over chan struct{} // closed when the claim ends; made by the first to wait
}

// add adds a key to a claim that does not hold anything yet.
func (c *claim) add(k key) {
	if c.n == 1 && c.keys[0] == k {
		return
	}
	c.keys[c.n] = k
	c.n++
}

// ended is closed when the claim ends. It may be called only while a key of
// the claim is locked and held, so that the end is still to come.
func (c *claim) ended() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		c.over = make(chan struct{})
	}
	return c.over
}

// end wakes those who wait for the claim.
func (c *claim) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil {
		close(c.over)
	}
}

const seenShards = 256

// seenSet knows which events are being processed and which have been. It is
// exact: of any number of requests that claim the same key at once, one gets
// it, and a committed key stays taken for its TTL unless there are more of
// them than its capacity.
//
// Every key is in one of three places: not there at all; in the exact table,
// held by a claim in flight or committed; or settled, which is committed and
// in ristretto. Ristretto takes a while to store a key, and may drop it, so
// the settler (see settle.go) takes a key out of the table only when it has
// seen it in ristretto. Both are looked into under one lock, so that a key on
// its way is always in one of them.
type seenSet struct {
	shards   [seenShards]seenShard
	history  history
	names    names
	capacity atomic.Int64 // 0: not known yet, as before the first commit
	settler  settler

	claimed   atomic.Int64 // keys in flight
	exact     atomic.Int64 // keys committed and not settled
	settled   atomic.Int64
	forgotten atomic.Int64 // keys given up before their time
	youngest  atomic.Int64 // least age of those; 0 when there are none
	resets    atomic.Int64 // keys that ristretto did not keep at first
}

// seenShard is a part of the exact table.
type seenShard struct {
	mu   sync.Mutex
	held map[key]*claim // the claim in flight, or nil when it was committed
	peak int            // most keys since the map was made
	_    [40]byte       // a shard has its own cache line
}

func newSeenSet(now func() time.Time) *seenSet {
	s := &seenSet{}
	s.history.now, s.history.start = now, now()
	s.settler.init()
	return s
}

func shardOf(k *key) int { return int(k[len(k)-1]) % seenShards }

func (s *seenSet) shard(k *key) *seenShard { return &s.shards[shardOf(k)] }

// lock locks the shards of a claim's keys. With two it takes the lower one
// first, so that two claims cannot wait for each other.
func (s *seenSet) lock(c *claim) {
	first := shardOf(&c.keys[0])
	if c.n == 1 {
		s.shards[first].mu.Lock()
		return
	}
	second := shardOf(&c.keys[1])
	s.shards[min(first, second)].mu.Lock()
	if first != second {
		s.shards[max(first, second)].mu.Lock()
	}
}

func (s *seenSet) unlock(c *claim) {
	first := shardOf(&c.keys[0])
	s.shards[first].mu.Unlock()
	if c.n == 1 {
		return
	}
	if second := shardOf(&c.keys[1]); second != first {
		s.shards[second].mu.Unlock()
	}
}

// outcome is what became of an attempt to claim.
type outcome int

const (
	claimed   outcome = iota // it must be committed or released
	duplicate                // a key was committed before
	busy                     // a key is held by another claim
)

// try claims all the keys or none. When it is busy it returns what is closed
// at the end of a claim that stands in the way.
func (s *seenSet) try(c *claim) (outcome, <-chan struct{}) {
	s.lock(c)
	defer s.unlock(c)
	cache := s.settler.cache.Load()
	var holder *claim
	for i := range c.n {
		k := &c.keys[i]
		other, taken := s.shard(k).held[*k]
		switch {
		case taken && other == nil, !taken && isSettled(cache, k):
			return duplicate, nil
		case taken && holder == nil:
			holder = other
		}
	}
	if holder != nil {
		return busy, holder.ended()
	}
	for i := range c.n {
		s.shard(&c.keys[i]).put(c.keys[i], c)
	}
	s.claimed.Add(int64(c.n))
	return claimed, nil
}

// isSettled tells whether a key is in ristretto. GetTTL does not touch the
// admission policy, as Get would.
func isSettled(cache *ristretto.Cache[[]byte, struct{}], k *key) bool {
	if cache == nil {
		return false
	}
	_, found := cache.GetTTL(k[:])
	return found
}

func (sh *seenShard) put(k key, c *claim) {
	if sh.held == nil {
		sh.held = make(map[key]*claim)
	}
	sh.held[k] = c
	sh.peak = max(sh.peak, len(sh.held))
}

// take claims the keys, waiting for other claims until wait has passed or ctx
// is done. It tells whether it had to wait.
func (s *seenSet) take(ctx context.Context, c *claim, wait time.Duration) (got outcome, waited bool) {
	var timeout <-chan time.Time
	for {
		got, over := s.try(c)
		if got != busy || wait <= 0 {
			return got, timeout != nil
		}
		if timeout == nil {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			timeout = timer.C
		}
		select {
		case <-over:
		case <-timeout:
			return busy, true
		case <-ctx.Done():
			return busy, true
		}
	}
}

// commit ends a claim: its keys are taken for ttl. The capacity holds until
// the next commit says otherwise.
func (s *seenSet) commit(c *claim, ttl time.Duration, capacity int) {
	if s.capacity.Load() != int64(capacity) {
		s.capacity.Store(int64(capacity))
	}
	s.exact.Add(int64(c.n))
	s.lock(c)
	for i := range c.n {
		s.shard(&c.keys[i]).held[c.keys[i]] = nil
	}
	s.unlock(c)
	s.claimed.Add(int64(-c.n))
	c.end()
	s.settler.noticed(s, s.history.add(c.keys[:c.n], ttl))
}

// release ends a claim: its keys are free again.
func (s *seenSet) release(c *claim) {
	s.lock(c)
	for i := range c.n {
		delete(s.shard(&c.keys[i]).held, c.keys[i])
	}
	s.unlock(c)
	s.claimed.Add(int64(-c.n))
	c.end()
}
