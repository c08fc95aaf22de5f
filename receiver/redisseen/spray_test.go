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

// spraying presents every event to each of several receivers at about the same
// time, until all have answered it with 200. The application does not take every
// tenth event at the first attempt.
type spraying struct {
	receivers []*receiver.Receiver
	states    []*receiver.State
	attempts  []atomic.Int32 // for each event
	taken     []atomic.Int32
	odd       []atomic.Bool // taken while something was odd
	isOdd     atomic.Bool

	processed, duplicates, refused, looks atomic.Int64
}

// newSpraying makes three receivers for a number of events.
func newSpraying(t testing.TB, events int, s receiver.StateOptions, o redisseen.Options) *spraying {
	t.Helper()
	sp := &spraying{attempts: make([]atomic.Int32, events), taken: make([]atomic.Int32, events), odd: make([]atomic.Bool, events)}
	// A machine this busy must not make Redis look away.
	o.Timeout, o.Lease = 30*time.Second, 2*time.Minute
	cfg := receiver.Config{Dedupe: receiver.Dedupe{Wait: webhook.Duration(time.Minute)}}
	for range 3 {
		rc, state := newReceiver(t, cfg, s, o)
		sp.receivers, sp.states = append(sp.receivers, rc), append(sp.states, state)
	}
	return sp
}

// run sprays the events of some numbers, and has something happen when a third
// of them has been processed.
func (sp *spraying) run(t testing.TB, from, to int, during func()) {
	const workers = 16 // for each receiver
	var wg sync.WaitGroup
	before := sp.processed.Load()
	for _, rc := range sp.receivers {
		var next atomic.Int64
		next.Store(int64(from))
		for range workers {
			wg.Go(func() {
				for n := int(next.Add(1)) - 1; n < to; n = int(next.Add(1)) - 1 {
					for !sp.send(t, rc, n) {
					}
				}
			})
		}
	}
	if during != nil {
		eventually(t, "a third of the events", func() bool { return sp.processed.Load()-before >= int64(to-from)/3 })
		during()
	}
	wg.Wait()
}

// send presents an event, and tells whether that is done.
func (sp *spraying) send(t testing.TB, rc *receiver.Receiver, n int) bool {
	w := httptest.NewRecorder()
	called := false
	err := rc.Handle(w, request(t, "evt_"+strconv.Itoa(n)), func(http.ResponseWriter, *http.Request) error {
		called = true
		runtime.Gosched()
		if sp.attempts[n].Add(1) == 1 && n%10 == 0 {
			return errNotNow
		}
		sp.taken[n].Add(1)
		if sp.isOdd.Load() {
			sp.odd[n].Store(true)
		}
		return nil
	})
	refusal, refused := errors.AsType[*receiver.Refusal](err)
	switch {
	case errors.Is(err, errNotNow):
		return false
	case refused && refusal.Reason == receiver.ReasonUnavailable:
		sp.refused.Add(1)
		time.Sleep(20 * time.Millisecond)
		return false
	case err != nil:
		t.Errorf("event %d: %v", n, err)
	case called:
		sp.processed.Add(1)
	case w.Header().Get(receiver.HeaderDuplicate) == "true":
		sp.duplicates.Add(1)
	default:
		t.Errorf("event %d was answered %d, neither processed nor a duplicate", n, w.Code)
	}
	return true
}

// outcome counts the events that were processed more than once, of which some
// were odd, and those that never were.
func (sp *spraying) outcome() (twice, odd, lost int) {
	for n := range sp.taken {
		switch got := sp.taken[n].Load(); {
		case got > 1:
			twice++
			if sp.odd[n].Load() {
				odd++
			}
		case got == 0:
			lost++
		}
	}
	return twice, odd, lost
}

// once fails the test unless each event was processed once, and all others were
// answered as duplicates.
func (sp *spraying) once(t testing.TB) {
	t.Helper()
	events := int64(len(sp.taken))
	if twice, _, lost := sp.outcome(); twice != 0 || lost != 0 {
		t.Errorf("%d events were processed more than once and %d never", twice, lost)
	}
	if processed, duplicates := sp.processed.Load(), sp.duplicates.Load(); processed != events || duplicates != 2*events {
		t.Errorf("%d processed and %d duplicates, want %d and %d", processed, duplicates, events, 2*events)
	}
}

// sprayed is how many events tests spray.
func sprayed() int {
	if raceDetector || testing.Short() {
		return 10_000
	}
	return 50_000
}

func TestThreeReceiversProcessEachEventOnce(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no")
	sp := newSpraying(t, sprayed(), receiver.StateOptions{}, redisseen.Options{URL: server.URL()})
	sp.run(t, 0, len(sp.taken), nil)
	sp.once(t)
}

// BenchmarkThreeReceivers is the same for b.N events: with -benchtime 1000000x
// for a million.
func BenchmarkThreeReceivers(b *testing.B) {
	server := redistest.Start(b, "--appendonly", "no")
	sp := newSpraying(b, b.N, receiver.StateOptions{}, redisseen.Options{URL: server.URL()})
	b.ResetTimer()
	sp.run(b, 0, b.N, nil)
	sp.once(b)
	twice, _, lost := sp.outcome()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(twice), "twice")
	b.ReportMetric(float64(lost), "lost")
}

// While Redis is away in the midst of it, events are refused or go by what each
// receiver knows, as is configured. Nothing hangs and nothing is lost. Only with
// allow is anything processed twice, and only until Redis is back.
func TestRedisIsKilledInTheMidst(t *testing.T) {
	for _, on := range []receiver.OnError{receiver.OnErrorDeny, receiver.OnErrorAllow} {
		t.Run(string("on_error="+on), func(t *testing.T) {
			server := redistest.Start(t)
			events := sprayed() / 5
			sp := newSpraying(t, events, receiver.StateOptions{OnError: on}, redisseen.Options{URL: server.URL()})
			sp.run(t, 0, events/2, func() {
				sp.isOdd.Store(true)
				server.Kill()
				eventually(t, "Redis to be missed", func() bool { return sp.away(t) })
				server.Run(t)
				eventually(t, "Redis to be asked again", func() bool { return !sp.away(t) })
			})
			sp.isOdd.Store(false)
			sp.run(t, events/2, events, nil)
			if on == receiver.OnErrorDeny {
				sp.once(t)
				if sp.refused.Load() == 0 {
					t.Error("nothing was refused while Redis was away")
				}
				return
			}
			twice, odd, lost := sp.outcome()
			if lost != 0 || twice != odd || sp.refused.Load() != 0 {
				t.Errorf("%d were lost, %d processed more than once of which %d when Redis was away, and %d refused: want 0, as many, 0",
					lost, twice, odd, sp.refused.Load())
			}
			t.Logf("%d of %d were processed more than once", twice, events)
		})
	}
}

// away tells whether a receiver goes without Redis, having had each look.
func (sp *spraying) away(t testing.TB) (away bool) {
	for i, rc := range sp.receivers {
		r := request(t, "look_"+strconv.FormatInt(sp.looks.Add(1), 10))
		_ = rc.Handle(httptest.NewRecorder(), r, func(http.ResponseWriter, *http.Request) error { return nil })
		away = sp.states[i].Stats().SharedAway || away
	}
	return away
}
