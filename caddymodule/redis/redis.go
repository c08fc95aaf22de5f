// Package redis is the Caddy module webhooks.seen.redis, by which receivers in
// several Caddy processes share what they have seen and their rates. It is not
// part of the other modules: build Caddy with this package as well to have it.
package redis

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/manysends/caddy-webhooks/caddymodule"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
)

func init() { caddy.RegisterModule(new(Redis)) }

// Redis shares what receivers of the same name have seen, and their rates,
// among all Caddy processes with the same Redis and prefix, so that an event
// is processed once whichever of them its sender reaches. `ip_rate` protects
// the one process, and stays with it. It takes Redis 6.2 or newer, or Valkey: a
// single server, a cluster, or one that Sentinel watches.
//
// What was processed is remembered for the receiver's `dedupe.ttl`;
// `dedupe.capacity` bounds only what each process remembers by itself, so Redis
// must not evict (`maxmemory-policy noeviction`).
type Redis struct {
	// Where Redis is: `redis://user:password@host:6379/0`, or `rediss://` for
	// TLS. Further nodes of a cluster follow as `?addr=host2:6379`; with
	// `?master_set=<name>` the hosts are Sentinels. It may hold placeholders such
	// as `{env.REDIS_URL}`. Required.
	URL string `json:"url,omitempty"`

	// What the keys in Redis begin with. Default: `webhooks`.
	Prefix string `json:"prefix,omitempty"`

	// What becomes of requests while Redis is away: `deny` refuses them with
	// 503, so that their senders try again and nothing is processed twice;
	// `allow` lets authentic ones through, and each Caddy goes by what it
	// remembers itself. Default: `deny`.
	WhenAway receiver.OnError `json:"on_error,omitempty"`

	options redisseen.Options // with placeholders replaced
}

// CaddyModule returns the Caddy module information.
func (*Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks.seen.redis", New: func() caddy.Module { return new(Redis) }}
}

// Provision replaces placeholders and checks the settings. It connects to
// nothing. Errors hold nothing of the URL.
func (r *Redis) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	address, err := repl.ReplaceOrErr(r.URL, true, true)
	if err != nil || address == "" {
		return errors.New("redis: the URL is empty, or has a placeholder that cannot be replaced: set it in the environment or the file before starting Caddy")
	}
	switch r.WhenAway {
	case "", receiver.OnErrorDeny, receiver.OnErrorAllow:
	default:
		return fmt.Errorf("redis: on_error %q is not understood: use deny or allow", r.WhenAway)
	}
	r.options = redisseen.Options{URL: address, Prefix: r.Prefix}
	if err := r.options.Validate(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// seed makes the hashes of identities differ from one process to the next, so
// that nothing can be guessed by them.
var seed = maphash.MakeSeed()

// Identity is the server and the settings. The password is in it as a hash.
func (r *Redis) Identity() string {
	host := ""
	if u, err := url.Parse(r.options.URL); err == nil {
		host = u.Host + u.Path
	}
	return fmt.Sprintf("redis %s %s %s %x", host, r.options.Prefix, r.OnError(), maphash.String(seed, r.options.URL))
}

// Open connects to Redis. That it is away is no error.
func (r *Redis) Open(name string) (receiver.Shared, error) {
	options := r.options
	options.Name = name
	memory, err := redisseen.Open(options)
	if err != nil {
		return nil, err
	}
	return memory, nil
}

// OnError is what becomes of requests while Redis is away.
func (r *Redis) OnError() receiver.OnError {
	if r.WhenAway == "" {
		return receiver.OnErrorDeny
	}
	return r.WhenAway
}

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	redis <url> {
//		prefix <prefix>
//		on_error deny|allow
//	}
func (r *Redis) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	args := d.RemainingArgs()
	switch {
	case len(args) == 0 || args[0] == "":
		return d.Err("redis needs the URL of a Redis: write: redis {env.REDIS_URL}")
	case len(args) > 1:
		return d.Err("redis has an argument too many: put its settings into a block")
	}
	r.URL = args[0]
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		word := d.Val()
		if seen[word] {
			return d.Errf("%s stands twice: keep one", word)
		}
		seen[word] = true
		if err := r.parseWord(d, word); err != nil {
			return err
		}
	}
	return nil
}

func (r *Redis) parseWord(d *caddyfile.Dispenser, word string) error {
	var value string
	switch word {
	case "prefix", "on_error":
	default:
		return d.Errf("redis does not understand %q: use one of prefix, on_error", word)
	}
	if !d.AllArgs(&value) {
		return d.Errf("%s needs exactly one value: put it into quotes if it has spaces", word)
	}
	if value == "" {
		return d.Errf("%s has an empty value: set it, or remove the line", word)
	}
	line := d.Line()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Errf("%s takes no block, found %q: remove it", word, d.Val())
	}
	if d.Line() != line { // the brace that closes it
		return d.Errf("%s takes no block: remove the braces", word)
	}
	if word == "prefix" {
		r.Prefix = value
		return nil
	}
	r.WhenAway = receiver.OnError(value)
	if r.WhenAway != receiver.OnErrorDeny && r.WhenAway != receiver.OnErrorAllow {
		return d.Errf("on_error %q is not understood: write on_error deny or on_error allow", value)
	}
	return nil
}

// Interface guards
var (
	_ caddymodule.SharedModule = (*Redis)(nil)
	_ caddy.Provisioner        = (*Redis)(nil)
	_ caddyfile.Unmarshaler    = (*Redis)(nil)
)
