package sender_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

// fastClock is the computer's clock, but a thousand times as fast, so that
// pauses and retries pass quickly.
type fastClock struct{ begin time.Time }

const fastBy = 1000

func (c fastClock) Now() time.Time { return c.begin.Add(fastBy * time.Since(c.begin)) }

func (c fastClock) AfterFunc(d time.Duration, f func()) func() {
	t := time.AfterFunc(d/fastBy, f)
	return func() { t.Stop() }
}

// ledger keeps account of every event at every endpoint of the stress test.
type ledger struct {
	mu        sync.Mutex
	published []string
	succeeded map[string]int // times an endpoint got an event and said so
	late      []string       // got again after its success had been recorded
}

// TestStress publishes, while endpoints fail in every way, the store fails now
// and then, and the sender is stopped, started, reconfigured and made anew. In
// the end every event for which there was a receipt must have been delivered
// to every endpoint, and none after its success was in the store.
func TestStress(t *testing.T) {
	for _, seed := range []uint64{1, 2, 3} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { stress(t, seed) })
	}
}

func stress(t *testing.T, seed uint64) {
	sender.SetLaneLength(t, 6, 3)
	const publishers, each, endpoints = 6, 40, 3
	var calm atomic.Bool // from then on everything succeeds
	book := &ledger{succeeded: make(map[string]int)}

	var randomness sync.Mutex
	random := rand.New(rand.NewPCG(seed, 0))
	chance := func(n int) int {
		randomness.Lock()
		defer randomness.Unlock()
		return random.IntN(n)
	}

	store, err := sqlitestore.Open(filepath.Join(t.TempDir(), "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	faulty := &faultyStore{Store: store}
	faulty.call(func(fault) error {
		if !calm.Load() && chance(12) == 0 {
			return errFaulty
		}
		return nil
	})

	c := sender.Config{
		EventTypes: []webhook.EventType{{Name: "*"}},
		Egress:     sender.Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true},
		Memory:     1 << 10,
	}
	for i := range 40 { // enough waits for any luck
		c.Retry = append(c.Retry, webhook.Duration(time.Duration(i+1)*time.Second))
	}
	for i := range endpoints {
		id := string(rune('a' + i))
		p := newPeer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			event := r.Header.Get("webhook-id")
			if done, err := isRecorded(store, event, id); err == nil && done {
				book.mu.Lock()
				book.late = append(book.late, event+" at "+id)
				book.mu.Unlock()
			}
			if !calm.Load() {
				switch chance(10) {
				case 0:
					w.WriteHeader(500)
					return
				case 1:
					w.Header().Set("Retry-After", "20")
					w.WriteHeader(503)
					return
				case 2:
					panic(http.ErrAbortHandler)
				case 3:
					select { // for a while, or until the sender gives up
					case <-time.After(time.Duration(chance(20)) * time.Millisecond):
					case <-r.Context().Done():
					}
				}
			}
			book.mu.Lock()
			book.succeeded[event+" at "+id]++
			book.mu.Unlock()
		})
		e := sender.Endpoint{ID: id, URL: p.URL, Secrets: []string{secretText}, Concurrency: 1 + 3*i, Timeout: webhook.Duration(time.Minute)}
		if i == 2 {
			e.Rate = &webhook.Rate{Events: 2, Burst: 2}
		}
		c.Endpoints = append(c.Endpoints, e)
	}

	clock := fastClock{time.Now()}
	fresh := func() *sender.Sender {
		s, err := sender.New(c, faulty, sender.Options{Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var current atomic.Pointer[sender.Sender]
	current.Store(fresh())

	var publishing, operating sync.WaitGroup
	published := make(chan struct{})
	for n := range publishers {
		publishing.Go(func() {
			for i := range each {
				id := fmt.Sprintf("p%d-%d", n, i)
				for {
					_, err := current.Load().Publish(context.Background(), event(id))
					if err == nil {
						break
					}
					if !errors.Is(err, errFaulty) && !errors.Is(err, sender.ErrClosed) {
						t.Errorf("Publish: %v", err)
						return
					}
				}
				book.mu.Lock()
				book.published = append(book.published, id)
				book.mu.Unlock()
				if i%10 == 0 {
					time.Sleep(time.Duration(chance(10)) * time.Millisecond)
				}
			}
		})
	}
	operating.Go(func() {
		for {
			select {
			case <-published:
				return
			case <-time.After(time.Duration(chance(30)) * time.Millisecond):
			}
			s := current.Load()
			switch chance(6) {
			case 0, 1:
				_ = s.Start(context.Background()) // the store may fail
			case 2:
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(chance(10))*time.Millisecond)
				_ = s.Stop(ctx) // the store may fail
				cancel()
			case 3, 4:
				c := c
				c.Endpoints = append([]sender.Endpoint(nil), c.Endpoints...)
				for i := range c.Endpoints {
					c.Endpoints[i].Description = fmt.Sprint(chance(3))
				}
				if chance(3) == 0 {
					c.Endpoints[0].Concurrency = 1 + chance(4)
				}
				if err := s.Apply(c); err != nil {
					t.Error(err)
				}
			case 5:
				// Close hands everything over when the store takes it.
				faulty.call(nil)
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
				current.Store(fresh())
				faulty.call(func(fault) error {
					if !calm.Load() && chance(12) == 0 {
						return errFaulty
					}
					return nil
				})
			}
		}
	})
	publishing.Wait()
	close(published)
	operating.Wait()
	calm.Store(true)
	s := current.Load()
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, id := range book.published {
		for _, e := range c.Endpoints {
			until(t, fmt.Sprintf("%s is delivered to %s", id, e.ID), func() bool {
				done, err := isRecorded(store, id, e.ID)
				return err == nil && done
			})
		}
	}
	until(t, "all is settled", func() bool { return s.Unsettled() == 0 })
	if n := s.Memory(); n != 0 {
		t.Errorf("nothing waits in memory, yet %d bytes are counted", n)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	book.mu.Lock()
	defer book.mu.Unlock()
	if len(book.published) != publishers*each {
		t.Errorf("%d events were published, want %d", len(book.published), publishers*each)
	}
	lost, again := 0, 0
	for _, id := range book.published {
		for _, e := range c.Endpoints {
			switch n := book.succeeded[id+" at "+e.ID]; {
			case n == 0:
				lost++
			case n > 1:
				again += n - 1
			}
		}
	}
	if lost > 0 || len(book.late) > 0 {
		t.Errorf("%d deliveries are lost, and %d were made after their success was recorded: %q", lost, len(book.late), book.late)
	}
	t.Logf("%d deliveries, %d of them again because they were broken off or not yet recorded", len(book.published)*endpoints, again)
}

// isRecorded tells whether the store knows that a delivery has succeeded.
func isRecorded(store sender.Store, id, endpoint string) (bool, error) {
	e, err := store.Event(context.Background(), "", id)
	if err != nil {
		return false, err
	}
	for _, d := range e.Deliveries {
		if d.EndpointID == endpoint {
			return d.Status == sender.Succeeded, nil
		}
	}
	return false, nil
}
