// Package postgres is the Caddy module webhooks.stores.postgres, by which
// several Caddy processes send webhooks from one PostgreSQL. It is not part of
// the other modules: build Caddy with this package as well to have it.
package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/caddymodule"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/postgresstore"
	"github.com/manysends/caddy-webhooks/webhook"
)

func init() { caddy.RegisterModule(new(Postgres)) }

// Postgres keeps events and deliveries in a PostgreSQL database, version 13 or
// newer. All Caddy processes with the same database and schema send together:
// each delivers what it takes in, limits of rate and of order hold for them
// all, and what one held when it died the others deliver.
//
// Applications can publish in their own transactions with the SQL function
// `publish` of the schema.
//
// A reload does not change how a store that is open is connected to: restart
// Caddy after changing the password or a setting here.
type Postgres struct {
	// Where PostgreSQL is: `postgres://user:password@host:5432/database`, with
	// the parameters of libpq such as `sslmode=verify-full`. Several hosts,
	// separated by commas, with `target_session_attrs=read-write` are one server
	// and its standbys. It may hold placeholders such as `{env.DATABASE_URL}`.
	// Required.
	URL string `json:"url,omitempty"`

	// Where notifications are listened for: a URL past PgBouncer, which does not
	// pass them on when it pools transactions. Default: the same as `url`.
	ListenURL string `json:"listen_url,omitempty"`

	// The schema that holds the tables. It is made when there is none. Default:
	// `webhooks`.
	Schema string `json:"schema,omitempty"`

	// How long the others wait for a process that is not heard of, before they
	// deliver what it held. Default: 15s.
	Lease webhook.Duration `json:"lease,omitempty"`

	// How many connections to the database a process may have, beside the one
	// that listens; at least 2. Default: 8.
	MaxConns int `json:"max_conns,omitempty"`

	options  postgresstore.Options // with placeholders replaced
	identity string
}

// CaddyModule returns the Caddy module information.
func (*Postgres) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks.stores.postgres", New: func() caddy.Module { return new(Postgres) }}
}

// Provision replaces placeholders and checks the settings. It connects to
// nothing. Errors hold nothing of the URLs.
func (p *Postgres) Provision(caddy.Context) error {
	repl := caddy.NewReplacer()
	address, err := repl.ReplaceOrErr(p.URL, true, true)
	if err != nil || address == "" {
		return errors.New("store postgres: the URL is empty, or has a placeholder that cannot be replaced: set it in the environment or the file before starting Caddy")
	}
	listenURL, err := repl.ReplaceOrErr(p.ListenURL, true, true)
	if err != nil || listenURL == "" && p.ListenURL != "" {
		return errors.New("store postgres: listen_url is empty, or has a placeholder that cannot be replaced: set it in the environment or the file before starting Caddy")
	}
	p.options = postgresstore.Options{
		URL: address, ListenURL: listenURL, Schema: p.Schema, Lease: time.Duration(p.Lease), MaxConns: p.MaxConns,
	}
	if err := p.options.Validate(); err != nil {
		return fmt.Errorf("store postgres: %w", err)
	}
	p.identity, err = identity(p.options)
	return err
}

// identity names a database and a schema by where they are, whoever asks and
// with which password.
func identity(o postgresstore.Options) (string, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return "", errors.New("store postgres: the URL is not understood: write postgres://user:password@host:5432/database")
	}
	servers := []string{server(config.Host, config.Port)}
	for _, f := range config.Fallbacks { // with TLS and without, too
		if s := server(f.Host, f.Port); !slices.Contains(servers, s) {
			servers = append(servers, s)
		}
	}
	return fmt.Sprintf("postgres %s/%s %s", strings.Join(servers, ","), config.Database, cmp.Or(o.Schema, postgresstore.DefaultSchema)), nil
}

func server(host string, port uint16) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }

// Identity is the database and the schema.
func (p *Postgres) Identity() string { return p.identity }

// Open connects to the database, and makes the schema or brings it up to date.
func (p *Postgres) Open(ctx context.Context, log *slog.Logger) (sender.Store, error) {
	options := p.options
	options.Logger = log
	store, err := postgresstore.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	return store, nil
}

// OpenTarget connects to the database of a URL to copy another store into it.
// The parameter schema of the URL names the schema.
func (*Postgres) OpenTarget(ctx context.Context, location string) (sender.CopyTarget, error) {
	var o postgresstore.Options
	u, err := url.Parse(location)
	if err != nil {
		return nil, errors.New("store postgres: the URL is not understood: write postgres://user:password@host:5432/database")
	}
	parameters := u.Query()
	o.Schema = parameters.Get("schema")
	parameters.Del("schema")
	u.RawQuery = parameters.Encode()
	o.URL = u.String()
	target, err := postgresstore.OpenTarget(ctx, o)
	if err != nil {
		return nil, err
	}
	return target, nil
}

// Interface guards
var (
	_ caddymodule.StoreModule      = (*Postgres)(nil)
	_ caddymodule.CopyTargetModule = (*Postgres)(nil)
	_ caddy.Provisioner            = (*Postgres)(nil)
)
