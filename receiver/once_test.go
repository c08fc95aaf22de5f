package receiver

import (
	"errors"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// onceApplication counts how often it has taken each event, and does not take
// every tenth at the first attempt, in one of three ways.
type onceApplication struct {
	attempts []atomic.Int32
	taken    []atomic.Int32
}

var errNotNow = errors.New("not now")

func (a *onceApplication) serve(n int, w http.ResponseWriter) error {
	runtime.Gosched() // let the twin come in between
	if a.attempts[n].Add(1) == 1 {
		switch n % 30 {
		case 0:
			return errNotNow
		case 10:
			w.WriteHeader(http.StatusInternalServerError)
			return nil
		case 20:
			panic(http.ErrAbortHandler)
		}
	}
	a.taken[n].Add(1)
	return nil
}

// presenter is a sender of many events. It tries each until the answer is 200.
type presenter struct {
	rc      *Receiver
	app     *onceApplication
	signers []webhook.Signer
	body    []byte
	now     time.Time
	request http.Request

	processed, duplicates int
}

func (p *presenter) present(n int) {
	for !p.try(n) {
	}
}

func (p *presenter) try(n int) (done bool) {
	defer func() {
		if got := recover(); got != nil && got != http.ErrAbortHandler {
			panic(got)
		}
	}()
	webhook.SetHeaders(p.request.Header, p.signers, "evt_"+strconv.Itoa(n), p.now, p.body)
	p.request.Body = &loopBody{text: p.body}
	w := silentWriter{header: make(http.Header)}
	called := false
	err := p.rc.Handle(&w, &p.request, func(w http.ResponseWriter, _ *http.Request) error {
		called = true
		return p.app.serve(n, w)
	})
	switch {
	case err != nil || w.status >= 300:
		return false
	case called:
		p.processed++
	case w.header.Get(HeaderDuplicate) == "true":
		p.duplicates++
	default:
		panic("answered without the application and not as a duplicate")
	}
	return true
}

// TestNoDuplicateAcceptedNoEventLost presents every event twice, by two
// goroutines at once or thousands of events apart, to an application that
// fails now and then. Each event must be taken exactly once, and every other
// presentation must be answered as a duplicate.
func TestNoDuplicateAcceptedNoEventLost(t *testing.T) {
	events := 1_000_000
	if raceDetector || testing.Short() {
		events = 50_000
	}
	const pairs, distance = 32, 1000
	share := events / pairs
	events = share * pairs

	cfg := testConfig("standard")
	cfg.Dedupe.Capacity = events
	cfg.Dedupe.Wait = webhook.Duration(time.Minute)
	rc := mustNew(t, cfg, Options{})
	secret, err := webhook.ParseSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	app := &onceApplication{attempts: make([]atomic.Int32, events), taken: make([]atomic.Int32, events)}

	var processed, duplicates atomic.Int64
	var wg sync.WaitGroup
	for g := range 2 * pairs {
		pair, second := g/2, g%2 == 1
		p := &presenter{
			rc: rc, app: app, signers: []webhook.Signer{secret}, body: []byte(`{"type":"message.created","data":{}}`), now: time.Now(),
			request: http.Request{Method: http.MethodPost, Header: make(http.Header)},
		}
		late := 0
		if second && pair%2 == 1 {
			late = distance
		}
		wg.Go(func() {
			for i := range share {
				p.present(pair*share + (i+share-late)%share)
			}
			processed.Add(int64(p.processed))
			duplicates.Add(int64(p.duplicates))
		})
	}
	wg.Wait()

	twice, never := 0, 0
	for n := range app.taken {
		switch got := app.taken[n].Load(); {
		case got > 1:
			twice++
		case got == 0:
			never++
		}
	}
	if twice != 0 || never != 0 {
		t.Errorf("%d events were taken more than once and %d never", twice, never)
	}
	if processed.Load() != int64(events) || duplicates.Load() != int64(events) {
		t.Errorf("%d processed, %d duplicates: want %d of both", processed.Load(), duplicates.Load(), events)
	}

	// Wherever they are by now, all of them are known.
	forgotten := 0
	for n := range events {
		if got, _ := rc.state.seen.try(claimOn(rc.keys.ofID("evt_" + strconv.Itoa(n)))); got != duplicate {
			forgotten++
		}
	}
	if forgotten != 0 {
		t.Errorf("%d events are not known any more", forgotten)
	}
	if got := rc.state.Stats(); got.Claimed != forgotten || got.Forgotten != 0 || got.Exact+got.Settled != events {
		t.Errorf("stats %+v: want %d events and nothing claimed or forgotten", got, events)
	}
}
