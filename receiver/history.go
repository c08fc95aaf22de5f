package receiver

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"time"
)

// remembered is a committed key and when it may be forgotten, in nanoseconds
// of the [history]'s clock. The lowest bit of that tells that the next entry
// belongs to the same event. The zero key is that of an entry whose event has
// been forgotten on request.
type remembered struct {
	key     key
	expires int64
}

func (r *remembered) dead() bool { return r.key == key{} }

// paired tells whether the next entry belongs to the same event.
func (r *remembered) paired() bool { return r.expires&1 != 0 }

const chunkSize = 1024

// chunk is a piece of a [fifo], so that it can grow and shrink without copying.
type chunk struct {
	next    *chunk
	entries [chunkSize]remembered
}

// fifo holds the committed keys of one TTL, so that the order of commits is
// also the order of expiry. The last of them, called pending, are not yet
// known to be in ristretto.
type fifo struct {
	ttl             int64
	head, tail      *chunk
	headAt, tailAt  int
	settle          *chunk // where the pending entries begin
	settleAt        int
	count, pendings int
}

func (f *fifo) push(r remembered) {
	switch {
	case f.tail == nil:
		f.tail, f.tailAt = new(chunk), 0
		f.head, f.headAt = f.tail, 0
		f.settle, f.settleAt = f.tail, 0
	case f.tailAt == chunkSize:
		f.tail.next = new(chunk)
		f.tail, f.tailAt = f.tail.next, 0
	}
	f.tail.entries[f.tailAt] = r
	f.tailAt++
	f.count++
	f.pendings++
}

// oldest is the entry that [fifo.pop] would return. The fifo must not be empty.
func (f *fifo) oldest() remembered { return f.head.entries[f.headAt] }

// pop removes the oldest entry and tells whether it was pending. The fifo must
// not be empty.
func (f *fifo) pop() (r remembered, pending bool) {
	r = f.oldest()
	if pending = f.pendings == f.count; pending {
		f.takePending()
	}
	f.headAt++
	f.count--
	if f.headAt == chunkSize {
		f.head, f.headAt = f.head.next, 0
	}
	if f.count == 0 {
		f.head, f.tail, f.settle = nil, nil, nil
	}
	return r, pending
}

// takePending returns the key of the oldest pending entry, which is not
// pending any more. There must be one.
func (f *fifo) takePending() key {
	if f.settleAt == chunkSize {
		f.settle, f.settleAt = f.settle.next, 0
	}
	k := f.settle.entries[f.settleAt].key
	f.settleAt++
	f.pendings--
	return k
}

// all yields the entries, oldest first.
func (f *fifo) all(yield func(*remembered) bool) {
	at, in := f.headAt, f.head
	for range f.count {
		if at == chunkSize {
			in, at = in.next, 0
		}
		if !yield(&in.entries[at]) {
			return
		}
		at++
	}
}

// settled yields the keys of the entries that are not pending, oldest first.
func (f *fifo) settled(yield func(key) bool) {
	left := f.count - f.pendings
	for r := range f.all {
		if left == 0 || !r.dead() && !yield(r.key) {
			return
		}
		left--
	}
}

// history is every committed key in the order of the commits, with when each
// may be forgotten. It is safe for concurrent use.
type history struct {
	now   func() time.Time
	start time.Time

	mu      sync.Mutex
	fifos   []*fifo // one for each TTL in use: hardly ever more than one
	count   int
	dead    int // of those
	pending int
	journal *journal // what is to be written to a file; nil: nothing is
}

// clock is the time since the history began. Where the times have a monotonic
// reading, setting the wall clock changes nothing.
func (h *history) clock() int64 { return int64(h.now().Sub(h.start)) }

// add appends keys that were committed now and returns how many keys are
// pending.
func (h *history) add(keys []key, ttl time.Duration) (pending int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f := h.of(int64(ttl))
	at := h.clock() // under the lock, so that the order is the order of time
	expires := at + int64(ttl)
	if expires < at {
		expires = math.MaxInt64 - 1
	}
	expires &^= 1
	for i, k := range keys {
		r := remembered{k, expires}
		if i+1 < len(keys) {
			r.expires |= 1
		}
		f.push(r)
		h.journal.note(r, f.ttl)
	}
	h.count += len(keys)
	h.pending += len(keys)
	return h.pending
}

// kill takes the event of k out of the history and returns all of its keys.
// It returns none when k is not there. It looks at every entry: this is for
// operators.
func (h *history) kill(k key) (keys []key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.fifos {
		var before *remembered // the other half of a pair
		for r := range f.all {
			first := before
			before = nil
			if r.paired() {
				before = r
			}
			switch {
			case len(keys) > 0: // r is the second of a pair
				return append(keys, h.bury(r))
			case r.key != k:
				continue
			}
			if first != nil {
				keys = append(keys, h.bury(first))
			}
			paired := r.paired()
			keys = append(keys, h.bury(r))
			if !paired {
				return keys
			}
		}
	}
	return keys
}

// bury makes an entry a dead one and returns its key.
func (h *history) bury(r *remembered) key {
	k := r.key
	h.journal.note(remembered{key: k}, 0)
	r.key = key{}
	r.expires &^= 1
	h.dead++
	return k
}

// of is the fifo for a TTL.
func (h *history) of(ttl int64) *fifo {
	for _, f := range h.fifos {
		if f.ttl == ttl {
			return f
		}
	}
	f := &fifo{ttl: ttl}
	h.fifos = append(h.fifos, f)
	return f
}

// takePending appends the oldest pending keys to dst, until it is full. It
// returns how many entries are not pending any more.
func (h *history) takePending(dst []key) (keys []key, taken int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := h.pending
	for _, f := range h.fifos {
		for f.pendings > 0 && len(dst) < cap(dst) {
			if k := f.takePending(); k != (key{}) {
				dst = append(dst, k)
			}
			h.pending--
		}
	}
	return dst, before - h.pending
}

// forgotten is a key that [history.forget] gave up.
type forgotten struct {
	key     key
	pending bool
}

// forget removes what has expired and, oldest first, what there is over
// capacity. It appends them to dst until that is full. Of those over capacity
// it returns the number and the least age.
func (h *history) forget(dst []forgotten, capacity int) (gone []forgotten, over int, youngest time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock()
	take := func(f *fifo) remembered {
		r, pending := f.pop()
		h.count--
		if pending {
			h.pending--
		}
		if r.dead() {
			h.dead--
		} else {
			dst = append(dst, forgotten{r.key, pending})
		}
		return r
	}
	for _, f := range h.fifos {
		for f.count > 0 && len(dst) < cap(dst) && f.oldest().expires <= now {
			take(f)
		}
	}
	for h.count-h.dead > capacity && len(dst) < cap(dst) {
		f := h.oldestFifo()
		r := take(f)
		if r.dead() {
			continue
		}
		age := time.Duration(now - (r.expires - f.ttl))
		if over++; over == 1 || age < youngest {
			youngest = age
		}
	}
	h.dropEmpty()
	return dst, over, youngest
}

// oldestFifo is the fifo with the earliest commit. There must be one.
func (h *history) oldestFifo() (first *fifo) {
	for _, f := range h.fifos {
		if f.count > 0 && (first == nil || f.oldest().expires-f.ttl < first.oldest().expires-first.ttl) {
			first = f
		}
	}
	return first
}

// dropEmpty drops the fifos of TTLs that are not in use any more.
func (h *history) dropEmpty() {
	kept := h.fifos[:0]
	for _, f := range h.fifos {
		if f.count > 0 {
			kept = append(kept, f)
		}
	}
	clear(h.fifos[len(kept):])
	h.fifos = kept
}

// restore adds what a file holds, at the time now of the records' clock.
func (h *history) restore(records []record, now int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := h.clock()
	// After the wall clock has been set back, the order in the file is not that
	// of expiry. The halves of a pair expire together, so they stay together.
	inOrder := func(a, b record) int { return cmp.Compare(a.expires&^1, b.expires&^1) }
	if !slices.IsSortedFunc(records, inOrder) {
		slices.SortStableFunc(records, inOrder)
	}
	for i := range records {
		from := &records[i]
		left := min(from.expires-now, int64(from.ttl)) // no longer than at first
		r := remembered{from.key, (at + max(0, left)) &^ 1}
		if from.paired {
			r.expires |= 1
		}
		h.of(int64(from.ttl)).push(r)
	}
	h.count += len(records)
	h.pending += len(records)
}
