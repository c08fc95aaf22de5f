-- Events that applications publish in their own transactions, until a sender
-- has taken them in. number is their order. A timestamp that is NULL was not
-- given, and then it is written_at. What cannot be published stays, with why in
-- error: correct it and set error to NULL, or delete it.
CREATE TABLE {s}.outbox (
	number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	id          text NOT NULL,
	tenant      text NOT NULL,
	type        text NOT NULL,
	data        json NOT NULL,
	"timestamp" timestamptz,
	written_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	error       text,
	failed_at   timestamptz
);
CREATE INDEX outbox_waiting ON {s}.outbox (number) WHERE error IS NULL;
CREATE INDEX outbox_invalid ON {s}.outbox (number) WHERE error IS NOT NULL;

-- publish returns the ID of the event, which it makes unless it is given: evt_
-- and a UUID of version 7 (RFC 9562, section 5.7). Transactions that notify are
-- committed one after the other by PostgreSQL, so that it is done only when
-- nobody can be busy with others that wait.
CREATE FUNCTION {s}.publish(type text, data json, tenant text DEFAULT '', id text DEFAULT NULL, "timestamp" timestamptz DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	event_id text := coalesce(publish.id, 'evt_' || encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
		PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex'));
BEGIN
	IF publish.type IS NULL OR publish.data IS NULL OR publish.tenant IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'publish: type, data and tenant must not be NULL';
	END IF;
	IF NOT EXISTS (SELECT FROM {s}.outbox o WHERE o.error IS NULL) THEN
		PERFORM pg_notify('caddy_webhooks_{s}', '0 o  ');
	END IF;
	INSERT INTO {s}.outbox (id, tenant, type, data, "timestamp")
		VALUES (event_id, publish.tenant, publish.type, publish.data, publish."timestamp");
	RETURN event_id;
END
$function$;
REVOKE ALL ON FUNCTION {s}.publish FROM PUBLIC;
