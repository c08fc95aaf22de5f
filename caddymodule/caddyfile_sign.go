package caddymodule

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhook_sign", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		sign := new(Sign)
		return sign, sign.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("webhook_sign", httpcaddyfile.Before, "reverse_proxy")
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	webhook_sign [<matcher>] <provider> [<secret…>] {
//		secret <secret…>
//		id <id>
//		key raw|hex|base64|whsec
//		url <url>
//		max_size <size>
//		template {
//			…
//		}
//	}
//
// The template goes with the provider custom; see parseTemplate.
func (h *Sign) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if !d.NextArg() || d.Val() == "" {
		return d.Err("webhook_sign needs a provider: write: webhook_sign standard {env.WEBHOOK_SECRET}")
	}
	h.Provider = d.Val()
	if d.CountRemainingArgs() > 0 {
		h.Secrets = d.RemainingArgs()
		if err := checkSecretArgs(d, "secret", h.Secrets); err != nil {
			return err
		}
	}
	return block.Each(d, func(word string) error { return h.parseWord(d, word) })
}

func (h *Sign) parseWord(d *caddyfile.Dispenser, word string) error {
	switch word {
	case "secret":
		if len(h.Secrets) > 0 {
			return d.Err("secret stands behind the provider and in the block: keep one")
		}
		return parseSecrets(d, &h.Secrets)
	case "id":
		return parseText(d, &h.ID)
	case "key":
		return parseText(d, &h.Key)
	case "url":
		return parseText(d, &h.URL)
	case "max_size":
		return parseSize(d, &h.MaxSize)
	case "template":
		return parseTemplate(d, &h.Template)
	}
	return block.Unknown(d, "webhook_sign", "secret", "id", "key", "url", "max_size", "template")
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Sign)(nil)
