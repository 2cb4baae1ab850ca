-- Two records of one person. Of each pair the last word of each stream's log, and what is shown: the last word of all
-- streams, with what waits here on top, once from either side.
CREATE TABLE link_event (
  a BLOB NOT NULL, b BLOB NOT NULL, unit BLOB NOT NULL, seq INTEGER NOT NULL, received_ms INTEGER NOT NULL,
  linked INTEGER NOT NULL, author BLOB NOT NULL, recorded_ms INTEGER NOT NULL, recorded_offset INTEGER NOT NULL,
  reason TEXT NOT NULL, write_id BLOB NOT NULL, PRIMARY KEY (a, b, unit)
) WITHOUT ROWID;
CREATE INDEX link_event_by_b ON link_event (b);
CREATE TABLE link (
  patient BLOB NOT NULL, other BLOB NOT NULL, unit BLOB NOT NULL, author BLOB NOT NULL, recorded_ms INTEGER NOT NULL,
  recorded_offset INTEGER NOT NULL, reason TEXT NOT NULL, write_id BLOB NOT NULL, accepted INTEGER NOT NULL,
  PRIMARY KEY (patient, other)
) WITHOUT ROWID;
