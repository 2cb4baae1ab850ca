//! What two sides compare to find where they differ, without the bytes of it (SPEC 17): a leaf for each document and
//! record, and over a stream's leaves a tree of sums.

mod compare;
mod node;
mod tree;
mod wire;

pub use compare::{Descent, Difference, answer_digest};
pub use node::DigestNode;
pub use tree::{DigestSource, DigestTree, SumsBelow};

use super::ChangeId;
use crate::id::{DocumentId, PatientId};
use sha2::{Digest, Sha256};

/// Something a stream's reader should hold: a document's or patient's id, and what stands for its state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DigestLeaf {
    /// The document's or patient's id.
    pub id: [u8; 16],
    /// See [`digest_leaf`] and [`record_leaf`].
    pub leaf: u64,
}

/// The first eight bytes, big-endian, of SHA-256 over the document's id and the sorted hashes of its heads.
pub fn digest_leaf(document: &DocumentId, heads: &[ChangeId]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(document.as_bytes());
    for head in heads {
        hash.update(head);
    }
    first_eight(hash)
}

/// The first eight bytes, big-endian, of SHA-256 over the patient's id and the record's version, eight bytes.
pub fn record_leaf(patient: &PatientId, version: u64) -> u64 {
    let mut hash = Sha256::new();
    hash.update(patient.as_bytes());
    hash.update(version.to_be_bytes());
    first_eight(hash)
}

fn first_eight(hash: Sha256) -> u64 {
    let digest: [u8; 32] = hash.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}
