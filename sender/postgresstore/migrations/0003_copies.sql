-- The store that is being copied into this one, and the number of the last event
-- that came from it. There is a row until the copy has ended, and one at most.
CREATE TABLE {s}.copies (
	source   text NOT NULL,
	last_seq bigint NOT NULL,
	one      boolean PRIMARY KEY DEFAULT true CHECK (one)
);
