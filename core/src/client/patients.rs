//! Patients: register, edit, list, find likely duplicates, all offline.

use super::page::{Page, PageRequest, completeness};
use super::{Client, Watched};
use crate::audit;
use crate::bytes::ByteArray;
use crate::error::{Code, Result, SyncError};
use crate::id::{PatientId, UnitId};
use crate::outbox::{NewWrite, Saved, submit};
use crate::protocol::AuditRecord;
use crate::record::{
    Compartment, DuplicateReason, Intent, PatientField, PatientRecord, duplicate_keys, fold, likely_duplicate,
};
use crate::redact::Sensitive;
use crate::step::Step;
use crate::store::links;
use crate::store::patients::{self, PatientRow};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Patients.
#[derive(Debug)]
pub struct Patients<'a>(pub(super) &'a Client);

/// Which patients a list shows.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PatientFilter {
    /// Words of the name, as prefixes, accents folded; or a whole identifier.
    pub words: Option<Sensitive<String>>,
}

/// A patient in a list.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PatientSummary {
    /// The patient.
    pub id: PatientId,
    /// The name.
    pub name: Sensitive<String>,
    /// The date of birth.
    pub birth_date: Option<Sensitive<String>>,
    /// The record's version at the server; 0 while the registration waits.
    pub version: u64,
    /// Whether everything of the record is at the server.
    pub accepted: bool,
    /// The other records of the same person, directly linked or through others.
    pub linked: Vec<PatientId>,
    #[serde(skip)]
    fold: String,
}

/// A likely duplicate.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct DuplicatePatient {
    /// The other patient.
    pub patient: PatientSummary,
    /// Why it is likely.
    pub reason: String,
}

pub(super) fn summary(step: &Step<'_>, row: PatientRow, fold: String) -> Result<PatientSummary> {
    let person = links::person(step.transaction, &row.id)?;
    Ok(PatientSummary {
        id: row.id,
        linked: person.patients.into_iter().skip(1).collect(),
        name: row.record.name.clone(),
        birth_date: row.record.birth_date.clone(),
        version: row.version,
        accepted: row.accepted.as_ref() == Some(&row.record),
        fold,
    })
}

/// One entry of the audit for a list, before its first row is shown.
pub(super) fn audit_list(step: &mut Step<'_>, list: &str, count: usize, words: &str) -> Result<()> {
    let user = step.device.enrolled()?.user;
    let mut digest = [0; 8];
    digest.copy_from_slice(&Sha256::digest(words.as_bytes())[..8]);
    let record = AuditRecord::Listed {
        user,
        list: list.to_owned(),
        count: count as u64,
        words: ByteArray::new(digest),
        at_ms: step.now.wall_ms,
    };
    audit::record(step, &record)
}

fn identifier_keys(words: &str) -> Vec<String> {
    // A whole identifier is found by the same key as a duplicate.
    ["cpf", "cns"]
        .into_iter()
        .filter_map(|system| crate::record::Identifier::parse(system, words).ok())
        .flat_map(|identifier| {
            duplicate_keys(&PatientRecord {
                identifiers: vec![identifier],
                ..PatientRecord::default()
            })
        })
        .collect()
}

impl Patients<'_> {
    /// Registers a patient. Never refused as a duplicate; see [`Patients::duplicates`].
    ///
    /// # Errors
    /// `name_empty`, `cpf_invalid`, `cns_invalid`, `birth_date_invalid` …; nothing is saved.
    pub async fn register(&self, record: PatientRecord) -> Result<Saved> {
        self.register_as(None, record).await
    }

    /// Registers a patient under an id derived from a source (imports).
    pub async fn register_as(&self, patient: Option<PatientId>, record: PatientRecord) -> Result<Saved> {
        self.register_in(None, patient, record).await
    }

    /// Registers a patient in a unit; when none is named, in the first of the user's.
    ///
    /// # Errors
    /// As [`Patients::register`]; `out_of_scope` for a unit that is not the user's.
    pub async fn register_in(
        &self,
        unit: Option<UnitId>,
        patient: Option<PatientId>,
        record: PatientRecord,
    ) -> Result<Saved> {
        self.0
            .call(move |step| {
                let record = record.validated()?;
                submit(
                    step,
                    NewWrite {
                        unit,
                        compartment: Compartment::Identity,
                        patient,
                        replaces: None,
                        intent: Intent::Register { record, patient },
                    },
                )
            })
            .await
    }

    /// Changes a record from what was `shown` to `edited`. What a colleague changed since then stays; where it is
    /// the same field both values are kept and a person decides. `None` when nothing differs.
    pub async fn edit(&self, shown: PatientRow, edited: PatientRecord) -> Result<Option<Saved>> {
        self.0
            .call(move |step| {
                if !patients::exists(step.transaction, &shown.id)? {
                    return Err(SyncError::from(Code::UnknownPatient));
                }
                edit(step, &shown, edited)
            })
            .await
    }

    /// A page of patients by name.
    pub async fn list(&self, filter: PatientFilter, page: PageRequest) -> Result<Page<PatientSummary>> {
        self.0.call(move |step| list(step, &filter, &page)).await
    }

    /// The same, watched.
    pub fn watch_list(&self, filter: PatientFilter, page: PageRequest) -> Watched<Page<PatientSummary>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| changes.patient_list),
            Box::new(move || {
                let (client, filter, page) = (client.clone(), filter.clone(), page.clone());
                Box::pin(async move { client.patients().list(filter, page).await })
            }),
        )
    }

    /// Patients here who are likely the same person as `record` describes; [`Patients::link`] makes two of them one
    /// (those that are already say so in `linked`).
    pub async fn duplicates(
        &self,
        record: PatientRecord,
        except: Option<PatientId>,
    ) -> Result<Vec<DuplicatePatient>> {
        self.0
            .call(move |step| {
                let mut found = Vec::new();
                for id in patients::sharing_keys(step.transaction, &duplicate_keys(&record))? {
                    let Some(row) =
                        patients::get(step.transaction, &id)?.filter(|row| Some(row.id) != except)
                    else {
                        continue;
                    };
                    if let Some(reason) = likely_duplicate(&record, &row.record) {
                        let reason = reason_name(reason).to_owned();
                        found.push(DuplicatePatient {
                            patient: summary(step, row, String::new())?,
                            reason,
                        });
                    }
                }
                audit_list(step, "duplicates", found.len(), &record.name)?;
                Ok(found)
            })
            .await
    }

    /// The same, watched: a colleague's registration may come while somebody types.
    pub fn watch_duplicates(
        &self,
        record: PatientRecord,
        except: Option<PatientId>,
    ) -> Watched<Vec<DuplicatePatient>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| changes.patient_list),
            Box::new(move || {
                let (client, record) = (client.clone(), record.clone());
                Box::pin(async move { client.patients().duplicates(record, except).await })
            }),
        )
    }

    /// Decides a conflict about a field of a record.
    pub(super) async fn resolve(
        &self,
        patient: PatientId,
        field: PatientField,
        value: Sensitive<String>,
    ) -> Result<Saved> {
        self.0
            .call(move |step| {
                let row = patients::get(step.transaction, &patient)?
                    .ok_or(SyncError::from(Code::UnknownPatient))?;
                let from = row.record.get(field);
                let changes = vec![crate::record::FieldChange {
                    field,
                    from: from.clone(),
                    to: value.clone(),
                }];
                let changes = if from == value { Vec::new() } else { changes };
                let intent = Intent::EditRecord {
                    base_version: row.version,
                    changes,
                    resolves: vec![field],
                };
                submit_edit(step, &row, intent)
            })
            .await
    }
}

/// Changes a record from a row of it.
pub(super) fn edit(step: &mut Step<'_>, shown: &PatientRow, edited: PatientRecord) -> Result<Option<Saved>> {
    let changes = shown.record.diff(&edited.validated()?);
    if changes.is_empty() {
        return Ok(None);
    }
    let intent = Intent::EditRecord {
        base_version: shown.version,
        changes,
        resolves: Vec::new(),
    };
    submit_edit(step, shown, intent).map(Some)
}

fn submit_edit(step: &mut Step<'_>, row: &PatientRow, intent: Intent) -> Result<Saved> {
    submit(
        step,
        NewWrite {
            unit: None,
            compartment: Compartment::Identity,
            patient: Some(row.id),
            replaces: None,
            intent,
        },
    )
}

fn reason_name(reason: DuplicateReason) -> &'static str {
    match reason {
        DuplicateReason::SameIdentifier => "same_identifier",
        DuplicateReason::SameNameAndBirthDate => "same_name_and_birth_date",
        DuplicateReason::SimilarNameAndBirthDate => "similar_name_and_birth_date",
        DuplicateReason::SameNameAndSimilarBirthDate => "same_name_and_similar_birth_date",
        DuplicateReason::SameNameOnly => "same_name_only",
    }
}

fn list(step: &mut Step<'_>, filter: &PatientFilter, page: &PageRequest) -> Result<Page<PatientSummary>> {
    let limit = page.rows();
    let text = filter.words.as_ref().map_or("", |words| words.0.as_str());
    let after: Option<(String, PatientId)> = page.place()?;
    let rows: Vec<PatientSummary> = found(step, text, after.as_ref(), limit + 1)?
        .into_iter()
        .map(|(row, fold)| summary(step, row, fold))
        .collect::<Result<_>>()?;
    audit_list(step, "patients", rows.len().min(limit), text)?;
    Ok(Page::cut(rows, limit, completeness(step)?, |row| {
        (row.fold.clone(), row.id)
    }))
}

/// Patients by name, after a place: those of a whole identifier, or whose names hold the words.
pub(super) fn found(
    step: &Step<'_>,
    text: &str,
    after: Option<&(String, PatientId)>,
    limit: usize,
) -> Result<Vec<(PatientRow, String)>> {
    let by_identifier = patients::sharing_keys(step.transaction, &identifier_keys(text))?;
    if by_identifier.is_empty() {
        let words: Vec<String> = fold(text)
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        return Ok(patients::page(step.transaction, &words, after, limit)?);
    }
    // Few, in the order of their ids.
    let rest = by_identifier
        .iter()
        .filter(|id| after.is_none_or(|(_, after)| *id > after));
    let rows = rest.take(limit).map(|id| patients::get(step.transaction, id));
    rows.filter_map(|row| row.transpose())
        .map(|row| Ok((row?, String::new())))
        .collect()
}
