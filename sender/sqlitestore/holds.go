package sqlitestore

import (
	"cmp"
	"slices"
)

// deliveryKey names a delivery: the event's number and the endpoint's.
type deliveryKey struct {
	seq, endpoint int64
}

// hold is how this process holds a delivery.
type hold uint8

const (
	notHeld       hold = iota
	heldUnwritten      // it has no row yet, so it is pending without an attempt
	heldWritten        // it has a row, and is pending
)

// holds are the deliveries in the hands of this process. Changes count at
// once; commit keeps them and undo takes them back.
type holds struct {
	held map[deliveryKey]hold

	// events are those with unwritten deliveries, by ascending number. Those
	// in which none is left are dropped at the front.
	events []unwrittenEvent
	first  int // of events, that may have any left

	changes []holdChange // by the transaction under way
}

// unwrittenEvent is an event and how many of its deliveries are unwritten.
type unwrittenEvent struct {
	seq   int64
	count int
}

// holdChange is how a delivery was held before a change.
type holdChange struct {
	key    deliveryKey
	before hold
}

func newHolds() holds { return holds{held: map[deliveryKey]hold{}} }

// set changes how a delivery is held.
func (h *holds) set(key deliveryKey, to hold) {
	before := h.held[key]
	if before == to {
		return
	}
	h.changes = append(h.changes, holdChange{key, before})
	h.apply(key, before, to)
}

func (h *holds) apply(key deliveryKey, from, to hold) {
	if to == notHeld {
		delete(h.held, key)
	} else {
		h.held[key] = to
	}
	if from == heldUnwritten {
		h.event(key.seq).count--
	}
	if to == heldUnwritten {
		h.event(key.seq).count++
	}
}

// event is the entry of an event, which is added if it is the newest.
func (h *holds) event(seq int64) *unwrittenEvent {
	if n := len(h.events); n == 0 || h.events[n-1].seq < seq {
		h.events = append(h.events, unwrittenEvent{seq: seq})
		return &h.events[n]
	}
	i, _ := slices.BinarySearchFunc(h.events, seq, func(e unwrittenEvent, seq int64) int { return cmp.Compare(e.seq, seq) })
	return &h.events[i]
}

// oldestUnwritten is the number of the oldest event with an unwritten
// delivery, or otherwise if there is none.
func (h *holds) oldestUnwritten(otherwise int64) int64 {
	for _, e := range h.events[h.first:] {
		if e.count > 0 {
			return e.seq
		}
	}
	return otherwise
}

// commit keeps the changes.
func (h *holds) commit() {
	h.changes = h.changes[:0]
	for h.first < len(h.events) && h.events[h.first].count == 0 {
		h.first++
	}
	if h.first == len(h.events) {
		h.events, h.first = h.events[:0], 0
	} else if h.first > 1024 && h.first > len(h.events)/2 {
		h.events, h.first = slices.Delete(h.events, 0, h.first), 0
	}
}

// undo takes the changes back. Events from nextSeq on do not exist any more.
func (h *holds) undo(nextSeq int64) {
	for _, c := range slices.Backward(h.changes) {
		h.apply(c.key, h.held[c.key], c.before)
	}
	h.changes = h.changes[:0]
	for n := len(h.events); n > h.first && h.events[n-1].seq >= nextSeq; n-- {
		h.events = h.events[:n-1]
	}
}
