package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
	"github.com/manysends/caddy-webhooks/sender/settings"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhook_settings", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		s := new(Settings)
		return s, s.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("webhook_settings", httpcaddyfile.Before, "respond")
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	webhook_settings [<matcher>] {
//		tenant <tenant>
//		operator
//		read_only
//		max_endpoints <n>
//		prefix <path>
//		trusted_origins <origin…>
//	}
//
// It is mounted at the root of a site, inside handle_path, which strips the
// path before it, or inside handle, and is then told the path by prefix.
func (s *Settings) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("webhook_settings takes no argument besides a matcher, found %q: put its settings into a block", d.Val())
	}
	return block.Each(d, func(word string) error {
		switch word {
		case "tenant":
			if err := parseText(d, &s.Tenant); err != nil {
				return err
			}
			return s.checkScope(d)
		case "operator":
			if err := parseFlag(d, &s.Operator); err != nil {
				return err
			}
			return s.checkScope(d)
		case "read_only":
			return parseFlag(d, &s.ReadOnly)
		case "max_endpoints":
			return parseCount(d, &s.MaxEndpoints)
		case "prefix":
			if err := parseText(d, &s.Prefix); err != nil {
				return err
			}
			if err := checkPrefix(s.Prefix); err != nil {
				return d.WrapErr(err)
			}
			return nil
		case "trusted_origins":
			return s.parseTrustedOrigins(d)
		}
		return block.Unknown(d, "webhook_settings", "tenant", "operator", "read_only", "max_endpoints", "prefix", "trusted_origins")
	})
}

func (s *Settings) parseTrustedOrigins(d *caddyfile.Dispenser) error {
	s.TrustedOrigins = d.RemainingArgs()
	if len(s.TrustedOrigins) == 0 {
		return d.Err("trusted_origins needs an origin: write: trusted_origins https://app.example")
	}
	for _, origin := range s.TrustedOrigins {
		if err := settings.CheckOrigin(origin); err != nil {
			return d.Errf("trusted_origins: %w", err)
		}
	}
	return block.None(d, "trusted_origins")
}

// checkScope refuses what contradicts itself, at the second of the two words.
func (s *Settings) checkScope(d *caddyfile.Dispenser) error {
	if s.Operator && s.Tenant != "" {
		return d.WrapErr(errTenantOfOperator)
	}
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Settings)(nil)
