//! An intent is what a person asked for: the thing that is queued, hashed, sent, accepted or refused.
//! Its Automerge change is only its encoding (`document::operations`).

use super::{ChartFields, ChartKind, Compartment, EntryHeader, FieldChange, Kind, NewEntry, PatientRecord};
use crate::id::{ChartItemId, EntryId, PatientId, UnitId, WriteId};
use crate::redact::Sensitive;
use crate::time::{EpochMs, Zoned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One splice of a draft's text, in Unicode scalar values.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TextEdit {
    /// Where.
    pub at: u32,
    /// How many characters go.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delete: u32,
    /// What comes.
    #[serde(default, skip_serializing_if = "sensitive_is_empty")]
    pub insert: Sensitive<String>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

fn sensitive_is_empty(text: &Sensitive<String>) -> bool {
    text.0.is_empty()
}

/// Replaces a draft's whole structured body (canonical JSON), or removes it.
pub type BodyEdit = Option<Sensitive<String>>;

/// A field that is there and null removes the body; one that is not there leaves it.
fn a_null_removes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<BodyEdit>, D::Error> {
    BodyEdit::deserialize(deserializer).map(Some)
}

/// What changes in a draft.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DraftEdit {
    /// Splices, applied in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub text: Vec<TextEdit>,
    /// A new body.
    #[serde(
        default,
        deserialize_with = "a_null_removes",
        skip_serializing_if = "Option::is_none"
    )]
    pub body: Option<BodyEdit>,
    /// A new time of occurrence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Zoned>,
}

/// What a person asked for. Tags are wire names; an unknown tag is another version's and is kept as it came.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// A new patient.
    Register {
        /// The record.
        record: PatientRecord,
        /// Set only where the id derives from a source (imports).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patient: Option<PatientId>,
    },
    /// Changes to a patient's record, each from the value its author saw.
    EditRecord {
        /// The version its author saw (HTTP `If-Match`).
        base_version: u64,
        /// The changes; one that no longer starts from the shown value becomes a conflict.
        changes: Vec<FieldChange>,
        /// The fields whose open conflict its author saw and decides with this.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        resolves: Vec<super::PatientField>,
    },
    /// Final entries of one patient; several in an import.
    Add {
        /// The entries.
        entries: Vec<NewEntry>,
    },
    /// A new draft, readable and writable by the unit.
    OpenDraft {
        /// Set only where the id derives from a source; otherwise it derives from the write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        draft: Option<EntryId>,
        /// Its kind.
        kind: Kind,
        /// When it happened.
        occurred_at: Zoned,
        /// Its first text.
        text: Sensitive<String>,
        /// Its first body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Sensitive<String>>,
    },
    /// Changes to a draft. Two may do so at once.
    EditDraft {
        /// The draft.
        draft: EntryId,
        /// The UTC year of the chapter the draft lies in, and its part: it stays where it was opened.
        chapter: (i32, u32),
        /// What changes.
        edit: DraftEdit,
    },
    /// A draft becomes an entry, with the content its author saw.
    Finalize {
        /// The draft.
        draft: EntryId,
        /// Its chapter.
        chapter: (i32, u32),
        /// The content its author saw.
        entry: NewEntry,
        /// SHA-256 of that content as a draft.
        draft_seen: crate::bytes::ByteArray<32>,
    },
    /// A person looked at edits that came after the entry was final and let them be.
    DismissLateEdit {
        /// The entry.
        entry: EntryId,
        /// Its chapter.
        chapter: (i32, u32),
        /// SHA-256 of the draft's content that was dismissed.
        draft_seen: crate::bytes::ByteArray<32>,
    },
    /// Of two finalizations of one draft, or two headers of one entry, a person chose one.
    ChooseHeader {
        /// The entry.
        entry: EntryId,
        /// Its chapter.
        chapter: (i32, u32),
        /// The write that made the chosen header.
        chosen: WriteId,
    },
    /// An entry stood in the wrong patient's chart: retracted here, copied there, in one write.
    Move {
        /// The entry to retract.
        entry: EntryId,
        /// Its chapter.
        chapter: (i32, u32),
        /// The right patient.
        to: PatientId,
        /// The part of the year's chapter the copy goes to.
        #[serde(default, skip_serializing_if = "is_zero")]
        to_part: u32,
        /// Why.
        reason: Sensitive<String>,
        /// The content as it stood.
        header: Box<EntryHeader>,
    },
    /// Fields of a chart item; a new item if the id is not there yet.
    SetChart {
        /// Set only for an item that exists or derives from a source; otherwise it derives from the write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<ChartItemId>,
        /// Its kind.
        kind: ChartKind,
        /// The fields to set.
        fields: ChartFields,
        /// The entry that tells of it, where there is one (imports).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<Box<NewEntry>>,
    },
    /// Two records are one person's: each shows what is under both. The documents stay where they are.
    Link {
        /// The other record.
        other: PatientId,
        /// Why.
        reason: Sensitive<String>,
    },
    /// They are not, after all.
    Unlink {
        /// The other record.
        other: PatientId,
        /// Why.
        reason: Sensitive<String>,
    },
    /// Rows that many records name: practitioners, organisations (imports).
    AddReference {
        /// The rows.
        rows: Vec<ReferenceRow>,
    },
    /// Another unit of the tenant reads and writes a patient too, until it ends: a referral, a second unit.
    Share {
        /// The unit.
        to: UnitId,
        /// What of the patient; `identity` is always among it.
        compartments: BTreeSet<Compartment>,
        /// Why.
        reason: Sensitive<String>,
        /// When it ends by itself, in server time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<EpochMs>,
    },
    /// A share ends: the unit it was for gives the patient back, or the patient's own unit takes it away.
    EndShare {
        /// The write that shared.
        share: WriteId,
        /// Why.
        reason: Sensitive<String>,
    },
    /// The patient moves to another unit. The old one keeps a share for a while, for what its devices still have
    /// to send.
    Transfer {
        /// The unit.
        to: UnitId,
        /// Why.
        reason: Sensitive<String>,
    },
    /// A patient of another unit is here, now: the server found them by an exact identifier and lets this unit read
    /// and write them until the grant's end.
    Claim {
        /// What the server gave, which says whom, for which unit and until when.
        grant: crate::bytes::ByteBuf,
        /// Why.
        reason: Sensitive<String>,
    },
}

/// A row many records name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReferenceRow {
    /// `practitioner` or `organization`; open.
    pub kind: String,
    /// Derived from the source's id (UUIDv5).
    pub id: uuid::Uuid,
    /// The name shown.
    pub name: Sensitive<String>,
    /// What else is known: canonical JSON.
    #[serde(default, skip_serializing_if = "sensitive_is_empty")]
    pub details: Sensitive<String>,
}

impl Intent {
    /// The other patient it is about, besides the write's.
    pub fn other_patient(&self) -> Option<PatientId> {
        match self {
            Self::Move { to, .. } => Some(*to),
            Self::Link { other, .. } | Self::Unlink { other, .. } => Some(*other),
            _ => None,
        }
    }

    /// The kinds of the entries it writes.
    pub fn kinds(&self) -> impl Iterator<Item = &Kind> {
        let entries: &[NewEntry] = match self {
            Self::Add { entries } => entries,
            Self::Finalize { entry, .. } => std::slice::from_ref(entry),
            Self::SetChart {
                entry: Some(entry), ..
            } => std::slice::from_ref(entry),
            _ => &[],
        };
        let draft = match self {
            Self::OpenDraft { kind, .. } => Some(kind),
            _ => None,
        };
        entries.iter().map(|entry| &entry.kind).chain(draft)
    }

    /// The intent's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::EditRecord { .. } => "edit_record",
            Self::Add { .. } => "add",
            Self::OpenDraft { .. } => "open_draft",
            Self::EditDraft { .. } => "edit_draft",
            Self::Finalize { .. } => "finalize",
            Self::DismissLateEdit { .. } => "dismiss_late_edit",
            Self::ChooseHeader { .. } => "choose_header",
            Self::Move { .. } => "move",
            Self::SetChart { .. } => "set_chart",
            Self::Link { .. } => "link",
            Self::Unlink { .. } => "unlink",
            Self::AddReference { .. } => "add_reference",
            Self::Share { .. } => "share",
            Self::EndShare { .. } => "end_share",
            Self::Transfer { .. } => "transfer",
            Self::Claim { .. } => "claim",
        }
    }

    /// Whether it goes to the identity stream: it is about the patient as a whole, and takes effect in the log's order.
    pub fn is_of_identity(&self) -> bool {
        matches!(
            self,
            Self::Register { .. }
                | Self::EditRecord { .. }
                | Self::Link { .. }
                | Self::Unlink { .. }
                | Self::AddReference { .. }
        ) || self.is_placement()
    }

    /// Whether it changes which units have the patient.
    pub fn is_placement(&self) -> bool {
        matches!(
            self,
            Self::Share { .. } | Self::EndShare { .. } | Self::Transfer { .. } | Self::Claim { .. }
        )
    }
}
