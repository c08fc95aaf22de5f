package sender_test

import (
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// list lists all deliveries that a query selects, page by page, as
// "event endpoint status".
func (r *rig) list(q sender.DeliveryQuery) (lines []string) {
	r.t.Helper()
	for {
		page, err := r.Deliveries(r.t.Context(), "", q)
		if err != nil {
			r.t.Fatal(err)
		}
		for _, d := range page.Deliveries {
			lines = append(lines, d.Event.ID+" "+d.EndpointID+" "+d.Status.String())
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return lines
		}
	}
}

// idOf is the ID of an event's delivery to an endpoint.
func (r *rig) idOf(event, endpoint string) string {
	r.t.Helper()
	d := r.record(event, endpoint)
	if d.Seq == 0 {
		r.t.Fatalf("event %s has no delivery to %s", event, endpoint)
	}
	return d.ID()
}

// TestDeliveriesAreListed: what has happened is listed at once, newest first,
// and found by endpoint, status, type and time.
func TestDeliveriesAreListed(t *testing.T) {
	good, bad := newPeer(t, nil), newPeer(t, status(500))
	c := toPeers(good, bad)
	c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
	r := newRig(t, c)
	r.publish("1", "2")
	good.waitFor(t, 2)
	bad.waitFor(t, 2)
	r.idle("a", "b") // no attempt is under way whose time would be up
	r.clock.advance(time.Minute)
	noon := r.clock.Now()
	if _, err := r.Publish(t.Context(), webhook.Event{ID: "3", Type: "label.created", Data: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	good.waitFor(t, 3)
	bad.waitFor(t, 3)
	r.idle("a", "b")
	all := []string{"3 a succeeded", "3 b pending", "2 a succeeded", "2 b pending", "1 a succeeded", "1 b pending"}
	tests := []struct {
		name string
		q    sender.DeliveryQuery
		want []string
	}{
		{"all", sender.DeliveryQuery{Limit: 100}, all},
		{"one by one", sender.DeliveryQuery{Limit: 1}, all},
		{"endpoint", sender.DeliveryQuery{Limit: 2, EndpointIDs: []string{"b"}}, []string{all[1], all[3], all[5]}},
		{"status", sender.DeliveryQuery{Limit: 2, Statuses: []sender.Status{sender.Succeeded}}, []string{all[0], all[2], all[4]}},
		{"no such", sender.DeliveryQuery{Limit: 2, Statuses: []sender.Status{sender.Failed}}, nil},
		{"type", sender.DeliveryQuery{Limit: 2, Types: []webhook.Pattern{"label.*"}}, all[:2]},
		{"from", sender.DeliveryQuery{Limit: 2, From: noon}, all[:2]},
		{"to", sender.DeliveryQuery{Limit: 2, To: noon}, all[2:]},
		{"oldest first", sender.DeliveryQuery{Limit: 2, OldestFirst: true, EndpointIDs: []string{"a"}}, []string{all[4], all[2], all[0]}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, r.list(test.q)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := r.Deliveries(t.Context(), "", sender.DeliveryQuery{Limit: 1, Cursor: "nonsense"}); !errors.Is(err, sender.ErrCursor) {
		t.Errorf("a cursor of nonsense: %v, want ErrCursor", err)
	}
	d, err := r.Sender.Delivery(t.Context(), "", r.idOf("3", "b"))
	if err != nil || d.Event.ID != "3" || len(d.History) != 1 || d.History[0].StatusCode != 500 || !d.StoredAt.Equal(noon) {
		t.Errorf("delivery: %+v, %v", d, err)
	}
}

// TestDeliveryIDs: an ID is written in one way, and no other is read.
func TestDeliveryIDs(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	r.publish("e")
	r.delivered("a", "e")
	good := r.idOf("e", "a")
	if good != "dlv_1_a" {
		t.Errorf("the ID is %q", good)
	}
	for _, bad := range []string{"", "dlv_", "dlv_1", "dlv_1_", "dlv_01_a", "dlv_1_b", "dlv_2_a", "dlv_-1_a", "DLV_1_a", "dlv_1_a ", "dlv_+1_a", "dlv_1_a/", "evt_1_a", "dlv_zzzzzzzzzzzzzzzzzzzz_a", good + "x"} {
		if d, err := r.Sender.Delivery(t.Context(), "", bad); !errors.Is(err, sender.ErrNotFound) {
			t.Errorf("%q: %+v, %v, want ErrNotFound", bad, d, err)
		}
		if err := r.RetryDelivery(t.Context(), "", bad); !errors.Is(err, sender.ErrNotFound) {
			t.Errorf("retry %q: %v, want ErrNotFound", bad, err)
		}
	}
}

// TestRetryDelivery: a delivery that has failed is attempted at once, and on a
// schedule that begins anew; so is one that waits for its retry, one that has
// succeeded, and one that was cancelled; all survive a restart.
func TestRetryDelivery(t *testing.T) {
	var answer atomic.Int64
	answer.Store(500)
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(int(answer.Load())) })
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Hour)}
	r := newRig(t, c)
	r.publish("e")
	retry := func() {
		t.Helper()
		if err := r.RetryDelivery(t.Context(), "", r.idOf("e", "a")); err != nil {
			t.Fatal(err)
		}
	}
	r.settled("e", "a", 1)
	retry() // it waits for its retry: at once, and another hour
	if d := r.settled("e", "a", 2); d.Status != sender.Pending || d.ScheduleStart != 1 {
		t.Errorf("after a retry: %s, schedule from %d", d.Status, d.ScheduleStart)
	}
	r.clock.advanceTo(r.clock.alarm(t, r.record("e", "a").Due))
	if d := r.settled("e", "a", 3); d.Status != sender.Failed {
		t.Errorf("after the schedule: %s", d.Status)
	}
	retry()
	if d := r.settled("e", "a", 4); d.Status != sender.Pending || d.ScheduleStart != 3 {
		t.Errorf("after failing: %s, schedule from %d", d.Status, d.ScheduleStart)
	}
	r.idle("a")
	r.restart()
	answer.Store(200)
	r.clock.advanceTo(r.clock.alarm(t, r.record("e", "a").Due))
	if d := r.settled("e", "a", 5); d.Status != sender.Succeeded || d.ScheduleStart != 3 {
		t.Errorf("in the end: %s, schedule from %d", d.Status, d.ScheduleStart)
	}
	retry() // delivers again what has been delivered
	if d := r.settled("e", "a", 6); d.Status != sender.Succeeded {
		t.Errorf("delivered again: %s", d.Status)
	}
	p.waitFor(t, 6)
	r.idle("a")
}

// TestRetryUnderWay: what is being attempted is not attempted twice.
func TestRetryUnderWay(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	r := newRig(t, toPeers(p))
	r.publish("e")
	<-h.entered
	if err := r.RetryDelivery(t.Context(), "", r.idOf("e", "a")); !errors.Is(err, sender.ErrUnderWay) {
		t.Errorf("RetryDelivery = %v, want ErrUnderWay", err)
	}
	h.letGo()
	r.delivered("a", "e")
	p.waitFor(t, 1)
}

// TestCancelDelivery: a delivery is given up wherever it is.
func TestCancelDelivery(t *testing.T) {
	sender.SetLaneLength(t, 2, 2)
	h := newHanging(t)
	p := newPeer(t, func(w http.ResponseWriter, req *http.Request, n int) {
		h.answer(w, req, n)
		w.WriteHeader(500)
	})
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 1
	c.Endpoints[0].Timeout = patience
	r := newRig(t, c)
	ids := numbered(6)
	r.publish(ids...)
	<-h.entered
	// The first is under way, the next two wait in memory, the others in the store.
	for _, id := range []string{ids[0], ids[1], ids[4]} {
		if err := r.CancelDelivery(t.Context(), "", r.idOf(id, "a")); err != nil {
			t.Errorf("cancelling %s: %v", id, err)
		}
	}
	for _, id := range []string{ids[1], ids[4]} {
		until(t, id+" is cancelled", func() bool { return r.record(id, "a").Status == sender.Cancelled })
	}
	h.letGo()
	d := r.settled(ids[0], "a", 1)
	if d.Status != sender.Cancelled || d.History[0].StatusCode != 500 {
		t.Errorf("what was under way is %s: %+v", d.Status, d.History)
	}
	for _, id := range []string{ids[2], ids[3], ids[5]} {
		r.settled(id, "a", 1)
	}
	// One that waits for its retry.
	if err := r.CancelDelivery(t.Context(), "", r.idOf(ids[2], "a")); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{ids[3], ids[5]} {
		until(t, id+" is retried", func() bool {
			r.clock.advance(time.Minute)
			return len(r.record(id, "a").History) > 1
		})
	}
	r.restart()
	for id, attempts := range map[string]int{ids[0]: 1, ids[1]: 0, ids[2]: 1, ids[4]: 0} {
		if d := r.record(id, "a"); d.Status != sender.Cancelled || len(d.History) != attempts {
			t.Errorf("%s is %s after %d attempts, want cancelled after %d", id, d.Status, len(d.History), attempts)
		}
		if err := r.CancelDelivery(t.Context(), "", r.idOf(id, "a")); !errors.Is(err, sender.ErrEnded) {
			t.Errorf("cancelling %s again: %v, want ErrEnded", id, err)
		}
	}
}

// TestCancelBlocked: a blocked delivery can be given up, and a delivery whose
// attempt succeeds while it is being given up has succeeded.
func TestCancelBlocked(t *testing.T) {
	h := newHanging(t)
	p := newPeer(t, h.answer)
	r := newRig(t, toPeers())
	r.config.Egress.Allow = []string{"localhost"}
	r.apply()
	id := r.create(p, func(e *sender.NewEndpoint) { e.URL = localhost(t, p) })
	r.config.Egress.Allow = []string{"10.0.0.1"}
	r.apply()
	r.publish("e")
	if d := r.settled("e", id, 1); d.Status != sender.Blocked {
		t.Fatalf("it is %s, want blocked", d.Status)
	}
	if err := r.CancelDelivery(t.Context(), "", r.idOf("e", id)); err != nil {
		t.Fatal(err)
	}
	if d := r.record("e", id); d.Status != sender.Cancelled {
		t.Errorf("it is %s, want cancelled", d.Status)
	}
	r.config.Egress.Allow = []string{"localhost"}
	r.apply()
	r.publish("ok")
	<-h.entered
	if err := r.CancelDelivery(t.Context(), "", r.idOf("ok", id)); err != nil {
		t.Fatal(err)
	}
	h.letGo()
	if d := r.settled("ok", id, 1); d.Status != sender.Succeeded {
		t.Errorf("it is %s, want succeeded", d.Status)
	}
	p.waitFor(t, 1)
}

// TestRaceOfDecisions: retrying and cancelling the same deliveries again and
// again while they are being delivered loses none, and leaves each in a state
// that its attempts explain.
func TestRaceOfDecisions(t *testing.T) {
	sender.SetLaneLength(t, 4, 4)
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n%3 == 0 {
			w.WriteHeader(500)
		}
	})
	c := toPeers(p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Millisecond), webhook.Duration(time.Millisecond)}
	r := &rig{t: t, config: c}
	r.open()
	r.start()
	ids := numbered(40)
	r.publish(ids...)
	for round := range 5 {
		for i, id := range ids {
			var err error
			if (i+round)%2 == 0 {
				err = r.RetryDelivery(t.Context(), "", r.idOf(id, "a"))
			} else {
				err = r.CancelDelivery(t.Context(), "", r.idOf(id, "a"))
			}
			if err != nil && !errors.Is(err, sender.ErrUnderWay) && !errors.Is(err, sender.ErrEnded) {
				t.Fatal(err)
			}
		}
	}
	for _, id := range ids {
		until(t, id+" comes to an end", func() bool { return r.record(id, "a").Status > sender.Blocked })
		d := r.record(id, "a")
		succeeded := len(d.History) > 0 && d.History[len(d.History)-1].Verdict == sender.VerdictSucceeded
		if d.Status == sender.Succeeded && !succeeded || d.Status == sender.Failed && succeeded || d.Attempts != len(d.History) {
			t.Errorf("%s is %s after %d attempts, %d recorded", id, d.Status, d.Attempts, len(d.History))
		}
	}
	r.idle("a")
	info := r.info("a")
	if info.Pending != 0 {
		t.Errorf("%d are said to be pending", info.Pending)
	}
}
