package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
)

func init() { caddy.RegisterModule(new(App)) }

// App is Caddy's webhook sender: it keeps events until they have been
// delivered to the endpoints that subscribe to them. Applications publish
// events through the HTTP handler `webhook_publish`.
//
// Reloading the configuration interrupts no delivery. The store stays open as
// long as a running configuration names it.
//
// It emits these events through Caddy's `events` app:
//
// Event | When
// ------|-----
// `webhook_delivery_failed` | The retries of a delivery are used up
// `webhook_endpoint_disabled` | The sender has given up an endpoint
// `webhook_endpoint_enabled` | An endpoint that was given up is active again
//
// Their data are `endpoint`, `tenant` and `reason`, and for a delivery also
// `event_id`, `event` (the event type) and `attempts`.
//
// Its metrics, `caddy_webhooks_*`, are shown with Caddy's own. They count from
// the start of the process, over reloads.
type App struct {
	// Where events and deliveries are kept. Default: SQLite, in the file
	// `webhooks/webhooks.db` below Caddy's data directory.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=webhooks.stores inline_key=module"`

	sender.Config

	ctx      caddy.Context
	log      *slog.Logger
	events   *caddyevents.App
	store    StoreModule
	settings sender.Config          // Config with its placeholders replaced
	engine   atomic.Pointer[engine] // set while acquired
	started  chan struct{}          // closed when this configuration runs as a whole
	over     chan struct{}          // closed when this configuration has ended
	ending   chan struct{}          // closed when it begins to end
	endOnce  sync.Once              // closes ending
	operator *settings.Handler      // what the admin endpoint serves
}

// StoreModule is what a module in the namespace `webhooks.stores` must be: it
// names and opens a store.
type StoreModule interface {
	caddy.Module

	// Identity names the store itself, not its settings: two configurations
	// that give the same identity share one open store. It must not hold a
	// secret.
	Identity() string

	// Open opens the store. It is called when the configuration starts, never
	// when it is only validated.
	Open(ctx context.Context, log *slog.Logger) (sender.Store, error)
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks", New: func() caddy.Module { return new(App) }}
}

// Provision loads the store module, replaces placeholders, and ties the app to
// Caddy's events and metrics. It opens nothing.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.log = ctx.Slogger()
	a.started = make(chan struct{})
	a.over = make(chan struct{})
	a.ending = make(chan struct{})
	a.operator = &settings.Handler{Sender: a.senderFor, Operator: true, HideSecrets: true, NoPages: true, Ending: a.ending, Logger: a.log}
	if a.StoreRaw == nil {
		a.store = &SQLite{}
		if err := a.store.(*SQLite).Provision(ctx); err != nil {
			return err
		}
	} else {
		module, err := ctx.LoadModule(a, "StoreRaw")
		if err != nil {
			return fmt.Errorf("loading the store: %w", err)
		}
		store, ok := module.(StoreModule)
		if !ok {
			return fmt.Errorf("store: the module %T is not a store", module)
		}
		a.store = store
	}
	var err error
	if a.settings, err = expandSender(a.Config, caddy.NewReplacer()); err != nil {
		return err
	}
	if err := registerMetrics(ctx.GetMetricsRegistry()); err != nil {
		return err
	}
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	a.events = events.(*caddyevents.App)
	if err := a.bindEventPublishers(); err != nil {
		return err
	}
	return errors.Join(a.events.On("started", whenStarted{a}), a.events.On("stopping", whenStopping{a}))
}

// Validate checks the settings as a whole. That the configuration is invalid is
// what Caddy says before the error.
func (a *App) Validate() error {
	if err := a.settings.Validate(); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), sender.ErrConfig.Error()+": "))
	}
	return nil
}

// Start opens the store, unless a running configuration has it open. The
// settings come into force when the configuration runs as a whole, or at once
// when no other one uses the store.
func (a *App) Start() error {
	e, err := acquireEngine(a.store, a.settings, a.log)
	if err != nil {
		return err
	}
	a.engine.Store(e)
	return e.attach(a)
}

// Stop takes the settings out of force. When no other configuration uses the
// store, deliveries end, and those under way are given time to finish.
func (a *App) Stop() error {
	a.beginToEnd()
	if e := a.engine.Load(); e != nil {
		return e.detach(a)
	}
	return nil
}

// Cleanup closes the store if this was the last user of it.
func (a *App) Cleanup() error {
	if a.over != nil && !isClosed(a.over) {
		close(a.over)
		a.beginToEnd()
	}
	e := a.engine.Swap(nil)
	if e == nil {
		return nil // never started: nothing was acquired
	}
	e.announcer.remove(a)
	// Caddy does not stop the apps of a configuration that is rejected after
	// all of them have started.
	return errors.Join(e.detach(a), releaseEngine(a.store))
}

// beginToEnd lets go of the requests that would not end by themselves.
func (a *App) beginToEnd() { a.endOnce.Do(func() { close(a.ending) }) }

// configuredApp returns the app of the same configuration, for a handler that
// is of no use without it; without says what it then lacks.
func configuredApp(ctx caddy.Context, without string) (*App, error) {
	module, err := ctx.AppIfConfigured("webhooks")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, fmt.Errorf("%s: add the global option webhooks: %w", without, err)
	}
	if err != nil {
		return nil, err
	}
	return module.(*App), nil
}

// errNotRunning is why an event cannot be taken just now.
var errNotRunning = errors.New("the webhooks app is not running: publish the event again in a moment")

// startPatience is how long a request waits for the app: the HTTP server may
// start before it.
const startPatience = 5 * time.Second

// awaitStart has a request wait until an app has started or is over, but not
// for ever.
func awaitStart(ctx context.Context, started, over <-chan struct{}) {
	timer := time.NewTimer(startPatience)
	defer timer.Stop()
	select {
	case <-started:
	case <-over:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// senderFor returns the sender for one request. Requests can come before the
// configuration runs as a whole, because the HTTP server may start first, and
// after it has ended, or was rejected: Caddy's servers of both take requests
// until they have stopped. These are served all the same when another
// configuration has the store open, and else by the configuration in force.
func (a *App) senderFor(ctx context.Context) (*sender.Sender, error) {
	if s := a.available(); s != nil {
		return s, nil
	}
	awaitStart(ctx, a.started, a.over)
	if s := a.available(); s != nil {
		return s, nil
	}
	if s := senderInForce(); s != nil {
		return s, nil
	}
	return nil, errNotRunning
}

// senderInForce is the sender of the configuration in force; nil when there is
// none.
func senderInForce() *sender.Sender {
	module, err := caddy.ActiveContext().AppIfConfigured("webhooks")
	if err != nil {
		return nil
	}
	return module.(*App).available()
}

// available is the sender to be used now: this app's, or that of another
// configuration on the same store; nil when there is none. A store that is open
// only because a configuration is starting does not count: what is published
// into it would wait for ever when the configuration is rejected.
func (a *App) available() *sender.Sender {
	if e := a.engine.Load(); e != nil && isClosed(a.started) {
		return e.sender
	}
	if e := runningEngine(a.store); e != nil && e.announcer.hasApp() {
		return e.sender
	}
	return nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// defaultStorePath is where the embedded store lives unless told otherwise.
func defaultStorePath() string {
	return filepath.Join(caddy.AppDataDir(), "webhooks", "webhooks.db")
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
