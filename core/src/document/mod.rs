//! Clinical documents as Automerge data: their schema, their projection, and the gate before them.
//!
//! An intent becomes operations ([`operations`]), the same on every machine; operations become one change of a
//! [`LoadedDocument`]; what the change touched is read back as plain values ([`EntryState`], [`ChartState`]) for
//! the tables. Nothing above this floor sees a CRDT.

pub mod digest;
mod error;
pub mod gate;
mod genesis;
mod heads;
mod key;
mod loaded;
mod operation;
mod perform;
pub mod segment;
mod state;
mod touched;

pub use digest::digest_leaf;
pub use error::DocumentError;
pub use heads::heads_of_chunks;
pub use key::{DocumentKey, DocumentKind};
pub use loaded::{AppliedChange, ChangeId, LoadedDocument};
pub use operation::{ChartValue, DocumentOperations, Operation, operations};
pub use state::{ChartState, DraftState, EntryState, draft_digest};
pub use touched::Touched;
