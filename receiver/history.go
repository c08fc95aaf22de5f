package receiver

import (
	"math"
	"sync"
	"time"
)

// remembered is a committed key and when it may be forgotten, in nanoseconds
// of the [history]'s clock.
type remembered struct {
	key     key
	expires int64
}

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

// settled calls visit for each entry that is not pending, oldest first.
func (f *fifo) settled(visit func(key)) {
	at, in := f.headAt, f.head
	for range f.count - f.pendings {
		if at == chunkSize {
			in, at = in.next, 0
		}
		visit(in.entries[at].key)
		at++
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
	pending int
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
		expires = math.MaxInt64
	}
	for _, k := range keys {
		f.push(remembered{k, expires})
	}
	h.count += len(keys)
	h.pending += len(keys)
	return h.pending
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

// takePending appends the oldest pending keys to dst, until it is full.
func (h *history) takePending(dst []key) []key {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.fifos {
		for f.pendings > 0 && len(dst) < cap(dst) {
			dst = append(dst, f.takePending())
			h.pending--
		}
	}
	return dst
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
		dst = append(dst, forgotten{r.key, pending})
		h.count--
		if pending {
			h.pending--
		}
		return r
	}
	for _, f := range h.fifos {
		for f.count > 0 && len(dst) < cap(dst) && f.oldest().expires <= now {
			take(f)
		}
	}
	for h.count > capacity && len(dst) < cap(dst) {
		f := h.oldestFifo()
		age := time.Duration(now - (take(f).expires - f.ttl))
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
