package caddymodule

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/manysends/caddy-webhooks/sender"
)

// announcer hands what a sender has notices of to Caddy's events app. A sender
// outlives configurations: each notice goes to the events app of the newest
// one that runs as a whole. Those that are still starting, and may be rejected,
// are told nothing: their events app may not be ready, and what is done on an
// event should not be done by a configuration that never came into force.
type announcer struct {
	mu      sync.Mutex
	changed *sync.Cond
	running []*App // the newest last
	over    bool
}

func newAnnouncer() *announcer {
	n := new(announcer)
	n.changed = sync.NewCond(&n.mu)
	return n
}

// add has notices go to an app from now on.
func (n *announcer) add(a *App) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = append(n.running, a)
	n.changed.Broadcast()
}

// remove has notices go to an app no more.
func (n *announcer) remove(a *App) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = slices.DeleteFunc(n.running, func(other *App) bool { return other == a })
}

// hasApp tells whether any configuration runs as a whole.
func (n *announcer) hasApp() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.running) > 0
}

// close ends waiting for an app.
func (n *announcer) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.over = true
	n.changed.Broadcast()
}

// tell makes an event of a notice. It holds no lock meanwhile: what is done on
// the event may take long, and may be a reload.
func (n *announcer) tell(notice sender.Notice) {
	if a := n.newest(); a != nil {
		a.events.Emit(a.ctx, "webhook_"+string(notice.Kind), eventData(notice))
	}
}

// newest waits until there is an app to tell: the sender starts a moment before
// the configuration runs as a whole. It returns nil when there will be none.
func (n *announcer) newest() *App {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.running) == 0 && !n.over {
		n.changed.Wait()
	}
	if len(n.running) == 0 {
		return nil
	}
	return n.running[len(n.running)-1]
}

// eventData is what an event says; see [App].
func eventData(n sender.Notice) map[string]any {
	data := map[string]any{"endpoint": n.EndpointID, "tenant": n.Tenant, "reason": n.Reason}
	if n.Kind == sender.NoticeDeliveryFailed {
		data["event_id"] = n.EventID
		data["event"] = n.EventType
		data["attempts"] = n.Attempts
	}
	return data
}

// whenStarted hears from Caddy that the app's configuration runs as a whole.
type whenStarted struct{ app *App }

// Handle is called once, after all apps of the configuration have started. It
// returns no error: that would say that the event is not to be handled.
func (w whenStarted) Handle(_ context.Context, event caddy.Event) error {
	e := w.app.engine.Load()
	if e == nil || !isCaddys(event) {
		return nil
	}
	if err := e.enforce(w.app); err != nil {
		w.app.log.Error("the settings cannot be put into force: those before go on", slog.String("error", err.Error()))
	}
	e.announcer.add(w.app)
	close(w.app.started)
	return nil
}

// whenStopping hears from Caddy that the app's configuration is about to be
// stopped, before any of its apps is: the HTTP server may wait for streams that
// end with this app.
type whenStopping struct{ app *App }

// Handle is called once, before the apps of the configuration are stopped.
func (w whenStopping) Handle(_ context.Context, event caddy.Event) error {
	if isCaddys(event) {
		w.app.beginToEnd()
	}
	return nil
}

// isCaddys tells whether an event is Caddy's own: other modules may have events of
// the same name.
func isCaddys(e caddy.Event) bool { return e.Origin() == nil }

// Interface guards
var (
	_ caddyevents.Handler = whenStarted{}
	_ caddyevents.Handler = whenStopping{}
)
