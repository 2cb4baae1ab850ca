//! Tokens. An expired access token costs no extra request: the sync request carries the refresh credential.

use crate::time::EpochMs;
use serde::{Deserialize, Serialize};

/// Secret bytes. `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Credential(#[serde(with = "crate::bytes")] pub Vec<u8>);

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("‹credential›")
    }
}

impl Drop for Credential {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// A device's tokens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Tokens {
    /// Goes into `Authorization: Bearer` as base64url.
    pub access: Credential,
    /// Rotates at each use; the previous one stays valid until the new one is used.
    pub refresh: Credential,
    /// When the access token ends, in server time.
    pub expires_ms: EpochMs,
}
