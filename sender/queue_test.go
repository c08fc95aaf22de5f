package sender

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

func deliveryOfSize(seq int64, size int) *Delivery {
	return &Delivery{Seq: seq, Event: &webhook.Event{Data: make([]byte, size)}}
}

// TestQueueAgainstSlice compares the queue with a plain slice over random
// pushes and pops.
func TestQueueAgainstSlice(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var q queue
	var model []*Delivery
	var seq int64
	for step := range 200_000 {
		// Long phases of growing and shrinking reach every branch.
		if rng.IntN(100) < 35+30*(step/5000%2) {
			seq++
			d := deliveryOfSize(seq, rng.IntN(50))
			q.push(queued{delivery: d})
			model = append(model, d)
		} else if len(model) > 0 {
			if got := q.pop(); got != model[0] {
				t.Fatalf("step %d: popped %d, want %d", step, got.Seq, model[0].Seq)
			}
			model = model[1:]
		}
		var bytes int64
		if step%97 == 0 {
			for _, d := range model {
				bytes += d.memorySize()
			}
			if q.bytes != bytes {
				t.Fatalf("step %d: %d bytes, want %d", step, q.bytes, bytes)
			}
		}
		if q.len() != len(model) {
			t.Fatalf("step %d: %d long, want %d", step, q.len(), len(model))
		}
	}
}

// TestQueueLetsGoOfMemory: a lane that has been busy once keeps nothing of it.
func TestQueueLetsGoOfMemory(t *testing.T) {
	var q queue
	for i := range int64(1024) {
		q.push(queued{delivery: deliveryOfSize(i, 1)})
	}
	items := q.items[:cap(q.items)]
	for q.len() > 0 {
		q.pop()
	}
	if q.items != nil || q.bytes != 0 {
		t.Errorf("an empty queue keeps room for %d and counts %d bytes", cap(q.items), q.bytes)
	}
	if i := slices.IndexFunc(items, func(item queued) bool { return item.delivery != nil }); i >= 0 {
		t.Errorf("item %d still refers to its delivery", i)
	}
}

func TestQueueUnrecorded(t *testing.T) {
	var q queue
	for i := range int64(6) {
		q.push(queued{delivery: deliveryOfSize(i, 1), since: judgedAt.Add(time.Duration(i) * time.Second), recorded: i == 3})
	}
	q.pop()
	seqs := func() (seqs []int64) {
		for d := range q.unrecorded() {
			seqs = append(seqs, d.Seq)
		}
		return seqs
	}
	if q.oldestBefore(judgedAt.Add(time.Second)) {
		t.Error("oldestBefore tells of one that has been popped")
	}
	if !q.oldestBefore(judgedAt.Add(time.Second + 1)) {
		t.Error("oldestBefore does not tell of the oldest")
	}
	for d := range q.unrecorded() {
		if d.Seq == 2 {
			break
		}
	}
	if got, want := seqs(), []int64{4, 5}; !slices.Equal(got, want) {
		t.Errorf("unrecorded after a break: %d, want %d", got, want)
	}
	if got := seqs(); got != nil {
		t.Errorf("unrecorded twice: %d", got)
	}
	if got := q.len(); got != 5 {
		t.Errorf("recording changed the length to %d", got)
	}
}

// BenchmarkQueueFull is a queue at its length, where each delivery that goes
// makes room for one more.
func BenchmarkQueueFull(b *testing.B) {
	var q queue
	d := deliveryOfSize(1, 1)
	for range laneLength[first] {
		q.push(queued{delivery: d})
	}
	for b.Loop() {
		q.pop()
		q.push(queued{delivery: d})
	}
}
