// Package redis is the Caddy module webhooks.seen.redis, by which receivers in
// several Caddy processes share what they have seen and their rates. It is not
// part of the other modules: build Caddy with this package as well to have it.
package redis

import (
	"fmt"
	"hash/maphash"
	"net/url"

	"github.com/caddyserver/caddy/v2"

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
	// TLS. Further nodes of a cluster, or Sentinels, follow as
	// `?addr=host2:6379`. It may hold placeholders such as `{env.REDIS_URL}`.
	// Required.
	URL string `json:"url,omitempty"`

	// What the keys in Redis begin with. Default: `webhooks`.
	Prefix string `json:"prefix,omitempty"`

	// What becomes of requests while Redis is away: `deny` refuses them with
	// 503, so that their senders try again and nothing is processed twice;
	// `allow` lets authentic ones through, and each Caddy goes by what it
	// remembers itself. Default: `deny`.
	WhenAway receiver.OnError `json:"on_error,omitempty"`

	// How servers are talked to whose URL begins with `rediss://`. Default: the
	// authorities that the system trusts, and no certificate of our own.
	TLS *TLS `json:"tls,omitempty"`

	// Which Redis is meant, where the hosts of the URL are Sentinels. Default:
	// they are none.
	Sentinel *Sentinel `json:"sentinel,omitempty"`

	options  redisseen.Options // with placeholders replaced
	identity string
}

// Sentinel says what to ask Sentinels. The values may be placeholders.
type Sentinel struct {
	// What they call the Redis that they watch. Required.
	MasterSet string `json:"master_set,omitempty"`

	// The user of the Sentinels themselves. Default: the default user.
	Username string `json:"username,omitempty"`

	// The password of the Sentinels themselves. Default: they have none.
	Password string `json:"password,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks.seen.redis", New: func() caddy.Module { return new(Redis) }}
}

// Provision replaces placeholders, reads the files, and checks the settings. It
// connects to nothing. Errors hold nothing of the URL.
func (r *Redis) Provision(caddy.Context) error {
	if err := r.provision(caddy.NewReplacer()); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

func (r *Redis) provision(repl *caddy.Replacer) (err error) {
	o := redisseen.Options{Prefix: r.Prefix}
	if o.URL, err = expanded(repl, "the URL", r.URL); err != nil {
		return err
	}
	switch r.WhenAway {
	case "", receiver.OnErrorDeny, receiver.OnErrorAllow:
	default:
		return fmt.Errorf("on_error %q is not understood: use deny or allow", r.WhenAway)
	}
	if o.Sentinel, err = r.Sentinel.expand(repl); err != nil {
		return err
	}
	var files []byte
	if r.TLS != nil {
		if o.TLS, files, err = r.TLS.settings(repl); err != nil {
			return fmt.Errorf("tls: %w", err)
		}
	}
	if err := o.Validate(); err != nil {
		return err
	}
	r.options = o
	r.identity = r.identify(files)
	return nil
}

// expanded is a value that is required, with its placeholders replaced.
func expanded(repl *caddy.Replacer, what, value string) (string, error) {
	s, err := repl.ReplaceOrErr(value, true, true)
	if err != nil || s == "" {
		return "", fmt.Errorf("%s is empty, or has a placeholder that cannot be replaced: set it in the environment or the file before starting Caddy", what)
	}
	return s, nil
}

func (s *Sentinel) expand(repl *caddy.Replacer) (out redisseen.Sentinel, err error) {
	if s == nil {
		return out, nil
	}
	for _, field := range []struct {
		what, value string
		out         *string
	}{{"the master set", s.MasterSet, &out.MasterSet}, {"username", s.Username, &out.Username}, {"password", s.Password, &out.Password}} {
		if field.value == "" && field.out != &out.MasterSet {
			continue
		}
		if *field.out, err = expanded(repl, field.what, field.value); err != nil {
			return out, fmt.Errorf("sentinel: %w", err)
		}
	}
	return out, nil
}

// seed makes the hashes of identities differ from one process to the next, so
// that nothing can be guessed by them.
var seed = maphash.MakeSeed()

// identify makes the identity, given what the files hold. Secrets are in it as
// hashes.
func (r *Redis) identify(files []byte) string {
	host := ""
	if u, err := url.Parse(r.options.URL); err == nil {
		host = u.Host + u.Path
	}
	all := fmt.Sprintf("%q %q %q", r.options.URL, r.options.Sentinel, files)
	if r.TLS != nil {
		all += fmt.Sprintf("%q", *r.TLS)
	}
	return fmt.Sprintf("redis %s %s %s %x", host, r.options.Prefix, r.OnError(), maphash.String(seed, all))
}

// Identity is the server and the settings. Secrets are in it as hashes.
func (r *Redis) Identity() string { return r.identity }

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

// Interface guards
var (
	_ caddymodule.SharedModule = (*Redis)(nil)
	_ caddy.Provisioner        = (*Redis)(nil)
)
