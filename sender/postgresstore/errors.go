package postgresstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/manysends/caddy-webhooks/sender"
)

// The states of SQL that mean something here: PostgreSQL, appendix A, and those
// of the functions change and refuse.
const (
	stateLost         = "WH001"
	stateRefused      = "WH002"
	stateDiskFull     = "53100"
	stateReadOnly     = "25006"
	stateForbidden    = "42501"
	stateNoDatabase   = "3D000"
	statePassword     = "28P01"
	stateNotAllowed   = "28000"
	stateTooMany      = "53300"
	stateLockTimeout  = "55P03"
	stateNoSchema     = "3F000"
	stateNoTable      = "42P01"
	stateStarting     = "57P03"
	stateDuplicateKey = "23505"
	stateSyntax       = "42601"
)

// errRejoining means that the instance has lost its lease, and joins anew.
var errRejoining = errors.New("the lease of this instance was lost, it joins anew: try again soon")

// errContended means that a change was given up because others were faster again
// and again.
var errContended = errors.New("others keep changing the same: try again")

// errPartly means that a part of something was done, and then it failed.
var errPartly = errors.New("it failed after a part was done")

// stateOf is the state of SQL in an error; empty when there is none.
func stateOf(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// certain tells whether an error says that nothing was done. A connection that
// broke off, or was ended by the server, leaves it open.
func certain(err error) bool {
	if errors.Is(err, errPartly) {
		return false
	}
	if errors.Is(err, errContended) || errors.Is(err, sender.ErrStale) {
		return true
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.SeverityUnlocalized == "ERROR"
	}
	return pgconn.SafeToRetry(err)
}

// disconnected tells whether an error is that of a connection, which others are
// likely to have lost as well.
func disconnected(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.SeverityUnlocalized != "ERROR"
	}
	return err != nil
}

// failed says what was being done, and wraps [sender.ErrStoreFull] where that is
// the cause. Nil stays nil. Errors of pgx name the server and the user, never
// the password.
func (s *Store) failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store postgres schema %s: %s: %w", s.schema, doing, explained(err))
}

// explained adds the remedy to errors that have one.
func explained(err error) error {
	switch stateOf(err) {
	case stateDiskFull:
		return fmt.Errorf("%w: make room on the disk of the PostgreSQL server: %w", sender.ErrStoreFull, err)
	case stateReadOnly:
		return fmt.Errorf("the server is read-only, as a standby is: name the primary in url, or all hosts and target_session_attrs=read-write: %w", err)
	case stateForbidden:
		return fmt.Errorf("the user in url may not do that: have the owner of the database run GRANT CREATE ON DATABASE … TO …, or make the schema for this user: %w", err)
	case stateNoDatabase:
		return fmt.Errorf("the database in url does not exist: run createdb, or name another: %w", err)
	case statePassword, stateNotAllowed:
		return fmt.Errorf("the server does not let the user in: look at user and password in url, and at pg_hba.conf: %w", err)
	case stateTooMany:
		return fmt.Errorf("the server has no connection left: raise its max_connections, or lower max_conns: %w", err)
	case stateNoSchema, stateNoTable:
		return fmt.Errorf("the tables are gone: restore them, or restart to have them made: %w", err)
	case stateStarting:
		return fmt.Errorf("the server is starting or recovering: %w", err)
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the server cannot be reached: look at host and port in url, and whether it runs: %w", err)
	}
	return err
}
