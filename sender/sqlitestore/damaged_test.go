package sqlitestore

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/sender/internal/storedtest"
)

// TestDetailDamaged: an attempt that cannot be read is an error, not another
// attempt.
func TestDetailDamaged(t *testing.T) {
	s := openTemp(t)
	publications := batch(1, 0, "a")
	put(t, s, publications)
	outcome, whole := delivered, storedtest.WholeAttempt()
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
