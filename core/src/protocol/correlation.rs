//! The id under which both sides name a request in their logs. Both compute it, so it costs nothing on the wire
//! (SPEC [12.3]).

use sha2::{Digest, Sha256};

/// A request's id in logs and problem documents; printed as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CorrelationId([u8; 8]);

impl CorrelationId {
    /// Of a request: the first eight bytes of SHA-256 over its bearer token's bytes, if it has one, and its body as
    /// it travels.
    pub fn of(bearer: Option<&[u8]>, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update(bearer.unwrap_or_default());
        hash.update(body);
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finalize()[..8]);
        Self(id)
    }
}

impl std::fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
