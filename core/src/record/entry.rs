//! An entry of a timeline: what an author asks for, and the header that is written once and never changes.

use super::kind::canonical_body;
use super::text::{check_length, check_line, check_text};
use super::{Kind, KindRegistry};
use crate::error::{Code, SyncError};
use crate::id::{EntryId, PatientId, UnitId, UserId};
use crate::limits::LINE_CHARACTERS_MAX;
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

    /// The same entry, judged, with its body in canonical form. Fails with `kind_unknown`, `text_empty` (of a
    /// retraction `reason_required`), `text_too_long`, `json_malformed`, `body_invalid`, `body_too_large`,
    /// `not_a_date` or `field_invalid`. Whether its time lies in the future is the engine's to ask.
    pub fn validated(mut self, registry: &KindRegistry) -> Result<Self, SyncError> {
        self.check_all_but_body(registry)?;
        if let Some(body) = &self.body {
            self.body = Some(Sensitive(registry.validate_body(&self.kind, body)?));
        }
        Ok(self)
    }

    /// Judges an entry that somebody else has validated: its body must be canonical already.
    pub fn check(&self, registry: &KindRegistry) -> Result<(), SyncError> {
        self.check_all_but_body(registry)?;
        self.body.as_ref().map_or(Ok(()), |body| {
            same_body(&registry.validate_body(&self.kind, body)?, body)
        })
    }

    /// Judges content that was accepted before, perhaps of a kind or a version not known here: whether it is
    /// whole, not whether it fits its kind.
    pub(super) fn check_as_it_stood(&self) -> Result<(), SyncError> {
        self.check_all_but_body(&KindRegistry::standard().keeping_unknown())?;
        self.body
            .as_ref()
            .map_or(Ok(()), |body| same_body(&canonical_body(body)?, body))
    }

    /// Bytes of what people wrote in it.
    pub fn content_bytes(&self) -> usize {
        self.text.len() + self.body.as_ref().map_or(0, |body| body.len())
    }

    fn check_all_but_body(&self, registry: &KindRegistry) -> Result<(), SyncError> {
        registry.admit(&self.kind)?;
        check_occurred_at(&self.occurred_at)?;
        let empty = match self.relation {
            Some(Relation::Retracts(_)) => Code::ReasonRequired,
            _ => Code::TextEmpty,
        };
        check_text(&self.text, empty)?;
        self.origin.as_ref().map_or(Ok(()), Origin::check)?;
        match self.relation {
            Some(Relation::Amends(other) | Relation::Retracts(other)) if self.id == Some(other) => {
                let detail = "relation: an entry cannot amend or retract itself";
                Err(SyncError::new(Code::FieldInvalid, detail))
            }
            _ => Ok(()),
        }
    }
}

/// Judges a time of occurrence: 1900-2200, with an offset RFC 3339 can write.
pub(super) fn check_occurred_at(at: &Zoned) -> Result<(), SyncError> {
    if at.is_date() && at.offset_minutes.unsigned_abs() < 24 * 60 {
        return Ok(());
    }
    Err(SyncError::new(Code::NotADate, "occurred_at"))
}

pub(super) fn same_body(canonical: &str, body: &str) -> Result<(), SyncError> {
    if canonical == body {
        return Ok(());
    }
    Err(SyncError::new(
        Code::BodyInvalid,
        "at \"\": not in canonical form",
    ))
}

impl Origin {
    /// Judges lengths.
    pub(super) fn check(&self) -> Result<(), SyncError> {
        check_length(
            &self.resource,
            "origin.resource",
            LINE_CHARACTERS_MAX,
            Code::FieldInvalid,
        )?;
        check_length(
            &self.digest,
            "origin.digest",
            LINE_CHARACTERS_MAX,
            Code::FieldInvalid,
        )?;
        self.performer
            .as_ref()
            .map_or(Ok(()), |name| check_line(name, "origin.performer"))
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
    pub draft_seen: Option<crate::bytes::ByteArray<32>>,
}
