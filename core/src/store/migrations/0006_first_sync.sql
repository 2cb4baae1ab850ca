-- A row that came in a segment carries its receipt itself: a table by write id would be filled in random order.
ALTER TABLE entry ADD COLUMN seq INTEGER;
ALTER TABLE entry ADD COLUMN received_ms INTEGER;

-- Streams that are read from segments: up to where these are, and how much of their list is known.
-- `state`: 0 under way, 1 the rows are in, 2 none are offered.
CREATE TABLE first_sync (
  unit BLOB NOT NULL, compartment INTEGER NOT NULL, state INTEGER NOT NULL DEFAULT 0, seq INTEGER NOT NULL DEFAULT 0,
  chain BLOB NOT NULL DEFAULT x'', listed INTEGER NOT NULL DEFAULT 0,
  list_seq INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (unit, compartment)
) WITHOUT ROWID;
CREATE TABLE segment (
  unit BLOB NOT NULL, compartment INTEGER NOT NULL, k INTEGER NOT NULL, hash BLOB NOT NULL, bytes INTEGER NOT NULL,
  rows INTEGER NOT NULL, got INTEGER NOT NULL DEFAULT 0, applied INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (unit, compartment, k)
) WITHOUT ROWID;
-- The bytes of a segment that are here; gone once its rows are written.
CREATE TABLE segment_piece (hash BLOB NOT NULL, start INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE INDEX segment_piece_by_hash ON segment_piece (hash, start);
-- Documents of which only the rows are here (states 4 to 7).
CREATE INDEX document_rows_only ON document (id) WHERE state >= 4;
