package sender_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// lockedBuffer is a buffer for many writers.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// TestLog: each attempt has its line, at the level that its outcome deserves,
// and no line holds a secret or what was delivered.
func TestLog(t *testing.T) {
	p := newPeer(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if id := r.Header.Get("webhook-id"); id != "delivered" && (id != "retried" || n == 1) {
			w.WriteHeader(map[bool]int{true: 410, false: 500}[id == "gone"])
		}
	})
	c := toPeers(p, p, p)
	c.Retry = []webhook.Duration{webhook.Duration(time.Minute)}
	c.Endpoints[0].Events = []string{"first.*"}
	c.Endpoints[1].Events, c.Endpoints[1].URL = []string{"second.*"}, strings.Replace(localhost(t, p), "http://", "http://user:open-sesame@", 1)
	c.Endpoints[2].Events = []string{"third.*"}
	c.Egress.Allow = []string{"127.0.0.1/32"}

	var out lockedBuffer
	r := &rig{t: t, clock: newFakeClock(), config: c, logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	r.open()
	r.start()
	publish := func(id, kind string) {
		if _, err := r.Publish(t.Context(), webhook.Event{ID: id, Type: kind, Data: []byte(`"confidential"`)}); err != nil {
			t.Fatal(err)
		}
	}
	publish("retried", "first.x")
	r.clock.advanceTo(r.clock.alarm(t, r.settled("retried", "a", 1).Due))
	r.settled("retried", "a", 2)
	publish("delivered", "first.x")
	r.settled("delivered", "a", 1)
	publish("failed", "first.x")
	r.clock.advanceTo(r.clock.alarm(t, r.settled("failed", "a", 1).Due))
	r.settled("failed", "a", 2)
	publish("gone", "third.x")
	r.settled("gone", "c", 1)
	r.config.Egress.Allow = []string{"::2"}
	r.config.Endpoints = r.config.Endpoints[1:2]
	r.apply()
	publish("blocked", "second.x")
	r.settled("blocked", "b", 1)
	r.close()

	lines := out.String()
	for _, want := range []string{
		`level=INFO msg="attempt failed" endpoint=a event_id=retried event=first.x attempt=1 status=500 duration=0s error="the endpoint answered 500" next=2024-03-05T10:3`,
		`level=DEBUG msg=delivered endpoint=a event_id=retried event=first.x attempt=2 status=200 duration=0s` + "\n",
		`level=DEBUG msg=delivered endpoint=a event_id=delivered event=first.x attempt=1 status=200 duration=0s` + "\n",
		`level=ERROR msg="delivery failed: its retries are used up" endpoint=a event_id=failed event=first.x attempt=2 status=500 duration=0s error="the endpoint answered 500"` + "\n",
		`level=ERROR msg="delivery blocked: it waits until the endpoint or the egress rules change" endpoint=b event_id=blocked event=second.x attempt=1 status=0 duration=0s error="blocked by the egress rules: `,
		`level=WARN msg="endpoint disabled; its deliveries wait until it is activated or changed" endpoint=c reason="it answered 410 Gone"`,
	} {
		if !strings.Contains(lines, want) {
			t.Errorf("no line has %s", want)
		}
	}
	for _, hidden := range []string{secretText[6:], "open-sesame", "confidential", "v1,", "sha256="} {
		if strings.Contains(lines, hidden) {
			t.Errorf("the log shows %q", hidden)
		}
	}
	if t.Failed() {
		t.Log(lines)
	}
}

// slowLog is a log that takes a line only when it is let.
type slowLog struct {
	slog.Handler
	writing chan struct{} // told of each line about a delivery
	let     chan struct{}
}

func (slowLog) Enabled(context.Context, slog.Level) bool { return true }

func (l slowLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "delivered" {
		l.writing <- struct{}{}
		<-l.let
	}
	return nil
}

// TestUnknownTypesAreWarnedOf: an endpoint that subscribes to what nobody can
// publish is named in the log when that is configured, by a reload too, and once.
func TestUnknownTypesAreWarnedOf(t *testing.T) {
	p := newPeer(t, nil)
	for _, test := range []struct {
		types  []string // nil: the default
		events []string
		want   []string // of events, those that are warned of
	}{
		{nil, nil, nil},
		{nil, []string{"*", "conversation.*", "message.created"}, nil},
		{nil, []string{"mesage.*", "message.created", "message.creatd"}, []string{"mesage.*", "message.creatd"}},
		{nil, []string{"conversation.created.*"}, []string{"conversation.created.*"}},
		{[]string{"order.paid"}, []string{"order.*"}, nil},
		{[]string{"order.paid"}, []string{"message.*"}, []string{"message.*"}},
		{[]string{"order.paid", "*"}, []string{"message.*", "message.created"}, nil},
	} {
		c := toPeers(p)
		c.EventTypes = nil
		for _, name := range test.types {
			c.EventTypes = append(c.EventTypes, webhook.EventType{Name: name})
		}
		c.Endpoints[0].Events = test.events
		var out lockedBuffer
		r := &rig{t: t, clock: newFakeClock(), config: c, logger: slog.New(slog.NewTextHandler(&out, nil))}
		r.open()
		r.apply() // the same
		r.config.Endpoints = nil
		r.apply()
		opened := out.String()
		r.config = c
		r.apply()
		for when, lines := range map[string]string{"opened": opened, "applied": out.String()[len(opened):]} {
			if n := strings.Count(lines, "\n"); n != len(test.want) {
				t.Errorf("%q, %s: %d lines, want %d: %s", test.events, when, n, len(test.want), lines)
			}
			for _, pattern := range test.want {
				if n := strings.Count(lines, "endpoint=a events="+pattern+"\n"); n != 1 {
					t.Errorf("%q, %s: %s is warned of %d times, want once: %s", test.events, when, pattern, n, lines)
				}
			}
		}
	}
}

// TestSlowLogHoldsUpNoOtherDelivery guards that a line is logged outside of the
// lane's lock: a log that stands still must not keep other deliveries to the
// same endpoint from being made.
func TestSlowLogHoldsUpNoOtherDelivery(t *testing.T) {
	p := newPeer(t, func(http.ResponseWriter, *http.Request, int) {})
	l := slowLog{
		Handler: slog.DiscardHandler,
		writing: make(chan struct{}, 2), let: make(chan struct{}),
	}
	r := &rig{t: t, clock: newFakeClock(), config: toPeers(p), logger: slog.New(l)}
	r.open()
	r.start()
	let := sync.OnceFunc(func() { close(l.let) })
	defer let()
	held := time.AfterFunc(10*time.Second, func() {
		t.Error("the second event was not delivered while the line of the first one was being written")
		let()
	})
	defer held.Stop()
	for range 2 {
		if _, err := r.Publish(t.Context(), webhook.Event{Type: "message.created", Data: []byte(`{}`)}); err != nil {
			t.Fatal(err)
		}
		<-l.writing
	}
}
