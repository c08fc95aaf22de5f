package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
)

func init() { caddy.RegisterModule(new(Settings)) }

// Settings is the HTTP handler through which the owners of endpoints manage
// them at run time: pages for people, and a JSON API for programs, to make, test,
// activate and change endpoints, to look at deliveries and to repeat them. It works on the `webhooks` app, which
// must be configured.
//
// It does not ask who is calling: put it behind basic_auth, forward_auth or
// mutual TLS, and have Tenant say whose endpoints a request is about.
type Settings struct {
	// Whose endpoints a request is about; may hold placeholders, such as
	// `{http.auth.user.id}`. A request for which a placeholder is unknown or
	// empty is refused with 403. Default: the endpoints without a tenant.
	Tenant string `json:"tenant,omitempty"`

	// Serves the endpoints of all tenants, and says of everything whose it is.
	// It excludes Tenant. Put it where nobody but the operator gets to.
	Operator bool `json:"operator,omitempty"`

	// Refuses every request that would change something, and does not reveal
	// secrets.
	ReadOnly bool `json:"read_only,omitempty"`

	// How many endpoints one tenant may make. Default: 1000 with Tenant, and
	// otherwise any number.
	MaxEndpoints int `json:"max_endpoints,omitempty"`

	// The path that the handler is mounted at, such as `/settings/webhooks`,
	// where it has not been stripped before, as `handle_path` does. Default:
	// none.
	Prefix string `json:"prefix,omitempty"`

	// Origins, such as `https://app.example`, whose pages may change something,
	// as those of a request's own `Host` may: where a proxy before Caddy gives
	// requests another `Host`, the origin at which browsers reach the pages.
	// Scheme, host and port have to be the same; there are no wildcards. Default:
	// none.
	TrustedOrigins []string `json:"trusted_origins,omitempty"`

	handler *settings.Handler
}

// CaddyModule returns the Caddy module information.
func (*Settings) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhook_settings", New: func() caddy.Module { return new(Settings) }}
}

// Provision finds the app whose endpoints are managed.
func (s *Settings) Provision(ctx caddy.Context) error {
	app, err := configuredApp(ctx, "webhook_settings has no endpoints to manage")
	if err != nil {
		return err
	}
	s.handler = &settings.Handler{
		Sender:   app.senderFor,
		Operator: s.Operator,
		ReadOnly: s.ReadOnly,
		Prefix:   s.Prefix,
		Ending:   app.ending,
		Logger:   ctx.Slogger(),

		MaxEndpoints:   s.MaxEndpoints,
		TrustedOrigins: s.TrustedOrigins,
	}
	if s.Tenant != "" {
		s.handler.Tenant = tenantOf(s.Tenant)
	}
	return nil
}

// Validate checks the settings.
func (s *Settings) Validate() error {
	if err := checkPrefix(s.Prefix); err != nil {
		return fmt.Errorf("webhook_settings: %w", err)
	}
	if s.Operator && s.Tenant != "" {
		return fmt.Errorf("webhook_settings: %w", errTenantOfOperator)
	}
	if s.MaxEndpoints < 0 {
		return fmt.Errorf("webhook_settings: max_endpoints: %d is negative: write how many endpoints one tenant may make, or leave it out", s.MaxEndpoints)
	}
	for _, origin := range s.TrustedOrigins {
		if err := settings.CheckOrigin(origin); err != nil {
			return fmt.Errorf("webhook_settings: trusted_origins: %w", err)
		}
	}
	if s.Tenant == sender.AnyTenant {
		return fmt.Errorf("webhook_settings: tenant %q is nobody's: name one tenant, such as {http.auth.user.id}, or write operator in its place for those of all", s.Tenant)
	}
	return nil
}

// errTenantOfOperator is why settings cannot be for one tenant and for all.
var errTenantOfOperator = errors.New("operator and tenant are both set, and the operator sees the endpoints of all tenants: keep one of the two")

// ServeHTTP answers the request. It never calls next.
func (s *Settings) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if to := withSlash(r); to != "" && s.Prefix == "" {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	s.handler.ServeHTTP(w, r)
	return nil
}

// withSlash is where a request goes whose path was stripped to the root and had
// no slash at its end, as in `handle_path /settings/webhooks*`: what pages refer
// to is relative to a path that has one. It is empty for any other request.
func withSlash(r *http.Request) string {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || original.URL == nil || r.URL.Path != "/" || strings.HasSuffix(original.URL.Path, "/") {
		return ""
	}
	to := url.URL{Path: "./" + path.Base(original.URL.Path) + "/", RawQuery: original.URL.RawQuery}
	return to.String()
}

// checkPrefix says what is wrong with the path that a handler is mounted at.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if !strings.HasPrefix(prefix, "/") || strings.ContainsAny(prefix, "*{}?#") || path.Clean(prefix) != prefix || prefix == "/" {
		return fmt.Errorf("prefix %q is no path to be mounted at: write such as /settings/webhooks, or leave it out at the root and inside handle_path", prefix)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Settings)(nil)
	_ caddy.Validator             = (*Settings)(nil)
	_ caddyhttp.MiddlewareHandler = (*Settings)(nil)
)
