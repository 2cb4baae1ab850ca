//! What an import is about to do: values of the core, grouped by patient, and what it will not do, with why.

use crate::identity::amendment;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use vereda_core::error::Code;
use vereda_core::id::{ChartItemId, EntryId, PatientId};
use vereda_core::record::{
    ChartFields, ChartKind, Compartment, NewEntry, PatientRecord, ReferenceRow, Relation,
};
use vereda_core::redact::Sensitive;

/// Where a resource stands in the import.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Position {
    /// Which file, in the order of [`crate::Import::files`].
    pub file: u32,
    /// In a Bundle the entry, from 0; in NDJSON the line, from 1.
    pub index: u64,
}

/// A resource that did not get in, or not as it came, and why.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// The file; hidden in logs, because programs name files after patients.
    pub file: Sensitive<String>,
    /// In a Bundle the entry, from 0; in NDJSON the line, from 1; `None` where the whole file is meant.
    pub index: Option<u64>,
    /// `Type/id`, as far as it is known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resource: String,
    /// The stable code.
    #[serde(serialize_with = "code_as_text")]
    pub code: Code,
    /// What is wrong, by the names of fields; never a value.
    pub reason: String,
    /// The resource is in all the same, without what is wrong.
    pub imported: bool,
}

fn code_as_text<S: serde::Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(code.as_str())
}

/// A chart item that a resource becomes, beside its entry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MappedChart {
    /// Derived from the resource.
    pub item: ChartItemId,
    /// `problem` or `allergy`.
    pub kind: ChartKind,
    /// Its fields.
    pub fields: ChartFields,
}

/// An entry that a resource becomes.
#[derive(Clone, PartialEq, Debug)]
pub struct MappedEntry {
    /// Where the resource stands.
    pub position: Position,
    /// Who may read it.
    pub compartment: Compartment,
    /// The entry; its id derives from the resource, its origin holds the digest.
    pub entry: NewEntry,
    /// The chart item, of a Condition or AllergyIntolerance.
    pub chart: Option<MappedChart>,
    /// The source says that it should never have been (`entered-in-error`).
    pub withdrawn: bool,
    /// An export carries it as it stood: where it is known, nothing of it can have changed.
    pub is_exact: bool,
    /// Under which id it was written where it was exported: there it is known by that.
    pub native: Option<EntryId>,
}

/// What an import has for one patient.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PatientUnit {
    /// The record, where the Patient resource is in this plan; its origin holds `Patient/id` and the digest.
    pub record: Option<(Position, PatientRecord)>,
    /// Under which id the patient was registered where they were exported: there they are known by that.
    pub native: Option<PatientId>,
    /// The entries, by time of occurrence and id.
    pub entries: Vec<MappedEntry>,
    /// Chart items of which no entry tells.
    pub chart: Vec<(Position, String, MappedChart)>,
}

/// One step of an import: a file, or a bounded part of a long one.
///
/// Nothing is unexplained: `resources` = records + entries + chart items alone + reference rows + `skipped` + `repeated` + problems
/// that have an index and are not `imported`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ImportPlan {
    /// What there is for each patient.
    pub patients: BTreeMap<PatientId, PatientUnit>,
    /// Records that are one person's.
    pub links: BTreeSet<(PatientId, PatientId)>,
    /// Professionals and organizations.
    pub reference: Vec<ReferenceRow>,
    /// Resources of types that are not imported, by type.
    pub skipped: BTreeMap<String, u64>,
    /// Resources that come again further on in the same import, by type: the last one counts.
    pub repeated: BTreeMap<String, u64>,
    /// What is broken.
    pub problems: Vec<Problem>,
    /// Resources read, of any type and state.
    pub resources: u64,
    /// Bytes read of the files, for a progress bar.
    pub bytes: u64,
}

impl ImportPlan {
    /// How many entries it has, chart items' included.
    pub fn entries(&self) -> usize {
        self.patients.values().map(|unit| unit.entries.len()).sum()
    }

    pub(crate) fn sort(&mut self) {
        for unit in self.patients.values_mut() {
            unit.entries
                .sort_by_key(|mapped| (mapped.entry.occurred_at.utc_ms, mapped.entry.id));
        }
    }
}

/// The entry that brings a resource's new content over the entry it became before (`current`: the original, or
/// the last amendment of it that was imported). Its id derives from `current` and the digest.
pub fn amendment_of(entry: NewEntry, current: EntryId) -> NewEntry {
    let digest = entry
        .origin
        .as_ref()
        .map(|origin| origin.digest.clone())
        .unwrap_or_default();
    NewEntry {
        id: Some(amendment(current, &digest)),
        relation: Some(Relation::Amends(current)),
        ..entry
    }
}

/// The entry that takes back what a source has taken back; its text is the reason, FHIR's `entered-in-error`.
pub fn retraction_of(entry: NewEntry, current: EntryId) -> NewEntry {
    NewEntry {
        relation: Some(Relation::Retracts(current)),
        ..amendment_of(entry, current)
    }
}
