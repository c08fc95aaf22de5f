package sqlitestore

import (
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// applicationID marks the file as a store of this package, for file(1) and for
// Open: "MSwh".
const applicationID = 0x4d537768

// migrations make the schema, each from the version before it. Their number is
// kept in user_version. What has been released is never changed.
var migrations = []string{`
-- Endpoints have small numbers in the other tables. A number is never used
-- again.
CREATE TABLE endpoints (
	number INTEGER PRIMARY KEY,
	id     TEXT NOT NULL UNIQUE
) STRICT;

-- seq is given by the program. Times are milliseconds since 1970, except the
-- event's own timestamp: seconds and nanoseconds. NULL stands for "". targets
-- lists the numbers of the endpoints. data comes last, so that the rest is
-- read without it.
CREATE TABLE events (
	seq           INTEGER PRIMARY KEY,
	stored_at     INTEGER NOT NULL,
	id            TEXT NOT NULL,
	tenant        TEXT NOT NULL,
	type          TEXT NOT NULL,
	timestamp     INTEGER NOT NULL,
	timestamp_ns  INTEGER NOT NULL,
	content_type  TEXT,
	trace_parent  TEXT,
	targets       BLOB NOT NULL,
	data          BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_id ON events (id, tenant);
CREATE INDEX events_stored_at ON events (stored_at);

-- A delivery that has no row yet is pending, has no attempt, and is due when
-- its event was stored. retry is 1 once there was an attempt; attempts is the
-- greatest number of one. due is NULL unless the delivery is pending (1).
-- Blocked is 2; the greater statuses are ends. The key makes one endpoint's
-- deliveries a list; those of one event are found by its targets.
CREATE TABLE deliveries (
	endpoint  INTEGER NOT NULL,
	event_seq INTEGER NOT NULL,
	status    INTEGER NOT NULL,
	retry     INTEGER NOT NULL,
	attempts  INTEGER NOT NULL,
	due       INTEGER,
	PRIMARY KEY (endpoint, event_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_pending ON deliveries (endpoint, retry, due, event_seq) WHERE status = 1;
CREATE INDEX deliveries_blocked ON deliveries (endpoint, event_seq) WHERE status = 2;

-- duration is in nanoseconds.
CREATE TABLE attempts (
	event_seq     INTEGER NOT NULL,
	endpoint      INTEGER NOT NULL,
	number        INTEGER NOT NULL,
	started_at    INTEGER NOT NULL,
	duration      INTEGER NOT NULL,
	status_code   INTEGER NOT NULL,
	verdict       INTEGER NOT NULL,
	error         TEXT,
	response_body BLOB,
	PRIMARY KEY (event_seq, endpoint, number)
) STRICT, WITHOUT ROWID;

-- low_water: all deliveries of events before it have rows. last_seq: no event
-- gets this number or one before it.
CREATE TABLE marks (
	name  TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO marks VALUES ('low_water', 1), ('last_seq', 0);
`}

// Errors about files that are databases but cannot be used.
var (
	errForeign = errors.New("the file is a SQLite database of another program: name another path")
	errNewer   = errors.New("the file was made by a newer version: update this program, or name another path")
)

// connect opens one connection with the settings that all have in common.
func connect(path string) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	conn.SetBusyTimeout(busyTimeout)
	// fullfsync: on macOS a plain fsync leaves data in the disk's own cache.
	if err := pragmas(conn, "synchronous=FULL", "fullfsync=ON", "checkpoint_fullfsync=ON",
		"temp_store=MEMORY", "trusted_schema=OFF", "cell_size_check=ON"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// pragmas runs PRAGMA statements whose answers do not matter.
func pragmas(conn *sqlite.Conn, settings ...string) error {
	for _, setting := range settings {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+setting, nil); err != nil {
			return err
		}
	}
	return nil
}

// migrate brings the file to the newest schema, in one transaction, and makes
// the schema in an empty file. It refuses files that are not ours.
func migrate(conn *sqlite.Conn) (err error) {
	if err := pragmas(conn, "page_size=4096"); err != nil {
		return err
	}
	mode, err := text(conn, "PRAGMA journal_mode")
	if err != nil {
		return err
	}
	if err := ours(conn); err != nil {
		return err
	}
	if mode != "wal" {
		if mode, err = text(conn, "PRAGMA journal_mode=WAL"); err != nil {
			return err
		}
		if mode != "wal" {
			return fmt.Errorf("SQLite cannot keep a log there, its mode stays %q: use a local disk", mode)
		}
	}
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return err
	}
	defer end(&err)
	version, err := number(conn, "PRAGMA user_version")
	if err != nil || version == int64(len(migrations)) {
		return err
	}
	for _, migration := range migrations[version:] {
		if err := sqlitex.ExecuteScript(conn, migration, nil); err != nil {
			return err
		}
	}
	return pragmas(conn, fmt.Sprintf("application_id=%d", applicationID),
		fmt.Sprintf("user_version=%d", len(migrations)))
}

// ours says what is wrong with using this database as a store, if anything.
func ours(conn *sqlite.Conn) error {
	id, err := number(conn, "PRAGMA application_id")
	if err != nil {
		return err
	}
	version, err := number(conn, "PRAGMA user_version")
	if err != nil {
		return err
	}
	tables, err := number(conn, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return err
	}
	switch {
	case id == 0 && version == 0 && tables == 0:
		return nil
	case id != applicationID || version < 0:
		return errForeign
	case version > int64(len(migrations)):
		return fmt.Errorf("%w (its schema is %d, the newest known is %d)", errNewer, version, len(migrations))
	}
	return nil
}

// number is the one number that a statement answers with.
func number(conn *sqlite.Conn, query string) (int64, error) {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return 0, err
	}
	return sqlitex.ResultInt64(stmt)
}

// text is the one text that a statement answers with.
func text(conn *sqlite.Conn, query string) (string, error) {
	stmt, err := conn.Prepare(query)
	if err != nil {
		return "", err
	}
	return sqlitex.ResultText(stmt)
}
