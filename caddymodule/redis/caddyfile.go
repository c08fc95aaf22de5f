package redis

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/manysends/caddy-webhooks/receiver"
)

// UnmarshalCaddyfile sets up the module from Caddyfile tokens. Syntax:
//
//	redis <url> {
//		prefix <prefix>
//		on_error deny|allow
//		tls {
//			ca <file…>
//			client_certificate <file> <key file>
//			server_name <name>
//		}
//		sentinel <master set> {
//			username <name>
//			password <password>
//		}
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
	return eachWord(d, "redis",
		word{"prefix", func() error { return value(d, &r.Prefix) }},
		word{"on_error", func() error { return r.parseOnError(d) }},
		word{"tls", func() error { return r.parseTLS(d) }},
		word{"sentinel", func() error { return r.parseSentinel(d) }},
	)
}

func (r *Redis) parseOnError(d *caddyfile.Dispenser) error {
	var on string
	if err := value(d, &on); err != nil {
		return err
	}
	r.WhenAway = receiver.OnError(on)
	if r.WhenAway != receiver.OnErrorDeny && r.WhenAway != receiver.OnErrorAllow {
		return d.Errf("on_error %q is not understood: write on_error deny or on_error allow", on)
	}
	return nil
}

func (r *Redis) parseTLS(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Errf("tls takes no argument, found %q: put its settings into a block", d.Val())
	}
	r.TLS = new(TLS)
	return eachWord(d, "tls",
		word{"ca", func() error { return values(d, "ca needs a file: write: ca /etc/ssl/redis.pem", 1, -1, &r.TLS.CA) }},
		word{"client_certificate", func() error { return r.TLS.parseCertificate(d) }},
		word{"server_name", func() error { return value(d, &r.TLS.ServerName) }},
	)
}

func (t *TLS) parseCertificate(d *caddyfile.Dispenser) error {
	var files []string
	err := values(d, "client_certificate needs two files: write: client_certificate /etc/ssl/caddy.pem /etc/ssl/caddy.key", 2, 2, &files)
	if err != nil {
		return err
	}
	t.Certificate, t.Key = files[0], files[1]
	return nil
}

func (r *Redis) parseSentinel(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 1 || args[0] == "" {
		return d.Err("sentinel needs what the Sentinels call the Redis, and nothing else before its block: write: sentinel mymaster")
	}
	r.Sentinel = &Sentinel{MasterSet: args[0]}
	return eachWord(d, "sentinel",
		word{"username", func() error { return value(d, &r.Sentinel.Username) }},
		word{"password", func() error { return value(d, &r.Sentinel.Password) }},
	)
}

// word is a word of a block, with what reads it.
type word struct {
	name string
	read func() error
}

// eachWord reads a block. Each word may stand once.
func eachWord(d *caddyfile.Dispenser, block string, words ...word) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		i := slices.IndexFunc(words, func(w word) bool { return w.name == name })
		if i < 0 {
			var names []string
			for _, w := range words {
				names = append(names, w.name)
			}
			return d.Errf("%s does not understand %q: use one of %s", block, name, strings.Join(names, ", "))
		}
		if seen[name] {
			return d.Errf("%s stands twice: keep one", name)
		}
		seen[name] = true
		if err := words[i].read(); err != nil {
			return err
		}
	}
	return nil
}

// value reads the one value of a word.
func value(d *caddyfile.Dispenser, out *string) error {
	var one []string
	if err := values(d, d.Val()+" needs exactly one value: put it into quotes if it has spaces", 1, 1, &one); err != nil {
		return err
	}
	*out = one[0]
	return nil
}

// values reads the values of a word, of which there must be as many. A word with
// values takes no block.
func values(d *caddyfile.Dispenser, otherwise string, least, most int, out *[]string) error {
	word, args := d.Val(), d.RemainingArgs()
	if len(args) < least || most > 0 && len(args) > most {
		return d.Err(otherwise)
	}
	for _, arg := range args {
		if arg == "" {
			return d.Errf("%s has an empty value: set it, or remove the line", word)
		}
	}
	line := d.Line()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Errf("%s takes no block, found %q: remove it", word, d.Val())
	}
	if d.Line() != line { // the brace that closes it
		return d.Errf("%s takes no block: remove the braces", word)
	}
	*out = args
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Redis)(nil)
