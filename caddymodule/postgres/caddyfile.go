package postgres

import (
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
	"github.com/manysends/caddy-webhooks/webhook"
)

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	postgres <url> {
//		listen_url <url>
//		schema <name>
//		lease <duration>
//		max_conns <n>
//	}
func (p *Postgres) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	p.URL, err = block.Parse(d, "store postgres needs the URL of a database: write: store postgres {env.DATABASE_URL}",
		block.Text("listen_url", &p.ListenURL),
		block.Text("schema", &p.Schema),
		block.Value("lease", p.setLease),
		block.Value("max_conns", p.setMaxConns),
	)
	return err
}

func (p *Postgres) setLease(value string) (err error) {
	if p.Lease, err = webhook.ParseDuration(value); err == nil && p.Lease <= 0 {
		err = fmt.Errorf("lease %s is not longer than zero: write one such as 15s", value)
	}
	return err
}

func (p *Postgres) setMaxConns(value string) error {
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 1 {
		return fmt.Errorf("max_conns %q is not a count: write a whole number of at least 1", value)
	}
	p.MaxConns = int(n)
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Postgres)(nil)
