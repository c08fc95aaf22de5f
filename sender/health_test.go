package sender_test

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// told gathers notices.
type told struct {
	mu  sync.Mutex
	all []sender.Notice
}

func (n *told) note(notice sender.Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, notice)
}

// kinds are the kinds of the notices so far.
func (n *told) kinds() (kinds []sender.NoticeKind) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, notice := range n.all {
		kinds = append(kinds, notice.Kind)
	}
	return kinds
}

// wait waits for the nth notice.
func (n *told) wait(t *testing.T, count int) sender.Notice {
	t.Helper()
	until(t, "somebody is told", func() bool { return len(n.kinds()) >= count })
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all[count-1]
}

// newToldRig is a rig whose notices are gathered.
func newToldRig(t *testing.T, c sender.Config) (*rig, *told) {
	t.Helper()
	n := &told{}
	r := &rig{t: t, clock: newFakeClock(), config: c, notify: n.note}
	r.open()
	r.start()
	return r, n
}

// TestGoneStaysDisabled: 410 disables an endpoint, somebody is told, its events
// are kept, and neither a restart nor a change brings it back, but activation
// does.
func TestGoneStaysDisabled(t *testing.T) {
	gone := newPeer(t, statuses(410, 200))
	r, n := newToldRig(t, toPeers())
	id := r.create(gone)
	r.publish("first")
	r.wantState(id, sender.StateDisabled)
	notice := n.wait(t, 1)
	if notice.Kind != sender.NoticeEndpointDisabled || notice.EndpointID != id || !strings.Contains(notice.Reason, "410") || !notice.At.Equal(r.clock.Now()) {
		t.Errorf("told: %+v", notice)
	}
	if info := r.info(id); !strings.Contains(info.Reason, "410") || info.Pending != 1 {
		t.Errorf("%+v", info)
	}
	r.publish("second")
	r.restart()
	r.wantState(id, sender.StateDisabled)
	if _, err := r.UpdateEndpoint(t.Context(), "", id, func(e *sender.Endpoint) error { e.Description = "moved"; return nil }); err != nil {
		t.Fatal(err)
	}
	r.publish("third")
	r.clock.advance(1000 * time.Hour)
	r.idle(id)
	gone.waitFor(t, 1)
	info, err := r.Activate(t.Context(), "", id)
	if err != nil || info.State != sender.StateActive || info.Reason != "" {
		t.Errorf("activated: %s %q, %v", info.State, info.Reason, err)
	}
	r.delivered(id, "first", "second", "third")
	gone.waitFor(t, 4)
	if notice := n.wait(t, 2); notice.Kind != sender.NoticeEndpointEnabled || notice.EndpointID != id {
		t.Errorf("told: %+v", notice)
	}
	r.restart()
	r.wantState(id, sender.StateActive)
}

// TestGoneIsToldOnce: when all attempts that are under way are answered 410,
// somebody is told once.
func TestGoneIsToldOnce(t *testing.T) {
	const together = 4
	var arrived sync.WaitGroup
	arrived.Add(together)
	gone := newPeer(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n <= together {
			arrived.Done()
			arrived.Wait()
			w.WriteHeader(410)
		}
	})
	r, n := newToldRig(t, toPeers(gone))
	ids := numbered(together)
	r.publish(ids...)
	for _, id := range ids {
		r.settled(id, "a", 1)
	}
	// What is told comes in its order, so that this one is the last.
	if _, err := r.Activate(t.Context(), "", "a"); err != nil {
		t.Fatal(err)
	}
	until(t, "the activation is told", func() bool { return slices.Contains(n.kinds(), sender.NoticeEndpointEnabled) })
	if got := n.kinds(); !slices.Equal(got, []sender.NoticeKind{sender.NoticeEndpointDisabled, sender.NoticeEndpointEnabled}) {
		t.Errorf("told: %v", got)
	}
}

// TestEnabledByConfigurationIsTold: somebody is told, once, when an endpoint that
// was given up begins anew because the configuration gives it other settings, by a
// reload or before a restart.
func TestEnabledByConfigurationIsTold(t *testing.T) {
	p := newPeer(t, statuses(410, 410, 200))
	r, n := newToldRig(t, toPeers(p))
	r.publish("first")
	r.wantState("a", sender.StateDisabled)
	r.idle("a")
	r.config.Endpoints[0].Description = "mended"
	r.apply()
	p.waitFor(t, 2)
	r.wantState("a", sender.StateDisabled)
	r.idle("a")
	n.wait(t, 3)
	r.close()
	r.config.Endpoints[0].Description = "mended again"
	r.open()
	r.start()
	r.delivered("a", "first")
	r.restart()
	n.wait(t, 4)
	r.close() // nothing is told any more
	want := []sender.NoticeKind{
		sender.NoticeEndpointDisabled, sender.NoticeEndpointEnabled,
		sender.NoticeEndpointDisabled, sender.NoticeEndpointEnabled,
	}
	if got := n.kinds(); !slices.Equal(got, want) {
		t.Errorf("told: %v, want %v", got, want)
	}
}

// TestConfiguredEndpointDisabled: an endpoint of the configuration stays
// disabled over a restart, and begins anew when it is activated, or when the
// configuration gives it other settings, also before a restart.
func TestConfiguredEndpointDisabled(t *testing.T) {
	gone, moved := newPeer(t, statuses(410, 410, 200)), newPeer(t, nil)
	r, _ := newToldRig(t, toPeers(gone))
	r.publish("first")
	r.wantState("a", sender.StateDisabled)
	r.restart()
	r.wantState("a", sender.StateDisabled)
	if _, err := r.Activate(t.Context(), "", "a"); err != nil {
		t.Fatal(err)
	}
	gone.waitFor(t, 2)
	r.wantState("a", sender.StateDisabled)
	r.idle("a")
	r.close()
	r.config.Endpoints = toPeers(moved).Endpoints
	r.open()
	r.start()
	r.wantState("a", sender.StateActive)
	r.delivered("a", "first")
	gone.waitFor(t, 2)
}

// failUntil has an endpoint fail again and again until a time.
func failUntil(r *rig, p *peer, end time.Time) {
	r.t.Helper()
	for r.clock.Now().Before(end) {
		before := p.count()
		r.clock.advance(time.Hour)
		until(r.t, "an attempt is made", func() bool { return p.count() > before || r.info("a").State == sender.StateDisabled })
		r.idle("a")
	}
}

// TestHopelessIsDisabled: without a success for five days, and with failures
// over more than half a day, an endpoint is disabled, and not before; its
// events are kept. Time before the first failure counts when there was a
// success.
func TestHopelessIsDisabled(t *testing.T) {
	var ok sync.Map
	p := newPeer(t, func(w http.ResponseWriter, req *http.Request, _ int) {
		if _, good := ok.Load(req.Header.Get("webhook-id")); !good {
			w.WriteHeader(500)
		}
	})
	c := toPeers(p)
	c.Retry = slices.Repeat([]webhook.Duration{webhook.Duration(30 * time.Minute)}, 1000)
	c.Endpoints[0].Timeout = patience
	r, n := newToldRig(t, c)
	ok.Store("good", nil)
	r.publish("good")
	r.delivered("a", "good")
	success := r.clock.Now()
	r.clock.advance(100 * time.Hour)
	r.publish("bad")
	r.settled("bad", "a", 1)
	failUntil(r, p, success.Add(119*time.Hour))
	if state := r.info("a").State; state == sender.StateDisabled {
		t.Fatal("it was disabled before five days were over")
	}
	r.restart() // what is known survives
	failUntil(r, p, success.Add(123*time.Hour))
	r.wantState("a", sender.StateDisabled)
	if info := r.info("a"); !strings.Contains(info.Reason, "no success for 120h") || info.FailingSince.IsZero() || !info.LastSuccessAt.Equal(success) {
		t.Errorf("%+v", info)
	}
	if notice := n.wait(t, 1); notice.Kind != sender.NoticeEndpointDisabled {
		t.Errorf("told: %+v", notice)
	}
	r.publish("kept")
	if d := r.record("kept", "a"); d.Status != sender.Pending {
		t.Errorf("an event for a disabled endpoint is %s", d.Status)
	}
	ok.Store("bad", nil)
	ok.Store("kept", nil)
	if _, err := r.Activate(t.Context(), "", "a"); err != nil {
		t.Fatal(err)
	}
	until(t, "all is delivered", func() bool {
		r.clock.advance(time.Hour)
		return r.record("bad", "a").Status == sender.Succeeded && r.record("kept", "a").Status == sender.Succeeded
	})
}

// TestSuccessesAreKnownAfterARestart: how long an endpoint has had no success
// counts from about the last one before a restart, and not from the one that was
// followed by a failure.
func TestSuccessesAreKnownAfterARestart(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, req *http.Request, n int) {
		if req.Header.Get("webhook-id") == "bad" || n == 1 {
			w.WriteHeader(500)
		}
	})
	c := toPeers(p)
	c.Retry = slices.Repeat([]webhook.Duration{webhook.Duration(30 * time.Minute)}, 1000)
	c.Endpoints[0].Timeout = patience
	r, _ := newToldRig(t, c)
	r.publish("good")
	r.settled("good", "a", 1)
	r.clock.advance(time.Hour)
	r.delivered("a", "good")
	for _, id := range numbered(7) {
		r.clock.advance(24 * time.Hour)
		r.publish(id)
		r.delivered("a", id)
	}
	success := r.clock.Now()
	r.idle("a")
	r.restart()
	if got := r.info("a").LastSuccessAt; !got.Equal(success) {
		t.Errorf("the last success is known as that of %s, want %s", got, success)
	}
	r.publish("bad")
	r.settled("bad", "a", 1)
	failUntil(r, p, success.Add(119*time.Hour))
	if state := r.info("a").State; state == sender.StateDisabled {
		t.Fatal("it was disabled before five days were over")
	}
	failUntil(r, p, success.Add(123*time.Hour))
	r.wantState("a", sender.StateDisabled)
}

// TestOneBadHourIsNotHopeless: failures within a few hours after a quiet week
// do not disable an endpoint.
func TestOneBadHourIsNotHopeless(t *testing.T) {
	p := newPeer(t, statuses(200, 500))
	c := toPeers(p)
	c.Retry = slices.Repeat([]webhook.Duration{webhook.Duration(30 * time.Minute)}, 1000)
	c.Endpoints[0].Timeout = patience
	r, n := newToldRig(t, c)
	r.publish("good")
	r.delivered("a", "good")
	r.clock.advance(7 * 24 * time.Hour)
	r.publish("bad")
	r.settled("bad", "a", 1)
	failed := r.clock.Now()
	failUntil(r, p, failed.Add(11*time.Hour))
	if state := r.info("a").State; state == sender.StateDisabled || len(n.kinds()) != 0 {
		t.Errorf("it is %s after eleven hours: %v", state, n.kinds())
	}
	failUntil(r, p, failed.Add(14*time.Hour))
	r.wantState("a", sender.StateDisabled)
}

// TestNeverDisabled: disable_after -1 lets an endpoint fail for ever.
func TestNeverDisabled(t *testing.T) {
	p := newPeer(t, status(500))
	c := toPeers(p)
	c.DisableAfter = -1
	c.Retry = slices.Repeat([]webhook.Duration{webhook.Duration(30 * time.Minute)}, 1000)
	c.Endpoints[0].Timeout = patience
	r, _ := newToldRig(t, c)
	r.publish("bad")
	r.settled("bad", "a", 1)
	failUntil(r, p, r.clock.Now().Add(200*time.Hour))
	if state := r.info("a").State; state == sender.StateDisabled {
		t.Error("it was disabled")
	}
}

// TestFailedDeliveryIsTold: when the retries of a delivery are used up,
// somebody is told which one it is and why.
func TestFailedDeliveryIsTold(t *testing.T) {
	p := newPeer(t, status(500))
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Second)}
	r, n := newToldRig(t, c)
	r.publish("e")
	r.clock.advanceTo(r.clock.alarm(t, r.settled("e", "a", 1).Due))
	r.settled("e", "a", 2)
	got := n.wait(t, 1)
	want := sender.Notice{
		Kind: sender.NoticeDeliveryFailed, At: got.At, EndpointID: "a", EventID: "e", EventType: "message.created",
		Attempts: 2, Reason: "the endpoint answered 500",
	}
	if got != want {
		t.Errorf("told: %+v, want %+v", got, want)
	}
}

// TestStates: an endpoint says when it is paused and until when, and that it
// was tested.
func TestStates(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, req *http.Request, _ int) {
		if req.Header.Get("webhook-id") == "busy" {
			w.Header().Set("Retry-After", "90")
			w.WriteHeader(503)
		}
	})
	r := newRig(t, toPeers())
	id := r.create(p, func(e *sender.NewEndpoint) { e.Active = false })
	report, err := r.TestEndpoint(t.Context(), "", id, "")
	if err != nil || !report.OK {
		t.Fatalf("%+v, %v", report, err)
	}
	if info := r.info(id); info.State != sender.StateTested || !info.TestedAt.Equal(r.clock.Now()) {
		t.Errorf("after a test: %+v", info)
	}
	r.restart()
	r.wantState(id, sender.StateTested)
	if _, err := r.UpdateEndpoint(t.Context(), "", id, func(e *sender.Endpoint) error { e.URL = p.URL + "/other"; return nil }); err != nil {
		t.Fatal(err)
	}
	r.wantState(id, sender.StateInactive) // another URL, not tested
	if _, err := r.Activate(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	r.publish("busy")
	r.settled("busy", id, 1)
	r.wantState(id, sender.StatePaused)
	if info := r.info(id); !info.PausedUntil.Equal(r.clock.Now().Add(90*time.Second)) || info.Reason == "" {
		t.Errorf("paused: %+v", info)
	}
	if _, err := r.Activate(t.Context(), "", id); err != nil { // it need not wait
		t.Fatal(err)
	}
	r.wantState(id, sender.StateActive)
}

// TestStopWaitsForHealth: what is being stored of an endpoint when the sender
// stops is in the store when it has stopped. It guards against a Stop that
// finds nothing more to store, and a Close that then breaks off who is storing
// it.
func TestStopWaitsForHealth(t *testing.T) {
	p := newPeer(t, nil)
	faulty := &faultyStore{}
	r := &rig{t: t, clock: newFakeClock(), config: toPeers(), wrap: faulty.around}
	r.open()
	r.start()
	id := r.create(p, func(e *sender.NewEndpoint) { e.Active = false })
	storing, release := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	faulty.call(func(call fault) error {
		if call == faultDocuments {
			close(storing)
			<-release
		}
		return nil
	})
	if report, err := r.TestEndpoint(t.Context(), "", id, ""); err != nil || !report.OK {
		t.Fatalf("%+v, %v", report, err)
	}
	<-storing
	stopped := make(chan error, 1)
	go func() { stopped <- r.Stop(t.Context()) }()
	select {
	case err := <-stopped:
		t.Errorf("Stop returned (%v) while the health was being stored", err)
	case <-time.After(50 * time.Millisecond): // the test holds with any time
	}
	faulty.call(nil)
	letGo()
	r.restart()
	r.wantState(id, sender.StateTested)
}
