package postgresstore

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The defaults of [Options], and the least lease.
const (
	DefaultSchema   = "webhooks"
	DefaultLease    = 15 * time.Second
	DefaultMaxConns = 8
	MinLease        = 500 * time.Millisecond
)

// connectTimeout is how long a connection may take to be made, unless the URL
// says otherwise.
const connectTimeout = 5 * time.Second

// Options are the settings of [Open]. URL must be set.
type Options struct {
	// URL says where the database is: postgres://user:password@host:5432/name,
	// with ?sslmode=verify-full for TLS that is checked. Several hosts may be
	// named, separated by commas; with target_session_attrs=read-write the one
	// that can be written to is found. What the URL leaves out is taken from the
	// PG* variables of the environment, as in psql.
	URL string

	// ListenURL is where to listen for what other instances change, when URL leads
	// to a pooler such as PgBouncer in transaction mode: a way past it.
	// Default: URL.
	ListenURL string

	// Schema is where the tables are; it is made if there is none. Senders of one
	// schema share all. It consists of lower-case letters, digits and "_".
	// Default: [DefaultSchema].
	Schema string

	// Lease is how long an instance that is gone keeps what it held from the
	// others. At least [MinLease]. Default: [DefaultLease].
	Lease time.Duration

	// MaxConns is how many connections there may be at once, beside the one that
	// listens. At least 2. Default: [DefaultMaxConns].
	MaxConns int

	// Logger is told of what the store found and did. Default: nobody.
	Logger *slog.Logger
}

// Validate says what is wrong with the options, naming the field and the remedy.
// The error holds nothing of the URLs, which may have passwords.
func (o Options) Validate() error {
	_, err := o.resolve()
	return err
}

var schemaForm = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,39}$`)

// settings are options that were understood.
type settings struct {
	pool   *pgxpool.Config
	listen *pgx.ConnConfig
}

// resolve fills in the defaults.
func (o *Options) resolve() (settings, error) {
	if o.Schema == "" {
		o.Schema = DefaultSchema
	}
	if !schemaForm.MatchString(o.Schema) || strings.HasPrefix(o.Schema, "pg_") {
		return settings{}, fmt.Errorf("schema: %q cannot be the name of one: use up to 40 lower-case letters, digits and \"_\", not beginning with a digit or \"pg_\"", o.Schema)
	}
	if o.Lease == 0 {
		o.Lease = DefaultLease
	}
	if o.Lease < MinLease {
		return settings{}, fmt.Errorf("lease: %v is too short: give at least %v", o.Lease, MinLease)
	}
	if o.MaxConns == 0 {
		o.MaxConns = DefaultMaxConns
	}
	if o.MaxConns < 2 || o.MaxConns > 1000 {
		return settings{}, fmt.Errorf("max_conns: %d is out of range: give 2 to 1000", o.MaxConns)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.ListenURL == "" {
		o.ListenURL = o.URL
	}
	pool, err := pgxpool.ParseConfig(o.URL)
	if err != nil || !isURL(o.URL) {
		return settings{}, badURL("url")
	}
	// As that of a pool, too, whose parameters the server does not know.
	listening, err := pgxpool.ParseConfig(o.ListenURL)
	if err != nil || !isURL(o.ListenURL) {
		return settings{}, badURL("listen_url")
	}
	listen := listening.ConnConfig
	pool.MaxConns = int32(o.MaxConns)
	for _, c := range []*pgx.ConnConfig{pool.ConnConfig, listen} {
		if c.ConnectTimeout == 0 {
			c.ConnectTimeout = connectTimeout
		}
		if c.RuntimeParams["application_name"] == "" {
			c.RuntimeParams["application_name"] = "caddy-webhooks"
		}
		// Otherwise it is that of the database, and what applications have put
		// into the outbox would be read as something else.
		c.RuntimeParams["client_encoding"] = "UTF8"
	}
	return settings{pool, listen}, nil
}

// isURL tells whether the address is a URL. What is none would be taken for the
// other form of libpq, with names and values, and lead to a server here.
func isURL(address string) bool {
	return strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://")
}

// badURL does not quote the URL, which may have a password.
func badURL(option string) error {
	return errors.New(option + ": it cannot be understood: write postgres://user:password@host:5432/database, with special characters of the password percent-encoded")
}
