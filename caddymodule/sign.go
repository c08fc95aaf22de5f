package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/internal/unread"
	"github.com/manysends/caddy-webhooks/signer"
)

func init() { caddy.RegisterModule(new(Sign)) }

// Sign is the HTTP handler that signs the requests which pass through it, as a
// provider of webhooks does. The application behind them can check that they
// came this way, with the libraries that it has for that provider.
//
// It signs the body as it is and does not change it, so it must come after
// whatever changes the body, the method or the URL, and right before the
// handler that sends the request on. That one must leave the headers alone that
// it sets: a `header_up` of `reverse_proxy` that changes one makes the signature
// wrong. What a client sends in these headers is replaced, except for the event
// ID, which it may choose unless `id` is set.
//
// Every attempt at sending the request on is the same, with the same ID and
// time of signing, so retries of `reverse_proxy` are duplicates to their
// receiver. A body is held in memory, up to `max_size`; a larger one is an error
// with status 413, and a request that lacks what its provider signs one with
// status 400.
//
// The secrets and `url` may hold placeholders such as `{env.WEBHOOK_SECRET}`,
// which are replaced when the configuration is loaded. A secret from a file,
// such as `{file./run/secrets/webhook}`, is read again when the file has
// changed. `id` may hold placeholders, which are replaced for each request.
type Sign struct {
	signer.Config

	log    *slog.Logger
	signer *signer.Signer

	// What is needed to read the secrets again.
	reading  sync.Mutex
	secrets  *secretFiles
	inForce  []string
	lastRead time.Time
}

// CaddyModule returns the Caddy module information.
func (*Sign) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_sign", New: func() caddy.Module { return new(Sign) }}
}

// Provision replaces placeholders, checks the settings and reads the keys.
func (h *Sign) Provision(ctx caddy.Context) error {
	h.log = ctx.Slogger()
	h.secrets = newSecretFiles(h.Secrets) // before they are read, so that no change is missed
	h.lastRead = time.Now()
	settings, err := expandSigner(h.Config, caddy.NewReplacer())
	if err != nil {
		return fmt.Errorf("webhook_sign: %w", err)
	}
	h.inForce = settings.Secrets
	var o signer.Options
	if h.ID != "" {
		o.ID = perRequest(h.ID)
	}
	if h.signer, err = signer.New(settings, o); err != nil {
		return fmt.Errorf("webhook_sign: %w", err)
	}
	return nil
}

// Validate has nothing left to check. Caddy calls it; without it, it would call
// that of Config, to which a placeholder is a secret that is written in the
// wrong way.
func (*Sign) Validate() error { return nil }

// ServeHTTP signs the request and calls next, or fails with an error that
// carries the status.
func (h *Sign) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	h.readSecretsAgain()
	if err := h.signer.Sign(r); err != nil {
		// One of announced length is found to be too large before it is read.
		unread.Discard(w, r, cmp.Or(h.MaxSize, signer.DefaultMaxSize), r.ContentLength < 0)
		return caddyhttp.Error(statusOf(err), fmt.Errorf("webhook_sign: %w", err))
	}
	return next.ServeHTTP(w, r)
}

// statusOf is the status that a request is answered with which was not signed.
func statusOf(err error) int {
	switch {
	case errors.Is(err, signer.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, signer.ErrRequest):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

// readSecretsAgain puts the secrets into force that their files hold now, if it
// is time to look. One request at a time looks, and the others go on.
func (h *Sign) readSecretsAgain() {
	if h.secrets == nil || !h.reading.TryLock() {
		return
	}
	defer h.reading.Unlock()
	now := time.Now()
	if now.Sub(h.lastRead) < secretsEvery {
		return
	}
	h.lastRead = now
	h.inForce = h.secrets.readAgain(h.Secrets, h.inForce, h.signer.SetSecrets, h.log, slog.String("provider", h.Provider))
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Sign)(nil)
	_ caddy.Validator             = (*Sign)(nil)
	_ caddyhttp.MiddlewareHandler = (*Sign)(nil)
)
