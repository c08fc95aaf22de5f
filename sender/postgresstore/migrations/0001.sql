-- {s} stands for the schema. Times are milliseconds since 1970, except an
-- event's own timestamp: seconds and nanoseconds. Statuses: 1 pending,
-- 2 blocked, 3 succeeded, 4 failed, 5 cancelled.

-- Endpoints have small numbers in the other tables. A number is never used
-- again.
CREATE TABLE {s}.endpoints (
	number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id     text COLLATE "C" NOT NULL UNIQUE
);

-- The numbers of events. Those from n << 36 on belong to partition n.
CREATE SEQUENCE {s}.seq;

-- An event's name; what it is unique by lies apart from the events, which are
-- partitioned by number. What a publisher may write is bytes: text holds no
-- zero byte.
CREATE TABLE {s}.event_ids (
	seq    bigint NOT NULL,
	id     text COLLATE "C" NOT NULL,
	tenant bytea NOT NULL,
	PRIMARY KEY (id, tenant)
);

-- holder is the instance that stored the event and holds those of its
-- deliveries that have a row in neither waiting nor deliveries. targets are the
-- numbers of the endpoints. size is that of data and headers, uncoded.
CREATE TABLE {s}.events (
	seq          bigint NOT NULL PRIMARY KEY,
	stored_at    bigint NOT NULL,
	timestamp    bigint NOT NULL,
	timestamp_ns integer NOT NULL,
	holder       integer NOT NULL,
	size         integer NOT NULL,
	targets      integer[] NOT NULL,
	id           text COLLATE "C" NOT NULL,
	type         text COLLATE "C" NOT NULL,
	tenant       bytea NOT NULL,
	content_type bytea,
	trace_parent text COLLATE "C",
	headers      bytea,
	data         bytea NOT NULL
) PARTITION BY RANGE (seq);
-- What would be compressed costs more time than room is worth, and every read
-- of it again.
ALTER TABLE {s}.events ALTER COLUMN data SET STORAGE EXTERNAL;
CREATE INDEX ON {s}.events (stored_at, seq);
CREATE INDEX ON {s}.events (tenant, seq) WHERE tenant <> '';

-- Deliveries that are pending or blocked, unless nothing has been recorded of
-- them. Those with a holder are in the hands of that instance. retry is set
-- once there was an attempt; attempts is the greatest number of one.
CREATE TABLE {s}.waiting (
	event_seq      bigint NOT NULL,
	due            bigint,
	endpoint       integer NOT NULL,
	attempts       integer NOT NULL,
	schedule_start integer NOT NULL,
	size           integer NOT NULL,
	holder         integer,
	status         smallint NOT NULL,
	retry          boolean NOT NULL,
	PRIMARY KEY (event_seq, endpoint)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX waiting_claim ON {s}.waiting (endpoint, retry, due, event_seq) WHERE status = 1 AND holder IS NULL;
CREATE INDEX waiting_blocked ON {s}.waiting (endpoint, event_seq) WHERE status = 2;
CREATE INDEX waiting_endpoint ON {s}.waiting (endpoint, event_seq);
CREATE INDEX waiting_held ON {s}.waiting (holder) WHERE holder IS NOT NULL;

-- Deliveries that have come to an end. The attempt is the one that ended it, if
-- one did; body is what was answered to it.
CREATE TABLE {s}.deliveries (
	event_seq      bigint NOT NULL,
	endpoint       integer NOT NULL,
	attempts       integer NOT NULL,
	schedule_start integer NOT NULL,
	status         smallint NOT NULL,
	attempt        bytea,
	body           bytea,
	PRIMARY KEY (endpoint, event_seq)
) PARTITION BY RANGE (event_seq);
-- Those that have not succeeded are few, and are what is looked for.
CREATE INDEX ON {s}.deliveries (endpoint, status, event_seq) WHERE status <> 3;
CREATE INDEX ON {s}.deliveries (status, event_seq) WHERE status <> 3;

-- The other attempts.
CREATE TABLE {s}.attempts (
	event_seq bigint NOT NULL,
	endpoint  integer NOT NULL,
	number    integer NOT NULL,
	attempt   bytea NOT NULL,
	body      bytea,
	PRIMARY KEY (event_seq, endpoint, number)
) PARTITION BY RANGE (event_seq);

-- Parts of the number of pending deliveries: what an instance has added by
-- storing events (part 0), and in other ways (part 1), so that it need not wait
-- for itself, nor for others.
CREATE TABLE {s}.pending (
	deliveries bigint NOT NULL,
	endpoint   integer NOT NULL,
	instance   integer NOT NULL,
	part       smallint NOT NULL,
	PRIMARY KEY (endpoint, instance, part)
) WITH (fillfactor = 50);

-- What an instance has counted of attempts within a step (1: a minute, 2: an
-- hour) that began at start: attempts, succeeded, failed, blocked, and the
-- classes of durations.
CREATE TABLE {s}.counters (
	start    bigint NOT NULL,
	endpoint integer NOT NULL,
	instance integer NOT NULL,
	step     smallint NOT NULL,
	type     text COLLATE "C" NOT NULL,
	counts   bigint[] NOT NULL,
	PRIMARY KEY (step, start, endpoint, type, instance)
) WITH (fillfactor = 70);

CREATE TABLE {s}.documents (
	version bigint NOT NULL,
	kind    text COLLATE "C" NOT NULL,
	id      text COLLATE "C" NOT NULL,
	data    bytea NOT NULL,
	PRIMARY KEY (kind, id)
);

-- The instances that live, as long as lease_until. All deliveries of events
-- before low_water that it stored have rows.
CREATE TABLE {s}.instances (
	number      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	low_water   bigint NOT NULL,
	lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Instances that are no more, while others take over what they held.
CREATE TABLE {s}.retired (
	number    integer PRIMARY KEY,
	low_water bigint NOT NULL
);

-- Names that one instance has to itself.
CREATE TABLE {s}.holds (
	name     text COLLATE "C" PRIMARY KEY,
	instance integer NOT NULL
);

-- Counts what instances tell each other, for those who cannot listen.
CREATE SEQUENCE {s}.changes;

-- The partitions of events, deliveries and attempts. begun is when numbers of
-- it were first given; the one that has none yet is there in advance. purged is
-- the last event of which the ID is gone, before the partition goes as a whole.
CREATE TABLE {s}.partitions (
	purged bigint NOT NULL DEFAULT 0,
	number integer PRIMARY KEY,
	begun  timestamptz
);

-- About how many bytes the rows of a partition take up, in parts by instance.
CREATE TABLE {s}.volume (
	bytes     bigint NOT NULL,
	partition integer NOT NULL,
	instance  integer NOT NULL,
	PRIMARY KEY (partition, instance)
);

-- change begins the transaction of an instance: it is told whether it is still
-- one, stays one until the transaction has ended, and what it writes is on the
-- disk when it is told so, whatever the server's default is. When its machine is
-- gone in the middle of it, others need not wait for long.
CREATE FUNCTION {s}.change(instance integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM {s}.instances WHERE number = instance FOR KEY SHARE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'the lease of instance % was lost', instance USING ERRCODE = 'WH001';
	END IF;
	IF current_setting('synchronous_commit') = 'off' THEN
		PERFORM set_config('synchronous_commit', 'on', true);
	END IF;
	PERFORM set_config('idle_in_transaction_session_timeout', '10s', true);
END $$;

-- refuse ends a transaction that has found something else than it was told.
CREATE FUNCTION {s}.refuse() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'it was changed meanwhile' USING ERRCODE = 'WH002';
END $$;

-- sum adds counts.
CREATE FUNCTION {s}.sum(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(coalesce(x, 0) + coalesce(y, 0) ORDER BY n) FROM unnest(a, b) WITH ORDINALITY AS u(x, y, n)
$$;

-- make_partition makes the partitions of a number.
CREATE FUNCTION {s}.make_partition(n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	parent text;
BEGIN
	FOREACH parent IN ARRAY ARRAY['events', 'deliveries', 'attempts'] LOOP
		EXECUTE format('CREATE TABLE {s}.%I PARTITION OF {s}.%I FOR VALUES FROM (%s) TO (%s)',
			parent || '_' || n, parent, n::bigint << 36, (n + 1)::bigint << 36);
	END LOOP;
	INSERT INTO {s}.partitions (number) VALUES (n);
END $$;
SELECT {s}.make_partition(0);
SELECT {s}.make_partition(1);
UPDATE {s}.partitions SET begun = now() WHERE number = 0;
