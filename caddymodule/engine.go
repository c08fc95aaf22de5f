package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/sender"
)

// engines are the open stores with their senders, by the store's identity. A
// reload finds its engine here, so that nothing is dropped or opened twice.
var engines = caddy.NewUsagePool()

// openEngines has the same engines by the same keys, for those who only look
// for one: looking into the pool would take a use of the engine, or put
// something in its place while it is being opened.
var openEngines sync.Map

// drainTimeout is how long deliveries under way may take when Caddy stops.
const drainTimeout = 10 * time.Second

// engine is a sender on an open store, shared by the configurations that use
// it.
type engine struct {
	identity  string
	sender    *sender.Sender
	store     sender.Store
	announcer *announcer

	mu       sync.Mutex
	attached []*App // in the order they started
	inForce  *App   // the one of them whose settings the sender has
}

// acquireEngine returns the engine of a store, opening it for the first user.
func acquireEngine(m StoreModule, settings sender.Config, log *slog.Logger) (*engine, error) {
	value, _, err := engines.LoadOrNew(m.Identity(), func() (caddy.Destructor, error) {
		store, err := m.Open(context.Background(), log)
		if err != nil {
			return nil, err
		}
		announcer := newAnnouncer()
		s, err := sender.New(settings, store, sender.Options{Logger: log, Notify: announcer.tell})
		if err != nil {
			_ = store.Close()
			return nil, err
		}
		e := &engine{identity: m.Identity(), sender: s, store: store, announcer: announcer}
		openEngines.Store(e.identity, e)
		return e, nil
	})
	if err != nil {
		return nil, err
	}
	return value.(*engine), nil
}

// runningEngine returns the engine of a store that is open already, or nil. It
// may be closed at any time, and then says so itself.
func runningEngine(m StoreModule) *engine {
	value, _ := openEngines.Load(m.Identity())
	e, _ := value.(*engine)
	return e
}

// releaseEngine gives up one use of a store's engine.
func releaseEngine(m StoreModule) error {
	_, err := engines.Delete(m.Identity())
	return err
}

// attach adds an app. The settings of the first one come into force at once.
// Those of another one are only checked: its configuration may yet be
// rejected, and events that are published meanwhile must not go by it.
func (e *engine) attach(a *App) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.attached) > 0 {
		if err := e.sender.Check(a.settings); err != nil {
			return err
		}
		e.attached = append(e.attached, a)
		return nil
	}
	if err := e.apply(a); err != nil {
		return err
	}
	e.attached = append(e.attached, a)
	if err := e.sender.Start(context.Background()); err != nil {
		return errors.Join(err, e.remove(a)) // Stop is not called for an app that fails to start
	}
	return nil
}

// enforce puts the settings of an app into force whose configuration runs as a
// whole.
func (e *engine) enforce(a *App) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.inForce == a || !slices.Contains(e.attached, a) {
		return nil
	}
	return e.apply(a)
}

// apply puts an app's settings into force.
func (e *engine) apply(a *App) error {
	if err := e.sender.Apply(a.settings); err != nil {
		return err
	}
	e.inForce = a
	return nil
}

// detach takes an app out.
func (e *engine) detach(a *App) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.remove(a)
}

// remove takes an app out. If its settings were in force, those of the app
// that started last come into force. Without any app left, delivering ends.
func (e *engine) remove(a *App) error {
	i := slices.Index(e.attached, a)
	if i < 0 {
		return nil
	}
	e.attached = slices.Delete(e.attached, i, i+1)
	if n := len(e.attached); n > 0 {
		if e.inForce != a {
			return nil
		}
		return e.apply(e.attached[n-1])
	}
	e.inForce = nil
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	return e.sender.Stop(ctx)
}

// Destruct closes the sender and its store.
func (e *engine) Destruct() error {
	openEngines.CompareAndDelete(e.identity, e)
	e.announcer.close()
	err := e.sender.Close()
	if closeErr := e.store.Close(); err == nil {
		err = closeErr
	}
	return err
}
