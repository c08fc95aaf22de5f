package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
)

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	on <event> webhook_publish [<event type>] {
//		tenant <tenant>
//	}
func (h *PublishEvent) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() {
		if h.Type = d.Val(); h.Type == "" {
			return d.Err("webhook_publish has an empty event type: write such as ops.cert_obtained, or leave it out")
		}
	}
	if d.NextArg() {
		return d.Errf("webhook_publish has an argument too many, %q: write: on <event> webhook_publish <event type>", d.Val())
	}
	return block.Each(d, func(word string) error {
		if word == "tenant" {
			return parseText(d, &h.Tenant)
		}
		return block.Unknown(d, "webhook_publish", "tenant")
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*PublishEvent)(nil)
