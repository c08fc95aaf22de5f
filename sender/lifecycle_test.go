package sender_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// hanging answers nothing until it is let go.
type hanging struct {
	entered chan string // the event IDs of those that hang
	release chan struct{}
	once    sync.Once
}

func newHanging(t testing.TB) *hanging {
	h := &hanging{entered: make(chan string, 1000), release: make(chan struct{})}
	t.Cleanup(h.letGo)
	return h
}

func (h *hanging) letGo() { h.once.Do(func() { close(h.release) }) }

func (h *hanging) answer(w http.ResponseWriter, r *http.Request, _ int) {
	h.entered <- r.Header.Get("webhook-id")
	select {
	case <-h.release:
	case <-r.Context().Done():
	}
}

// TestStopFinishesAttempts: Stop waits for what is under way and starts
// nothing else; the rest goes on after the next Start.
func TestStopFinishesAttempts(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 2
	r := newRig(t, c)
	r.publish("a1", "a2", "a3", "a4")
	<-h.entered
	<-h.entered
	stopped := make(chan error)
	go func() { stopped <- r.Stop(t.Context()) }()
	until(t, "the lane lets go of what waits", func() bool { waiting, _ := r.Waiting("a"); return waiting == 0 })
	select {
	case err := <-stopped:
		t.Fatalf("Stop returned (%v) with attempts under way", err)
	default:
	}
	h.letGo()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	p.waitFor(t, 2)
	for _, id := range p.ids() {
		if d := r.record(id, "a"); d.Status != sender.Succeeded {
			t.Errorf("after Stop, %s is %s in the store, want succeeded", id, d.Status)
		}
	}
	r.publish("a5")
	if err := r.Stop(t.Context()); err != nil {
		t.Errorf("a second Stop: %v", err)
	}
	p.waitFor(t, 2)
	r.start()
	r.delivered("a", "a1", "a2", "a3", "a4", "a5")
	p.waitFor(t, 5)
	r.idle("a")
}

// TestStopAbandonsAttempts: what has not finished by the deadline is broken
// off, and made again later as if it had not been made.
func TestStopAbandonsAttempts(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	r := newRig(t, toPeers(p))
	r.publish("e")
	<-h.entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if d := r.record("e", "a"); d.Status != sender.Pending || d.Attempts != 0 || len(d.History) != 0 {
		t.Errorf("an attempt that was broken off is recorded: %+v", d)
	}
	h.letGo()
	r.start()
	r.delivered("a", "e")
	if d := r.record("e", "a"); d.Attempts != 1 {
		t.Errorf("%d attempts are recorded, want 1", d.Attempts)
	}
	p.waitFor(t, 2)
}

// TestPublishWhileStopped: events are taken in before the first Start, and
// while the sender is stopped, and are delivered after the next one.
func TestPublishWhileStopped(t *testing.T) {
	p := newPeer(t, nil)
	r := &rig{t: t, clock: newFakeClock(), config: toPeers(p)}
	r.open()
	r.publish("before")
	r.start()
	r.delivered("a", "before")
	r.stop()
	r.publish("between")
	r.start()
	r.delivered("a", "between")
	r.start() // once more does nothing
	p.waitFor(t, 2)
	r.idle("a")
}

// TestRestart: what a restart finds in the store goes on where it was: with
// its attempts, at its time.
func TestRestart(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if r.Header.Get("webhook-id") == "retried" && n == 1 {
			w.WriteHeader(500)
		}
	})
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
	r := newRig(t, c)
	r.publish("retried")
	due := r.settled("retried", "a", 1).Due
	r.publish("delivered")
	r.delivered("a", "delivered")
	r.stop()
	r.publish("waiting")
	r.restart()
	r.delivered("a", "waiting")
	r.clock.advanceTo(r.clock.alarm(t, due).Add(-1))
	r.idle("a")
	p.waitFor(t, 3)
	r.clock.advanceTo(due.Add(time.Millisecond))
	r.delivered("a", "retried")
	if d := r.record("retried", "a"); d.Attempts != 2 {
		t.Errorf("%d attempts after the restart, want 2", d.Attempts)
	}
	p.waitFor(t, 4)
}

// TestCloseEndsEverything: afterwards nothing is taken in, and nothing is
// delivered.
func TestCloseEndsEverything(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	r.publish("e")
	r.delivered("a", "e")
	if err := r.Sender.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Publish(t.Context(), event("late")); !errors.Is(err, sender.ErrClosed) {
		t.Errorf("Publish after Close: %v, want ErrClosed", err)
	}
	if err := r.Start(t.Context()); !errors.Is(err, sender.ErrClosed) {
		t.Errorf("Start after Close: %v, want ErrClosed", err)
	}
	if err := r.Stop(t.Context()); err != nil {
		t.Errorf("Stop after Close: %v", err)
	}
	if err := r.Sender.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	p.waitFor(t, 1)
}

// TestCloseHandsOver: a sender that follows on the same open store finds all
// that the first one gave a receipt for, up to the publication that was being
// stored when it was closed.
func TestCloseHandsOver(t *testing.T) {
	p := newPeer(t, nil)
	storing, goOn := make(chan struct{}), make(chan struct{})
	faulty := &faultyStore{}
	r := &rig{t: t, clock: newFakeClock(), config: toPeers(p), wrap: faulty.around}
	r.open()
	ids := numbered(50)
	r.publish(ids...)
	faulty.call(func(call fault) error {
		if call == faultPut {
			close(storing)
			<-goOn
		}
		return nil
	})
	var both sync.WaitGroup
	both.Go(func() { r.publish("last") })
	<-storing
	both.Go(func() {
		if err := r.Sender.Close(); err != nil {
			t.Error(err)
		}
	})
	time.Sleep(20 * time.Millisecond) // lets Close come first, but whatever the order, the event must not be lost
	close(goOn)
	both.Wait()
	faulty.call(nil)

	next, err := sender.New(r.config, r.store, sender.Options{Clock: r.clock})
	if err != nil {
		t.Fatal(err)
	}
	r.Sender = next
	r.start()
	r.delivered("a", ids...)
	r.delivered("a", "last")
	p.waitFor(t, len(ids)+1)
}

// TestCloseDuringStop: Close breaks off what a Stop is waiting for, and
// returns only when nothing is under way any more.
func TestCloseDuringStop(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 1
	r := newRig(t, c)
	r.publish("e", "next")
	<-h.entered
	stopped := make(chan error)
	go func() { stopped <- r.Stop(context.Background()) }()
	until(t, "Stop has begun", func() bool { waiting, _ := r.Waiting("a"); return waiting == 0 })
	if err := r.Sender.Close(); err != nil {
		t.Error(err)
	}
	if _, running := r.Waiting("a"); running != 0 {
		t.Errorf("Close returned with %d attempts under way", running)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if d := r.record("e", "a"); d.Status != sender.Pending {
		t.Errorf("the attempt that was broken off left the delivery %s", d.Status)
	}
}

// TestStopAndStartAtOnce: many goroutines that start and stop a sender at the
// same time leave it in order, and nothing is lost.
func TestStopAndStartAtOnce(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	ids := numbered(200)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 20 {
				if i%2 == 0 {
					if err := r.Stop(t.Context()); err != nil {
						t.Error(err)
					}
				} else if err := r.Start(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	r.publish(ids...)
	all.Wait()
	r.start()
	r.delivered("a", ids...)
	r.idle("a")
}

// TestStopUnderLoad: publishers that go on do not keep Stop from returning,
// though there is always another delivery on its way back to the store.
func TestStopUnderLoad(t *testing.T) {
	p := newPeer(t, nil)
	faulty := &faultyStore{}
	r := &rig{t: t, clock: newFakeClock(), config: toPeers(p), wrap: faulty.around}
	r.open()
	r.start()
	r.publish("first")
	r.delivered("a", "first")
	faulty.call(func(call fault) error {
		if call == faultSettle {
			_, _ = r.Publish(context.Background(), webhook.Event{Type: "a", Data: []byte("1")}) // fails once it is closed
		}
		return nil
	})
	r.publish("second")
	err := r.Stop(t.Context())
	faulty.call(nil)
	if err != nil {
		t.Errorf("Stop: %v", err)
	}
}

// TestApplyForTheNextAttempt: a new URL and new secrets hold from the next
// attempt on, also for deliveries that have been attempted.
func TestApplyForTheNextAttempt(t *testing.T) {
	before, after := newPeer(t, status(500)), newPeer(t, nil)
	r := newRig(t, toPeers(before))
	r.publish("e")
	due := r.settled("e", "a", 1).Due
	r.config = toPeers(after)
	r.config.Endpoints[0].Secrets = []string{otherSecretText, secretText}
	r.apply()
	r.clock.advanceTo(r.clock.alarm(t, due))
	r.delivered("a", "e")
	before.waitFor(t, 1)
	after.waitFor(t, 1)
	got := after.all()[0]
	if n := len(strings.Fields(got.header.Get("webhook-signature"))); n != 2 {
		t.Errorf("%d signatures, want one for each secret", n)
	}
	for _, s := range []string{otherSecretText, secretText} {
		if _, err := webhook.Verify([]webhook.Verifier{verifierOf(t, s)}, got.header, got.body, r.clock.Now(), time.Second); err != nil {
			t.Error(err)
		}
	}
	if _, err := webhook.VerifyBody([]*webhook.Secret{parseSecret(t, otherSecretText)}, got.body); err != nil {
		t.Errorf("the body is not signed with the newest secret: %v", err)
	}
}

// TestApplyInvalid: a configuration that is refused changes nothing.
func TestApplyInvalid(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	bad := toPeers(p)
	bad.Endpoints[0].URL = "ftp://example.com"
	if err := r.Apply(bad); !errors.Is(err, sender.ErrConfig) {
		t.Errorf("Apply: %v, want ErrConfig", err)
	}
	r.publish("e")
	r.delivered("a", "e")
}

// TestApplyRemovesEndpoint: the deliveries of an endpoint that is taken out of
// the configuration wait in the store, not in memory, and go on if it comes
// back.
func TestApplyRemovesEndpoint(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 1
	r := newRig(t, c)
	ids := numbered(50)
	r.publish(ids...)
	<-h.entered
	r.config.Endpoints = nil
	r.apply()
	until(t, "the lane lets go of what waits", func() bool { waiting, _ := r.Waiting("a"); return waiting == 0 && r.Memory() == 0 })
	h.letGo()
	r.settled(ids[0], "a", 1)
	r.publish("nobody")
	r.idle("a")
	p.waitFor(t, 1)
	r.config = toPeers(p)
	r.apply()
	r.delivered("a", ids...)
	p.waitFor(t, len(ids))
	r.idle("a")
}
