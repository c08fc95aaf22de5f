-- A store as the first version made it. It stays as it is.

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

-- What follows is in a store that was in use, as its last process left it: of
-- event 1, a has succeeded at the second attempt and b has failed; of event 2, a
-- is blocked and c is pending; event 3 is held without rows; event 4 is another
-- tenant's and goes nowhere.
INSERT INTO endpoints VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO events VALUES
	(1, 1709634600001, 'evt_1', '', 'conversation.created', 1709634599, 123456789, NULL, NULL, x'0102', x'7b226e223a317d'),
	(2, 1709634600002, 'evt_2', '', 'message.created', 1709634600, 0, 'text/plain', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', x'0301', x'74776f'),
	(3, 1709634600003, 'evt_3', '', 'message.created', 1709634600, 0, NULL, NULL, x'0103', x'33'),
	(4, 1709634600004, 'evt_1', 'other', 'message.created', 1709634600, 0, NULL, NULL, x'', x'34');
INSERT INTO deliveries VALUES
	(1, 1, 3, 1, 2, NULL), (2, 1, 4, 1, 1, NULL), (1, 2, 2, 1, 1, NULL), (3, 2, 1, 0, 0, 1709634600002);
INSERT INTO attempts VALUES
	(1, 1, 1, 1709634600010, 30000000000, 0, 2, 'no complete answer in time', NULL),
	(1, 1, 2, 1709634605010, 25000000, 200, 1, NULL, x'6f6b'),
	(1, 2, 1, 1709634600011, 7000000, 500, 2, 'the endpoint answered 500', x'00ff'),
	(2, 1, 1, 1709634600012, 1000000, 0, 4, 'blocked', NULL);
UPDATE marks SET value = 4 WHERE name = 'last_seq';
PRAGMA application_id = 1297315688;
PRAGMA user_version = 1;
