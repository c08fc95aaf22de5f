-- publish makes an ID also where an empty one is given. Otherwise the event would
-- get another one at each try, and two when the first try was stored and its end
-- was not heard of.
UPDATE {s}.outbox SET id = 'evt_' || replace(gen_random_uuid()::text, '-', '') WHERE id = '';
ALTER TABLE {s}.outbox ADD CONSTRAINT outbox_id_not_empty CHECK (id <> '');

CREATE OR REPLACE FUNCTION {s}.publish(type text, data json, tenant text DEFAULT '', id text DEFAULT NULL, "timestamp" timestamptz DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
	event_id text := coalesce(nullif(publish.id, ''), 'evt_' || encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
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
