package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
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
//
//	webhook_publish [<matcher>] <event type> {
//		id <id>
//		headers <name...>
//		max_size <size>
//		tenant <tenant>
//	}
//
//	webhook_publish [<matcher>] {
//		from_response
//		on_error refuse|pass
//		max_size <size>
//		tenant <tenant>
//	}
func (p *Publish) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		if p.Type = d.Val(); p.Type == "" {
			return d.Err("webhook_publish has an empty event type: write such as github.{http.webhook.type}, or leave it out")
		}
	}
	if d.NextArg() {
		return d.Errf("webhook_publish takes one event type besides a matcher, found %q: put its settings into a block", d.Val())
	}
	err := block.Each(d, func(word string) error {
		switch word {
		case "max_size":
			return parseSize(d, &p.MaxSize)
		case "tenant":
			return parseText(d, &p.Tenant)
		case "id":
			return parseText(d, &p.ID)
		case "headers":
			return parseHeaderNames(d, &p.Headers)
		case "from_response":
			return parseFlag(d, &p.FromResponse)
		case "on_error":
			return parseText(d, &p.OnError)
		}
		return block.Unknown(d, "webhook_publish", "max_size", "tenant", "id", "headers", "from_response", "on_error")
	}, "headers")
	if err != nil {
		return err
	}
	if err := p.checkTogether(); err != nil {
		return d.Errf("webhook_publish: %w", err)
	}
	return nil
}

// parseHeaderNames reads one or more names of headers, and adds them.
func parseHeaderNames(d *caddyfile.Dispenser, names *[]string) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("headers needs a name: write such as: headers X-GitHub-*")
	}
	*names = append(*names, args...)
	return block.None(d, "headers")
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Publish)(nil)
