//! Branded identifiers: a `PatientId` is no `EntryId`, although both are UUIDs (RFC 9562).
//!
//! Most ids are *derived*: the receiver computes them from what it already knows, so they never travel.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Namespace of every id this library derives (UUIDv5 of the DNS name `vereda.health`).
pub const NAMESPACE: Uuid = Uuid::from_u128(0x6d5b_1f0e_21c4_5a4d_9d39_5d1f_3c0a_7e11);

macro_rules! branded {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The sixteen bytes, as they lie in the store.
            pub fn as_bytes(&self) -> &[u8; 16] { self.0.as_bytes() }
            /// The id held in sixteen bytes.
            pub fn from_bytes(bytes: [u8; 16]) -> Self { Self(Uuid::from_bytes(bytes)) }
            /// The id held in a slice; `None` unless it has sixteen bytes.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> { Uuid::from_slice(bytes).ok().map(Self) }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { self.0.fmt(f) }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> { Uuid::parse_str(text).map(Self) }
        }
    )*};
}

branded! {
    /// A patient of a tenant.
    PatientId;
    /// An entry of a timeline, final or draft.
    EntryId;
    /// An item of a chart (an allergy, a problem …).
    ChartItemId;
    /// An Automerge document; derived, see [`DocumentId::derive`].
    DocumentId;
    /// One write of one device, and its idempotency key; derived, see [`WriteId::derive`].
    WriteId;
    /// One store on one device, from its creation to its end.
    StoreId;
    /// A person who signs what they write.
    UserId;
    /// A clinic, ward or team: the unit of scope.
    UnitId;
    /// An organisation that shares nothing with another one.
    TenantId;
    /// A conflict between two values that a person decides.
    ConflictId;
}

/// A clone of a store's file, a restored backup or a new key begins a new incarnation, so that its writes can
/// never be mistaken for those of the file it was copied from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Incarnation {
    /// The store.
    pub store: StoreId,
    /// Random, drawn when the incarnation begins.
    pub number: u64,
}

impl Incarnation {
    fn digest(&self, purpose: &str, a: u64, b: u64) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(purpose.as_bytes());
        hash.update(self.store.as_bytes());
        hash.update(self.number.to_be_bytes());
        hash.update(a.to_be_bytes());
        hash.update(b.to_be_bytes());
        hash.finalize().into()
    }

    /// The Automerge actor this incarnation writes as in a generation (each rebuild takes the next one).
    pub fn actor(&self, generation: u32) -> [u8; 16] {
        first_16(&self.digest("actor", u64::from(generation), 0))
    }
}

fn first_16(digest: &[u8; 32]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes
}

fn version_7(ms: i64, digest: &[u8; 32]) -> Uuid {
    let mut random = [0; 10];
    random.copy_from_slice(&digest[..10]);
    uuid::Builder::from_unix_timestamp_millis(ms.max(0) as u64, &random).into_uuid()
}

impl WriteId {
    /// The id of the `n`-th write of an incarnation (UUIDv8).
    pub fn derive(incarnation: &Incarnation, n: u64) -> Self {
        Self(uuid::Builder::from_custom_bytes(first_16(&incarnation.digest("write", n, 0))).into_uuid())
    }
}

impl EntryId {
    /// The id of the `index`-th entry made by the `n`-th write, recorded at `recorded_ms` (UUIDv7).
    pub fn derive(incarnation: &Incarnation, n: u64, index: u64, recorded_ms: i64) -> Self {
        Self(version_7(recorded_ms, &incarnation.digest("entry", n, index)))
    }
}

impl ChartItemId {
    /// The id of the chart item made by the `n`-th write (UUIDv7).
    pub fn derive(incarnation: &Incarnation, n: u64, recorded_ms: i64) -> Self {
        Self(version_7(recorded_ms, &incarnation.digest("chart", n, 0)))
    }
}

impl PatientId {
    /// The id of the patient registered by the `n`-th write (UUIDv7).
    pub fn derive(incarnation: &Incarnation, n: u64, recorded_ms: i64) -> Self {
        Self(version_7(recorded_ms, &incarnation.digest("patient", n, 0)))
    }
}

impl DocumentId {
    /// Two devices that never met write the same document without asking (UUIDv5).
    pub fn derive(kind: &str, patient: PatientId, compartment: &str, year: i32, part: u32) -> Self {
        let name = format!("{kind}/{patient}/{compartment}/{year}/{part}");
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }
}

impl ConflictId {
    /// Everybody who sees a conflict gives it the same id (UUIDv5 of what and where).
    pub fn derive(patient: PatientId, compartment: &str, subject: &Uuid, field: &str) -> Self {
        Self(Uuid::new_v5(
            &NAMESPACE,
            format!("conflict/{}/{compartment}/{subject}/{field}", patient.0).as_bytes(),
        ))
    }
}
