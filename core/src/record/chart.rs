//! The chart: what is true of a patient now, item by item, field by field.

use super::KindRegistry;
use super::text::{check_length, check_line};
use crate::error::{Code, SyncError};
use crate::limits::{CHART_VALUE_CHARACTERS_MAX, FIELDS_MAX, KIND_CHARACTERS_MAX};
use crate::redact::Sensitive;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What kind of item. Open: a kind this version does not know is kept and shown as text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChartKind(pub String);

impl ChartKind {
    /// The kinds this version edits.
    pub const KNOWN: [&'static str; 5] = ["allergy", "problem", "medication", "alert", "task"];

    /// The kind of a name; `kind_unknown` when this version does not edit it.
    pub fn parse(name: &str) -> Result<Self, SyncError> {
        let kind = Self(name.to_owned());
        if kind.is_known() {
            Ok(kind)
        } else {
            Err(Code::KindUnknown.into())
        }
    }

    /// The words its `status` may have, of the FHIR R4 resource it stands for; empty for an unknown kind.
    pub fn status_words(&self) -> &'static [&'static str] {
        match self.0.as_str() {
            // AllergyIntolerance.clinicalStatus, Flag.status
            "allergy" | "alert" => &["active", "inactive", "resolved", "entered-in-error"],
            // Condition.clinicalStatus
            "problem" => &[
                "active",
                "recurrence",
                "relapse",
                "inactive",
                "remission",
                "resolved",
                "entered-in-error",
            ],
            // MedicationStatement.status and MedicationRequest.status
            "medication" => &[
                "active",
                "completed",
                "intended",
                "stopped",
                "on-hold",
                "cancelled",
                "draft",
                "not-taken",
                "unknown",
                "entered-in-error",
            ],
            // Task.status and CarePlan.activity.detail.status
            "task" => &[
                "draft",
                "requested",
                "received",
                "accepted",
                "rejected",
                "ready",
                "not-started",
                "scheduled",
                "in-progress",
                "on-hold",
                "stopped",
                "failed",
                "completed",
                "cancelled",
                "unknown",
                "entered-in-error",
            ],
            _ => &[],
        }
    }

    /// Whether this version edits items of the kind.
    pub fn is_known(&self) -> bool {
        Self::KNOWN.contains(&self.0.as_str())
    }

    /// Whether two values of a field need a person: a wrong allergy or dose harms.
    pub fn needs_person(&self, _field: &ChartField) -> bool {
        matches!(self.0.as_str(), "allergy" | "medication" | "problem")
    }
}

/// The name of a field (`display`, `status`, `code`, `severity`, `dose`, `note` …).
pub type ChartField = String;

/// Fields and their values. A value is text; what is measured carries its UCUM unit in the text.
pub type ChartFields = BTreeMap<ChartField, Sensitive<String>>;

/// Judges the fields somebody wants to set. A new item of a known kind needs a `display`; no item may lose it.
/// Other fields are open, and an empty value clears one.
pub(super) fn check(
    kind: &ChartKind,
    fields: &ChartFields,
    is_new: bool,
    registry: &KindRegistry,
) -> Result<(), SyncError> {
    let name = kind.0.as_str();
    let plausible = !name.is_empty()
        && name.len() <= KIND_CHARACTERS_MAX
        && name.bytes().all(|byte| byte.is_ascii_graphic());
    let kept = registry.keeps_unknown() && plausible;
    if !kind.is_known() && !kept {
        return Err(Code::KindUnknown.into());
    }
    if fields.is_empty() || fields.len() > FIELDS_MAX {
        let detail = format!("fields: {}, from 1 to {FIELDS_MAX}", fields.len());
        return Err(SyncError::new(Code::FieldInvalid, detail));
    }
    for (field, value) in fields {
        check_field_name(field)?;
        check_length(value, field, CHART_VALUE_CHARACTERS_MAX, Code::FieldInvalid)?;
    }
    if !kind.is_known() {
        return Ok(());
    }
    match fields.get("display") {
        Some(display) => check_line(display, "display")?,
        None if is_new => return Err(SyncError::new(Code::FieldInvalid, "display: missing")),
        None => {}
    }
    match fields.get("status") {
        Some(status) if !kind.status_words().contains(&status.as_str()) => {
            let detail = format!("status: one of {}", kind.status_words().join(", "));
            Err(SyncError::new(Code::FieldInvalid, detail))
        }
        _ => Ok(()),
    }
}

/// A field's name is part of errors and of the document's keys, so it is a plain word.
fn check_field_name(field: &str) -> Result<(), SyncError> {
    let plain = (1..=64).contains(&field.len())
        && field
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte));
    if plain {
        return Ok(());
    }
    Err(SyncError::new(
        Code::FieldInvalid,
        "fields: a name is made of a-z, 0-9, `_`, `-`, `.`",
    ))
}
