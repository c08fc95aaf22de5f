package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("webhooks", parseAppOption)
}

// parseAppOption reads the global option webhooks.
func parseAppOption(d *caddyfile.Dispenser, existing any) (any, error) {
	if existing != nil {
		d.Next()
		return nil, d.Err("the global option webhooks stands twice: merge the two blocks into one")
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "webhooks", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens. Syntax:
//
//	webhooks {
//		store <module> [<args…>]
//		event_types <type…>
//		retry <wait…>
//		timeout <duration>
//		retention <duration>
//		disable_after <duration>|off
//		max_backlog <deliveries>
//		max_size <size>
//		memory <size>
//		encryption_key <key…>
//		egress {
//			allow <address|range|host…>
//			allow_http
//			proxy <url>
//		}
//		endpoint <id> <url> {
//			events <pattern…>
//			filter <expression>
//			secret <secret…>
//			tenant <tenant>
//			description <text>
//			format manysends|standard|cloudevents|raw
//			rate <events>/<unit> [burst <n>]
//			concurrency <n>
//			ordering strict
//			header <name> <value>
//			retry <wait…>
//			timeout <duration>
//		}
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the option's name
	if d.NextArg() {
		return d.Errf("webhooks takes no argument, found %q: put its settings into a block", d.Val())
	}
	ids := make(map[string]bool, len(a.Endpoints))
	for i := range a.Endpoints {
		ids[a.Endpoints[i].ID] = true
	}
	return block.Each(d, func(word string) error {
		switch word {
		case "store":
			return a.parseStore(d)
		case "event_types":
			return parseEventTypes(d, &a.EventTypes)
		case "retry":
			return parseDurations(d, &a.Retry)
		case "timeout":
			return parseDuration(d, &a.Timeout)
		case "retention":
			return parseDuration(d, &a.Retention)
		case "disable_after":
			return parseDurationOrOff(d, &a.DisableAfter)
		case "max_backlog":
			return parseCount(d, &a.MaxBacklog)
		case "max_size":
			return parseSize(d, &a.MaxSize)
		case "memory":
			return parseSize(d, &a.Memory)
		case "encryption_key":
			return parseSecrets(d, &a.EncryptionKeys)
		case "egress":
			return parseEgress(d, &a.Egress)
		case "endpoint":
			return a.parseEndpoint(d, ids)
		}
		return block.Unknown(d, "webhooks", "store", "event_types", "retry", "timeout", "retention", "disable_after", "max_backlog", "max_size", "memory", "encryption_key", "egress", "endpoint")
	}, "endpoint")
}

func (a *App) parseStore(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("store needs the name of a store: write: store sqlite <path>")
	}
	name := d.Val()
	if _, err := caddy.GetModule("webhooks.stores." + name); err != nil {
		return d.Err(unknownStore(name))
	}
	unmarshaler, err := caddyfile.UnmarshalModule(d, "webhooks.stores."+name)
	if err != nil {
		return err
	}
	a.StoreRaw = caddyconfig.JSONModuleObject(unmarshaler, "module", name, nil)
	return nil
}

// unknownStore says what to do about a store that no module is there for.
func unknownStore(name string) string {
	if name == "postgres" {
		return "the store postgres is not built in: build Caddy with github.com/manysends/caddy-webhooks/caddymodule/postgres as well"
	}
	return fmt.Sprintf("store %q is unknown: use sqlite, or build Caddy with the module webhooks.stores.%s", name, name)
}

func parseEventTypes(d *caddyfile.Dispenser, types *[]webhook.EventType) error {
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Err("event_types needs at least one type: name those that may be published, or * for all")
	}
	for _, name := range args {
		*types = append(*types, webhook.EventType{Name: name})
	}
	if _, err := webhook.NewCatalogue(*types); err != nil {
		return d.WrapErr(err)
	}
	return block.None(d, "event_types")
}

func parseEgress(d *caddyfile.Dispenser, e *sender.Egress) error {
	if d.NextArg() {
		return d.Errf("egress takes no argument, found %q: put its rules into a block", d.Val())
	}
	return block.Each(d, func(word string) error {
		switch word {
		case "allow":
			args := d.RemainingArgs()
			if len(args) == 0 {
				return d.Err("allow needs at least one value: name an address, a range or a host")
			}
			if err := notEmpty(d, word, args...); err != nil {
				return err
			}
			e.Allow = append(e.Allow, args...)
			return block.None(d, word)
		case "allow_http":
			return parseFlag(d, &e.AllowHTTP)
		case "proxy":
			return parseText(d, &e.Proxy)
		}
		return block.Unknown(d, "egress", "allow", "allow_http", "proxy")
	}, "allow")
}

// parseEndpoint reads an endpoint, whose ID must not be among those of the
// others.
func (a *App) parseEndpoint(d *caddyfile.Dispenser, ids map[string]bool) error {
	var e sender.Endpoint
	if !d.Args(&e.ID, &e.URL) {
		return d.Err("endpoint needs an id and a URL: write: endpoint crm https://crm.example.com/hooks")
	}
	if d.NextArg() {
		return d.Errf("endpoint %s has an argument too many, %q: put further settings into a block", e.ID, d.Val())
	}
	if err := notEmpty(d, "endpoint", e.ID, e.URL); err != nil {
		return err
	}
	if ids[e.ID] {
		return d.Errf("endpoint %s stands twice: rename one", e.ID)
	}
	ids[e.ID] = true
	if err := block.Each(d, func(word string) error { return parseEndpointWord(d, &e, word) }, "header"); err != nil {
		return err
	}
	a.Endpoints = append(a.Endpoints, e)
	return nil
}

func parseEndpointWord(d *caddyfile.Dispenser, e *sender.Endpoint, word string) error {
	switch word {
	case "events":
		e.Events = d.RemainingArgs()
		if len(e.Events) == 0 {
			return d.Err("events needs at least one pattern: name types such as message.created, conversation.* or *")
		}
		for _, s := range e.Events {
			if _, err := webhook.ParsePattern(s); err != nil {
				return d.WrapErr(err)
			}
		}
		return block.None(d, word)
	case "filter":
		return parseText(d, &e.Filter)
	case "secret":
		return parseSecrets(d, &e.Secrets)
	case "tenant":
		return parseText(d, &e.Tenant)
	case "description":
		return parseText(d, &e.Description)
	case "format":
		var name string
		if err := parseText(d, &name); err != nil {
			return err
		}
		format, err := webhook.ParseFormat(name)
		if err != nil {
			return d.WrapErr(err)
		}
		e.Format = format
		return nil
	case "rate":
		return parsePlainRate(d, &e.Rate)
	case "concurrency":
		return parseCount(d, &e.Concurrency)
	case "ordering":
		return parseText(d, &e.Ordering)
	case "header":
		return parseHeader(d, &e.Headers)
	case "retry":
		return parseDurations(d, &e.Retry)
	case "timeout":
		return parseDuration(d, &e.Timeout)
	}
	return block.Unknown(d, "endpoint", "events", "filter", "secret", "tenant", "description", "format", "rate", "concurrency", "ordering", "header", "retry", "timeout")
}

// parseHeader reads a header that is sent with every delivery.
func parseHeader(d *caddyfile.Dispenser, headers *map[string]string) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.Err("header needs a name and a value: write: header Authorization \"Bearer {env.TOKEN}\"")
	}
	if err := notEmpty(d, "header", name, value); err != nil {
		return err
	}
	if _, twice := (*headers)[name]; twice {
		return d.Errf("header %s stands twice: keep one", name)
	}
	if *headers == nil {
		*headers = make(map[string]string)
	}
	(*headers)[name] = value
	return block.None(d, "header")
}

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
