package integration

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

// maxScreenshot is how large a picture in the documentation may be, in bytes.
const maxScreenshot = 150_000

// TestScreenshots takes pictures of the settings pages over a store whose
// content, and time, are always the same. With UPDATE_SCREENSHOTS=1 they become
// those of the documentation:
//
//	UPDATE_SCREENSHOTS=1 go test -run TestScreenshots ./integration
func TestScreenshots(t *testing.T) {
	needBrowser(t)
	folder := t.TempDir()
	if os.Getenv("UPDATE_SCREENSHOTS") == "1" {
		var err error
		if folder, err = filepath.Abs(filepath.Join("..", "docs", "screenshots")); err != nil {
			t.Fatal(err)
		}
		if err = os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	site, endpoint, failing := newStage(t)
	runSuite(t, "screenshots.mjs", "PAGES_ORIGIN="+site, "SCREENSHOTS="+folder, "PAGES_ENDPOINT="+endpoint, "PAGES_DELIVERY="+failing)
	pictures, err := filepath.Glob(filepath.Join(folder, "*.png"))
	if err != nil || len(pictures) == 0 {
		t.Fatalf("there are no pictures: %v", err)
	}
	for _, picture := range pictures {
		if info, err := os.Stat(picture); err != nil || info.Size() > maxScreenshot {
			t.Errorf("%s: %v, or it is larger than %d bytes", filepath.Base(picture), err, maxScreenshot)
		}
	}
}

// stageTime is the time on the pictures.
var stageTime = time.Date(2026, 3, 5, 10, 30, 0, 0, time.UTC)

// stillClock is a [sender.Clock] that stands still.
type stillClock time.Time

func (c stillClock) Now() time.Time { return time.Time(c) }

func (c stillClock) AfterFunc(d time.Duration, f func()) func() {
	if d <= 0 {
		go f()
	}
	return func() {}
}

// sameRandom gives the same bytes at each start.
type sameRandom struct {
	mu     sync.Mutex
	source *rand.ChaCha8
}

func (r *sameRandom) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.source.Read(p)
}

// newStage serves settings with endpoints that have had deliveries for a day.
// It returns where, the ID of an endpoint whose customer is there, and that of a
// delivery that has failed again and again.
func newStage(t *testing.T) (site, endpoint, failing string) {
	t.Helper()
	customer := newSink(t, "")
	store, err := sqlitestore.Open(filepath.Join(t.TempDir(), "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	random := &sameRandom{source: rand.NewChaCha8([32]byte{1})}
	open := func(now time.Time) *sender.Sender {
		s, err := sender.New(sender.Config{
			Egress: sender.Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true},
			Endpoints: []sender.Endpoint{{
				ID: "archive", URL: "https://archive.example.net/in", Description: "Everything, for the archive", Secrets: []string{testSecret}, Headers: map[string]string{"X-Team": "operations"},
			}},
		}, store, sender.Options{Clock: stillClock(now), Random: random, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open(stageTime.Add(-20 * 24 * time.Hour))
	ids := []string{"archive"}
	for _, e := range []sender.NewEndpoint{
		{Active: true, Endpoint: sender.Endpoint{URL: customer.URL + "/webhooks", Description: "Customer relations", Events: []string{"conversation.*", "message.*"}}},
		{Active: true, Endpoint: sender.Endpoint{URL: "https://warehouse.example.org/hooks/support", Description: "Reports for the data warehouse", Events: []string{"label.*", "agent.*"}}},
		{Endpoint: sender.Endpoint{URL: "https://staging.example.com/webhooks", Events: []string{"*"}}},
	} {
		info, _, err := s.CreateEndpoint(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, info.ID)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	failing = fillStage(t, store, ids)
	s = open(stageTime)
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	running := func(context.Context) (*sender.Sender, error) { return s, nil }
	mux := http.NewServeMux()
	mux.Handle("/settings/webhooks/", &settings.Handler{Sender: running, Prefix: "/settings/webhooks"})
	mux.Handle("/nobody/", &settings.Handler{Sender: running, Prefix: "/nobody", Tenant: func(*http.Request) (string, bool) { return "nobody", true }})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, ids[1], failing
}

// fillStage stores a day of deliveries to the endpoints, of which the third one
// was away for two hours.
func fillStage(t *testing.T, store sender.Store, ids []string) (failing string) {
	t.Helper()
	const n = 1200
	types := webhook.ManySendsEventTypes()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		at := stageTime.Add(-24 * time.Hour).Add(time.Duration(i) * 24 * time.Hour / n)
		if hour := at.Hour(); (hour < 7 || hour > 19) && i%4 != 0 {
			continue // less happens at night
		}
		eventType := types[random.IntN(len(types))]
		to := []string{ids[0]}
		switch group, _, _ := strings.Cut(eventType.Name, "."); group {
		case "conversation", "message":
			to = append(to, ids[1])
		default:
			to = append(to, ids[2])
		}
		publication := &sender.Publication{Events: []sender.PutEvent{{
			Event:    &webhook.Event{ID: fmt.Sprintf("evt_%032x", random.Uint64()), Type: eventType.Name, Timestamp: at, Data: eventType.SampleData()},
			StoredAt: at, EndpointIDs: to,
		}}}
		if err := store.PutEvents(t.Context(), []*sender.Publication{publication}); err != nil {
			t.Fatal(err)
		}
		event := &publication.Events[0]
		for _, id := range event.EndpointIDs {
			took := webhook.Duration(30+random.ExpFloat64()*60) * webhook.Duration(time.Millisecond)
			attempt := sender.Attempt{
				Number: 1, StartedAt: at, Duration: took, StatusCode: 200, Verdict: sender.VerdictSucceeded, RemoteAddr: "203.0.113.7:443",
				Timings:         sender.Timings{DNS: took / 12, Connect: took / 8, TLS: took / 5, FirstByte: took * 9 / 10},
				RequestHeaders:  http.Header{"Content-Type": {"application/json"}, "Webhook-Id": {event.Event.ID}},
				ResponseHeaders: http.Header{"Content-Type": {"application/json"}, "Server": {"nginx"}},
				ResponseBody:    []byte(`{"received":true}`),
			}
			outcome := sender.Outcome{Seq: event.Seq, EndpointID: id, Type: eventType.Name, Status: sender.Succeeded, Attempt: &attempt}
			away := id == ids[2] && at.Hour() >= 8 && at.Day() == stageTime.Day()
			if away {
				outcome.Status, outcome.Due = sender.Pending, stageTime.Add(25*time.Minute)
				attempt.StatusCode, attempt.Verdict, attempt.Error = 503, sender.VerdictRetry, "the endpoint answered 503"
				attempt.ResponseBody, attempt.ResponseHeaders = []byte("Down for maintenance."), http.Header{"Content-Type": {"text/plain"}, "Retry-After": {"1800"}}
				failing = (&sender.Delivery{Seq: event.Seq, EndpointID: id}).ID()
			}
			outcomes := []sender.Outcome{outcome}
			if away { // and the retry
				second := attempt
				second.Number, second.StartedAt, second.Duration = 2, at.Add(5*time.Second), took*2
				outcomes = append(outcomes, sender.Outcome{Seq: event.Seq, EndpointID: id, Type: eventType.Name, Status: sender.Pending, Due: outcome.Due, Attempt: &second})
			}
			for _, o := range outcomes {
				if err := store.Settle(t.Context(), []sender.Outcome{o}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	last := stageTime.Add(-90 * time.Second).Format(time.RFC3339)
	for id, health := range map[string]string{
		ids[0]: fmt.Sprintf(`{"last_success_at":%q}`, last),
		ids[1]: fmt.Sprintf(`{"last_success_at":%q}`, last),
		ids[2]: fmt.Sprintf(`{"last_success_at":"2026-03-05T07:58:00Z","last_failure_at":%q,"failing_since":"2026-03-05T08:00:00Z"}`, last),
	} {
		if err := store.PutDocuments(t.Context(), []*sender.Document{{Kind: "health", ID: id, Data: []byte(health), Version: sender.AnyVersion}}); err != nil {
			t.Fatal(err)
		}
	}
	return failing
}
