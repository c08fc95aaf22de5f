package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
	"github.com/manysends/caddy-webhooks/receiver"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("webhook_receive", parseReceive)
	httpcaddyfile.RegisterDirectiveOrder("webhook_receive", httpcaddyfile.Before, "basic_auth")
}

// parseReceive reads the directive and names the receiver, where its author
// did not: after its provider, and counted, so that two receivers of one
// provider do not take each other's events for duplicates.
func parseReceive(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	receive := new(Receive)
	if err := receive.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	if receive.Name == "" {
		counter := "webhook_receive " + receive.Provider
		n, _ := h.State[counter].(int)
		h.State[counter] = n + 1
		receive.Name = receive.Provider
		if n > 0 {
			receive.Name += "-" + strconv.Itoa(n+1)
		}
	}
	return receive, nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	webhook_receive [<matcher>] <provider> {
//		name <name>
//		secret <secret…>
//		key raw|hex|base64|whsec
//		url <url>
//		parameter <name> <value>
//		template {
//			…
//		}
//		handshake <name>
//		enforce on|off
//		decompress on|off
//		max_size <size>
//		tolerance <duration>|off
//		ip_rate <events>/<unit> [burst <n>]
//		rate <events>/<unit> [burst <n>] [by <source>]
//		headers
//		redis <url> {
//			prefix <prefix>
//			on_error deny|allow
//		}
//		dedupe [<ttl>|off] {
//			wait <duration>|off
//			capacity <events>
//			capacity_bytes <size>
//			persist [<path>]
//		}
//	}
//
// Redis shares what dedupe remembers, and the rates, with the receivers of the
// same name in other processes; it is in a package of its own. Parameter and
// rate may be repeated. The template and the handshake go
// with the provider custom; see parseTemplate.
func (h *Receive) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if !d.NextArg() || d.Val() == "" {
		return d.Err("webhook_receive needs a provider: write: webhook_receive standard")
	}
	h.Provider = d.Val()
	if d.NextArg() {
		return d.Errf("webhook_receive has an argument too many, %q: put its settings into a block", d.Val())
	}
	return block.Each(d, func(word string) error { return h.parseWord(d, word) }, "rate", "parameter")
}

func (h *Receive) parseWord(d *caddyfile.Dispenser, word string) error {
	switch word {
	case "name":
		return parseText(d, &h.Name)
	case "secret":
		return parseSecrets(d, &h.Secrets)
	case "key":
		return parseText(d, &h.Key)
	case "url":
		return parseText(d, &h.URL)
	case "parameter":
		return h.parseParameter(d)
	case "template":
		return parseTemplate(d, &h.Template)
	case "handshake":
		return parseText(d, &h.Handshake)
	case "enforce":
		var on bool
		err := parseOnOff(d, &on)
		h.EnforceOff = !on
		return err
	case "decompress":
		h.Decompress = new(bool)
		return parseOnOff(d, h.Decompress)
	case "max_size":
		return parseSize(d, &h.MaxSize)
	case "tolerance":
		return parseDurationOrOff(d, &h.Tolerance)
	case "ip_rate":
		return parsePlainRate(d, &h.IPRate)
	case "rate":
		return h.parseSourceRate(d)
	case "headers":
		return parseFlag(d, &h.Headers)
	case "redis":
		return h.parseShared(d, word)
	case "dedupe":
		return h.parseDedupe(d)
	}
	return block.Unknown(d, "webhook_receive", "name", "secret", "key", "url", "parameter", "template", "handshake", "enforce", "decompress",
		"max_size", "tolerance", "ip_rate", "rate", "headers", "redis", "dedupe")
}

func (h *Receive) parseParameter(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.Err("parameter needs a name and a value: write: parameter verify_token {env.VERIFY_TOKEN}")
	}
	name, value := args[0], args[1]
	if name == "" || value == "" {
		return d.Errf("parameter %q has an empty name or value: set it, or remove the line", name)
	}
	if _, twice := h.Parameters[name]; twice {
		return d.Errf("parameter %s stands twice: keep one", name)
	}
	if h.Parameters == nil {
		h.Parameters = make(map[string]string)
	}
	h.Parameters[name] = value
	return block.None(d, "parameter")
}

func (h *Receive) parseSourceRate(d *caddyfile.Dispenser) error {
	rate, rest, err := parseRate(d)
	if err != nil {
		return err
	}
	limit := receiver.SourceRate{Rate: rate}
	switch {
	case len(rest) == 0:
	case len(rest) == 2 && rest[0] == "by" && rest[1] != "":
		limit.By = rest[1]
	default:
		return d.Errf("rate does not understand %q: write: rate 50/s burst 100 by {client_ip}", rest[0])
	}
	h.Rates = append(h.Rates, limit)
	return nil
}

// parseShared hands a word over to the module that it names.
func (h *Receive) parseShared(d *caddyfile.Dispenser, name string) error {
	id := "webhooks.seen." + name
	if _, err := caddy.GetModule(id); err != nil {
		return d.Errf("%s is not in this Caddy: build Caddy with github.com/manysends/caddy-webhooks/caddymodule/%s as well", name, name)
	}
	unmarshaler, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	h.SharedRaw = caddyconfig.JSONModuleObject(unmarshaler, "module", name, nil)
	return nil
}

func (h *Receive) parseDedupe(d *caddyfile.Dispenser) error {
	out := &h.Dedupe
	if d.CountRemainingArgs() > 1 {
		return d.Err("dedupe takes one value: write: dedupe 24h, or dedupe off")
	}
	if off(d) {
		out.Off = true
		return block.None(d, "dedupe off")
	}
	if d.CountRemainingArgs() == 1 {
		if err := parseDurationArg(d, &out.TTL); err != nil {
			return err
		}
	}
	err := block.Each(d, func(word string) error {
		switch word {
		case "wait":
			return parseDurationOrOff(d, &out.Wait)
		case "capacity":
			return parseCount(d, &out.Capacity)
		case "capacity_bytes":
			return parseSize(d, &out.CapacityBytes)
		case "persist":
			return h.parsePersist(d)
		}
		return block.Unknown(d, "dedupe", "wait", "capacity", "capacity_bytes", "persist")
	})
	if err == nil && out.Capacity > 0 && out.CapacityBytes > 0 {
		return d.Err("dedupe has both capacity and capacity_bytes: keep one")
	}
	return err
}

// parsePersist reads "persist [<path>]". Without a path, it is worked out when
// the configuration is loaded, as it depends on the machine.
func (h *Receive) parsePersist(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() > 0 {
		return parseText(d, &h.Dedupe.Persist)
	}
	h.Persist = true
	return block.None(d, "persist")
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Receive)(nil)
