//! A patient's record: who they are. Optimistic, field by field; never an Automerge document, because a wrong
//! identity is decided by a person.

use super::Identifier;
use crate::redact::Sensitive;
use serde::{Deserialize, Serialize};

/// A way to reach the patient.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// `phone`, `email`, `address` … (FHIR ContactPoint.system, open).
    pub system: String,
    /// The number, address …
    pub value: Sensitive<String>,
}

/// Who a patient is.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PatientRecord {
    /// The full name as the patient gives it.
    pub name: Sensitive<String>,
    /// The date of birth, `YYYY-MM-DD` (FHIR date; year or year and month alone are allowed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<Sensitive<String>>,
    /// FHIR administrative gender: male, female, other, unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<Sensitive<String>>,
    /// CPF, CNS and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// Ways to reach them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
    /// When they died, if they did (FHIR `deceasedDateTime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deceased: Option<Sensitive<String>>,
    /// Of an import: `Patient/id` and the digest of what was mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<super::Origin>,
}

/// A field two people may change at once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PatientField {
    /// The name.
    Name,
    /// The date of birth.
    BirthDate,
    /// The gender.
    Gender,
    /// All identifiers.
    Identifiers,
    /// All contacts.
    Contacts,
    /// The date of death.
    Deceased,
}

/// A field's value as JSON text, so that every field is compared and shown alike.
pub type PatientValue = Sensitive<String>;

/// One field from the value its author saw to the one they want.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which.
    pub field: PatientField,
    /// What its author saw.
    pub from: PatientValue,
    /// What it shall be.
    pub to: PatientValue,
}
