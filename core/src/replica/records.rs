//! Patients' records. In the log's order each change of a field is a compare-and-set from the value its author saw:
//! what fits is set, what no longer fits waits as a conflict with both values. Every device that read as far shows
//! the same. Writes that wait here are laid on top, for the screen only.

use super::links::accept_link;
use super::placement::is_readable;
use super::records_again;
use crate::error::Result;
use crate::id::{Incarnation, PatientId, UnitId, WriteId};
use crate::protocol::SnapshotRecord;
use crate::record::{
    Compartment, FieldChange, Intent, PatientField, PatientRecord, PatientValue, Stream, Write,
    duplicate_keys, fold,
};
use crate::step::Step;
use crate::store::conflicts::{self, Choice, ConflictRow, ConflictSubject, Subject};
use crate::store::cursors;
use crate::store::outbox;
use crate::store::patients::{self, PatientRow};
use crate::store::receipts::{self, Receipt};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Values that no longer fitted, per field, each with the record's version it came after.
type Refused = BTreeMap<String, Vec<(u64, Choice)>>;

/// Who set what is shown.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Writers {
    /// Per field, the last edit that was set.
    fields: BTreeMap<String, Choice>,
    /// The registration (its value is left out).
    registered: Option<Choice>,
    /// After a snapshot: the record as the log has it so far, and its version. What is shown is the snapshot's.
    behind: Option<(PatientRecord, u64)>,
    /// The writes that took effect: one that comes again, in another unit's log, has none.
    #[serde(default)]
    applied: BTreeSet<WriteId>,
}

/// A record on its way along the log.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Trail {
    pub(super) record: Option<PatientRecord>,
    version: u64,
    writers: Writers,
    refused: Refused,
}

impl Trail {
    fn of(row: &PatientRow, behind: bool) -> Self {
        let mut writers: Writers = serde_json::from_str(&row.field_writers).unwrap_or_default();
        let refused = serde_json::from_str(&row.refused).unwrap_or_default();
        let (record, version) = if behind {
            writers
                .behind
                .take()
                .map_or((None, 0), |(record, version)| (Some(record), version))
        } else {
            (row.accepted.clone(), row.version)
        };
        Self {
            record,
            version,
            writers,
            refused,
        }
    }

    fn put_into(mut self, row: &mut PatientRow, behind: bool) {
        if !behind {
            row.accepted = self.record;
            row.version = self.version;
            self.writers.behind = None;
        } else {
            self.writers.behind = self.record.map(|record| (record, self.version));
        }
        row.field_writers = serde_json::to_string(&self.writers).unwrap_or_default();
        row.refused = serde_json::to_string(&self.refused).unwrap_or_default();
    }

    /// Takes in a write of the log.
    pub(super) fn apply(&mut self, write: &Write, incarnation: &Incarnation) {
        let counts = match write.intent {
            Intent::Register { .. } => true,
            // Before the registration there is nothing to edit; behind it the edit comes again.
            Intent::EditRecord { .. } => self.record.is_some(),
            _ => return,
        };
        if !counts || !self.writers.applied.insert(write.id(incarnation)) {
            return;
        }
        match &write.intent {
            Intent::Register { record, .. } => self.register(write, incarnation, record),
            Intent::EditRecord {
                base_version,
                changes,
                resolves,
            } => {
                self.decide(resolves, *base_version);
                self.edit(write, incarnation, changes);
            }
            _ => {}
        }
    }

    /// A patient that two devices imported is registered once. What the second registration says otherwise waits
    /// for a person.
    fn register(&mut self, write: &Write, incarnation: &Incarnation, record: &PatientRecord) {
        let Some(known) = &self.record else {
            self.record = Some(record.clone());
            self.version = 1;
            self.writers.registered = Some(choice(write, incarnation, &PatientValue::default()));
            return;
        };
        let empty = PatientRecord::default();
        for field in PatientField::ALL {
            let value = record.get(field);
            if value != known.get(field) && value != empty.get(field) {
                let refused = (self.version, choice(write, incarnation, &value));
                self.refused
                    .entry(field.name().to_owned())
                    .or_default()
                    .push(refused);
            }
        }
    }

    fn edit(&mut self, write: &Write, incarnation: &Incarnation, changes: &[FieldChange]) {
        let Some(record) = &mut self.record else { return };
        self.version += 1;
        for change in changes {
            let name = change.field.name().to_owned();
            let choice = choice(write, incarnation, &change.to);
            let current = record.get(change.field);
            if current == change.from || current == change.to {
                if record.set(change.field, &change.to).is_ok() {
                    self.writers.fields.insert(
                        name,
                        Choice {
                            shown: true,
                            ..choice
                        },
                    );
                }
            } else {
                self.refused.entry(name).or_default().push((self.version, choice));
            }
        }
    }

    /// A decision takes away what its author saw, and nothing that came to the record since.
    fn decide(&mut self, fields: &[PatientField], seen_version: u64) {
        for field in fields {
            if let Some(values) = self.refused.get_mut(field.name()) {
                values.retain(|(version, _)| *version > seen_version);
            }
        }
        self.refused.retain(|_, values| !values.is_empty());
    }
}

/// Applies a write of the identity stream that the server accepted.
pub fn accept_record(
    step: &mut Step<'_>,
    incarnation: &Incarnation,
    write: &Write,
    receipt: &Receipt,
) -> Result<()> {
    if write.intent.is_placement() {
        return super::accept_placement(step, write.id(incarnation), write, receipt.received_ms);
    }
    if matches!(write.intent, Intent::Link { .. } | Intent::Unlink { .. }) {
        return accept_link(step, incarnation, write, receipt);
    }
    let found = patients::get(step.transaction, &write.patient)?;
    if records_again::is_under_way(step, &receipt.stream.unit)? {
        records_again::accept(step, incarnation, write)?;
        if found.is_some() {
            return refresh_record(step, &write.patient);
        }
    }
    let behind = found.as_ref().is_some_and(is_behind);
    let mut row = match &write.intent {
        Intent::Register { record, .. } => {
            found.unwrap_or_else(|| new_row(write.patient, write.unit, record.clone()))
        }
        Intent::EditRecord { .. } => match found {
            Some(row) => row,
            None => return Ok(()),
        },
        _ => return Ok(()),
    };
    let mut trail = Trail::of(&row, behind);
    // A snapshot knows the stream they came by, which may be one they are shared with.
    if trail.writers.registered.is_none() && matches!(write.intent, Intent::Register { .. }) {
        row.unit = write.unit;
    }
    trail.apply(write, incarnation);
    trail.put_into(&mut row, behind);
    store(step, row)
}

/// Puts a record in its place as it came out of its whole log.
pub(super) fn lay_down(step: &mut Step<'_>, trail: Trail, mut row: PatientRow) -> Result<()> {
    trail.put_into(&mut row, false);
    store(step, row)
}

/// Whether a snapshot brought the record as it was after the next write of its log; who wrote what is in the log
/// alone. Versions tell, places in a log do not: a patient of several units stands in several.
fn is_behind(row: &PatientRow) -> bool {
    let writers: Writers = serde_json::from_str(&row.field_writers).unwrap_or_default();
    match writers.behind {
        Some((_, version)) => version < row.version,
        None => row.accepted.is_some() && writers.registered.is_none(),
    }
}

/// Whether a patient came from state and the log, read as far, does not have them: they left the unit in between.
pub(super) fn has_left_since_snapshot(step: &Step<'_>, patient: &PatientId) -> Result<bool> {
    let Some(row) = patients::get(step.transaction, patient)? else {
        return Ok(false);
    };
    let writers: Writers = serde_json::from_str(&row.field_writers).unwrap_or_default();
    if row.accepted.is_none() || writers.registered.is_some() {
        return Ok(false);
    }
    let stream = Stream::new(row.unit, Compartment::Identity);
    Ok(cursors::get(step.transaction, &stream)?.seq >= row.as_of)
}

/// Whether a patient left the scope, as far as this device was told, after the server had answered with them.
fn has_left_on_the_way(step: &Step<'_>, snapshot: &SnapshotRecord) -> Result<bool> {
    let scope = &step.device.enrolled()?.scope.streams;
    let was_read = cursors::get(step.transaction, &snapshot.stream)?.seq > snapshot.as_of;
    Ok(!scope.contains(&snapshot.stream)
        || (was_read && !is_readable(step, &snapshot.patient, Compartment::Identity)?))
}

/// Takes in a record as the server holds it.
pub fn accept_snapshot_record(step: &mut Step<'_>, snapshot: &SnapshotRecord) -> Result<()> {
    if has_left_on_the_way(step, snapshot)? {
        return Ok(());
    }
    let found = patients::get(step.transaction, &snapshot.patient)?;
    if found.as_ref().is_some_and(|row| row.version >= snapshot.version) {
        return Ok(());
    }
    let mut row = found.unwrap_or_else(|| PatientRow {
        id: snapshot.patient,
        unit: snapshot.stream.unit,
        record: snapshot.record.clone(),
        accepted: None,
        version: 0,
        field_writers: "{}".into(),
        refused: "{}".into(),
        as_of: 0,
    });
    let mut writers: Writers = serde_json::from_str(&row.field_writers).unwrap_or_default();
    // Where the registration was read, what is here is the log's; otherwise it is an earlier snapshot's.
    if writers.behind.is_none() && writers.registered.is_some() {
        writers.behind = row.accepted.take().map(|accepted| (accepted, row.version));
    }
    row.field_writers = serde_json::to_string(&writers).unwrap_or_default();
    row.accepted = Some(snapshot.record.clone());
    row.version = snapshot.version;
    row.as_of = snapshot.as_of;
    store(step, row)
}

/// Puts the server's record in the place of one that differs or is not here, as it came out of the log up to the
/// cursor. Who wrote what of it stays as the log said, where that is still known.
pub(super) fn replace(step: &mut Step<'_>, record: &SnapshotRecord) -> Result<()> {
    let mut row = match patients::get(step.transaction, &record.patient)? {
        Some(row) => row,
        None => {
            let unit = super::placement::home_by_shares(step, &record.patient, &record.stream)?;
            new_row(record.patient, unit, record.record.clone())
        }
    };
    let mut writers: Writers = serde_json::from_str(&row.field_writers).unwrap_or_default();
    writers.behind = None;
    writers.registered.get_or_insert_with(|| unknown_writer(&row));
    row.field_writers = serde_json::to_string(&writers).unwrap_or_default();
    row.accepted = Some(record.record.clone());
    row.version = record.version;
    store(step, row)
}

/// Lays the writes that wait on top of the accepted record, anew. A patient whose registration neither waits nor
/// was accepted goes.
pub fn refresh_record(step: &mut Step<'_>, patient: &PatientId) -> Result<()> {
    let found = patients::get(step.transaction, patient)?;
    let waiting = waiting(step, patient)?;
    let row = match (found, waiting.first()) {
        (Some(row), _) => row,
        (
            None,
            Some(Write {
                intent: Intent::Register { record, .. },
                ..
            }),
        ) => new_row(*patient, waiting[0].unit, record.clone()),
        (None, _) => return Ok(()),
    };
    let registers = waiting
        .iter()
        .any(|write| matches!(write.intent, Intent::Register { .. }));
    if row.accepted.is_none() && !registers {
        patients::remove(step.transaction, patient)?;
        step.changes.patient_list = true;
        return Ok(());
    }
    store(step, row)
}

fn new_row(patient: PatientId, unit: UnitId, record: PatientRecord) -> PatientRow {
    PatientRow {
        id: patient,
        unit,
        record,
        accepted: None,
        version: 0,
        field_writers: "{}".into(),
        refused: "{}".into(),
        as_of: 0,
    }
}

/// This device's writes of a record that the accepted record does not show yet: accepted ones the cursor has not
/// passed, and those in the queue.
fn waiting(step: &Step<'_>, patient: &PatientId) -> Result<Vec<Write>> {
    let mut writes: Vec<Write> = receipts::own_records(step.transaction, patient)?
        .iter()
        .filter_map(|bytes| Write::from_bytes(bytes))
        .collect();
    for row in outbox::lane(step.transaction, patient)? {
        if row.class == crate::record::Class::Registration {
            writes.extend(Write::from_bytes(&row.bytes));
        }
    }
    Ok(writes)
}

fn store(step: &mut Step<'_>, mut row: PatientRow) -> Result<()> {
    let mut shown = row.accepted.clone();
    let mut decided = Vec::new();
    for write in waiting(step, &row.id)? {
        match write.intent {
            Intent::Register { record, .. } if shown.is_none() => shown = Some(record),
            Intent::EditRecord {
                changes, resolves, ..
            } => {
                decided.extend(resolves);
                if let Some(shown) = &mut shown {
                    for change in changes {
                        // A value that does not fit its field was refused when it was written.
                        let _ = shown.set(change.field, &change.to);
                    }
                }
            }
            _ => {}
        }
    }
    if let Some(shown) = shown {
        row.record = shown;
    }
    patients::put(
        step.transaction,
        &row,
        &fold(&row.record.name),
        &duplicate_keys(&row.record),
    )?;
    write_conflicts(step, &row, &decided)?;
    step.changes.patient(row.id);
    step.changes.patient_list = true;
    Ok(())
}

/// Conflicts that a write which waits here `decided` are closed here already.
fn write_conflicts(step: &mut Step<'_>, row: &PatientRow, decided: &[PatientField]) -> Result<()> {
    let refused: Refused = serde_json::from_str(&row.refused).unwrap_or_default();
    let writers: Writers = serde_json::from_str(&row.field_writers).unwrap_or_default();
    let subject = Subject {
        patient: row.id,
        compartment: Compartment::Identity,
        id: row.id.0,
    };
    let mut open = Vec::new();
    for (name, values) in &refused {
        let Some(field) = PatientField::parse(name).filter(|field| !decided.contains(field)) else {
            continue;
        };
        let shown = row.accepted.as_ref().unwrap_or(&row.record).get(field);
        let writer = writers.fields.get(name).or(writers.registered.as_ref());
        let mut choices = vec![Choice {
            value: shown.clone(),
            shown: true,
            ..writer.cloned().unwrap_or_else(|| unknown_writer(row))
        }];
        for (_, value) in values {
            if !choices.iter().any(|known| known.value == value.value) {
                choices.push(value.clone());
            }
        }
        if choices.len() < 2 {
            continue;
        }
        open.push(name.as_str());
        conflicts::put(
            step.transaction,
            &ConflictRow {
                id: subject.conflict_id(name),
                patient: row.id,
                compartment: Compartment::Identity,
                subject: row.id.0,
                subject_kind: ConflictSubject::Patient,
                field: name.clone(),
                needs_person: true,
                choices,
            },
        )?;
    }
    conflicts::keep_only(step.transaction, &subject, &open)?;
    Ok(())
}

/// Until the log is read as far as a snapshot, who wrote what it shows is not known.
fn unknown_writer(row: &PatientRow) -> Choice {
    Choice {
        value: PatientValue::default(),
        author: crate::id::UserId(uuid::Uuid::nil()),
        recorded_at: crate::time::Zoned {
            utc_ms: 0,
            offset_minutes: 0,
        },
        write: crate::id::WriteId(row.id.0),
        shown: true,
    }
}

fn choice(write: &Write, incarnation: &Incarnation, value: &PatientValue) -> Choice {
    Choice {
        value: value.clone(),
        author: write.user,
        recorded_at: write.recorded_at,
        write: write.id(incarnation),
        shown: false,
    }
}
