package receiver

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// A new configuration takes over from the old one while both serve: neither
// what has been seen nor what is in flight nor what is left of a limit is lost.
func TestTwoReceiversShareOneState(t *testing.T) {
	hourly := func(events int) []SourceRate {
		return []SourceRate{{Rate: webhook.Rate{Events: events, Per: webhook.Duration(time.Hour)}}}
	}
	inBubble(t, testConfig("standard"), func(t *testing.T, old *Receiver) {
		cfg := testConfig("standard")
		cfg.Rates = hourly(3)
		renewed, err := New(cfg, Options{State: old.state})
		if err != nil {
			t.Fatal(err)
		}
		answers, oldErr, _ := start(t, old, context.Background())
		_, newErr, w := start(t, renewed, context.Background())
		answers <- 200
		if err := errors.Join(<-oldErr, <-newErr); err != nil || w.Header().Get(HeaderDuplicate) != "true" {
			t.Errorf("in flight at the old one: error %v, status %d, want a duplicate", err, w.Code)
		}

		// The request above has taken one of three.
		cfg.Rates = hourly(2)
		third, err := New(cfg, Options{State: old.state})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			r, _ := signedRequest(t, "standard", eventID(10+n), time.Now(), []byte(`{}`))
			err := third.Handle(httptest.NewRecorder(), r, answerWith(200))
			if refused := err != nil; refused != (n == 2) {
				t.Errorf("request %d at the lower rate: error %v", n, err)
			}
		}
	})
}

// A configuration may be rejected after its Receiver was made, so making one
// must not change anything.
func TestAnUnusedReceiverChangesNothing(t *testing.T) {
	b := newBench(t, testConfig("standard"))
	for n := range 3 {
		b.mustAccept(t, b.signed(t, n))
	}
	rejected := testConfig("standard")
	rejected.Dedupe.Capacity = 1
	rejected.Dedupe.TTL = 1
	if _, err := New(rejected, Options{State: b.state, Now: b.clock.Now}); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(time.Second)
	b.state.seen.settle()
	if got := b.state.Stats(); got.Settled != 3 || got.Forgotten != 0 {
		t.Errorf("stats %+v, want 3 events settled", got)
	}
}

// Guards against closing ristretto while somebody uses it, which panics, and
// against a closed State that takes every event for new.
func TestCloseDuringTraffic(t *testing.T) {
	for range 5 {
		state := NewState(StateOptions{})
		rc, err := New(testConfig("standard"), Options{State: state})
		if err != nil {
			t.Fatal(err)
		}
		state.seen.settler.every = time.Millisecond
		var wg sync.WaitGroup
		var taken, closed, wrong atomic.Int64
		for g := range 8 {
			wg.Go(func() {
				for n := 0; ; n++ {
					r, _ := signedRequest(t, "standard", eventID(g<<20+n), time.Now(), []byte(`{}`))
					w := httptest.NewRecorder()
					err := rc.Handle(w, r, answerWith(200))
					if err == nil {
						taken.Add(1)
						continue
					}
					refusal, _ := errors.AsType[*Refusal](err)
					if refusal == nil || refusal.Status != 503 || refusal.Reason != ReasonClosed || !errors.Is(err, ErrClosed) || w.Header().Get("Retry-After") != "1" {
						wrong.Add(1)
					}
					closed.Add(1)
					return
				}
			})
		}
		for taken.Load() < 200 {
			time.Sleep(time.Millisecond)
		}
		state.Close()
		state.Close()
		wg.Wait()
		if wrong.Load() != 0 || closed.Load() != 8 {
			t.Errorf("%d senders were told, %d of them something else: want 8 and 0", closed.Load(), wrong.Load())
		}
		<-state.done
	}
}

// Closing waits for nobody, and the last request puts out the light.
func TestCloseWithARequestInFlight(t *testing.T) {
	state := NewState(StateOptions{})
	rc, err := New(testConfig("standard"), Options{State: state})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := signedRequest(t, "standard", eventID(1), time.Now(), []byte(`{}`))
	err = rc.Handle(httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error {
		state.Close()
		if state.done != nil {
			t.Error("everything has ended while a request is being served")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	<-state.done
	if diff := cmp.Diff(Stats{Exact: 1}, state.Stats()); diff != "" {
		t.Errorf("stats (-want +got):\n%s", diff)
	}
}

// A State that never saw a request has nothing to end.
func TestCloseUnused(t *testing.T) {
	NewState(StateOptions{}).Close()
}
