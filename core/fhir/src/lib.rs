//! FHIR R4. Export: [`export`]. Import: from Bundles, single resources and NDJSON to values of `vereda_core::record`.
//!
//! [`Import::open`] looks through the files once, [`Import::plans`] gives what is to be done, file by file, and
//! [`Import::run`] carries it out on an [`ImportTarget`], usually a [`ClientTarget`]. A file is held in memory whole only if it is one JSON
//! document; NDJSON is read line by line.
//!
//! * **Ids** derive from the resource (`Type/id`, or the `urn:uuid:` of its `fullUrl`): a second import changes
//!   nothing, on whatever device. Content that came before with another digest amends ([`amendment_of`]).
//! * **Time**: a resource without a clinical time takes that of the CarePlan or Encounter that names it, and is
//!   marked `time_inferred`.
//! * **Nothing is unexplained**: every resource is a record, an entry, a reference row, counted as skipped or
//!   repeated by type, or listed as a [`Problem`] with file, index and reason, while the rest goes on.
#![cfg_attr(not(test), warn(clippy::expect_used))]

mod carried;
mod client;
mod datatype;
mod document;
mod element;
pub mod export;
mod fault;
mod identity;
mod import;
mod index;
mod map;
mod plan;
mod run;
mod source;
mod target;

pub use client::ClientTarget;
pub use identity::Origins;
pub use import::{Import, PLAN_RESOURCES_MAX, Plans};
pub use plan::{
    ImportPlan, MappedChart, MappedEntry, PatientUnit, Position, Problem, amendment_of, retraction_of,
};
pub use run::{ImportReport, Tally};
pub use source::{Source, sources};
pub use target::{Held, HeldPatient, ImportTarget, Progress};
