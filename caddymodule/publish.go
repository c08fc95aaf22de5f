package caddymodule

import (
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/sender"
)

func init() { caddy.RegisterModule(new(Publish)) }

// Publish is the HTTP handler that applications post their events to. It
// answers 202 with the event's ID once the event is on disk; delivering it is
// then the business of the `webhooks` app, which must be configured.
//
// It does not ask who is calling: put it behind basic_auth, mutual TLS or an
// address that only your applications can reach.
type Publish struct {
	// How large a body may be, in bytes. Default: 1 MiB.
	MaxSize int64 `json:"max_size,omitempty"`

	// Whose event a request publishes; may hold placeholders, such as
	// `{http.auth.user.id}`. It overrides the tenant in the body, and a request
	// for which a placeholder in it is unknown or empty is refused with 403.
	// Default: the tenant in the body.
	Tenant string `json:"tenant,omitempty"`

	intake sender.Intake
}

// CaddyModule returns the Caddy module information.
func (*Publish) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_publish", New: func() caddy.Module { return new(Publish) }}
}

// Provision finds the app to publish to.
func (p *Publish) Provision(ctx caddy.Context) error {
	app, err := configuredApp(ctx, "webhook_publish has nowhere to publish to")
	if err != nil {
		return err
	}
	p.intake = sender.Intake{Sender: app.senderFor, MaxSize: p.MaxSize}
	if p.Tenant != "" {
		p.intake.Tenant = tenantOf(p.Tenant)
	}
	return nil
}

// Validate checks the settings.
func (p *Publish) Validate() error {
	if p.MaxSize < 0 {
		return fmt.Errorf("webhook_publish: max_size: %d is negative: write a size such as 1MiB", p.MaxSize)
	}
	return nil
}

// ServeHTTP publishes the event in the request. It never calls next.
func (p *Publish) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	p.intake.ServeHTTP(w, r)
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Publish)(nil)
	_ caddy.Validator             = (*Publish)(nil)
	_ caddyhttp.MiddlewareHandler = (*Publish)(nil)
)
