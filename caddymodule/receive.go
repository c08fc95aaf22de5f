package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/receiver"
)

func init() { caddy.RegisterModule(new(Receive)) }

// Receive is the HTTP handler that guards an endpoint which receives webhooks:
// it checks size, rate, signature and freshness, and drops duplicates, so that
// the handlers after it see each authentic event once. An event counts as
// processed when they answer 2xx; otherwise the sender's retry is let through.
//
// It sets these placeholders:
//
// Placeholder | Description
// ------------|------------
// `{http.webhook.provider}` | Whose signature rules applied
// `{http.webhook.id}` | The event ID
// `{http.webhook.type}` | The event type, where the body tells
// `{http.webhook.timestamp}` | When the request was signed, in Unix seconds
// `{http.webhook.secret_index}` | Which of the secrets matched, from 0
// `{http.webhook.duplicate}` | Whether the event had been processed before
// `{http.webhook.reason}` | Why the request was refused; empty if it was not
//
// Receivers of the same name share what they remember, and keep it over
// reloads.
type Receive struct {
	receiver.Config

	receiver *receiver.Receiver
	acquired string // the key of the state in the pool, while acquired
}

// states are the receivers' memories by name, so that a reload forgets
// neither events nor limits.
var states = caddy.NewUsagePool()

// state is a receiver's memory as the pool keeps it.
type state struct{ *receiver.State }

// Destruct ends the memory when its last user is gone.
func (s state) Destruct() error {
	s.Close()
	return nil
}

// CaddyModule returns the Caddy module information.
func (*Receive) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_receive", New: func() caddy.Module { return new(Receive) }}
}

// Provision replaces placeholders and sets up the receiver.
func (h *Receive) Provision(ctx caddy.Context) error {
	cfg := h.Config
	var err error
	if cfg.Secrets, err = expandAll(caddy.NewReplacer(), "secret", cfg.Secrets); err != nil {
		return fmt.Errorf("webhook_receive: %w", err)
	}
	if cfg.Name == "" {
		cfg.Name = cfg.Provider
	}
	value, _, err := states.LoadOrNew(cfg.Name, func() (caddy.Destructor, error) {
		return state{receiver.NewState(receiver.StateOptions{})}, nil
	})
	if err != nil {
		return err
	}
	h.acquired = cfg.Name
	options := receiver.Options{
		State:    value.(state).State,
		Logger:   ctx.Slogger(),
		ClientIP: clientIP,
		Observe:  setPlaceholders,
	}
	if cfg.Rate != nil && cfg.Rate.By != "" {
		options.Source = perRequest(cfg.Rate.By)
	}
	h.receiver, err = receiver.New(cfg, options)
	if err != nil {
		return fmt.Errorf("webhook_receive: %w", err)
	}
	return nil
}

// Cleanup gives up the memory, if it was acquired.
func (h *Receive) Cleanup() error {
	if h.acquired == "" {
		return nil
	}
	name := h.acquired
	h.acquired = ""
	_, err := states.Delete(name)
	return err
}

// ServeHTTP lets the request through to next, or refuses it with an error that
// carries the status.
func (h *Receive) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	err := h.receiver.Handle(w, r, next.ServeHTTP)
	var refusal *receiver.Refusal
	if errors.As(err, &refusal) {
		return caddyhttp.Error(refusal.Status, err)
	}
	return err
}

// clientIP is the client's address as Caddy sees it, trusted proxies
// considered.
func clientIP(r *http.Request) netip.Addr {
	s, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return addr
}

// setPlaceholders makes what was learned of a request available to the
// handlers after it and to the access log.
func setPlaceholders(r *http.Request, o receiver.Observation) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Map(func(key string) (any, bool) {
		name, ok := strings.CutPrefix(key, "http.webhook.")
		if !ok {
			return nil, false
		}
		switch name {
		case "provider":
			return o.Provider, true
		case "id":
			return o.ID, true
		case "type":
			return o.Type, true
		case "timestamp":
			if o.Timestamp.IsZero() {
				return "", true
			}
			return o.Timestamp.Unix(), true
		case "secret_index":
			if o.SecretIndex < 0 {
				return "", true
			}
			return o.SecretIndex, true
		case "duplicate":
			return o.Duplicate, true
		case "reason":
			return string(o.Reason), true
		}
		return nil, false
	})
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Receive)(nil)
	_ caddy.CleanerUpper          = (*Receive)(nil)
	_ caddyhttp.MiddlewareHandler = (*Receive)(nil)
)
