//! The chart: what is true of a patient now, item by item, field by field.

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
