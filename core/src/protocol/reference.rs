//! Reference data: what the tenant keeps for all its devices, beside the scope.

use crate::redact::Sensitive;
use serde::{Deserialize, Serialize};

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Rows that changed behind a version of the tenant's reference data.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReferencePage {
    /// The version it continues; at 0 these rows are the first of all, and what the device had goes.
    pub from: u32,
    /// The version the device then has; behind the scope's, there is more.
    pub version: u32,
    /// The rows, in the order they changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<ReferenceItem>,
}

/// A row as it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReferenceItem {
    /// `unit`, `speciality`, `professional` or `kind`; open.
    pub kind: String,
    /// Names it among its kind.
    pub id: String,
    /// What is known of it: canonical JSON.
    pub content: Sensitive<String>,
    /// No longer offered for anything new; what names it still shows it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub retired: bool,
}
