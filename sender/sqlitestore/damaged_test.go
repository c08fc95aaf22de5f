package sqlitestore

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/webhook"
)

// wholeAttempt is an attempt as it usually is.
func wholeAttempt() sender.Attempt {
	a := *delivered.Attempt
	a.Timings = sender.Timings{DNS: 1_203_040, Connect: 11_203_040, TLS: 21_203_040, FirstByte: webhook.Duration(53 * time.Millisecond)}
	a.RemoteAddr = "203.0.113.77:443"
	a.RequestHeaders = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"caddy-webhooks/v1.0.0"}, "Webhook-Id": {"evt_0192f0c1a2b37c4d8e5f60718293a4b5"},
		"Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {"v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM="}, "Authorization": {"(hidden)"},
	}
	a.ResponseHeaders = http.Header{
		"Content-Type": {"application/json"}, "Content-Length": {"11"}, "Date": {"Tue, 05 Mar 2024 10:30:00 GMT"}, "Server": {"nginx"},
		"X-Request-Id": {"5f2b8e9c0a7d4e3f"}, "Strict-Transport-Security": {"max-age=31536000"}, "X-Ratelimit-Remaining": {"4999"},
	}
	return a
}

// TestDetailDamaged: an attempt that cannot be read is an error, not another
// attempt.
func TestDetailDamaged(t *testing.T) {
	s := openTemp(t)
	publications := batch(1, 0, "a")
	put(t, s, publications)
	outcome, whole := delivered, wholeAttempt()
	outcome.Attempt = &whole
	settleAll(t, s, publications, "a", outcome)
	path := s.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, path, "UPDATE attempts SET detail = x'0102'")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Event(background, "", publications[0].Events[0].Event.ID); !errors.Is(err, stored.ErrDetail) || !strings.Contains(err.Error(), path) {
		t.Errorf("Event = %v, want an error that names the file", err)
	}
	if _, err := s.Deliveries(background, sender.DeliveryQuery{Limit: 1}); !errors.Is(err, stored.ErrDetail) {
		t.Errorf("Deliveries = %v, want ErrDetail", err)
	}
}

// TestDamagedHeaders: an event whose headers cannot be read is told of, not
// delivered without them.
func TestDamagedHeaders(t *testing.T) {
	s := openTemp(t)
	p := batch(1, 1)
	p[0].Events[0].Event.Headers = http.Header{"X-Github-Event": {"push"}}
	put(t, s, p)
	path := s.path
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	execute(t, path, "UPDATE events SET headers = x'0501'")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Event(background, "", p[0].Events[0].Event.ID); !errors.Is(err, stored.ErrHeaders) {
		t.Errorf("Event: %v, want ErrHeaders", err)
	}
}
