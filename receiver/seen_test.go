package receiver_test

import (
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/seentest"
)

// The seen-set that every receiver has keeps the law of what may be shared.
func TestMemoryIsASeen(t *testing.T) {
	seentest.Run(t, func(t *testing.T) *seentest.Rig {
		var mu sync.Mutex
		now := time.Unix(1_700_000_000, 0)
		s, free := receiver.NewMemorySeen(func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		})
		t.Cleanup(free)
		return &seentest.Rig{
			Views: []receiver.Seen{s},
			Pass: func(d time.Duration) {
				mu.Lock()
				now = now.Add(d + time.Millisecond) // which it may be late
				mu.Unlock()
				s.Settle()
			},
		}
	})
}
