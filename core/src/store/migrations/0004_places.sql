-- Which units have a patient beside the one that registered them, and what became of writes the server holds.
-- `kind`: 0 shared, 1 claimed, 2 moved there, 3 kept for a while where they moved away from.
CREATE TABLE place (
  patient BLOB NOT NULL, write_id BLOB NOT NULL, unit BLOB NOT NULL, kind INTEGER NOT NULL, from_unit BLOB NOT NULL,
  compartments INTEGER NOT NULL, until_ms INTEGER, ended INTEGER NOT NULL DEFAULT 0, received_ms INTEGER NOT NULL,
  author BLOB NOT NULL, reason TEXT NOT NULL, ordinal INTEGER NOT NULL, PRIMARY KEY (patient, write_id, unit)
) WITHOUT ROWID;
-- The order in which they were read, which is the log's: two may be received in one millisecond.
CREATE UNIQUE INDEX place_by_ordinal ON place (ordinal);
CREATE INDEX place_ending ON place (until_ms) WHERE until_ms IS NOT NULL AND ended = 0;
-- Own writes from outside the scope, which the server holds: what they said is no longer here.
-- `state`: 0 waits, 1 released, 2 discarded; 3 one of these that a person has seen.
CREATE TABLE held (
  write_id BLOB PRIMARY KEY, incarnation INTEGER NOT NULL, n INTEGER NOT NULL, intent TEXT NOT NULL,
  saved_ms INTEGER NOT NULL, held_ms INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
-- Zeros that take the place of what free pages still hold, for a moment.
CREATE TABLE blank (k INTEGER PRIMARY KEY, zeros BLOB NOT NULL);
