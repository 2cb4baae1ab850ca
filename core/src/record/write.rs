//! A write: an intent with who, when and for whom. Its canonical bytes are frozen when it is saved.

use super::{Compartment, Intent, Stream};
use crate::id::{ChartItemId, EntryId, Incarnation, PatientId, UnitId, UserId, WriteId};
use crate::time::{Hlc, Zoned};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 of a write's canonical bytes: the same id with another hash is refused (422).
pub type WriteHash = [u8; 32];

/// The order in which lanes are sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Patients and their records: everything else names them.
    Registration,
    /// Bookings.
    Booking,
    /// Entries, drafts, chart.
    Note,
}

/// The key under which a write was first saved. What a person saw derives from it, also when the write goes on
/// under another key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FirstKey {
    /// The number of the incarnation, of the same store.
    pub incarnation: u64,
    /// The number of the write.
    pub n: u64,
    /// When it was recorded, milliseconds since 1970.
    pub recorded_ms: i64,
}

/// One write of one device.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Write {
    /// Its place among the writes of its incarnation, from 1. With the incarnation it *is* the id.
    pub n: u64,
    /// Who signs it.
    pub user: UserId,
    /// The unit they worked in.
    pub unit: UnitId,
    /// Which of the unit's streams it goes to.
    pub compartment: Compartment,
    /// The patient; of a registration, the new one's id.
    pub patient: PatientId,
    /// The device's claim of when.
    pub recorded_at: Zoned,
    /// The hybrid clock, where it is not simply the recorded millisecond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hlc: Option<Hlc>,
    /// The device had no server time in this boot.
    #[serde(default, skip_serializing_if = "super::entry::is_false")]
    pub time_uncertain: bool,
    /// Writes of this incarnation it must not precede.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<u64>,
    /// The part of the year's chapter new entries go to (0 first; see `limits::CHAPTER_PART_ENTRIES`).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub part: u32,
    /// Of a write edited and sent again from the drawer: the one it takes the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<WriteId>,
    /// Of a write that took another key, or was sent again: the key its ids derive from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_key: Option<FirstKey>,
    /// What was asked.
    pub intent: Intent,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Write {
    /// The id: the idempotency key.
    pub fn id(&self, incarnation: &Incarnation) -> WriteId {
        WriteId::derive(incarnation, self.n)
    }

    /// The stream whose log it goes to.
    pub fn stream(&self) -> Stream {
        Stream::new(self.unit, self.compartment)
    }

    /// The hybrid clock's reading.
    pub fn hlc(&self) -> Hlc {
        self.hlc.unwrap_or(Hlc::at(self.recorded_at.utc_ms))
    }

    /// The class it is sent in.
    pub fn class(&self) -> Class {
        if self.intent.is_of_identity() {
            Class::Registration
        } else {
            Class::Note
        }
    }

    /// The key its ids derive from.
    pub fn first_key(&self, incarnation: &Incarnation) -> FirstKey {
        self.first_key.unwrap_or(FirstKey {
            incarnation: incarnation.number,
            n: self.n,
            recorded_ms: self.recorded_at.utc_ms,
        })
    }

    fn seed(&self, incarnation: &Incarnation) -> (Incarnation, FirstKey) {
        let first = self.first_key(incarnation);
        let number = first.incarnation;
        (
            Incarnation {
                number,
                ..*incarnation
            },
            first,
        )
    }

    /// The id of its `index`-th entry.
    pub fn entry_id(&self, incarnation: &Incarnation, index: usize, named: Option<EntryId>) -> EntryId {
        let (incarnation, first) = self.seed(incarnation);
        named.unwrap_or_else(|| EntryId::derive(&incarnation, first.n, index as u64, first.recorded_ms))
    }

    /// The id of the chart item it makes.
    pub fn chart_item_id(&self, incarnation: &Incarnation, named: Option<ChartItemId>) -> ChartItemId {
        let (incarnation, first) = self.seed(incarnation);
        named.unwrap_or_else(|| ChartItemId::derive(&incarnation, first.n, first.recorded_ms))
    }

    /// The id of the patient it registers.
    pub fn patient_id(&self, incarnation: &Incarnation) -> PatientId {
        let (incarnation, first) = self.seed(incarnation);
        PatientId::derive(&incarnation, first.n, first.recorded_ms)
    }

    /// The canonical bytes: CBOR (RFC 8949) with definite lengths and the fields in their declared order.
    pub fn to_bytes(&self) -> Vec<u8> {
        crate::protocol::encode(self)
    }

    /// Reads canonical bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        crate::protocol::decode(bytes).ok()
    }

    /// The hash of canonical bytes.
    pub fn hash(bytes: &[u8]) -> WriteHash {
        Sha256::digest(bytes).into()
    }
}
