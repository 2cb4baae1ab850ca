//! Conflicts: both values, who and when; resolving one is a write like any other.

use super::patients::audit_list;
use super::{Client, Watched};
use crate::error::{Code, Result, SyncError};
use crate::id::{ChartItemId, EntryId, PatientId, WriteId};
use crate::outbox::{NewWrite, Saved, submit};
use crate::record::{ChartKind, Compartment, Intent, PatientField};
use crate::redact::Sensitive;
use crate::step::Step;
use crate::store::chart;
use crate::store::conflicts::{self, ConflictRow, ConflictSubject};
use crate::store::entries::{self, EntryRow};
use std::collections::BTreeSet;

/// Conflicts: list, resolve.
#[derive(Debug)]
pub struct Conflicts<'a>(pub(super) &'a Client);

/// What a person decided.
#[derive(Clone, PartialEq, Debug)]
pub enum Resolution {
    /// The value of this write.
    Choice(WriteId),
    /// Another value (not for an entry's headers).
    Value(Sensitive<String>),
}

impl Conflicts<'_> {
    /// The open conflicts of all patients, and how many entries wait for a decision.
    pub async fn list(&self) -> Result<Vec<ConflictRow>> {
        self.0
            .call(|step| {
                let open = conflicts::list(step.transaction, None)?;
                audit_list(step, "conflicts", open.len(), "")?;
                Ok(open)
            })
            .await
    }

    /// The same, watched.
    pub fn watch_list(&self) -> Watched<Vec<ConflictRow>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| !changes.patients.is_empty() || changes.many),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.conflicts().list().await })
            }),
        )
    }

    /// Entries with a late edit or two finalizations, for whoever has to decide.
    pub async fn undecided(&self) -> Result<Vec<EntryRow>> {
        self.0
            .call(|step| {
                let rows = entries::undecided(step.transaction, crate::limits::PAGE_ROWS_MAX)?;
                audit_list(step, "undecided", rows.len(), "")?;
                Ok(rows)
            })
            .await
    }

    /// The same, watched.
    pub fn watch_undecided(&self) -> Watched<Vec<EntryRow>> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| !changes.patients.is_empty() || changes.many),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.conflicts().undecided().await })
            }),
        )
    }

    /// Decides a conflict between the values that were `shown`.
    ///
    /// # Errors
    /// `unknown_conflict`; `content_changed` when another value came since then; `field_invalid` for a choice that is
    /// none of it.
    pub async fn resolve(&self, shown: ConflictRow, resolution: Resolution) -> Result<Saved> {
        let conflict = self
            .0
            .call(move |step| {
                let conflict = conflicts::get(step.transaction, &shown.id)?;
                let conflict = conflict.ok_or(SyncError::from(Code::UnknownConflict))?;
                if writes(&conflict) == writes(&shown) {
                    Ok(conflict)
                } else {
                    Err(SyncError::from(Code::ContentChanged))
                }
            })
            .await?;
        let value = match &resolution {
            Resolution::Value(value) => value.clone(),
            Resolution::Choice(write) => {
                let choice = conflict.choices.iter().find(|choice| choice.write == *write);
                choice
                    .ok_or(SyncError::new(Code::FieldInvalid, "no such choice"))?
                    .value
                    .clone()
            }
        };
        match conflict.subject_kind {
            ConflictSubject::Patient => {
                let field =
                    PatientField::parse(&conflict.field).ok_or(SyncError::from(Code::FieldInvalid))?;
                self.0.patients().resolve(conflict.patient, field, value).await
            }
            ConflictSubject::ChartItem => self.0.call(move |step| set_field(step, &conflict, value)).await,
            ConflictSubject::Entry => match resolution {
                Resolution::Choice(chosen) => self.0.call(move |step| choose(step, &conflict, chosen)).await,
                Resolution::Value(_) => Err(SyncError::new(
                    Code::FieldInvalid,
                    "choose one of the texts, or amend",
                )),
            },
        }
    }
}

fn writes(conflict: &ConflictRow) -> BTreeSet<WriteId> {
    conflict.choices.iter().map(|choice| choice.write).collect()
}

fn set_field(step: &mut Step<'_>, conflict: &ConflictRow, value: Sensitive<String>) -> Result<Saved> {
    let item = ChartItemId(conflict.subject);
    let row = chart::get(step.transaction, &conflict.patient, conflict.compartment, &item)?
        .ok_or(SyncError::from(Code::UnknownConflict))?;
    let kind = if conflict.field == "kind" {
        value.0.clone()
    } else {
        row.kind.clone()
    };
    let fields = if conflict.field == "kind" {
        Default::default()
    } else {
        [(conflict.field.clone(), value)].into()
    };
    submit_in(
        step,
        conflict.patient,
        row.compartment,
        Intent::SetChart {
            item: Some(item),
            kind: ChartKind(kind),
            fields,
            entry: None,
        },
    )
}

fn choose(step: &mut Step<'_>, conflict: &ConflictRow, chosen: WriteId) -> Result<Saved> {
    let id = EntryId(conflict.subject);
    let row = entries::get(step.transaction, &conflict.patient, &id)?
        .ok_or(SyncError::from(Code::UnknownConflict))?;
    let intent = Intent::ChooseHeader {
        entry: id,
        chapter: row.chapter,
        chosen,
    };
    submit_in(step, row.patient, row.compartment, intent)
}

fn submit_in(
    step: &mut Step<'_>,
    patient: PatientId,
    compartment: Compartment,
    intent: Intent,
) -> Result<Saved> {
    submit(
        step,
        NewWrite {
            unit: None,
            compartment,
            patient: Some(patient),
            replaces: None,
            intent,
        },
    )
}
