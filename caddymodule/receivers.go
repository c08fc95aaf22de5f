package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
)

func init() { caddy.RegisterModule(new(Receivers)) }

// Receivers is the app behind the handlers `webhook_receive`. It has no
// settings, and is there by itself when a configuration has such a handler.
//
// HTTP handlers are not told when their configuration starts, only when it is
// loaded, and Caddy also loads one to validate it or before it rejects it. What
// a receiver remembers may be a file that one process at a time can have open,
// so it must not be opened then: `caddy validate` would fail beside a running
// server. An app is started, so this one opens what the receivers remember; a
// file that cannot be opened is an error of the configuration, and not of the
// first request.
//
// The metrics of the receivers, `caddy_webhooks_*` with the label `receiver`,
// are shown with Caddy's own. They count over reloads.
type Receivers struct {
	log      *slog.Logger
	handlers []*Receive     // in the order they were loaded
	acquired []stateKey     // that must be given up
	started  chan struct{}  // closed when this configuration runs as a whole
	over     chan struct{}  // closed when this configuration has ended
	ended    sync.Once      // closes stop
	stop     chan struct{}  // ends reading secrets again
	reading  sync.WaitGroup // the goroutine that does
}

// CaddyModule returns the Caddy module information.
func (*Receivers) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhook_receivers", New: func() caddy.Module { return new(Receivers) }}
}

// Provision ties the app to Caddy's events and metrics.
func (a *Receivers) Provision(ctx caddy.Context) error {
	a.log = ctx.Slogger()
	a.started = make(chan struct{})
	a.over = make(chan struct{})
	a.stop = make(chan struct{})
	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	return events.(*caddyevents.App).On("started", whenReceiversStarted{a})
}

// whenReceiversStarted hears from Caddy that the app's configuration runs as a
// whole. Until then it may be rejected, and what its receivers have processed
// would be forgotten with it.
type whenReceiversStarted struct{ app *Receivers }

// Handle is called once, after all apps of the configuration have started.
func (w whenReceiversStarted) Handle(_ context.Context, event caddy.Event) error {
	if isCaddys(event) {
		close(w.app.started)
	}
	return nil
}

// add takes up a handler. Handlers of one name share what they remember, so
// they must agree upon where it is, and no other may use that file.
func (a *Receivers) add(h *Receive) error {
	key := h.stateKey()
	for _, other := range a.handlers {
		switch has := other.stateKey(); {
		case has.name == key.name && has.path != key.path:
			return fmt.Errorf("the receivers called %q do not agree upon dedupe.persist: give it to each of them, with the same file, or give them different names", key.name)
		case has.name == key.name && has.shared != key.shared:
			return fmt.Errorf("the receivers called %q do not agree upon what they share: give each of them the same, or give them different names", key.name)
		case has.name != key.name && has.path == key.path && key.path != "":
			return fmt.Errorf("the receivers %q and %q have the same file in dedupe.persist, %s: give each its own", has.name, key.name, key.path)
		}
	}
	a.handlers = append(a.handlers, h)
	return nil
}

// Start opens what the receivers remember, unless a running configuration has
// it open, and makes the receivers.
func (a *Receivers) Start() error {
	for _, h := range a.handlers {
		key := h.stateKey()
		if !slices.Contains(a.acquired, key) {
			if err := acquireState(h, a.log); err != nil {
				return fmt.Errorf("webhook_receive %s: %w", key.name, err)
			}
			a.acquired = append(a.acquired, key)
		}
		if err := h.open(openState(key)); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(a.handlers, func(h *Receive) bool { return h.secrets != nil }) {
		a.reading.Go(a.readSecrets)
	}
	return nil
}

// readSecrets reads the secrets again whose files have changed.
func (a *Receivers) readSecrets() {
	tick := time.NewTicker(secretsEvery)
	defer tick.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-tick.C:
		}
		for _, h := range a.handlers {
			h.readSecretsAgain()
		}
	}
}

// Stop ends reading secrets. What is remembered stays open until Cleanup, since
// requests may be under way.
func (a *Receivers) Stop() error {
	a.ended.Do(func() { close(a.stop) })
	a.reading.Wait()
	return nil
}

// Cleanup closes what this configuration was the last to use.
func (a *Receivers) Cleanup() error {
	if a.over == nil {
		return nil
	}
	// Caddy does not stop the apps of a configuration that is rejected after
	// all of them have started.
	err := a.Stop()
	if !isClosed(a.over) {
		close(a.over)
	}
	for _, key := range a.acquired {
		err = errors.Join(err, releaseState(key))
	}
	a.acquired = nil
	return err
}

// errReceiversNotRunning is why a request cannot be checked just now.
var errReceiversNotRunning = errors.New("the receivers are not running: send the request again in a moment")

// ready tells whether the handlers may be used: the configuration runs as a
// whole and is not over. It waits for a while: the HTTP server may start before
// everything else.
func (a *Receivers) ready(ctx context.Context) bool {
	if !isClosed(a.started) {
		awaitStart(ctx, a.started, a.over)
	}
	return isClosed(a.started) && !isClosed(a.over)
}

// errNoReceiver is wrapped when there is no receiver of a name.
var errNoReceiver = errors.New("there is no such receiver")

// forget makes the receivers of a name forget an event, and tells whether they
// knew it.
func (a *Receivers) forget(name, id string) (known bool, err error) {
	var names []string
	there := false
	for _, h := range a.handlers {
		if h.settings.Name != name {
			names = append(names, h.settings.Name)
			continue
		}
		there = true
		rc := h.receiver.Load()
		if rc == nil {
			continue
		}
		knows, err := rc.Forget(id)
		if err != nil {
			return false, err
		}
		known = known || knows
	}
	if !there {
		slices.Sort(names)
		return false, fmt.Errorf("%w as %q: use one of %s", errNoReceiver, name, strings.Join(slices.Compact(names), ", "))
	}
	return known, nil
}

// Interface guards
var (
	_ caddy.App          = (*Receivers)(nil)
	_ caddy.Provisioner  = (*Receivers)(nil)
	_ caddy.CleanerUpper = (*Receivers)(nil)

	_ caddyevents.Handler = whenReceiversStarted{}
)
