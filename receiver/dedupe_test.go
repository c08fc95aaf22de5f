package receiver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// takeover is a response that the application can take the connection from.
type takeover struct{ *httptest.ResponseRecorder }

func (takeover) Hijack() (net.Conn, *bufio.ReadWriter, error) { return nil, nil, nil }

// TestOnlyASuccessCommits lets the application end in every way there is and
// then sends the same event again.
func TestOnlyASuccessCommits(t *testing.T) {
	status := func(codes ...int) func(http.ResponseWriter) error {
		return func(w http.ResponseWriter) error {
			for _, code := range codes {
				w.WriteHeader(code)
			}
			return nil
		}
	}
	errFailed := errors.New("failed")
	for _, c := range []struct {
		name      string
		answer    func(http.ResponseWriter) error
		committed bool
		wantErr   error
		wantPanic any
		exits     bool
	}{
		{name: "nothing said", answer: status(), committed: true},
		{name: "200", answer: status(200), committed: true},
		{name: "204", answer: status(204), committed: true},
		{name: "299", answer: status(299), committed: true},
		{name: "early hints, then 200", answer: status(103, 200), committed: true},
		{name: "the first final status counts", answer: status(200, 500), committed: true},
		{name: "written without a status", committed: true, answer: func(w http.ResponseWriter) error {
			_, err := io.WriteString(w, "ok")
			w.WriteHeader(http.StatusInternalServerError) // too late
			return err
		}},
		{name: "copied without a status", committed: true, answer: func(w http.ResponseWriter) error {
			_, err := io.Copy(w, io.MultiReader(strings.NewReader("ok")))
			w.WriteHeader(http.StatusInternalServerError) // too late
			return err
		}},
		{name: "flushed without a status", committed: true, answer: func(w http.ResponseWriter) error {
			err := http.NewResponseController(w).Flush()
			w.WriteHeader(http.StatusInternalServerError) // too late
			return err
		}},
		{name: "300", answer: status(300)},
		{name: "404", answer: status(404)},
		{name: "500", answer: status(500)},
		{name: "the first final status counts, 500", answer: status(500, 200)},
		{name: "early hints only", answer: status(103)},
		{name: "switching protocols", answer: status(101)},
		{name: "connection taken over", answer: func(w http.ResponseWriter) error {
			_, _, err := http.NewResponseController(w).Hijack()
			return err
		}},
		{name: "error", answer: func(http.ResponseWriter) error { return errFailed }, wantErr: errFailed},
		{name: "200 and an error", wantErr: errFailed, answer: func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusOK)
			return errFailed
		}},
		{name: "panic", answer: func(http.ResponseWriter) error { panic("broken") }, wantPanic: "broken"},
		{name: "200 and a panic", wantPanic: http.ErrAbortHandler, answer: func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusOK)
			panic(http.ErrAbortHandler)
		}},
		{name: "goroutine ended", exits: true, answer: func(http.ResponseWriter) error {
			runtime.Goexit()
			return nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, testConfig("standard"))
			var err error
			var panicked any
			returned := false
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() { panicked = recover() }()
				err = b.Handle(takeover{httptest.NewRecorder()}, b.signed(t, 1), func(w http.ResponseWriter, _ *http.Request) error { return c.answer(w) })
				returned = true
			})
			wg.Wait()
			if err != c.wantErr || panicked != c.wantPanic || returned == (c.exits || c.wantPanic != nil) {
				t.Errorf("error %v, panic %v, returned %t: want %v, %v", err, panicked, returned, c.wantErr, c.wantPanic)
			}
			w, err := b.send(b.signed(t, 1))
			if err != nil {
				t.Fatal(err)
			}
			if committed := b.calls == 0; committed != c.committed {
				t.Errorf("committed %t, want %t", committed, c.committed)
			}
			if c.committed && (w.Code != 200 || w.Header().Get(HeaderDuplicate) != "true" || w.Body.Len() != 0) {
				t.Errorf("duplicate: status %d, headers %v, body %q", w.Code, w.Header(), w.Body)
			}
			if got := b.state.Stats(); got.Claimed != 0 {
				t.Errorf("%d keys are still claimed", got.Claimed)
			}
		})
	}
}

// The wrapper passes on what the underlying writer can do.
func TestAnswerPassesThrough(t *testing.T) {
	inner := httptest.NewRecorder()
	a := &answer{ResponseWriter: readerFrom{inner}}
	if n, err := a.ReadFrom(strings.NewReader("abc")); n != 3 || err != nil || inner.Body.String() != "ABC" {
		t.Errorf("%d bytes, error %v, body %q: the underlying ReadFrom was not used", n, err, inner.Body)
	}
	if a.Flush(); !inner.Flushed {
		t.Error("the underlying Flush was not used")
	}
	if _, _, err := a.Hijack(); !errors.Is(err, http.ErrNotSupported) || a.hijacked {
		t.Errorf("error %v, hijacked %t: the underlying writer cannot be taken over", err, a.hijacked)
	}
}

// readerFrom turns what is copied into upper case, so that it shows.
type readerFrom struct{ *httptest.ResponseRecorder }

func (r readerFrom) ReadFrom(src io.Reader) (int64, error) {
	b, err := io.ReadAll(src)
	_, _ = r.WriteString(strings.ToUpper(string(b)))
	return int64(len(b)), err
}

func (r readerFrom) Unwrap() http.ResponseWriter { return r.ResponseRecorder }

func TestDedupeOff(t *testing.T) {
	cfg := testConfig("standard")
	cfg.Dedupe.Off = true
	b := newBench(t, cfg)
	b.mustAccept(t, b.signed(t, 1))
	b.mustAccept(t, b.signed(t, 1))
	if got := b.state.Stats(); got != (Stats{}) {
		t.Errorf("stats %+v, want nothing", got)
	}
}

// The signature in a ManySends body does not cover the ID header. So the ID
// must not get a body accepted twice, and must not make another body pass for
// a duplicate either: whoever has seen one authentic body could otherwise use
// up the IDs of events to come.
func TestBodySignatureBindsTheContent(t *testing.T) {
	b := newBench(t, testConfig("manysends_body"))
	send := func(secret, id, data string) (accepted bool) {
		t.Helper()
		r, _ := requestSignedWith(t, secret, "manysends_body", id, b.clock.Now(), []byte(data))
		calls := b.calls
		if _, err := b.send(r); err != nil {
			t.Fatal(err)
		}
		return b.calls > calls
	}
	for _, c := range []struct {
		name, secret, id, data string
		accepted               bool
	}{
		{"first", testSecret, "evt_1", `{"n":1}`, true},
		{"the same", testSecret, "evt_1", `{"n":1}`, false},
		{"fresh ID, same content", testSecret, "evt_2", `{"n":1}`, false},
		{"no ID, same content", testSecret, "", `{"n":1}`, false},
		{"signed again with another secret", oldSecret, "evt_1", `{"n":1}`, false},
		{"same ID, other content", testSecret, "evt_1", `{"n":2}`, true},
		{"no ID, other content", testSecret, "", `{"n":3}`, true},
	} {
		if got := send(c.secret, c.id, c.data); got != c.accepted {
			t.Errorf("%s: accepted %t, want %t", c.name, got, c.accepted)
		}
	}
}

// With a signed ID it is the other way round: the ID is the event, whatever
// the body says at the next attempt.
func TestHeaderSignatureBindsTheID(t *testing.T) {
	b := newBench(t, testConfig("standard"))
	b.mustAccept(t, b.signed(t, 1))
	r, _ := signedRequest(t, "standard", eventID(1), b.clock.Now().Add(time.Minute), []byte(`{"attempt":2}`))
	if _, err := b.send(r); err != nil || b.calls != 1 {
		t.Errorf("error %v, %d calls: want a duplicate", err, b.calls)
	}
	b.mustAccept(t, b.signed(t, 2))
}

// inBubble runs a test in which time passes only when everybody waits.
func inBubble(t *testing.T, cfg Config, run func(t *testing.T, rc *Receiver)) {
	synctest.Test(t, func(t *testing.T) {
		state := NewState(StateOptions{})
		defer state.Close()
		rc, err := New(cfg, Options{State: state})
		if err != nil {
			t.Fatal(err)
		}
		run(t, rc)
	})
}

// start sends event 1 and returns how to let the application answer it, and
// how to get the result.
func start(t *testing.T, rc *Receiver, ctx context.Context) (answer chan<- int, result <-chan error, w *httptest.ResponseRecorder) {
	t.Helper()
	answers, results := make(chan int), make(chan error, 1)
	r, _ := signedRequest(t, "standard", eventID(1), time.Now(), []byte(`{}`))
	w = httptest.NewRecorder()
	go func() {
		results <- rc.Handle(w, r.WithContext(ctx), func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(<-answers)
			return nil
		})
	}()
	synctest.Wait()
	return answers, results, w
}

func TestWaitingForTheFirst(t *testing.T) {
	background := context.Background()
	t.Run("it succeeds", func(t *testing.T) {
		inBubble(t, testConfig("standard"), func(t *testing.T, rc *Receiver) {
			first, firstErr, _ := start(t, rc, background)
			_, secondErr, w := start(t, rc, background)
			time.Sleep(9 * time.Second)
			first <- 200
			if err := errors.Join(<-firstErr, <-secondErr); err != nil || w.Code != 200 || w.Header().Get(HeaderDuplicate) != "true" {
				t.Errorf("error %v, status %d, headers %v: want a duplicate", err, w.Code, w.Header())
			}
		})
	})
	t.Run("it fails", func(t *testing.T) {
		inBubble(t, testConfig("standard"), func(t *testing.T, rc *Receiver) {
			first, firstErr, _ := start(t, rc, background)
			second, secondErr, w := start(t, rc, background)
			first <- 500
			if err := <-firstErr; err != nil {
				t.Error(err)
			}
			second <- 202 // the application is called by the second now
			if err := <-secondErr; err != nil || w.Code != 202 || w.Header().Get(HeaderDuplicate) != "" {
				t.Errorf("error %v, status %d, headers %v: want the application's answer", err, w.Code, w.Header())
			}
		})
	})
	t.Run("it takes too long", func(t *testing.T) {
		inBubble(t, testConfig("standard"), func(t *testing.T, rc *Receiver) {
			first, firstErr, _ := start(t, rc, background)
			began := time.Now()
			_, secondErr, w := start(t, rc, background)
			refusal, ok := errors.AsType[*Refusal](<-secondErr)
			if !ok || refusal.Status != 409 || refusal.Reason != ReasonInProgress || w.Header().Get("Retry-After") != "10" {
				t.Errorf("refusal %v, headers %v: want 409 in_progress and Retry-After 10", refusal, w.Header())
			}
			if waited := time.Since(began); waited != DefaultWait {
				t.Errorf("waited %s, want %s", waited, DefaultWait)
			}
			first <- 200
			<-firstErr
		})
	})
	t.Run("no waiting", func(t *testing.T) {
		cfg := testConfig("standard")
		cfg.Dedupe.Wait = -1
		inBubble(t, cfg, func(t *testing.T, rc *Receiver) {
			first, firstErr, _ := start(t, rc, background)
			began := time.Now()
			_, secondErr, w := start(t, rc, background)
			refusal, ok := errors.AsType[*Refusal](<-secondErr)
			if !ok || refusal.Status != 409 || w.Header().Get("Retry-After") != "1" || time.Since(began) != 0 {
				t.Errorf("refusal %v after %s, headers %v: want 409 at once and Retry-After 1", refusal, time.Since(began), w.Header())
			}
			first <- 200
			<-firstErr
		})
	})
	t.Run("the client goes", func(t *testing.T) {
		inBubble(t, testConfig("standard"), func(t *testing.T, rc *Receiver) {
			first, firstErr, _ := start(t, rc, background)
			ctx, cancel := context.WithCancel(background)
			_, secondErr, _ := start(t, rc, ctx)
			cancel()
			if refusal, ok := errors.AsType[*Refusal](<-secondErr); !ok || refusal.Reason != ReasonInProgress {
				t.Errorf("refusal %v, want in_progress", refusal)
			}
			first <- 500
			<-firstErr
			if got := rc.state.Stats().Claimed; got != 0 {
				t.Errorf("%d keys are claimed by nobody", got)
			}
		})
	})
}

// An event is known for its TTL, by the clock that the State was given, and is
// settled and forgotten in the background.
func TestSettlingInTheBackground(t *testing.T) {
	cfg := testConfig("standard")
	cfg.Dedupe.TTL = webhook.Duration(time.Minute)
	inBubble(t, cfg, func(t *testing.T, rc *Receiver) {
		answers, result, _ := start(t, rc, context.Background())
		answers <- 200
		<-result
		if diff := cmp.Diff(Stats{Exact: 1}, rc.state.Stats()); diff != "" {
			t.Errorf("at first (-want +got):\n%s", diff)
		}
		time.Sleep(settleEvery + 1)
		synctest.Wait()
		if diff := cmp.Diff(Stats{Settled: 1}, rc.state.Stats()); diff != "" {
			t.Errorf("after a second (-want +got):\n%s", diff)
		}
		time.Sleep(time.Minute + settleEvery)
		synctest.Wait()
		if diff := cmp.Diff(Stats{}, rc.state.Stats()); diff != "" {
			t.Errorf("after the TTL (-want +got):\n%s", diff)
		}
	})
}
