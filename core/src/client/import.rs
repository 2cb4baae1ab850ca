//! Imports: many entries of one patient in one write, and what an importer must know of what is already here.

use super::Client;
use crate::error::{Code, Result, SyncError};
use crate::id::{ChartItemId, EntryId, PatientId};
use crate::limits::WRITE_ENTRIES_MAX;
use crate::outbox::{NewWrite, Saved, submit};
use crate::record::{ChartFields, Compartment, Intent, NewEntry, PatientRecord, ReferenceRow};
use crate::step::Step;
use crate::store::{chart, entries, patients, reference};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Imports.
#[derive(Debug)]
pub struct Imports<'a>(pub(super) &'a Client);

/// What is here of an imported resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportedEntry {
    /// The entry, or the last imported amendment of it.
    pub current: EntryId,
    /// The digest of its source's content.
    pub digest: String,
}

/// Bytes of text and bodies in one write: its change must stay under the gate's limit.
const WRITE_BYTES: usize = 192 * 1024;

impl Imports<'_> {
    /// Adds entries of one patient: as [`Self::add_all`] of that patient alone.
    pub async fn add(&self, patient: PatientId, entries: Vec<NewEntry>) -> Result<Vec<Saved>> {
        self.add_all(vec![(patient, entries)]).await
    }

    /// Adds entries of one patient in a compartment.
    ///
    /// # Errors
    /// As [`Self::add`]; `out_of_scope`.
    pub async fn add_in(
        &self,
        patient: PatientId,
        compartment: Compartment,
        entries: Vec<NewEntry>,
    ) -> Result<Vec<Saved>> {
        let mut saved = Vec::new();
        for batch in writes((patient, entries)) {
            saved.extend(self.commit(compartment, vec![batch]).await?);
        }
        Ok(saved)
    }

    /// What is here of a chart item.
    pub async fn chart_item(&self, patient: PatientId, item: ChartItemId) -> Result<Option<ChartFields>> {
        self.0
            .call(move |step| {
                let row = chart::get(step.transaction, &patient, Compartment::Clinical, &item)?;
                Ok(row.map(|row| row.fields))
            })
            .await
    }

    /// Adds entries of several patients, in as few writes as the limits allow (each of one patient and year), and up
    /// to a write's worth of entries in one commit, so that somebody who writes meanwhile waits for no more: a call of
    /// at most `limits::WRITE_ENTRIES_MAX` entries is atomic.
    pub async fn add_all(&self, patients: Vec<(PatientId, Vec<NewEntry>)>) -> Result<Vec<Saved>> {
        let mut commits: Vec<Vec<(PatientId, Vec<NewEntry>)>> = Vec::new();
        let mut size = 0;
        for (patient, batch) in patients.into_iter().flat_map(writes) {
            size += batch.len();
            match commits.last_mut() {
                Some(commit) if size <= WRITE_ENTRIES_MAX => commit.push((patient, batch)),
                _ => {
                    size = batch.len();
                    commits.push(vec![(patient, batch)]);
                }
            }
        }
        let mut saved = Vec::new();
        for commit in commits {
            saved.extend(self.commit(Compartment::Clinical, commit).await?);
        }
        Ok(saved)
    }

    async fn commit(
        &self,
        compartment: Compartment,
        batches: Vec<(PatientId, Vec<NewEntry>)>,
    ) -> Result<Vec<Saved>> {
        self.0
            .call(move |step| {
                batches
                    .into_iter()
                    .map(|(patient, batch)| add_batch(step, patient, compartment, batch))
                    .collect()
            })
            .await
    }

    /// The record of a patient that was imported before, and the digest of its source.
    pub async fn patient(&self, patient: PatientId) -> Result<Option<(PatientRecord, Option<String>)>> {
        self.0
            .call(move |step| {
                let row = patients::get(step.transaction, &patient)?;
                Ok(row.map(|row| {
                    let digest = row.record.origin.as_ref().map(|origin| origin.digest.clone());
                    (row.record, digest)
                }))
            })
            .await
    }

    /// Changes the record of a patient that was imported before to what its source says now.
    ///
    /// # Errors
    /// `unknown_patient`; what [`super::Patients::edit`] refuses.
    pub async fn edit(&self, patient: PatientId, record: PatientRecord) -> Result<Option<Saved>> {
        self.0
            .call(move |step| {
                let held = patients::get(step.transaction, &patient)?;
                let held = held.ok_or(SyncError::from(Code::UnknownPatient))?;
                super::patients::edit(step, &held, record)
            })
            .await
    }

    /// What is here of entries, in the order asked: each followed along its imported amendments.
    pub async fn entries(&self, ids: Vec<EntryId>) -> Result<Vec<Option<ImportedEntry>>> {
        self.0
            .call(move |step| {
                let mut found = Vec::with_capacity(ids.len());
                for id in ids {
                    let row = entries::last_imported(step.transaction, &id)?;
                    found.push(row.map(|(current, digest)| ImportedEntry { current, digest }));
                }
                Ok(found)
            })
            .await
    }

    /// Keeps rows many records name; those that are here already with the same content change nothing.
    pub async fn reference(&self, rows: Vec<ReferenceRow>) -> Result<Option<Saved>> {
        self.0
            .call(move |step| {
                let mut new = Vec::new();
                for row in rows {
                    if reference::get(step.transaction, &row.kind, &row.id)?.as_ref() != Some(&row) {
                        new.push(row);
                    }
                }
                if new.is_empty() {
                    return Ok(None);
                }
                submit(
                    step,
                    NewWrite {
                        unit: None,
                        compartment: Compartment::Identity,
                        patient: Some(PatientId(Uuid::nil())),
                        replaces: None,
                        intent: Intent::AddReference { rows: new },
                    },
                )
                .map(Some)
            })
            .await
    }
}

fn add_batch(
    step: &mut Step<'_>,
    patient: PatientId,
    compartment: Compartment,
    entries: Vec<NewEntry>,
) -> Result<Saved> {
    let entries = entries
        .into_iter()
        .map(|entry| entry.validated(step.kinds))
        .collect::<Result<_>>()?;
    submit(
        step,
        NewWrite {
            unit: None,
            compartment,
            patient: Some(patient),
            replaces: None,
            intent: Intent::Add { entries },
        },
    )
}

fn writes((patient, entries): (PatientId, Vec<NewEntry>)) -> Vec<(PatientId, Vec<NewEntry>)> {
    let mut years: BTreeMap<i32, Vec<NewEntry>> = BTreeMap::new();
    for entry in entries {
        years.entry(entry.occurred_at.utc_year()).or_default().push(entry);
    }
    let batches = years.into_values().flat_map(batches);
    batches.map(|batch| (patient, batch)).collect()
}

fn batches(entries: Vec<NewEntry>) -> Vec<Vec<NewEntry>> {
    let mut batches: Vec<Vec<NewEntry>> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let size = entry.content_bytes() + 128;
        match batches.last_mut() {
            Some(batch) if batch.len() < WRITE_ENTRIES_MAX && bytes + size <= WRITE_BYTES => {
                bytes += size;
                batch.push(entry);
            }
            _ => {
                bytes = size;
                batches.push(vec![entry]);
            }
        }
    }
    batches
}
