package caddymodule

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/sender"
)

func init() { caddy.RegisterModule(new(Publish)) }

// Publish is the HTTP handler that makes events of requests. It answers 202 with
// the event's ID once the event is on disk; delivering it is then the business of
// the `webhooks` app, which must be configured.
//
// It does not ask who is calling: put it behind basic_auth, mutual TLS, an address
// that only your applications can reach or, with `type`, `webhook_receive`.
//
// What of a request becomes an event is one of three things:
//
// - Without `type` and `from_response`, the body says it: `{"event", "data"}`, or
// an array of these, as your application publishes them.
//
// - With `type`, the request is the event, with its bytes, its content type and
// the `headers` that are kept of it, and an endpoint of the format `raw` gets it
// so. It is a durable inbox for webhooks: a provider is answered at once, and the
// application gets each of them when it is up. 503 with Retry-After tells the
// provider that one could not be stored. When an ID was used for other content
// before, a digest of the content is added to it, and nothing is lost.
//
// - With `from_response`, it passes the request on, and publishes what the answer
// says in the header `Webhook-Event`, before the answer goes on to the client
// without that header: either what would be posted otherwise, as JSON or base64 of
// it, or an event type alone. Then `Webhook-Event-Data: body` says that the data
// are the answer's body, which must be JSON, and `body:conversation.0` names a part
// of it. Requests are passed on without these headers. An answer that carries none
// is not held back.
type Publish struct {
	// How large a body may be, in bytes. With `from_response`, how large an answer
	// may be whose body is the data of an event. Default: 1 MiB.
	MaxSize int64 `json:"max_size,omitempty"`

	// Whose event a request publishes; may hold placeholders, such as
	// `{http.auth.user.id}`. It overrides the tenant in the body, and a request
	// for which a placeholder in it is unknown or empty is refused with 403.
	// Default: the tenant in the body.
	Tenant string `json:"tenant,omitempty"`

	// The type of the event that a request is as a whole; may hold placeholders,
	// such as `github.{http.webhook.type}`. Letters become small, `/` and `:`
	// become dots, and what else a type cannot hold becomes `_`. It must be among
	// the `event_types` of the app. Default: the type that the body says.
	Type string `json:"type,omitempty"`

	// The ID of the event that a request is as a whole; may hold placeholders. What
	// an ID cannot hold becomes `_`, and a digest is added then. When it is empty,
	// one is made. Default: `{http.webhook.id}`, which `webhook_receive` sets.
	ID string `json:"id,omitempty"`

	// The headers of the request that are kept with the event, 8 KiB of them at
	// most. `X-GitHub-*` stands for all that begin so. Credentials are never kept,
	// and Content-Type and Content-Encoding always.
	Headers []string `json:"headers,omitempty"`

	// Whether events are taken from the answers of the handlers after this one,
	// such as `reverse_proxy`.
	FromResponse bool `json:"from_response,omitempty"`

	// What becomes of an answer whose event cannot be published. `refuse` has the
	// client get 503 with Retry-After in its place, so that it tries again, or 502
	// when the application has not said it right; `pass` lets the answer through,
	// and the event is lost but for the log. Default: `refuse`.
	OnError string `json:"on_error,omitempty"`

	serve func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error
}

// The values of [Publish.OnError].
const (
	onErrorRefuse = "refuse"
	onErrorPass   = "pass"
)

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
	var tenant func(*http.Request) (string, bool)
	if p.Tenant != "" {
		tenant = tenantOf(p.Tenant)
	}
	switch {
	case p.FromResponse:
		p.serve = newResponsePublisher(app, p, tenant, ctx.Slogger()).serve
	case p.Type != "":
		inbox, err := newInbox(app, p, tenant)
		if err != nil {
			return fmt.Errorf("webhook_publish: %w", err)
		}
		p.serve = terminal(inbox)
	default:
		p.serve = terminal(&sender.Intake{Sender: app.senderFor, MaxSize: p.MaxSize, Tenant: tenant})
	}
	return nil
}

// terminal is a handler after which no other one comes.
func terminal(h http.Handler) func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error {
	return func(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
		h.ServeHTTP(w, r)
		return nil
	}
}

// Validate checks the settings.
func (p *Publish) Validate() error {
	if p.MaxSize < 0 {
		return fmt.Errorf("webhook_publish: max_size: %d is negative: write a size such as 1MiB", p.MaxSize)
	}
	if err := p.checkTogether(); err != nil {
		return fmt.Errorf("webhook_publish: %w", err)
	}
	return nil
}

// checkTogether checks settings that depend on each other.
func (p *Publish) checkTogether() error {
	switch {
	case p.FromResponse && p.Type != "":
		return errors.New("from_response takes the event type from the answer: remove the event type, or from_response")
	case p.Tenant == sender.AnyTenant:
		return errTenantOfEvents
	case p.Type == "" && p.ID != "":
		return errors.New("id needs an event type, which says that the request itself is the event: write such as: webhook_publish github.{http.webhook.type}")
	case p.Type == "" && len(p.Headers) > 0:
		return errors.New("headers needs an event type, which says that the request itself is the event: write such as: webhook_publish github.{http.webhook.type}")
	case !p.FromResponse && p.OnError != "":
		return errors.New("on_error needs from_response: without it, who publishes is told: remove on_error")
	case p.OnError != "" && p.OnError != onErrorRefuse && p.OnError != onErrorPass:
		return fmt.Errorf("on_error %q is unknown: write on_error refuse or on_error pass", p.OnError)
	}
	return (&sender.Inbox{Headers: p.Headers}).Validate()
}

// errTenantOfEvents is why all tenants cannot be the tenant of what is published.
var errTenantOfEvents = fmt.Errorf("tenant %q is nobody's, and no event can be of it: name one tenant, such as {http.auth.user.id}, or leave it out", sender.AnyTenant)

// ServeHTTP publishes the event in the request, and calls next only to take it
// from the answer.
func (p *Publish) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return p.serve(w, r, next)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Publish)(nil)
	_ caddy.Validator             = (*Publish)(nil)
	_ caddyhttp.MiddlewareHandler = (*Publish)(nil)
)
