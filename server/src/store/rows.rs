//! The rows, as the server sees them: plain, typed, without SQL.

use crate::role::Role;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use vereda_core::bytes::{ByteArray, ByteBuf};
use vereda_core::document::DocumentKey;
use vereda_core::id::{DocumentId, Incarnation, PatientId, StoreId, TenantId, UnitId, UserId, WriteId};
use vereda_core::protocol::{AuditRecord, ChainHash, Unit};
use vereda_core::record::{Compartment, PatientRecord, Stream};
use vereda_core::redact::Sensitive;
use vereda_core::time::EpochMs;

/// One store's enrolment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRow {
    /// Its number, in every token; 0 before it has one.
    pub short: u32,
    /// The store.
    pub store: StoreId,
    /// The tenant.
    pub tenant: TenantId,
    /// Who it writes as.
    pub user: UserId,
    /// The hardware it lies on.
    pub hardware: [u8; 16],
    /// What the administrator sees.
    pub label: Sensitive<String>,
    /// Renewed at each enrolment, and under every token's code: an earlier enrolment's tokens end with it.
    pub salt: [u8; 8],
    /// The number of the refresh token last issued.
    pub refresh: u32,
    /// When it was issued.
    pub refreshed_ms: EpochMs,
    /// When the device was enrolled.
    pub enrolled_ms: EpochMs,
    /// When it was revoked.
    pub revoked_ms: Option<EpochMs>,
}

/// An enrolment code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentRow {
    /// Who the device will write as.
    pub user: UserId,
    /// When the code ends.
    pub expires_ms: EpochMs,
    /// The store that used it.
    pub used_by: Option<StoreId>,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// The tenant.
    pub tenant: TenantId,
    /// The user.
    pub user: UserId,
    /// What they may see and do in their units.
    pub role: Role,
    /// The units they work in, by id.
    pub units: Vec<Unit>,
    /// The compartments granted to them in single units, beyond their role.
    pub grants: Vec<(UnitId, Compartment)>,
    /// Rises when anything in the tenant's units, people and roles changes.
    pub scope_version: u32,
}

/// A compartment granted to a user in one unit, as an administrator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRow {
    /// The user's name.
    pub user: String,
    /// The unit's name.
    pub unit: String,
    /// What is granted.
    pub compartment: Compartment,
}

/// A user, as an administrator sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonRow {
    /// The user.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// The names of their units.
    pub units: Vec<String>,
    /// The code of their speciality.
    pub speciality: Option<String>,
    /// What is granted to them besides.
    pub scopes: Vec<ScopeRow>,
}

/// A refused write's place among a tenant's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefusedPlace {
    /// The device's number.
    pub device: u32,
    /// Its incarnation.
    pub incarnation: u64,
    /// The write's number.
    pub n: u64,
}

/// A write the server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRow {
    /// Which write.
    pub place: RefusedPlace,
    /// The name of the device's user.
    pub user: String,
    /// The stable code.
    pub code: String,
    /// Safe to log.
    pub detail: String,
}

/// A record's place in a tenant's audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditPlace {
    /// Whose chain; the one under the tenant's own id, with number 0, is the server's.
    pub incarnation: Incarnation,
    /// Its place in the chain, from 1.
    pub k: u64,
}

/// A record of a tenant's audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Its place.
    pub place: AuditPlace,
    /// The number and user's name of the device; none for the server's own chain.
    pub device: Option<(u32, String)>,
    /// When it came.
    pub received_ms: EpochMs,
    /// The record.
    pub record: AuditRecord,
    /// The chain's head after it.
    pub head: [u8; 32],
}

/// What became of a write, as it is stored. Only what is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeRow {
    /// The hash of the write's bytes.
    pub hash: [u8; 32],
    /// What became of it.
    pub decision: Decision,
}

/// A final outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is in the log of its stream.
    Accepted {
        /// Its place.
        seq: u64,
        /// When it came.
        received_ms: EpochMs,
    },
    /// The server said no.
    Refused {
        /// The stable code.
        code: String,
        /// Safe to log.
        detail: String,
    },
}

/// The end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The last item's place.
    pub seq: u64,
    /// The running hash after it.
    pub chain: ChainHash,
}

/// A change as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredChange {
    /// The document.
    pub document: DocumentId,
    /// The change's hash.
    pub hash: ByteArray<32>,
    /// What it builds on.
    pub dependencies: Vec<ByteArray<32>>,
    /// The change itself, only where the server would compute another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<ByteBuf>,
}

/// An item of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its place.
    pub seq: u64,
    /// The running hash after it.
    pub chain: ChainHash,
    /// When it came.
    pub received_ms: EpochMs,
    /// Whose it is.
    pub incarnation: Incarnation,
    /// The generation of its actor.
    pub generation: u32,
    /// Its number.
    pub n: u64,
    /// The patient under whose key it lies.
    pub patient: PatientId,
    /// Another patient it names: an entry was moved to them.
    pub other: Option<PatientId>,
    /// Whether it was copied here from the stream it was written to.
    pub is_copy: bool,
    /// The write's bytes.
    pub write: Vec<u8>,
    /// Its changes.
    pub changes: Vec<StoredChange>,
}

/// A document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentRow {
    /// What it is.
    pub key: DocumentKey,
    /// The stream that orders it.
    pub home: Stream,
    /// A saved document and changes behind it.
    pub chunks: Vec<Vec<u8>>,
}

/// A patient's record.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordRow {
    /// The unit it was registered in.
    pub unit: UnitId,
    /// Rises with each edit in the log.
    pub version: u64,
    /// The record.
    pub record: PatientRecord,
}

/// A unit beside a patient's own that has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareRow {
    /// The write that shared.
    pub id: WriteId,
    /// The patient.
    pub patient: PatientId,
    /// The unit that has them too.
    pub unit: UnitId,
    /// What of them.
    pub compartments: BTreeSet<Compartment>,
    /// When it ends by itself, in server time.
    pub until_ms: Option<EpochMs>,
    /// When somebody ended it.
    pub ended_ms: Option<EpochMs>,
}

impl ShareRow {
    /// Whether it holds.
    pub fn is_open(&self, now_ms: EpochMs) -> bool {
        self.ended_ms.is_none() && self.until_ms.is_none_or(|until_ms| now_ms < until_ms)
    }
}

/// What a supervisor decided of a write in quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuarantineDecision {
    /// It went in.
    Released,
    /// It did not.
    Discarded,
}

/// A write that came from outside its author's scope: held, not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuarantineRow {
    /// Whose it is.
    pub incarnation: Incarnation,
    /// Its number.
    pub n: u64,
    /// The hash of its bytes.
    pub hash: [u8; 32],
    /// The tenant.
    pub tenant: TenantId,
    /// The device's user.
    pub user: UserId,
    /// Where it would go.
    pub stream: Stream,
    /// The patient under whose key it lies.
    pub patient: PatientId,
    /// The generation of its actor.
    pub generation: u32,
    /// When it came.
    pub received_ms: EpochMs,
    /// The write's bytes.
    pub write: Vec<u8>,
    /// What a supervisor decided, who and when.
    pub decided: Option<(QuarantineDecision, UserId, EpochMs)>,
}
