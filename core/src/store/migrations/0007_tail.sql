-- The tail: log items this device read or wrote, as they came, until a verified copy of the server holds them and
-- they are a week old. A restored server gets back from here what it lost.

-- Own accepted writes the cursor has not passed: also what they are queued again from.
ALTER TABLE own ADD COLUMN incarnation INTEGER NOT NULL DEFAULT 0;
ALTER TABLE own ADD COLUMN item BLOB;

-- One row for each stretch of a stream that was read without a break. `history` rises when the stream is read again
-- from an earlier place; the stretches before it are kept as long.
CREATE TABLE tail_log (
  unit BLOB NOT NULL, compartment INTEGER NOT NULL, history INTEGER NOT NULL,
  base_seq INTEGER NOT NULL, base_chain BLOB NOT NULL, -- the place before the first item kept
  bytes INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0, -- kept now; kept since the stretch began
  PRIMARY KEY (unit, compartment, history)
) WITHOUT ROWID;
CREATE TABLE tail_item (
  unit BLOB NOT NULL, compartment INTEGER NOT NULL, history INTEGER NOT NULL, seq INTEGER NOT NULL,
  store BLOB NOT NULL, incarnation INTEGER NOT NULL, received_ms INTEGER NOT NULL, chain BLOB NOT NULL,
  patient BLOB, other BLOB, item BLOB NOT NULL, PRIMARY KEY (unit, compartment, history, seq)
) WITHOUT ROWID;
CREATE INDEX tail_item_by_patient ON tail_item (patient) WHERE patient IS NOT NULL;
CREATE INDEX tail_item_by_other ON tail_item (other) WHERE other IS NOT NULL;
-- The server's signature over places of the log; `total` is the stretch's there.
CREATE TABLE tail_proof (
  unit BLOB NOT NULL, compartment INTEGER NOT NULL, history INTEGER NOT NULL, seq INTEGER NOT NULL,
  total INTEGER NOT NULL, heads BLOB NOT NULL, signature BLOB NOT NULL,
  PRIMARY KEY (unit, compartment, history, seq)
) WITHOUT ROWID;

-- While the identity log is read again: each record as it comes out anew. What is shown stays until then.
CREATE TABLE record_again (patient BLOB PRIMARY KEY, unit BLOB NOT NULL, row BLOB NOT NULL) WITHOUT ROWID;
