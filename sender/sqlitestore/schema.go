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
`, `
-- What is kept of an attempt beside the outcome, as detail.go writes it; NULL
-- when there is nothing.
ALTER TABLE attempts ADD COLUMN detail BLOB;

-- How many attempts had been made when the present retry schedule began.
ALTER TABLE deliveries ADD COLUMN schedule_start INTEGER NOT NULL DEFAULT 0;

-- Those that are blocked, failed or cancelled are few, and are what is looked
-- for: of everybody, and of one endpoint. The second index takes the place of
-- the one of blocked deliveries. IN (2, 4, 5) would say the same, and would make
-- every insert build a table of the three. Queries repeat the two conditions.
CREATE INDEX deliveries_ended ON deliveries (status, event_seq, endpoint) WHERE status <> 1 AND status <> 3;
CREATE INDEX deliveries_ended_of ON deliveries (endpoint, status, event_seq) WHERE status <> 1 AND status <> 3;
DROP INDEX deliveries_blocked;

-- Where there are no tenants, this costs nothing. Where there are many, each has
-- a page of its own to be written, so that one such index has to do.
CREATE INDEX events_tenant ON events (tenant, seq) WHERE tenant <> '';

-- What was counted of attempts within a step (1: a minute, 2: an hour) that
-- began at start. What is written at one time lies together. d0 to d15 are the
-- classes of durations.
CREATE TABLE counters (
	step      INTEGER NOT NULL,
	start     INTEGER NOT NULL,
	endpoint  INTEGER NOT NULL,
	type      TEXT NOT NULL,
	attempts  INTEGER NOT NULL,
	succeeded INTEGER NOT NULL,
	failed    INTEGER NOT NULL,
	blocked   INTEGER NOT NULL,
	d0 INTEGER NOT NULL, d1 INTEGER NOT NULL, d2 INTEGER NOT NULL, d3 INTEGER NOT NULL,
	d4 INTEGER NOT NULL, d5 INTEGER NOT NULL, d6 INTEGER NOT NULL, d7 INTEGER NOT NULL,
	d8 INTEGER NOT NULL, d9 INTEGER NOT NULL, d10 INTEGER NOT NULL, d11 INTEGER NOT NULL,
	d12 INTEGER NOT NULL, d13 INTEGER NOT NULL, d14 INTEGER NOT NULL, d15 INTEGER NOT NULL,
	PRIMARY KEY (step, start, endpoint, type)
) STRICT, WITHOUT ROWID;

CREATE TABLE documents (
	kind    TEXT NOT NULL,
	id      TEXT NOT NULL,
	version INTEGER NOT NULL,
	data    BLOB NOT NULL,
	PRIMARY KEY (kind, id)
) STRICT;
`, `
-- The headers of an event, as detail.go writes them; NULL when there are none.
ALTER TABLE events ADD COLUMN headers BLOB;
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
