//! The bounds of the gate, each with its unit.
//!
//! Writers stay well below: they open the next part of a document at 256 KiB or 1,000 entries. What is here
//! bounds what a *hostile* writer may make others hold in memory.

/// Bytes of the content of one change once it is inflated (its chunk header comes on top).
pub const CHANGE_BYTES_MAX: usize = 256 * 1024;

/// Operations of one change.
pub const CHANGE_OPERATIONS_MAX: u64 = 70_000;

/// Changes that one change may name as its dependencies, and heads of a document.
pub const DEPENDENCIES_MAX: usize = 64;

/// Predecessors that all operations of one change name together: a field with `n` concurrent values is
/// overwritten by one operation with `n` predecessors.
pub const CHANGE_PREDECESSORS_MAX: u64 = 4 * CHANGE_OPERATIONS_MAX;

/// Actors whose operations one change refers to.
pub const CHANGE_ACTORS_MAX: usize = 1_024;

/// Bytes of an actor id.
pub const ACTOR_BYTES_MAX: usize = 64;

/// Bytes of a commit message.
pub const MESSAGE_BYTES_MAX: usize = 1_024;

/// Bytes of a key in a map.
pub const KEY_BYTES_MAX: usize = 1_024;

/// Bytes of all keys of one change once their runs are expanded, as Automerge expands them.
pub const CHANGE_KEY_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Bytes of a saved document, with the change chunks behind it.
pub const DOCUMENT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes of all columns of a document once they are inflated.
pub const DOCUMENT_COLUMN_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Operations of a document, deletions included.
pub const DOCUMENT_OPERATIONS_MAX: u64 = 1_000_000;

/// Deletions and overwritings a document remembers, each once for every operation it ended.
pub const DOCUMENT_SUCCESSORS_MAX: u64 = 2 * DOCUMENT_OPERATIONS_MAX;

/// Bytes of all keys of a document once their runs are expanded.
pub const DOCUMENT_KEY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Changes of a document.
pub const DOCUMENT_CHANGES_MAX: u64 = 100_000;

/// Actors of a document.
pub const DOCUMENT_ACTORS_MAX: usize = 4_096;

/// How many bytes may come out of deflated data for each byte that went in ([`RATIO_FREE_BYTES`] are free).
pub const INFLATE_RATIO_MAX: usize = 100;

/// Inflated bytes that no ratio is asked of: 32,768 equal characters in a note deflate 900-fold and are no bomb.
pub const RATIO_FREE_BYTES: usize = CHANGE_BYTES_MAX;

/// The highest operation counter a document can reach. A counter is never above the number of operations, so this
/// follows from [`DOCUMENT_OPERATIONS_MAX`] and keeps every later honest edit far from Automerge's 2³².
pub const OPERATION_COUNTER_MAX: u64 = DOCUMENT_OPERATIONS_MAX;

/// The largest absolute value of a change's time. Automerge stores times as differences, which overflow beyond 2⁶³
/// and leave a saved document that nobody can load.
pub const TIME_MAX: i64 = 1 << 53;
