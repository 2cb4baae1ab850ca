//! Identifiers of a patient.

use crate::redact::Sensitive;
use serde::{Deserialize, Serialize};

/// Who issues it: `cpf`, `cns`, or any other name or URI.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentifierSystem(pub String);

/// One identifier.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Identifier {
    /// Who issues it.
    pub system: IdentifierSystem,
    /// The value, normalised.
    pub value: Sensitive<String>,
}
