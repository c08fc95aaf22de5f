package redisseen_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

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

// TestBucketsOfAClockThatWasAhead guards that nobody has to wait until the clock of
// Redis is where it was, after it was set back or a server took over whose clock is
// behind: no longer than for an empty bucket.
func TestBucketsOfAClockThatWasAhead(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	o := redisseen.Options{URL: server.URL(), Name: "n"}
	m, client, ctx := open(t, o), dial(t, o), context.Background()
	bucket := receiver.Bucket{Key: receiver.Key{1}, Rate: webhook.Rate{Events: 20, Burst: 2}}
	take := func() bool {
		t.Helper()
		taken, err := m.Take(ctx, []receiver.Bucket{bucket})
		if err != nil {
			t.Fatal(err)
		}
		return taken
	}
	if !take() {
		t.Fatal("a bucket that is new is not full")
	}
	keys, err := client.Do(ctx, client.B().Keys().Pattern("webhooks:{n}:*").Build()).AsStrSlice()
	if err != nil {
		t.Fatal(err)
	}
	keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasSuffix(key, ":probe") })
	value, err := client.Do(ctx, client.B().Get().Key(keys[0]).Build()).ToString()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	full, rate, _ := strings.Cut(value, " ")
	at, err := strconv.ParseFloat(full, 64)
	if err != nil {
		t.Fatal(err)
	}
	const hour = 3600e6
	ahead := strconv.FormatFloat(at+hour, 'f', -1, 64) + " " + rate
	if err := client.Do(ctx, client.B().Set().Key(keys[0]).Value(ahead).Px(time.Hour).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if take() {
		t.Error("the bucket is not empty")
	}
	eventually(t, "a token", take)
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
