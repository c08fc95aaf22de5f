package sender_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// stuckRig has a disk that hangs until it is let go.
func stuckRig(t *testing.T) (r *rig, letGo func()) {
	t.Helper()
	r, faulty := newFaultyRig(t, toPeers(newPeer(t, nil)))
	hangs := make(chan struct{})
	faulty.call(func(f fault) error {
		if f == faultPut {
			<-hangs
		}
		return nil
	})
	letGo = sync.OnceFunc(func() { close(hangs) })
	t.Cleanup(letGo)
	return r, letGo
}

// TestBusy: while the disk hangs, only so much waits for it; what comes then is
// refused at once with 503 and when to come again, and what waits is accepted
// in the end and delivered.
func TestBusy(t *testing.T) {
	const megabyte = 1 << 20
	for _, tt := range []struct {
		name string
		data []byte
		fit  int // publications that wait
	}{
		{"many", []byte("1"), sender.MaxPutRequests},
		{"large", []byte(`"` + strings.Repeat("x", megabyte-2) + `"`), sender.MaxPutWaitingBytes / megabyte},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, letGo := stuckRig(t)
			var all sync.WaitGroup
			for range tt.fit {
				all.Go(func() {
					if _, err := r.Publish(t.Context(), webhook.Event{Type: "x", Data: tt.data}); err != nil {
						t.Error(err)
					}
				})
			}
			until(t, "all wait", func() bool { return r.PutsHeld() == tt.fit })
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if _, err := r.Publish(ctx, webhook.Event{Type: "x", Data: tt.data}); !errors.Is(err, sender.ErrBusy) {
				t.Errorf("Publish = %v, want ErrBusy", err)
			}
			intake := sender.Intake{Sender: func(context.Context) (*sender.Sender, error) { return r.Sender, nil }, MaxSize: 2 * megabyte}
			for _, h := range []http.Handler{&intake, &sender.Inbox{Sender: intake.Sender, MaxSize: 2 * megabyte, Type: func(*http.Request) string { return "x" }}} {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", strings.NewReader(`{"event":"x","data":`+string(tt.data)+`}`)))
				if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "1" || !strings.Contains(w.Body.String(), "publish again in a second") {
					t.Errorf("%T answered %d, Retry-After %q, %s", h, w.Code, w.Header().Get("Retry-After"), w.Body)
				}
			}
			letGo()
			all.Wait()
			if n := r.PutsHeld(); n != 0 {
				t.Errorf("%d publications are still held", n)
			}
			r.publish("after")
			r.delivered("a", "after")
		})
	}
}

// TestBusyWithOne: one publication that is larger than all may be together is
// taken when nothing else waits.
func TestBusyWithOne(t *testing.T) {
	r := newRig(t, toPeers(newPeer(t, nil)))
	data := []byte(`"` + strings.Repeat("x", sender.MaxPutWaitingBytes) + `"`)
	if _, err := r.Publish(t.Context(), webhook.Event{Type: "x", Tenant: "nobody", Data: data}); err != nil {
		t.Error(err)
	}
}
