package postgresstore

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// oldestServer is the oldest version of PostgreSQL that has what is needed.
const oldestServer = 13

// readCommitted is the isolation of all transactions.
const readCommitted = "read committed"

// scripts are the migrations. What has been released is never changed.
//
//go:embed migrations/*.sql
var scripts embed.FS

// errNewer means that the schema was made by a newer version.
var errNewer = errors.New("the schema was made by a newer version: update this program, or name another schema")

// migrations are the scripts in their order: the first makes version 1.
func migrations() ([]string, error) {
	entries, err := scripts.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, e := range entries {
		b, err := scripts.ReadFile("migrations/" + e.Name())
		if err != nil {
			return nil, err
		}
		list = append(list, string(b))
	}
	return list, nil
}

// inSchema puts the name of the schema into a statement, where {s} stands for
// it.
func inSchema(statement, schema string) string {
	return strings.ReplaceAll(statement, "{s}", schema)
}

// migrate brings the schema to the newest version, in one transaction. Of
// several that start at once, one does it and the others wait. It is these few
// lines and not a library, which would bring its own table, its own locks, and
// more code than there is in the migrations.
func migrate(ctx context.Context, conn *pgx.Conn, schema string) error {
	list, err := migrations()
	if err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: readCommitted})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }()
	exec := func(statement string) error {
		// Without arguments it is the simple protocol, in which many statements
		// can be in one text.
		_, err := tx.Conn().PgConn().Exec(ctx, inSchema(statement, schema)).ReadAll()
		return err
	}
	// The lock ends with the transaction, whichever connection a pooler gives.
	if err := exec("SELECT pg_advisory_xact_lock(hashtextextended('caddy-webhooks {s}', 0))"); err != nil {
		return err
	}
	var exists, tables bool
	if err := tx.QueryRow(ctx, `SELECT to_regnamespace($1) IS NOT NULL, to_regclass($1 || '.schema_version') IS NOT NULL`,
		schema).Scan(&exists, &tables); err != nil {
		return err
	}
	if !exists {
		err := exec("CREATE SCHEMA {s}")
		if stateOf(err) == stateSyntax {
			return fmt.Errorf("schema: %s is a word of SQL: use another name: %w", schema, err)
		}
		if err != nil {
			return err
		}
	}
	if !tables {
		if err := exec("CREATE TABLE {s}.schema_version (version integer NOT NULL); INSERT INTO {s}.schema_version VALUES (0)"); err != nil {
			return err
		}
	}
	version := 0
	if err := tx.QueryRow(ctx, inSchema("SELECT version FROM {s}.schema_version", schema)).Scan(&version); err != nil {
		return err
	}
	switch {
	case version > len(list):
		return fmt.Errorf("%w (it is %d, the newest known is %d)", errNewer, version, len(list))
	case version == len(list):
		return nil
	}
	for _, script := range list[version:] {
		if err := exec(script); err != nil {
			return err
		}
	}
	if err := exec("UPDATE {s}.schema_version SET version = " + strconv.Itoa(len(list))); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// inspect says what is wrong with the server that a connection leads to, if
// anything, and tells whether there is a pooler in between, and whether the
// server syncs its disk.
func inspect(ctx context.Context, conn *pgx.Conn) (pooled, synced bool, err error) {
	var version int
	var pid uint32
	var readOnly bool
	var isolation string
	// In one message, as behind a pooler the next one may reach another server.
	err = conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, pg_backend_pid(),
		pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on', current_setting('fsync') = 'on',
		current_setting('default_transaction_isolation')`, pgx.QueryExecModeExec).
		Scan(&version, &pid, &readOnly, &synced, &isolation)
	// A pooler makes up the number that the client was told.
	pooled = pid != conn.PgConn().PID()
	switch {
	case err != nil:
		return false, false, err
	case version < oldestServer*10000:
		return false, false, fmt.Errorf("the server is PostgreSQL %d: update it to %d or newer", version/10000, oldestServer)
	case readOnly:
		return false, false, errors.New("the server is read-only, as a standby is: name the primary in url, or all hosts and target_session_attrs=read-write")
	case pooled && isolation != readCommitted: // which can only be set past it
		return false, false, fmt.Errorf("transactions behind the pooler are %s: run ALTER ROLE … SET default_transaction_isolation = 'read committed' for the user in url", isolation)
	}
	return pooled, synced, nil
}
