package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhook_publish", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		p := new(Publish)
		return p, p.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("webhook_publish", httpcaddyfile.Before, "respond")
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	webhook_publish [<matcher>] {
//		max_size <size>
//		tenant <tenant>
//	}
func (p *Publish) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Errf("webhook_publish takes no argument besides a matcher, found %q: put its settings into a block", d.Val())
	}
	return eachSetting(d, func(word string) error {
		switch word {
		case "max_size":
			return parseSize(d, &p.MaxSize)
		case "tenant":
			return parseText(d, &p.Tenant)
		}
		return unknownWord(d, "webhook_publish", "max_size", "tenant")
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Publish)(nil)
