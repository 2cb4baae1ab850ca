//! A seeded generator of clinical records: nobody in them exists, and the same seed gives the same bytes.
//!
//! [`entries`] makes what benchmarks write; [`fhir_bundles`] makes a Brazilian field clinic's records as FHIR R4
//! transaction Bundles, for the demonstration; [`patients`] makes the records entries can belong to.

mod body;
mod bundle;
mod entries;
mod person;
mod text;
mod words;

pub use bundle::fhir_bundles;
pub use entries::{KINDS, PatientEntry, entries, patient_id};
pub use person::patients;
