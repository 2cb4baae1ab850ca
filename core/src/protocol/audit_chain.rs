//! The hash chain of a device's audit: a record that is edited, left out, moved or cut off shows in the head.

use super::{AuditRecord, ChainHash};
use sha2::{Digest, Sha256};

/// The chain's head after a record: SHA-256 over the head before it and the record's canonical bytes. Before the
/// first record it is all zeros.
pub fn advance_audit(previous: &ChainHash, record: &AuditRecord) -> ChainHash {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(super::encode(record));
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(action: &str) -> AuditRecord {
        AuditRecord::Did {
            user: crate::id::UserId(uuid::Uuid::from_u128(1)),
            action: action.into(),
            subject: None,
            reason: Default::default(),
            at_ms: 1,
        }
    }

    #[test]
    fn a1_two_records_in_another_order_have_another_head() {
        let (a, b) = (record("discard"), record("export"));
        let head = |first, second| advance_audit(&advance_audit(&[0; 32], first), second);
        assert_ne!(head(&a, &b), head(&b, &a));
    }
}
