package redisseen_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
	"github.com/manysends/caddy-webhooks/webhook"
)

const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// newReceiver is a receiver with a connection of its own, as one in another
// process is.
func newReceiver(t testing.TB, cfg receiver.Config, s receiver.StateOptions, o redisseen.Options) (*receiver.Receiver, *receiver.State) {
	t.Helper()
	o.Name = "hooks"
	memory, err := redisseen.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Shared = memory
	state, err := receiver.OpenState(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(state.Close)
	cfg.Name, cfg.Provider, cfg.Secrets = "hooks", "standard", []string{secret}
	rc, err := receiver.New(cfg, receiver.Options{State: state})
	if err != nil {
		t.Fatal(err)
	}
	return rc, state
}

// request is an authentic request with an event.
func request(t testing.TB, id string) *http.Request {
	t.Helper()
	signer, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"type":"message.created","data":{}}`
	r := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(body))
	webhook.SetHeaders(r.Header, []webhook.Signer{signer}, id, time.Now(), []byte(body))
	return r
}

var errNotNow = errors.New("not now")

// spray presents every event to each of three receivers on one Redis at about
// the same time, until all have answered it with 200. The application does not
// take every tenth event at the first attempt. Each event must be taken once.
func spray(t testing.TB, events int) {
	const workers = 16 // for each receiver
	server := redistest.Start(t, "--appendonly", "no")
	attempts, taken := make([]atomic.Int32, events), make([]atomic.Int32, events)
	var processed, duplicates atomic.Int64
	var wg sync.WaitGroup
	for range 3 {
		cfg := receiver.Config{Dedupe: receiver.Dedupe{Wait: webhook.Duration(time.Minute)}}
		// A machine this busy must not make Redis look away.
		rc, _ := newReceiver(t, cfg, receiver.StateOptions{}, redisseen.Options{URL: server.URL(), Timeout: 30 * time.Second, Lease: 2 * time.Minute})
		var next atomic.Int64
		for range workers {
			wg.Go(func() {
				for {
					n := int(next.Add(1)) - 1
					if n >= events {
						return
					}
					for done := false; !done; {
						w := httptest.NewRecorder()
						called := false
						err := rc.Handle(w, request(t, "evt_"+strconv.Itoa(n)), func(http.ResponseWriter, *http.Request) error {
							called = true
							runtime.Gosched()
							if attempts[n].Add(1) == 1 && n%10 == 0 {
								return errNotNow
							}
							taken[n].Add(1)
							return nil
						})
						switch {
						case errors.Is(err, errNotNow):
							continue
						case err != nil:
							t.Errorf("event %d: %v", n, err)
							return
						case called:
							processed.Add(1)
						case w.Header().Get(receiver.HeaderDuplicate) == "true":
							duplicates.Add(1)
						default:
							t.Errorf("event %d was answered %d, neither processed nor a duplicate", n, w.Code)
						}
						done = true
					}
				}
			})
		}
	}
	wg.Wait()
	twice, never := 0, 0
	for n := range taken {
		switch got := taken[n].Load(); {
		case got > 1:
			twice++
		case got == 0:
			never++
		}
	}
	if twice != 0 || never != 0 {
		t.Errorf("%d events were processed more than once and %d never", twice, never)
	}
	if processed.Load() != int64(events) || duplicates.Load() != 2*int64(events) {
		t.Errorf("%d processed and %d duplicates, want %d and %d", processed.Load(), duplicates.Load(), events, 2*events)
	}
}

func TestThreeReceiversProcessEachEventOnce(t *testing.T) {
	events := 50_000
	if raceDetector || testing.Short() {
		events = 10_000
	}
	spray(t, events)
}

// BenchmarkThreeReceivers is the same for b.N events: with -benchtime 1000000x
// for a million.
func BenchmarkThreeReceivers(b *testing.B) {
	before := time.Now()
	spray(b, b.N)
	b.ReportMetric(float64(b.N)/time.Since(before).Seconds(), "events/s")
}
