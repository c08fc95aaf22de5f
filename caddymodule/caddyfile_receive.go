package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

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
//		max_size <size>
//		tolerance <duration>|off
//		ip_rate <events>/<unit> [burst <n>]
//		rate <events>/<unit> [burst <n>] [by <source>]
//		dedupe <ttl>|off {
//			wait <duration>|off
//			capacity <events>
//		}
//	}
func (h *Receive) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if !d.NextArg() {
		return d.Err("webhook_receive needs a provider: write: webhook_receive standard")
	}
	h.Provider = d.Val()
	if d.NextArg() {
		return d.Errf("webhook_receive has an argument too many, %q: put its settings into a block", d.Val())
	}
	return eachSetting(d, func(word string) error { return h.parseWord(d, word) })
}

func (h *Receive) parseWord(d *caddyfile.Dispenser, word string) error {
	switch word {
	case "name":
		return parseText(d, &h.Name)
	case "secret":
		return parseSecrets(d, &h.Secrets)
	case "max_size":
		return parseSize(d, &h.MaxSize)
	case "tolerance":
		return parseDurationOrOff(d, &h.Tolerance)
	case "ip_rate":
		return parsePlainRate(d, &h.IPRate)
	case "rate":
		return h.parseSourceRate(d)
	case "dedupe":
		return parseDedupe(d, &h.Dedupe)
	}
	return unknownWord(d, "webhook_receive", "name", "secret", "max_size", "tolerance", "ip_rate", "rate", "dedupe")
}

func (h *Receive) parseSourceRate(d *caddyfile.Dispenser) error {
	rate, rest, err := parseRate(d)
	if err != nil {
		return err
	}
	h.Rate = &receiver.SourceRate{Rate: rate}
	switch {
	case len(rest) == 0:
		return nil
	case len(rest) == 2 && rest[0] == "by" && rest[1] != "":
		h.Rate.By = rest[1]
		return nil
	}
	return d.Errf("rate does not understand %q: write: rate 50/s burst 100 by {client_ip}", rest[0])
}

func parseDedupe(d *caddyfile.Dispenser, out *receiver.Dedupe) error {
	if d.CountRemainingArgs() > 1 {
		return d.Err("dedupe takes one value: write: dedupe 24h, or dedupe off")
	}
	if off(d) {
		out.Off = true
		return noBlock(d, "dedupe off")
	}
	if d.CountRemainingArgs() == 1 {
		if err := parseDurationArg(d, &out.TTL); err != nil {
			return err
		}
	}
	return eachSetting(d, func(word string) error {
		switch word {
		case "wait":
			return parseDurationOrOff(d, &out.Wait)
		case "capacity":
			return parseCount(d, &out.Capacity)
		}
		return unknownWord(d, "dedupe", "wait", "capacity")
	})
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Receive)(nil)
