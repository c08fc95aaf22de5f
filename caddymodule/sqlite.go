package caddymodule

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
)

func init() { caddy.RegisterModule(new(SQLite)) }

// SQLite keeps events and deliveries in one SQLite file. It needs no server.
// Only one process can have the file open.
type SQLite struct {
	// The file. It is made when it does not exist, readable by its owner only.
	// Default: `webhooks/webhooks.db` below Caddy's data directory.
	Path string `json:"path,omitempty"`

	path string // Path made absolute, its placeholders replaced
}

// CaddyModule returns the Caddy module information.
func (*SQLite) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "webhooks.stores.sqlite", New: func() caddy.Module { return new(SQLite) }}
}

// Provision works out the path. It opens nothing.
func (s *SQLite) Provision(caddy.Context) error {
	s.path = defaultStorePath()
	if s.Path != "" {
		path, err := expand(caddy.NewReplacer(), s.Path)
		if err != nil {
			return fmt.Errorf("store sqlite: path: %w", err)
		}
		s.path = path
	}
	path, err := filepath.Abs(s.path)
	if err != nil {
		return fmt.Errorf("store sqlite: path %q cannot be made absolute: %w", s.path, err)
	}
	s.path = path
	return nil
}

// Identity is the file.
func (s *SQLite) Identity() string { return "sqlite " + s.path }

// Open opens the file.
func (s *SQLite) Open(_ context.Context, log *slog.Logger) (sender.Store, error) {
	store, err := sqlitestore.Open(s.path, sqlitestore.Options{Logger: log})
	if err != nil {
		return nil, err
	}
	return store, nil
}

// OpenSource opens the file at a path to copy the store in it.
func (*SQLite) OpenSource(_ context.Context, path string) (sender.CopySource, error) {
	source, err := sqlitestore.OpenSource(path)
	if err != nil {
		return nil, err
	}
	return source, nil
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	sqlite [<path>]
func (s *SQLite) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() {
		if s.Path = d.Val(); s.Path == "" {
			return d.Err("store sqlite has an empty path: set it, or leave it out for the default")
		}
	}
	if d.NextArg() {
		return d.Errf("store sqlite has an argument too many, %q: write: store sqlite <path>", d.Val())
	}
	return block.None(d, "store sqlite")
}

// Interface guards
var (
	_ StoreModule           = (*SQLite)(nil)
	_ CopySourceModule      = (*SQLite)(nil)
	_ caddy.Provisioner     = (*SQLite)(nil)
	_ caddyfile.Unmarshaler = (*SQLite)(nil)
)
