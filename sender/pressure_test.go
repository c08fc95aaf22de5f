package sender_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestMaxBacklog: when as much waits as may, further events are refused with
// 503 and when to come again; what was accepted is delivered, and then there is
// room again.
func TestMaxBacklog(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	c := toPeers(p, p)
	c.MaxBacklog = 10
	c.Endpoints[0].Timeout, c.Endpoints[1].Timeout = patience, patience
	r := newRig(t, c)
	accepted := numbered(5)
	r.publish(accepted...)
	for range 2 { // also after it has been counted
		if _, err := r.Publish(t.Context(), event("more")); !errors.Is(err, sender.ErrBacklog) || !strings.Contains(err.Error(), "max_backlog") {
			t.Fatalf("Publish = %v, want ErrBacklog", err)
		}
		r.clock.advance(2 * time.Second)
	}
	// What is stored already is said to be, and so is that it was another event;
	// nothing new gets in beside it.
	first, second := event(accepted[0]), event(accepted[1])
	receipts, err := r.Publish(t.Context(), first, second)
	if err != nil || !receipts[0].Duplicate || !receipts[1].Duplicate {
		t.Errorf("what is stored already: %+v, error %v", receipts, err)
	}
	second.Data = []byte(`{"name":"another"}`)
	if _, err := r.Publish(t.Context(), second); !errors.Is(err, sender.ErrConflict) {
		t.Errorf("another event of an ID that is stored already: %v, want ErrConflict", err)
	}
	for _, beside := range []webhook.Event{event("more"), event("")} {
		if _, err := r.Publish(t.Context(), first, beside); !errors.Is(err, sender.ErrBacklog) {
			t.Errorf("event %q beside one that is stored already: %v, want ErrBacklog", beside.ID, err)
		}
	}
	intake := sender.Intake{Sender: func(context.Context) (*sender.Sender, error) { return r.Sender, nil }}
	w := httptest.NewRecorder()
	intake.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"event":"message.created","data":1}`)))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), "max_backlog") {
		t.Errorf("answered %d, Retry-After %q, %s", w.Code, w.Header().Get("Retry-After"), w.Body)
	}
	if _, err := r.Publish(t.Context(), webhook.Event{Type: "x", Tenant: "nobody", Data: []byte("1")}); err != nil {
		t.Errorf("an event that goes nowhere: %v", err)
	}
	r.restart()
	if _, err := r.Publish(t.Context(), event("more")); !errors.Is(err, sender.ErrBacklog) {
		t.Errorf("after a restart: Publish = %v, want ErrBacklog", err)
	}
	h.letGo()
	r.delivered("a", accepted...)
	r.delivered("b", accepted...)
	until(t, "there is room", func() bool {
		r.clock.advance(2 * time.Second)
		_, err := r.Publish(t.Context(), event("more"))
		return err == nil
	})
	r.delivered("a", "more")
}

// TestMaxBacklogWithoutEndpoint: what waits for an endpoint that was taken out of
// the configuration, as one that is dead may be, keeps nobody from publishing, also
// after a restart. It counts again when the endpoint is back.
func TestMaxBacklogWithoutEndpoint(t *testing.T) {
	dead, p := newPeer(t, status(500)), newPeer(t, nil)
	c := toPeers(dead, p)
	c.MaxBacklog = 5
	c.Endpoints[0].Events, c.Endpoints[1].Events = []string{"message.created"}, []string{"label.created"}
	r := newRig(t, c)
	r.publish(numbered(5)...)
	label := func(id string) error {
		e := event(id)
		e.Type = "label.created"
		_, err := r.Publish(t.Context(), e)
		return err
	}
	if err := label("refused"); !errors.Is(err, sender.ErrBacklog) {
		t.Fatalf("Publish = %v, want ErrBacklog", err)
	}
	r.config.Endpoints = c.Endpoints[1:]
	r.apply()
	until(t, "there is room", func() bool {
		r.clock.advance(2 * time.Second)
		return label("accepted") == nil
	})
	r.delivered("b", "accepted")
	r.restart()
	if err := label("later"); err != nil {
		t.Errorf("after a restart: %v", err)
	}
	r.delivered("b", "later")
	// It can be given up all the same.
	if err := r.CancelDelivery(t.Context(), sender.AnyTenant, "dlv_1_a"); err != nil {
		t.Error(err)
	}
	r.config.Endpoints = c.Endpoints
	r.apply()
	until(t, "there is no room", func() bool {
		r.clock.advance(2 * time.Second)
		return errors.Is(label(""), sender.ErrBacklog)
	})
}

// TestMaxSize: when the store is too large, finished events go before their
// time, oldest first; when that does not help, further events are refused, and
// taken in again later.
func TestMaxSize(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, func(w http.ResponseWriter, req *http.Request, n int) {
		if strings.HasPrefix(req.Header.Get("webhook-id"), "kept") {
			h.answer(w, req, n)
		}
	})
	c := toPeers(p)
	c.MaxSize = 2 << 20
	c.Endpoints[0].Timeout = patience
	r := newRig(t, c)
	big := []byte(`"` + strings.Repeat("x", 100<<10) + `"`)
	publish := func(id string) error {
		_, err := r.Publish(t.Context(), webhook.Event{ID: id, Type: "x", Data: big})
		return err
	}
	tick := func() {
		r.clock.advance(2 * time.Second)
	}
	for i := range 60 { // three times as much as there is room for
		id := fmt.Sprintf("done-%d", i)
		if err := publish(id); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		r.delivered("a", id)
		until(t, "the store is small", func() bool {
			tick()
			size, err := r.store.Size(t.Context())
			return err == nil && size <= c.MaxSize
		})
	}
	if _, err := r.Sender.Event(t.Context(), "", "done-0"); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("the oldest is still there: %v", err)
	}
	if _, err := r.Sender.Event(t.Context(), "", "done-59"); err != nil {
		t.Errorf("the newest is gone: %v", err)
	}
	n := 0
	until(t, "no more is taken in", func() bool {
		err := publish(fmt.Sprintf("kept-%d", n))
		if err == nil {
			n++
		}
		tick()
		return errors.Is(err, sender.ErrBacklog) && strings.Contains(err.Error(), "max_size")
	})
	h.letGo()
	for i := range n {
		r.delivered("a", fmt.Sprintf("kept-%d", i))
	}
	until(t, "there is room again", func() bool { tick(); return publish("again") == nil })
	r.delivered("a", "again")
}
