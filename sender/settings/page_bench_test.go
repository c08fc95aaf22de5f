package settings_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

// BenchmarkPages loads pages over a store with a million deliveries of the last
// four weeks to eight endpoints, of which one in a hundred has failed and one in
// a thousand is pending. Filling it is not counted.
func BenchmarkPages(b *testing.B) {
	const n, endpoints = 1_000_000, 8
	store, err := sqlitestore.Open(filepath.Join(b.TempDir(), "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	var config sender.Config
	for i := range endpoints {
		config.Endpoints = append(config.Endpoints, sender.Endpoint{ID: fmt.Sprint("endpoint", i), URL: "https://example.com/" + fmt.Sprint(i), Secrets: []string{secretText}})
	}
	delivery := fillStore(b, store, n, endpoints)
	s, err := sender.New(config, store, sender.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	h := &settings.Handler{Sender: func(context.Context) (*sender.Sender, error) { return s, nil }}
	for _, path := range []string{
		"/", "/endpoints/endpoint3", "/endpoints/endpoint3/test", "/endpoints/endpoint3/secret", "/endpoints/endpoint3/verify", "/new",
		"/deliveries", "/deliveries?status=failed", "/deliveries?status=pending", "/deliveries?endpoint=endpoint3&status=failed", "/deliveries?type=message.*",
		"/deliveries?type=nothing.like.it", "/deliveries?order=oldest", "/deliveries/" + delivery,
		"/overview?span=hour", "/overview?span=day", "/overview?span=week", "/overview?span=month", "/overview?span=month&by=type", "/replays", "/replay", "/replay?status=failed&count=1",
	} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				if w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
				b.ReportMetric(float64(w.Body.Len()), "bytes/page")
			}
		})
	}
}

// fillStore stores and settles events of the last four weeks and returns the ID
// of the last delivery that has failed.
func fillStore(b *testing.B, store sender.Store, n, endpoints int) (failed string) {
	const step = 2000
	types := webhook.ManySendsEventTypes()
	span := 28 * 24 * time.Hour
	began := time.Now().Add(-span)
	outcomes := make([]sender.Outcome, step)
	for first := 0; first < n; first += step {
		publications := make([]*sender.Publication, step)
		for i := range publications {
			k := first + i
			at := began.Add(time.Duration(float64(span) * float64(k) / float64(n)))
			et := &types[k%len(types)]
			publications[i] = &sender.Publication{Events: []sender.PutEvent{{
				Event:    &webhook.Event{ID: fmt.Sprintf("evt_%032x", k), Type: et.Name, Timestamp: at, Data: et.SampleData()},
				StoredAt: at, EndpointIDs: []string{fmt.Sprint("endpoint", k/7%endpoints)},
			}}}
		}
		if err := store.PutEvents(b.Context(), publications); err != nil {
			b.Fatal(err)
		}
		for i, p := range publications {
			e := &p.Events[0]
			o := sender.Outcome{Seq: e.Seq, EndpointID: e.EndpointIDs[0], Type: e.Event.Type, Status: sender.Succeeded, Attempt: &sender.Attempt{
				Number: 1, StartedAt: e.StoredAt, Duration: webhook.Duration(time.Duration(1+i%300) * time.Millisecond), StatusCode: 200, Verdict: sender.VerdictSucceeded,
				ResponseBody: []byte(`{"ok":true}`),
			}}
			switch {
			case i == 500 || i == 1500:
				o.Status, o.Due = sender.Pending, time.Now().Add(24*time.Hour)
			case i%100 == 7:
				o.Status, o.Attempt.StatusCode, o.Attempt.Verdict, o.Attempt.Error = sender.Failed, 500, sender.VerdictRetry, "the endpoint answered 500"
				failed = (&sender.Delivery{Seq: e.Seq, EndpointID: o.EndpointID}).ID()
			}
			if o.Status != sender.Succeeded {
				o.Attempt.StatusCode, o.Attempt.Verdict = 500, sender.VerdictRetry
			}
			outcomes[i] = o
		}
		if err := store.Settle(b.Context(), outcomes); err != nil {
			b.Fatal(err)
		}
	}
	return failed
}
