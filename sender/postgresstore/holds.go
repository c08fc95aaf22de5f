package postgresstore

import (
	"cmp"
	"maps"
	"slices"
)

// deliveryKey names a delivery: the event's number and the endpoint's.
type deliveryKey struct {
	seq      int64
	endpoint int32
}

// compare orders keys, which is the order in which rows are locked.
func (k deliveryKey) compare(other deliveryKey) int {
	return cmp.Or(cmp.Compare(k.seq, other.seq), cmp.Compare(k.endpoint, other.endpoint))
}

// hold is what this instance knows of a delivery that it holds.
type hold struct {
	unwritten bool  // it has no row: it is pending and was not attempted
	attempts  int32 // of those that were settled when it was taken, or since
}

// holds are the deliveries in the hands of this instance.
type holds struct {
	held map[deliveryKey]hold

	// lost are those that it had before it lost its lease last. Its outcomes for
	// them may still come.
	lost map[deliveryKey]hold

	// events are those with unwritten deliveries, by ascending number. Those in
	// which none is left are dropped at the front.
	events []unwrittenEvent
	first  int // of events, that may have any left

	next int64 // after the last event that was stored
}

// unwrittenEvent is an event and how many of its deliveries are unwritten.
type unwrittenEvent struct {
	seq   int64
	size  int32 // of data and headers
	count int
}

func newHolds() holds { return holds{held: map[deliveryKey]hold{}} }

// store notes an event that was stored, with its deliveries. Its number is
// greater than that of all before.
func (h *holds) store(seq int64, size int32, endpoints []int32) {
	h.next = seq + 1
	if len(endpoints) == 0 {
		return
	}
	for _, endpoint := range endpoints {
		h.held[deliveryKey{seq, endpoint}] = hold{unwritten: true}
	}
	h.events = append(h.events, unwrittenEvent{seq, size, len(endpoints)})
}

// take notes that a delivery that has a row is held.
func (h *holds) take(key deliveryKey, attempts int32) {
	h.written(key)
	h.held[key] = hold{attempts: attempts}
}

// free notes that a delivery, which has a row, is not held any more.
func (h *holds) free(key deliveryKey) {
	h.written(key)
	delete(h.held, key)
}

// written notes that a delivery has a row.
func (h *holds) written(key deliveryKey) {
	if h.held[key].unwritten {
		h.event(key.seq).count--
		h.trim()
	}
}

// event is the entry of an event that has unwritten deliveries.
func (h *holds) event(seq int64) *unwrittenEvent {
	i, _ := slices.BinarySearchFunc(h.events, seq, func(e unwrittenEvent, seq int64) int { return cmp.Compare(e.seq, seq) })
	return &h.events[i]
}

// trim drops the events at the front in which nothing is unwritten.
func (h *holds) trim() {
	for h.first < len(h.events) && h.events[h.first].count == 0 {
		h.first++
	}
	if h.first == len(h.events) {
		h.events, h.first = h.events[:0], 0
	} else if h.first > 1024 && h.first > len(h.events)/2 {
		h.events, h.first = slices.Delete(h.events, 0, h.first), 0
	}
}

// lowWater is a number before which this instance has no event with unwritten
// deliveries, now or later; 0 when it has stored nothing yet.
func (h *holds) lowWater() int64 {
	if h.first < len(h.events) {
		return h.events[h.first].seq
	}
	return h.next
}

// idle tells whether nothing is unwritten.
func (h *holds) idle() bool { return h.first == len(h.events) }

// lose makes all holds lost ones.
func (h *holds) lose() {
	lost := maps.Clone(h.held)
	*h = newHolds()
	h.lost = lost
}
