-- The trail: documents and what is read from them, the outbox and what became of it.
-- Ids are 16-byte blobs (UUID), times milliseconds since 1970 UTC, offsets minutes east of UTC.

CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- Automerge documents and their chunks. A chunk with `write_n` is a pending write's change: it is never compacted
-- into the others until the server accepted it, so that it can be taken back.
CREATE TABLE document (
  id BLOB PRIMARY KEY, kind TEXT NOT NULL, patient BLOB NOT NULL, compartment INTEGER NOT NULL, unit BLOB NOT NULL,
  year INTEGER NOT NULL, part INTEGER NOT NULL, entries INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
  chunks INTEGER NOT NULL DEFAULT 0, next_chunk INTEGER NOT NULL DEFAULT 0, as_of INTEGER NOT NULL DEFAULT 0,
  state INTEGER NOT NULL DEFAULT 0 -- 0 whole, 1 loading from outside, 2 quarantined, 3 from the log only
) WITHOUT ROWID;
CREATE INDEX document_by_patient ON document (patient);
CREATE TABLE chunk (
  document BLOB NOT NULL, k INTEGER NOT NULL, write_n INTEGER, bytes BLOB NOT NULL, PRIMARY KEY (document, k)
) WITHOUT ROWID;

-- The timeline, clustered in the order it is read.
CREATE TABLE entry (
  patient BLOB NOT NULL, occurred_ms INTEGER NOT NULL, id BLOB NOT NULL, occurred_offset INTEGER NOT NULL,
  kind TEXT NOT NULL, status INTEGER NOT NULL, text TEXT NOT NULL, body TEXT, author BLOB NOT NULL, unit BLOB NOT NULL,
  compartment INTEGER NOT NULL, recorded_ms INTEGER NOT NULL, recorded_offset INTEGER NOT NULL,
  year INTEGER NOT NULL, part INTEGER NOT NULL, marks INTEGER NOT NULL DEFAULT 0,
  relation INTEGER NOT NULL DEFAULT 0, related_entry BLOB, related_patient BLOB,
  origin_resource TEXT, origin_performer TEXT, origin_digest TEXT,
  write_id BLOB NOT NULL, headers INTEGER NOT NULL DEFAULT 1, late_edit TEXT, draft_digest BLOB,
  PRIMARY KEY (patient, occurred_ms, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX entry_by_id ON entry (id);
CREATE INDEX entry_by_relation ON entry (related_entry) WHERE related_entry IS NOT NULL;
CREATE INDEX entry_by_kind ON entry (patient, kind, occurred_ms, id);
CREATE TABLE chart_item (
  patient BLOB NOT NULL, id BLOB NOT NULL, compartment INTEGER NOT NULL, unit BLOB NOT NULL, kind TEXT NOT NULL,
  fields TEXT NOT NULL, author BLOB NOT NULL, recorded_ms INTEGER NOT NULL, recorded_offset INTEGER NOT NULL,
  PRIMARY KEY (patient, compartment, id)
) WITHOUT ROWID;

-- Open conflicts; a row goes when a person decided.
CREATE TABLE conflict (
  id BLOB PRIMARY KEY, patient BLOB NOT NULL, compartment INTEGER NOT NULL, subject BLOB NOT NULL, subject_kind TEXT NOT NULL, field TEXT NOT NULL,
  needs_person INTEGER NOT NULL, choices TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX conflict_by_patient ON conflict (patient);

-- Patients: `record` is shown (accepted plus what waits), `accepted` is what the server has.
CREATE TABLE patient (
  id BLOB PRIMARY KEY, unit BLOB NOT NULL, fold TEXT NOT NULL, record TEXT NOT NULL, accepted TEXT,
  version INTEGER NOT NULL DEFAULT 0, field_writers TEXT NOT NULL DEFAULT '{}', refused TEXT NOT NULL DEFAULT '{}',
  as_of INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX patient_by_name ON patient (fold, id);
CREATE TABLE patient_key (key TEXT NOT NULL, patient BLOB NOT NULL, PRIMARY KEY (key, patient)) WITHOUT ROWID;
CREATE INDEX patient_key_by_patient ON patient_key (patient);
CREATE TABLE reference (kind TEXT NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL, details TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID;

-- Writes on their way. `state`: 0 pending, 1 in flight, 2 parked.
CREATE TABLE outbox (
  n INTEGER PRIMARY KEY, incarnation INTEGER NOT NULL, id BLOB NOT NULL UNIQUE, lane BLOB NOT NULL, class INTEGER NOT NULL, unit BLOB NOT NULL,
  compartment INTEGER NOT NULL, bytes BLOB NOT NULL, hash BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0,
  reason TEXT, attempts INTEGER NOT NULL DEFAULT 0, due_ms INTEGER NOT NULL DEFAULT 0, saved_ms INTEGER NOT NULL,
  generation INTEGER NOT NULL DEFAULT 0, raw INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX outbox_by_lane ON outbox (lane, n);
CREATE INDEX outbox_by_class ON outbox (class, n);
-- The few writes that hold up their lane.
CREATE INDEX outbox_waiting ON outbox (lane, n) WHERE state <> 0 OR due_ms > 0;
-- The changes a write is encoded as, one for each document.
CREATE TABLE encoding (
  n INTEGER NOT NULL, ordinal INTEGER NOT NULL, document BLOB NOT NULL, hash BLOB NOT NULL, dependencies BLOB NOT NULL,
  PRIMARY KEY (n, ordinal)
) WITHOUT ROWID;
CREATE INDEX encoding_by_document ON encoding (document);
-- Own accepted writes that the cursor has not passed yet: what the running hash needs of them.
-- Of a patient's record also the write itself: it takes effect in the log's order.
CREATE TABLE own (n INTEGER PRIMARY KEY, hash BLOB NOT NULL, changes BLOB NOT NULL, patient BLOB, record BLOB);
CREATE TABLE receipt (
  write_id BLOB PRIMARY KEY, unit BLOB NOT NULL, compartment INTEGER NOT NULL, seq INTEGER NOT NULL, received_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- What the server refused; it stays until a person acts. Rows of one case belong together.
CREATE TABLE drawer (
  id BLOB PRIMARY KEY, case_id BLOB NOT NULL, incarnation INTEGER NOT NULL, bytes BLOB NOT NULL, code TEXT NOT NULL,
  detail TEXT NOT NULL, attempts INTEGER NOT NULL, saved_ms INTEGER NOT NULL, refused_ms INTEGER NOT NULL,
  resent_as BLOB
) WITHOUT ROWID;

CREATE TABLE cursor (
  unit BLOB NOT NULL, compartment INTEGER NOT NULL, seq INTEGER NOT NULL, chain BLOB NOT NULL,
  durable_seq INTEGER NOT NULL DEFAULT 0, caught_up INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (unit, compartment)
) WITHOUT ROWID;
-- Log items this version cannot read: kept as they came.
CREATE TABLE unread (unit BLOB NOT NULL, compartment INTEGER NOT NULL, seq INTEGER NOT NULL, item BLOB NOT NULL, PRIMARY KEY (unit, compartment, seq)) WITHOUT ROWID;

-- Who did what, in order, under a hash chain.
CREATE TABLE audit (k INTEGER PRIMARY KEY, record BLOB NOT NULL, head BLOB NOT NULL);
