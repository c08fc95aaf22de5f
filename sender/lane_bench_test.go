package sender

import (
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// BenchmarkLane is what a lane adds to a delivery: it is taken into memory,
// given out when there is a slot, and its slot is free again. The attempt itself
// is left out.
func BenchmarkLane(b *testing.B) {
	fast := webhook.Rate{Events: 1_000_000_000, Per: webhook.Duration(time.Second)}
	for _, variant := range []struct {
		name   string
		target target
		behind int // deliveries that wait
	}{
		{"idle", target{active: true, concurrency: 16}, 0},
		{"backlog", target{active: true, concurrency: 16}, 1000},
		{"rate", target{active: true, concurrency: 16, rate: &fast}, 0},
		{"strict", target{active: true, concurrency: 1, strict: true}, 0},
	} {
		b.Run(variant.name, func(b *testing.B) {
			t := variant.target
			s := &Sender{clock: systemClock{}}
			s.current.Store(&snapshot{memory: 64 << 20})
			l := newLane(s, "crm", &t, true)
			for i := range variant.behind {
				l.enqueue(first, deliveryOfSize(int64(-i-1), 1024), false)
			}
			d := deliveryOfSize(1, 1024)
			b.ReportAllocs()
			for b.Loop() {
				l.mu.Lock()
				if !l.keeps(d) {
					b.Fatal("the lane has no room")
				}
				l.enqueue(first, d, false)
				kind, given := l.take()
				if given == nil {
					b.Fatal("the lane gives out nothing")
				}
				l.running[kind]--
				delete(l.underway, given.Seq)
				l.mu.Unlock()
			}
		})
	}
}
