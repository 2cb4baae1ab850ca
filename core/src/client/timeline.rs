//! Writing entries and chart items.

use super::Client;
use crate::error::{Code, Result, SyncError};
use crate::id::{ChartItemId, EntryId, PatientId};
use crate::limits::FUTURE_TOLERANCE_MS;
use crate::outbox::{NewWrite, Saved, submit};
use crate::record::{ChartFields, ChartKind, Compartment, Intent, Kind, NewEntry, Relation};
use crate::redact::Sensitive;
use crate::replica;
use crate::step::Step;
use crate::store::chart;
use crate::store::entries::{self, EntryRow, EntryStatus};
use crate::time::Zoned;

/// Entries: add, amend, retract, move.
#[derive(Debug)]
pub struct Timeline<'a>(pub(super) &'a Client);

/// A typed time more than a day ahead of server time asks for confirmation; where server time is not known it is
/// saved and flagged.
pub(super) fn check_time(step: &Step<'_>, entry: &mut NewEntry, confirmed: bool) -> Result<()> {
    match step.device.server_ms(&step.now) {
        Some(server_ms) if entry.occurred_at.utc_ms > server_ms + FUTURE_TOLERANCE_MS && !confirmed => Err(
            SyncError::new(Code::OccurredInFuture, "confirm the time or correct it"),
        ),
        Some(_) => Ok(()),
        None => {
            entry.marks.time_uncertain = true;
            Ok(())
        }
    }
}

pub(super) fn entry(step: &Step<'_>, id: &EntryId) -> Result<EntryRow> {
    entries::anybodys(step.transaction, id)?.ok_or(SyncError::from(Code::UnknownEntry))
}

fn final_entry(step: &Step<'_>, id: &EntryId) -> Result<EntryRow> {
    let row = entry(step, id)?;
    match row.status {
        EntryStatus::Draft => Err(SyncError::new(
            Code::NotADraft,
            "a draft is edited, not amended or retracted",
        )),
        EntryStatus::EnteredInError => Err(SyncError::from(Code::AlreadyRetracted)),
        _ => Ok(row),
    }
}

fn add(step: &mut Step<'_>, patient: PatientId, compartment: Compartment, entry: NewEntry) -> Result<Saved> {
    let entry = entry.validated(step.kinds)?;
    submit(
        step,
        NewWrite {
            unit: None,
            compartment,
            patient: Some(patient),
            replaces: None,
            intent: Intent::Add { entries: vec![entry] },
        },
    )
}

impl Timeline<'_> {
    /// Adds a final entry to a patient's timeline.
    ///
    /// # Errors
    /// `unknown_patient`, `text_empty`, `text_too_long`, `body_invalid`, `not_a_date`, `occurred_in_future` …;
    /// nothing is saved. `disk_full`: the same.
    pub async fn add(&self, patient: PatientId, entry: NewEntry) -> Result<Saved> {
        self.add_in(patient, Compartment::Clinical, entry, false).await
    }

    /// Adds an entry in a compartment; `confirm_time` takes a time in the future as meant.
    pub async fn add_in(
        &self,
        patient: PatientId,
        compartment: Compartment,
        mut entry: NewEntry,
        confirm_time: bool,
    ) -> Result<Saved> {
        self.0
            .call(move |step| {
                check_time(step, &mut entry, confirm_time)?;
                add(step, patient, compartment, entry)
            })
            .await
    }

    /// Adds an entry that takes the place of another one; both stay readable.
    pub async fn amend(&self, id: EntryId, text: Option<String>, body: Option<String>) -> Result<Saved> {
        self.0
            .call(move |step| {
                let row = final_entry(step, &id)?;
                let mut entry = NewEntry::new(Kind(row.kind), row.occurred_at, text.unwrap_or(row.text.0));
                entry.body = body.map(Sensitive).or(row.body);
                entry.relation = Some(Relation::Amends(id));
                add(step, row.patient, row.compartment, entry)
            })
            .await
    }

    /// Says that an entry was entered in error; it stays readable, marked.
    ///
    /// # Errors
    /// `reason_required`, `already_retracted`, `not_a_draft`, `unknown_entry`.
    pub async fn retract(&self, id: EntryId, reason: String) -> Result<Saved> {
        self.0
            .call(move |step| {
                if reason.trim().is_empty() {
                    return Err(SyncError::from(Code::ReasonRequired));
                }
                let row = final_entry(step, &id)?;
                let mut entry = NewEntry::new(Kind("administrative".into()), row.occurred_at, reason);
                entry.relation = Some(Relation::Retracts(id));
                add(step, row.patient, row.compartment, entry)
            })
            .await
    }

    /// Moves an entry from the wrong patient's chart to the right one: retracted there, copied here, linked, in one
    /// write.
    pub async fn move_to(&self, id: EntryId, to: PatientId, reason: String) -> Result<Saved> {
        self.0
            .call(move |step| {
                if reason.trim().is_empty() {
                    return Err(SyncError::from(Code::ReasonRequired));
                }
                let row = final_entry(step, &id)?;
                let header = Box::new(replica::shown_header(step, &row)?);
                let year = header.entry.occurred_at.utc_year();
                let to_part = crate::outbox::open_part(step, &to, row.compartment, year)?;
                submit(
                    step,
                    NewWrite {
                        unit: None,
                        compartment: row.compartment,
                        patient: Some(row.patient),
                        replaces: None,
                        intent: Intent::Move {
                            entry: id,
                            chapter: row.chapter,
                            to,
                            to_part,
                            reason: Sensitive(reason),
                            header,
                        },
                    },
                )
            })
            .await
    }
}

/// The chart: allergies, problems, medication, alerts, tasks.
#[derive(Debug)]
pub struct Charts<'a>(pub(super) &'a Client);

impl Charts<'_> {
    /// Sets fields of an item; a new item when none is named.
    ///
    /// # Errors
    /// `unknown_patient`, `unknown_entry` (no such item on this patient's chart), `field_invalid`.
    pub async fn set(
        &self,
        patient: PatientId,
        item: Option<ChartItemId>,
        kind: ChartKind,
        fields: ChartFields,
    ) -> Result<Saved> {
        self.set_with_entry(patient, item, kind, fields, None).await
    }

    /// The same, with the entry that tells of it.
    pub async fn set_with_entry(
        &self,
        patient: PatientId,
        item: Option<ChartItemId>,
        kind: ChartKind,
        fields: ChartFields,
        entry: Option<NewEntry>,
    ) -> Result<Saved> {
        self.0
            .call(move |step| {
                let entry = entry
                    .map(|entry| entry.validated(step.kinds))
                    .transpose()?
                    .map(Box::new);
                if let Some(item) = item {
                    require_item(step, &patient, &item)?;
                }
                submit(
                    step,
                    NewWrite {
                        unit: None,
                        compartment: Compartment::Clinical,
                        patient: Some(patient),
                        replaces: None,
                        intent: Intent::SetChart {
                            item,
                            kind,
                            fields,
                            entry,
                        },
                    },
                )
            })
            .await
    }
}

/// An item that is named is on this patient's chart, or derives from a source (UUIDv5, imports).
fn require_item(step: &Step<'_>, patient: &PatientId, item: &ChartItemId) -> Result<()> {
    let known = item.0.get_version_num() == 5
        || chart::get(step.transaction, patient, Compartment::Clinical, item)?.is_some();
    if known {
        Ok(())
    } else {
        Err(SyncError::new(
            Code::UnknownEntry,
            "no such item on this patient's chart",
        ))
    }
}

/// The time an entry gets when its author names none.
pub(super) fn now(step: &Step<'_>) -> Zoned {
    Zoned {
        utc_ms: step.now.wall_ms,
        offset_minutes: step.now.offset_minutes,
    }
}
