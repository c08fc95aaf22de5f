package sender

import (
	"iter"
	"slices"
	"time"
)

// queue holds the deliveries of one kind that wait in a lane's memory, first
// in, first out.
type queue struct {
	items []queued
	head  int
	bytes int64
}

// queued is a delivery with when it came into the queue and whether it has a
// row of its own in the store.
type queued struct {
	delivery *Delivery
	since    time.Time
	recorded bool
}

func (q *queue) len() int { return len(q.items) - q.head }

func (q *queue) push(item queued) {
	if q.head > len(q.items)/2 && len(q.items) == cap(q.items) {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, item)
	q.bytes += item.delivery.memorySize()
}

// pop takes the oldest. The queue must not be empty.
func (q *queue) pop() *Delivery {
	d := q.items[q.head].delivery
	q.items[q.head] = queued{}
	q.head++
	q.bytes -= d.memorySize()
	if q.head == len(q.items) {
		// Empty: an idle lane keeps no memory that a busy hour has left.
		if cap(q.items) > 64 {
			q.items = nil
		}
		q.items, q.head = q.items[:0], 0
	}
	return d
}

// peek is the oldest; nil when there is none.
func (q *queue) peek() *Delivery {
	if q.len() == 0 {
		return nil
	}
	return q.items[q.head].delivery
}

// remove takes an event out, wherever it waits; nil when it does not.
func (q *queue) remove(seq int64) *Delivery {
	for i := q.head; i < len(q.items); i++ {
		if d := q.items[i].delivery; d.Seq == seq {
			q.items = slices.Delete(q.items, i, i+1)
			q.bytes -= d.memorySize()
			return d
		}
	}
	return nil
}

// oldestBefore tells whether the oldest came in before the time.
func (q *queue) oldestBefore(t time.Time) bool {
	return q.len() > 0 && q.items[q.head].since.Before(t)
}

// unrecorded yields the deliveries that have no row yet, and marks them as
// having one.
func (q *queue) unrecorded() iter.Seq[*Delivery] {
	return func(yield func(*Delivery) bool) {
		for i := q.head; i < len(q.items); i++ {
			if item := &q.items[i]; !item.recorded {
				item.recorded = true
				if !yield(item.delivery) {
					return
				}
			}
		}
	}
}
