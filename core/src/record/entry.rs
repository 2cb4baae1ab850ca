//! An entry of a timeline: what an author asks for, and the header that is written once and never changes.

use super::Kind;
use crate::id::{EntryId, PatientId, UnitId, UserId};
use crate::redact::Sensitive;
use crate::time::Zoned;
use serde::{Deserialize, Serialize};

/// What an entry says of another one. The other entry is never written to: its status is projected from these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// This entry replaces what that one said; both stay readable.
    Amends(EntryId),
    /// That entry was written in error (FHIR `entered-in-error`); this one's text is the reason.
    Retracts(EntryId),
    /// This entry is that one's content, moved from the wrong patient's chart.
    MovedFrom {
        /// Where it stood.
        patient: PatientId,
        /// The entry retracted there.
        entry: EntryId,
    },
}

/// Where an imported entry comes from.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Origin {
    /// `Type/id` of the resource.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The performer the source names, kept beside the importing user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performer: Option<Sensitive<String>>,
    /// SHA-256 (first 16 bytes, hex) of the mapped content: another content amends, the same changes nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub digest: String,
}

/// Flags about an entry's times.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Marks {
    /// The source had no clinical time; it is that of the plan or encounter that names it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub time_inferred: bool,
    /// The device had no server time in this boot, so its own clock may be anything.
    #[serde(default, skip_serializing_if = "is_false")]
    pub time_uncertain: bool,
}

pub(crate) fn is_false(flag: &bool) -> bool {
    !flag
}

/// What an author asks to be recorded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NewEntry {
    /// Set only where the id derives from a source (imports); otherwise it derives from the write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<EntryId>,
    /// What kind of event.
    pub kind: Kind,
    /// When it happened.
    pub occurred_at: Zoned,
    /// What a person reads.
    pub text: Sensitive<String>,
    /// The structured part: canonical JSON that satisfies the kind's schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Sensitive<String>>,
    /// What it says of another entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    /// Where it was imported from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What is known of its times.
    #[serde(default)]
    #[serde(skip_serializing_if = "Marks::is_empty")]
    pub marks: Marks,
}

impl Marks {
    /// Whether nothing is flagged.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl NewEntry {
    /// An entry of text alone.
    pub fn note(occurred_at: Zoned, text: impl Into<String>) -> Self {
        Self::new(Kind::note(), occurred_at, text)
    }

    /// An entry of a kind.
    pub fn new(kind: Kind, occurred_at: Zoned, text: impl Into<String>) -> Self {
        Self {
            id: None,
            kind,
            occurred_at,
            text: Sensitive(text.into()),
            body: None,
            relation: None,
            origin: None,
            marks: Marks::default(),
        }
    }

    /// The same entry with a structured body (a JSON text).
    pub fn with_body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(Sensitive(body.into()));
        self
    }
}

/// A final entry as it lies in the chapter: one canonical scalar, a function of the write that made it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EntryHeader {
    /// What the author asked for (its `id` is left out: it is the key).
    pub entry: NewEntry,
    /// When the device recorded it, by the device's clock.
    pub recorded_at: Zoned,
    /// Who signs it.
    pub author: UserId,
    /// The unit they worked in.
    pub unit: UnitId,
    /// The n-th write of its device: tells two finalizations of one draft apart.
    pub write: crate::id::WriteId,
    /// Of a finalized draft: SHA-256 of the draft's content its author saw, so that a later edit shows as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft_seen: Option<serde_bytes::ByteArray<32>>,
}
