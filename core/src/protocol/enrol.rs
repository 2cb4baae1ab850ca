//! Enrolment: a code from an administrator becomes a device that belongs to a user.

use super::{Credential, Tokens};
use crate::bytes::ByteArray;
use crate::id::{Incarnation, TenantId, UnitId, UserId};
use crate::record::Stream;
use crate::redact::Sensitive;
use crate::time::EpochMs;
use serde::{Deserialize, Serialize};

/// What an administrator hands over: `base64url(CBOR)` of this, short enough for a QR code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnrolmentCode {
    /// Used once, within its life.
    pub secret: Credential,
    /// The server's signing key (Ed25519), pinned from now on.
    pub signing_key: ByteArray<32>,
    /// SHA-256 of the certificate authority the server's TLS chain must end in; none behind a public one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<ByteArray<32>>,
}

/// `POST /v1/enrol`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EnrolRequest {
    /// The code's secret.
    pub secret: Credential,
    /// The store that enrols.
    pub incarnation: Incarnation,
    /// Names the hardware: two users of one tablet are two devices of it.
    pub hardware: ByteArray<16>,
    /// What the administrator sees in the list of devices.
    pub label: Sensitive<String>,
}

/// A unit in scope.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unit {
    /// Its id.
    pub id: UnitId,
    /// Its name.
    pub name: Sensitive<String>,
}

/// A colleague, so that what they wrote shows their name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Person {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: Sensitive<String>,
    /// The code of their speciality.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speciality: Option<String>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a device may read and write; decided by the server.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Scope {
    /// Rises when anything in it changes.
    pub version: u32,
    /// The units.
    pub units: Vec<Unit>,
    /// The streams.
    pub streams: Vec<Stream>,
    /// The people of these units.
    pub people: Vec<Person>,
    /// Names of intents this user does not write, whatever they read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// The newest version of the tenant's reference data.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reference: u32,
}

/// The answer to an enrolment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// The tenant.
    pub tenant: TenantId,
    /// Who the device writes as.
    pub user: UserId,
    /// Their scope.
    pub scope: Scope,
    /// The first tokens.
    pub tokens: Tokens,
    /// The server's history: another one after a restore.
    pub epoch: u64,
    /// Server time.
    pub time_ms: EpochMs,
    /// Ed25519 public key of the signed heads; equals the code's.
    pub signing_key: ByteArray<32>,
}
