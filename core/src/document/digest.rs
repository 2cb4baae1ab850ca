//! What two sides compare to find the document they differ in, without its bytes.

use super::ChangeId;
use crate::id::DocumentId;
use sha2::{Digest, Sha256};

/// The first eight bytes, big-endian, of SHA-256 over the document's id and the sorted hashes of its heads.
pub fn digest_leaf(document: &DocumentId, heads: &[ChangeId]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(document.as_bytes());
    for head in heads {
        hash.update(head);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}
