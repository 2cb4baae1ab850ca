//! The admission gate: judges untrusted bytes before Automerge sees them.
//!
//! Automerge trusts what it loads: a change of 69 bytes may claim eight million operations and gets the memory for
//! them, an actor that is not in the list is a panic, and a change that was not written Automerge's own way is
//! taken in, but the document saved after it never loads again. So both sides read the format themselves first:
//!
//! 1. **Sizes, then the checksum.** Deflated data inflate under a limit.
//! 2. **The header**: actor, sequence number, dependencies and `start_op` are compared with what the caller knows.
//! 3. **Operations counted by runs.** No work and no memory in proportion to what a run claims.
//! 4. **The rows**, once they are few enough: every reference must be possible, every value what its type says,
//!    everything in canonical form.
//!
//! What the bytes cannot tell is whether an operation *outside* the change that it refers to exists and is of the
//! right kind: [`try_change`] applies an admitted change to a copy, and the copy is kept only when that went well.
//!
//! The format is Automerge's binary document format, version 1.
//! Time is linear in the bytes and the limits of [`limits`]; memory stays below 16 MiB.

mod change;
mod chunk;
mod columns;
mod document;
mod history;
mod inflate;
pub mod limits;
mod links;
mod operation;
mod reader;
mod refusal;
mod runs;
mod state;
mod trial;

pub use chunk::{Chunk, ChunkKind, split_chunks};
pub use links::{Links, links};
pub use refusal::GateRefusal;
pub use trial::try_change;

/// SHA-256 over type, length and content of a change: its name in the graph.
pub type ChangeHash = [u8; 32];

/// What the caller knows about the sender and the document a change is meant for.
pub struct ChangeContext<'a> {
    /// The actor the sending device owns; none where any actor may have written the change (a pull).
    pub actor: Option<&'a [u8]>,
    /// The highest operation counter of a change that the document holds; none when it does not hold the change.
    pub dependency: &'a dyn Fn(&ChangeHash) -> Option<u64>,
    /// The sequence number of an actor's last change in the document; 0 before its first.
    pub last_seq: &'a dyn Fn(&[u8]) -> u64,
}

/// A change that may be given to Automerge.
#[derive(Clone, PartialEq, Eq)]
pub struct AdmittedChange {
    /// The change's hash.
    pub hash: ChangeHash,
    /// Who wrote it.
    pub actor: Vec<u8>,
    /// Its place among the changes of this actor, from 1.
    pub seq: u64,
    /// The counter of its first operation.
    pub start_op: u64,
    /// How many operations it holds, possibly none.
    pub operations: u64,
    /// The changes it was written after.
    pub dependencies: Vec<ChangeHash>,
}

impl AdmittedChange {
    /// The counter of its last operation, or of the one before its first when it holds none.
    pub fn max_op(&self) -> u64 {
        self.start_op + self.operations - 1
    }
}

impl std::fmt::Debug for AdmittedChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("AdmittedChange")
            .field("seq", &self.seq)
            .field("start_op", &self.start_op)
            .field("operations", &self.operations)
            .field("dependencies", &self.dependencies.len())
            .finish_non_exhaustive()
    }
}

/// A saved document that may be given to Automerge.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdmittedDocument {
    /// The changes that no other depends on.
    pub heads: Vec<ChangeHash>,
    /// How many changes there are.
    pub changes: u64,
    /// How many operations the changes hold, deletions included.
    pub operations: u64,
    /// The highest operation counter.
    pub max_op: u64,
    /// Bytes of the document chunk's columns once inflated.
    pub column_bytes: usize,
    /// The changes behind the document chunk, in their order.
    pub appended: Vec<AdmittedChange>,
}

/// Admits one change chunk (plain or deflated) into a document.
///
/// # Errors
/// A [`GateRefusal`]; among them `AlreadyKnown` for a change the document holds, which is no offence.
pub fn admit_change(bytes: &[u8], context: &ChangeContext<'_>) -> Result<AdmittedChange, GateRefusal> {
    change::admit(&change_chunk(bytes)?, context)
}

/// Reads one change chunk and judges its form alone: everything [`admit_change`] refuses without a look at the
/// document. For finding out which document or actor a change is about.
///
/// # Errors
/// A [`GateRefusal`].
pub fn inspect_change(bytes: &[u8]) -> Result<AdmittedChange, GateRefusal> {
    change::inspect(&change_chunk(bytes)?).map(|inspected| inspected.change)
}

/// Admits a saved document: a document chunk, change chunks behind it, or change chunks alone.
///
/// Changes behind a document chunk may name any change in it, of which only the heads' hashes can be read: an
/// orphan among them shows when the document is loaded.
///
/// # Errors
/// A [`GateRefusal`].
pub fn admit_document(bytes: &[u8]) -> Result<AdmittedDocument, GateRefusal> {
    if bytes.len() > limits::DOCUMENT_BYTES_MAX {
        return Err(GateRefusal::DocumentTooLarge);
    }
    document::admit(&split_chunks(bytes)?)
}

fn change_chunk(bytes: &[u8]) -> Result<Chunk<'_>, GateRefusal> {
    if bytes.len() > change::CHUNK_BYTES_MAX {
        return Err(GateRefusal::ChangeTooLarge);
    }
    Chunk::only(bytes)
}
