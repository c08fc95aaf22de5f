package redis

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
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
func (r *Redis) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	r.URL, err = block.Parse(d, "redis needs the URL of a Redis: write: redis {env.REDIS_URL}",
		block.Text("prefix", &r.Prefix),
		block.Value("on_error", r.setOnError),
		block.Block("tls", r.openTLS),
		block.BlockOf("sentinel", "sentinel needs what the Sentinels call the Redis: write: sentinel mymaster", r.openSentinel),
	)
	return err
}

func (r *Redis) setOnError(value string) error {
	r.WhenAway = receiver.OnError(value)
	if r.WhenAway != receiver.OnErrorDeny && r.WhenAway != receiver.OnErrorAllow {
		return fmt.Errorf("on_error %q is not understood: write on_error deny or on_error allow", value)
	}
	return nil
}

func (r *Redis) openTLS() []block.Word {
	t := new(TLS)
	r.TLS = t
	return []block.Word{
		block.Values("ca", "ca needs a file: write: ca /etc/ssl/redis.pem", 1, block.AnyNumber, func(files []string) { t.CA = files }),
		block.Values("client_certificate", "client_certificate needs two files: write: client_certificate /etc/ssl/caddy.pem /etc/ssl/caddy.key", 2, 2, func(files []string) {
			t.Certificate, t.Key = files[0], files[1]
		}),
		block.Text("server_name", &t.ServerName),
	}
}

func (r *Redis) openSentinel(masterSet string) []block.Word {
	s := &Sentinel{MasterSet: masterSet}
	r.Sentinel = s
	return []block.Word{
		block.Text("username", &s.Username),
		block.Text("password", &s.Password),
	}
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Redis)(nil)
