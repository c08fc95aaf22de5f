package redisseen_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
	"github.com/manysends/caddy-webhooks/webhook"
)

func perHour(t testing.TB, events, burst int) webhook.Rate {
	t.Helper()
	r, err := webhook.ParseRate(strconv.Itoa(events) + "/h")
	if err != nil {
		t.Fatal(err)
	}
	r.Burst = burst
	return r
}

// Three processes have one budget, all buckets are taken from or none, and a
// bucket keeps its tokens when its rate changes.
func TestBuckets(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	var all []*memory
	for range 3 {
		all = append(all, open(t, redisseen.Options{URL: server.URL(), Name: "n"}))
	}
	ctx := context.Background()
	a, b := receiver.Key{1}, receiver.Key{2}
	take := func(i int, want bool, buckets ...receiver.Bucket) {
		t.Helper()
		tokens := make([]float64, len(buckets))
		for j := range buckets {
			tokens[j] = buckets[j].Tokens
		}
		got, err := all[i%3].Take(ctx, buckets)
		if err != nil || got != want {
			t.Fatalf("taken %t, error %v: want %t", got, err, want)
		}
		for j := range buckets {
			if math.Abs(buckets[j].Tokens-tokens[j]) > 0.1 {
				t.Errorf("bucket %d had %f tokens, want %f", j, buckets[j].Tokens, tokens[j])
			}
		}
	}
	few, many := perHour(t, 1, 5), perHour(t, 1, 100)
	for i := range 5 {
		take(i, true, receiver.Bucket{Key: a, Rate: few, Tokens: float64(5 - i)})
	}
	take(0, false, receiver.Bucket{Key: a, Rate: few})
	take(1, false, receiver.Bucket{Key: a, Rate: few}, receiver.Bucket{Key: b, Rate: many, Tokens: 100})
	take(2, true, receiver.Bucket{Key: b, Rate: many, Tokens: 100}) // which that has left alone
	take(0, true, receiver.Bucket{Key: b, Rate: perHour(t, 7, 200), Tokens: 99})
	take(0, true, receiver.Bucket{Key: b, Rate: perHour(t, 3, 10), Tokens: 10})
	take(0, true, receiver.Bucket{Key: b, Rate: many, Tokens: 9})

	// A token comes when its time has come.
	c := receiver.Bucket{Key: receiver.Key{3}, Rate: webhook.Rate{Events: 20, Burst: 1}}
	eventually(t, "tokens", func() bool {
		taken, err := all[0].Take(ctx, []receiver.Bucket{c})
		if err != nil {
			t.Fatal(err)
		}
		return !taken
	})
	eventually(t, "a token", func() bool {
		taken, err := all[0].Take(ctx, []receiver.Bucket{c})
		return err == nil && taken
	})
}

// A receiver with shared limits tells its clients the same as one without.
func TestRateLimitHeadersAreThoseOfAReceiverAlone(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	cfg := receiver.Config{Rates: []receiver.SourceRate{{Rate: perHour(t, 60, 4)}, {Rate: perHour(t, 5, 7)}}}
	shared, _ := newReceiver(t, cfg, receiver.StateOptions{}, redisseen.Options{URL: server.URL()})
	cfg.Name, cfg.Provider, cfg.Secrets = "hooks", "standard", []string{secret}
	state := receiver.NewState(receiver.StateOptions{})
	t.Cleanup(state.Close)
	alone, err := receiver.New(cfg, receiver.Options{State: state})
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for n := range 8 {
		var heads [2]http.Header
		for i, rc := range []*receiver.Receiver{alone, shared} {
			w := httptest.NewRecorder()
			err := rc.Handle(w, request(t, "evt_"+strconv.Itoa(n)), func(http.ResponseWriter, *http.Request) error { return nil })
			if refusal, ok := errors.AsType[*receiver.Refusal](err); ok && refusal.Reason == receiver.ReasonRate {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
			heads[i] = w.Header()
		}
		if diff := cmp.Diff(heads[0], heads[1]); diff != "" {
			t.Errorf("request %d: alone (-) and shared (+):\n%s", n, diff)
		}
	}
	if refused != 8 {
		t.Errorf("%d were refused, want 4 of 8 by both", refused)
	}
}
