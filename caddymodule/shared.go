package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/receiver"
)

// SharedModule is what a module in the namespace `webhooks.seen` must be: it
// names and opens what receivers share with other processes.
type SharedModule interface {
	caddy.Module

	// Identity names what is shared and how: two configurations that give the
	// same identity share one connection for a receiver. It must not hold a
	// secret.
	Identity() string

	// Open opens what the receivers of a name share. It is called when the
	// configuration starts, never when it is only validated.
	Open(name string) (receiver.Shared, error)

	// OnError says what becomes of requests while it cannot be asked.
	OnError() receiver.OnError
}

// loadShared loads the module, if there is one.
func (h *Receive) loadShared(ctx caddy.Context) error {
	if h.SharedRaw == nil {
		return nil
	}
	if h.settings.Dedupe.Persist != "" {
		return errors.New("what is shared is kept where it is shared, so there is nothing that persist could keep: remove one of the two")
	}
	module, err := ctx.LoadModule(h, "SharedRaw")
	if err != nil {
		return fmt.Errorf("loading what is shared: %w", err)
	}
	shared, ok := module.(SharedModule)
	if !ok {
		return fmt.Errorf("shared: the module %T is not for receivers", module)
	}
	h.shared = shared
	return nil
}

// stateOptions are the options of the receiver's memory.
func (h *Receive) stateOptions() (receiver.StateOptions, error) {
	o := receiver.StateOptions{Name: h.settings.Name, Path: h.settings.Dedupe.Persist}
	if h.shared == nil {
		return o, nil
	}
	var err error
	o.OnError = h.shared.OnError()
	o.Shared, err = h.shared.Open(h.settings.Name)
	return o, err
}
