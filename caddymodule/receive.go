package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/internal/unread"
	"github.com/manysends/caddy-webhooks/receiver"
)

func init() { caddy.RegisterModule(new(Receive)) }

// Receive is the HTTP handler that guards an endpoint which receives webhooks:
// it checks size, rate, signature and freshness, and drops duplicates, so that
// the handlers after it see each authentic event once. An event counts as
// processed when they answer 2xx; otherwise the sender's retry is let through.
//
// The secrets, the parameters, `url` and `dedupe.persist` may hold placeholders
// such as `{env.WEBHOOK_SECRET}`, which are replaced when the configuration is
// loaded. A secret from a file, such as `{file./run/secrets/webhook}`, is read
// again within seconds when the file changes. The `by` of a rate is replaced
// for each request.
//
// It sets these placeholders:
//
// Placeholder | Description
// ------------|------------
// `{http.webhook.provider}` | Whose signature rules applied
// `{http.webhook.id}` | The event ID
// `{http.webhook.type}` | The event type, where the request tells
// `{http.webhook.timestamp}` | When the request was signed, in Unix seconds
// `{http.webhook.secret_index}` | Which of the secrets matched, from 0
// `{http.webhook.duplicate}` | Whether the event had been processed before
// `{http.webhook.reason}` | Why the request was refused, or would have been; empty if there was nothing against it
// `{http.webhook.enforced}` | `false` where `enforce_off` let the request through in spite of that; otherwise `true`
//
// Receivers of the same name share what they remember, and keep it over
// reloads.
type Receive struct {
	receiver.Config

	// Persist keeps the IDs of processed events over a restart, in a file named
	// after the receiver in the folder `webhooks` of Caddy's data directory.
	// `dedupe.persist` names another file instead. Default: they are kept in
	// memory alone.
	Persist bool `json:"persist,omitempty"`

	// What the receiver shares with those of the same name in other processes:
	// the events that it has seen, and its rates, but for `ip_rate`. The module
	// redis is in a package of its own. Default: it shares nothing.
	SharedRaw json.RawMessage `json:"shared,omitempty" caddy:"namespace=webhooks.seen inline_key=module"`

	app     *Receivers
	log     *slog.Logger
	shared  SharedModule // nil without one
	options receiver.Options
	// settings is Config with its placeholders replaced. It is not exported
	// because Caddy logs exported fields of handlers when it debugs.
	settings receiver.Config
	secrets  *secretFiles
	reread   atomic.Pointer[[]string]          // the secrets of settings, once their files were read again
	receiver atomic.Pointer[receiver.Receiver] // set by the app's Start
}

// CaddyModule returns the Caddy module information.
func (*Receive) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_receive", New: func() caddy.Module { return new(Receive) }}
}

// Provision replaces placeholders, checks the settings, and registers with the
// app that opens what is remembered. It opens nothing.
func (h *Receive) Provision(ctx caddy.Context) error {
	if err := h.provision(ctx); err != nil {
		return fmt.Errorf("webhook_receive: %w", err)
	}
	return nil
}

func (h *Receive) provision(ctx caddy.Context) error {
	h.log = ctx.Slogger()
	h.secrets = newSecretFiles(h.Secrets) // before they are read, so that no change is missed
	var err error
	if h.settings, err = expandReceiver(h.Config, caddy.NewReplacer()); err != nil {
		return err
	}
	if h.settings.Name == "" {
		h.settings.Name = h.settings.Provider
	}
	if h.settings.Dedupe.Persist, err = h.persistPath(); err != nil {
		return err
	}
	if err := h.settings.Validate(); err != nil {
		return err
	}
	if err := h.loadShared(ctx); err != nil {
		return err
	}
	h.options = receiver.Options{Logger: h.log, ClientIP: clientIP, Observe: setPlaceholders}
	sources := make([]func(*http.Request) string, len(h.settings.Rates))
	for i, limit := range h.settings.Rates {
		sources[i] = perRequest(limit.By)
	}
	h.options.Source = func(r *http.Request, limit int) string { return sources[limit](r) }
	app, err := ctx.App("webhook_receivers")
	if err != nil {
		return err
	}
	h.app = app.(*Receivers)
	return h.app.add(h)
}

// Validate checks the settings as they are once their placeholders have been
// replaced. Caddy calls it; without it, it would call that of Config, to which
// a placeholder is a secret that is written in the wrong way.
func (h *Receive) Validate() error { return h.settings.Validate() }

// open makes the receiver on what it remembers.
func (h *Receive) open(state *receiver.State) error {
	rc, err := h.receiverOn(state, h.settings)
	if err != nil {
		return err
	}
	h.receiver.Store(rc)
	return nil
}

func (h *Receive) receiverOn(state *receiver.State, settings receiver.Config) (*receiver.Receiver, error) {
	options := h.options
	options.State = state
	rc, err := receiver.New(settings, options)
	if err != nil {
		return nil, fmt.Errorf("webhook_receive: %w", err)
	}
	return rc, nil
}

// ServeHTTP lets the request through to next, or refuses it with an error that
// carries the status.
func (h *Receive) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	rc := h.receiverFor(r.Context())
	if rc == nil {
		w.Header().Set("Retry-After", "1")
		unread.Discard(w, r, 0, false)
		return caddyhttp.Error(http.StatusServiceUnavailable, errReceiversNotRunning)
	}
	err := rc.Handle(w, r, next.ServeHTTP)
	var refusal *receiver.Refusal
	if errors.As(err, &refusal) {
		return caddyhttp.Error(refusal.Status, err)
	}
	return err
}

// receiverFor returns the receiver for one request; nil when there is none.
// Requests can come before the configuration runs as a whole, because the HTTP
// server may start first, and after it has ended, or was rejected: Caddy's
// servers of both take requests until they have stopped. These go by what the
// receiver of that name remembers in the configuration in force.
func (h *Receive) receiverFor(ctx context.Context) *receiver.Receiver {
	if h.app.ready(ctx) {
		return h.receiver.Load()
	}
	state := runningState(h.settings.Name)
	if state == nil {
		return nil
	}
	settings := h.settings
	settings.Secrets = h.secretsInForce()
	settings.Dedupe.Persist = "" // it is kept where the configuration in force says
	rc, err := h.receiverOn(state, settings)
	if err != nil {
		h.log.Error("the request cannot be checked", slog.String("receiver", h.settings.Name), slog.String("error", err.Error()))
		return nil
	}
	return rc
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
		case "enforced":
			return o.Enforced, true
		}
		return nil, false
	})
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Receive)(nil)
	_ caddy.Validator             = (*Receive)(nil)
	_ caddyhttp.MiddlewareHandler = (*Receive)(nil)
)
