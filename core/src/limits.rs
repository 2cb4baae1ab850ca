//! Every limit, with its unit in its name (DESIGN §13).

/// Characters of an entry's text.
pub const TEXT_CHARACTERS_MAX: usize = 32_768;
/// Bytes of an entry's structured body, as canonical JSON.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Saved bytes past which a writer opens a chapter's next part.
pub const CHAPTER_PART_BYTES: usize = 256 * 1024;
/// Entries past which a writer opens a chapter's next part.
pub const CHAPTER_PART_ENTRIES: usize = 1_000;
/// Items in one push.
pub const BATCH_ITEMS_MAX: usize = 500;
/// Bytes of one push, before compression.
pub const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Bytes of one page pulled from a stream, before compression.
pub const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a request's or answer's body as it travels.
pub const BODY_WIRE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a body once decompressed.
pub const BODY_DECODED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A decompressed body's bytes over its travelling ones.
pub const BODY_RATIO_MAX: usize = 100;
/// Entries of one patient in one write (imports).
pub const WRITE_ENTRIES_MAX: usize = 500;
/// Rows of reference data in one answer.
pub const REFERENCE_ROWS_MAX: usize = 500;
/// Bytes of their contents in one answer; at least one row goes.
pub const REFERENCE_BYTES_MAX: usize = 256 * 1024;
/// How long reference data counts as fresh after the server confirmed it.
pub const REFERENCE_FRESH_MS: i64 = 24 * 60 * 60 * 1000;
/// People's writes waiting in the outbox.
pub const OUTBOX_WRITES_MAX: u64 = 50_000;
/// Bytes of people's writes waiting in the outbox.
pub const OUTBOX_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Attempts after which a person is told that a write is stuck.
pub const STUCK_ATTEMPTS: u32 = 10;
/// Age after which a person is told that a write is stuck.
pub const STUCK_AGE_MS: i64 = 24 * 60 * 60 * 1000;
/// First delay of the backoff; doubled at each attempt.
pub const RETRY_DELAY_MS_BASE: u64 = 1_000;
/// Largest delay of the backoff, and of an honoured `Retry-After`.
pub const RETRY_DELAY_MS_MAX: u64 = 5 * 60 * 1000;
/// A request that takes longer has failed.
pub const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// Documents kept loaded.
pub const LOADED_DOCUMENTS_MAX: usize = 64;
/// Bytes of documents kept loaded (estimated from their saved size).
pub const LOADED_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Log items applied in one step.
pub const SLICE_ITEMS: usize = 100;
/// Entries past which a slice takes no further item: a person's write waits for at most one slice.
pub const SLICE_ENTRIES: usize = 200;
/// Changes kept for a watcher before it is told to start anew.
pub const WATCHER_CHANGES_MAX: usize = 1_024;
/// Patients one snapshot may name.
pub const SNAPSHOT_PATIENTS_MAX: usize = 200;
/// Records of one person that are read together.
pub const LINKED_PATIENTS_MAX: usize = 64;
/// Documents one request may name.
pub const DOCUMENTS_ASKED_MAX: usize = 500;
/// Rows of a segment past which it takes no further document.
pub const SEGMENT_ROWS: usize = 8_192;
/// Bytes of a segment's texts and bodies past which it takes no further document.
pub const SEGMENT_CONTENT_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of a segment one answer gives.
pub const SEGMENT_PIECE_BYTES: usize = 512 * 1024;
/// Rows of segments written in one step.
pub const INGEST_ROWS: usize = 2_000;
/// Bytes of a stream's log from which on a server offers segments; a shorter log is read.
pub const SEGMENTS_FROM_BYTES: u64 = 1024 * 1024;
/// A typed time this far past server time asks for confirmation.
pub const FUTURE_TOLERANCE_MS: i64 = 24 * 60 * 60 * 1000;
/// A clock offset that is shown as wrong; also the δ a remote clock may drag ours past server time.
pub const CLOCK_OFFSET_SHOWN_MS: i64 = 2 * 60 * 1000;
/// An opened patient's view closes after this idle time.
pub const VIEW_IDLE_MS: u64 = 15 * 60 * 1000;
/// Life of an access token.
pub const ACCESS_TOKEN_MS: i64 = 10 * 60 * 1000;
/// Life of a refresh token, renewed at each use.
pub const REFRESH_TOKEN_MS: i64 = 60 * 24 * 60 * 60 * 1000;
/// Rows of a page asked for without a size.
pub const PAGE_ROWS: usize = 50;
/// The most rows one page gives.
pub const PAGE_ROWS_MAX: usize = 500;
/// Changes of one document kept apart before they are compacted into one chunk.
pub const CHUNKS_BEFORE_COMPACTION: u64 = 64;
/// Bytes of texts and bodies in one write: its change stays under what the gate admits.
pub const WRITE_CONTENT_BYTES_MAX: usize = 224 * 1024;
/// Writes one write may name as its predecessors.
pub const WRITE_AFTER_MAX: usize = 500;
/// Splices of one edit of a draft.
pub const TEXT_EDITS_MAX: usize = 1_000;
/// Characters of a kind's name.
pub const KIND_CHARACTERS_MAX: usize = 128;
/// Characters of a reason.
pub const REASON_CHARACTERS_MAX: usize = 2_000;
/// Characters of a patient's name.
pub const NAME_CHARACTERS_MAX: usize = 512;
/// Characters of an identifier, a contact or a chart field's name.
pub const LINE_CHARACTERS_MAX: usize = 512;
/// Characters of a chart field's value.
pub const CHART_VALUE_CHARACTERS_MAX: usize = 4_096;
/// Fields of a chart item, and identifiers or contacts of a patient.
pub const FIELDS_MAX: usize = 64;
/// Bytes of a grant to claim a patient.
pub const GRANT_BYTES_MAX: usize = 128;
/// How long the unit a patient moved away from keeps a share, for what its devices still have to send.
pub const TRANSFER_SHARE_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// How long a claimed patient stays with the unit that claimed them.
pub const CLAIM_SHARE_MS: i64 = 72 * 60 * 60 * 1000;
/// How long the server's grant to claim a patient may be used.
pub const GRANT_MS: i64 = 24 * 60 * 60 * 1000;
/// Writes in quarantine that one request asks for.
pub const QUARANTINED_ASKED_MAX: usize = 100;
/// Patients found by one identifier.
pub const FOUND_MAX: usize = 10;
/// Searches by identifier a user may make at once.
pub const FINDS_AT_ONCE: u32 = 30;
/// Searches by identifier a user may go on to make in an hour.
pub const FINDS_PER_HOUR: u32 = 30;
/// Age past which a log item may leave the tail, once a verified copy of the server holds it.
pub const TAIL_AGE_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// Bytes of the tail.
pub const TAIL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a run given back in one request; what one answer brought is never cut.
pub const TAIL_RUN_BYTES: u64 = 512 * 1024;
/// Items of a run given back in one request.
pub const TAIL_RUN_ITEMS: u64 = 1_000;
/// Items of the tail forgotten in one step.
pub const TAIL_TRIM_ROWS: usize = 500;
/// Records of the audit kept behind the server's receipt while no verified copy is known to hold them.
pub const AUDIT_RECEIVED_RECORDS_KEPT: u64 = 10_000;
/// How often a device compares what it holds with the server by itself.
pub const DIGEST_EVERY_MS: i64 = 24 * 60 * 60 * 1000;
/// When a comparison that could not be made is tried again.
pub const DIGEST_RETRY_MS: i64 = 60 * 60 * 1000;
/// Nodes of a digest one request may show.
pub const DIGEST_NODES_MAX: usize = 16;
/// Bytes of sums and leaves past which an answer of a digest takes no further node.
pub const DIGEST_ANSWER_BYTES: usize = 64 * 1024;
/// Differences one comparison finds; what is more is found by the next.
pub const DIGEST_DIFFERENCES_MAX: usize = 200;
/// Comparisons in a row, each because the one before repaired something and there is more.
pub const DIGEST_ROUNDS_MAX: u32 = 50;
/// Bytes of changes read for a digest in one step.
pub const DIGEST_STEP_BYTES: usize = 512 * 1024;
/// Documents and patients read for a digest in one step.
pub const DIGEST_STEP_ROWS: usize = 500;
/// Documents whose leaf a server finds in one request, of those stored before it kept any.
pub const DIGEST_FILL_DOCUMENTS: usize = 200;
