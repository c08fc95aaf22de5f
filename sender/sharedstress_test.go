package sender_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestSharedStress: instances die, join, lose their leases and do not know
// whether they have, hear of changes late, in another order or in a lump, and
// endpoints fail now and then. In the end each event has been delivered to each
// endpoint, and in order where that is asked for.
func TestSharedStress(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { sharedStress(t, seed) })
	}
}

func sharedStress(t *testing.T, seed uint64) {
	sender.SetLaneLength(t, 6, 3)
	const events = 150
	var calm atomic.Bool
	random := rand.New(rand.NewPCG(seed, 0))
	var peers []*peer
	succeeded := make([][]string, 4)
	var mu sync.Mutex
	answers := rand.New(rand.NewPCG(seed, 1))
	for n := range succeeded {
		peers = append(peers, newPeer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			mu.Lock()
			defer mu.Unlock()
			if !calm.Load() && answers.IntN(8) == 0 {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			succeeded[n] = append(succeeded[n], r.Header.Get("webhook-id"))
		}))
	}
	c := toPeers(peers...)
	c.Retry = slices.Repeat([]webhook.Duration{webhook.Duration(2 * time.Second)}, 100)
	c.Endpoints[1].Ordering = "strict"
	c.Endpoints[2].Rate = &webhook.Rate{Events: 20, Per: webhook.Duration(time.Second), Burst: 3}
	c.Endpoints[3].Concurrency = 2
	f := newFleet(t, 3, c)
	f.common.random = rand.New(rand.NewPCG(seed, 2))

	ids := numbered(events)
	for _, id := range ids {
		live := f.others(nil)
		i := live[random.IntN(len(live))]
		i.publish(id)
		switch i := live[random.IntN(len(live))]; random.IntN(12) {
		case 0:
			f.common.loseLease(i.member)
		case 1:
			f.common.setAway(i.member, true)
		case 2:
			f.common.setAway(i.member, false)
		case 3:
			f.common.silence(i.member)
		case 4:
			f.common.letThrough(random.IntN(2) == 0, i.member)
		case 5:
			if len(live) > 2 {
				f.kill(i)
			}
		case 6:
			if len(live) < 5 {
				f.join()
			}
		default:
			f.clock.advance(time.Duration(random.IntN(1000)) * time.Millisecond)
		}
	}
	calm.Store(true)
	for _, i := range f.others(nil) {
		f.common.setAway(i.member, false)
		f.common.letThrough(false, i.member)
	}
	f.eventually(time.Second, "everything is delivered", func() bool {
		counts, err := f.common.Pending(t.Context())
		return err == nil && len(counts) == 0
	})
	mu.Lock()
	defer mu.Unlock()
	for n, got := range succeeded {
		firsts := make([]string, 0, len(got))
		seen := make(map[string]bool)
		for _, id := range got {
			if !seen[id] {
				seen[id] = true
				firsts = append(firsts, id)
			}
		}
		if c.Endpoints[n].Ordering == "" {
			slices.Sort(firsts)
		}
		if !slices.Equal(firsts, ids) {
			t.Errorf("endpoint %s got %d of %d events: %q", c.Endpoints[n].ID, len(firsts), len(ids), firsts)
		}
		t.Logf("endpoint %s got %d events %d times", c.Endpoints[n].ID, len(firsts), len(got))
	}
}
