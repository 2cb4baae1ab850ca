//! Patients' records. In the log's order each change of a field is a compare-and-set from the value its author saw:
//! what fits is set, what no longer fits waits as a conflict with both values. Every device that read as far shows
//! the same. Writes that wait here are laid on top, for the screen only.

use crate::error::Result;
use crate::id::{ConflictId, Incarnation, PatientId};
use crate::protocol::SnapshotRecord;
use crate::record::{Intent, PatientField, PatientRecord, PatientValue, Write, duplicate_keys, fold};
use crate::step::Step;
use crate::store::conflicts::{self, Choice, ConflictRow, ConflictSubject};
use crate::store::outbox;
use crate::store::patients::{self, PatientRow};
use crate::store::receipts;
use std::collections::BTreeMap;

type Writers = BTreeMap<String, Choice>;
type Refused = BTreeMap<String, Vec<Choice>>;

/// Applies a write of the identity stream that the server accepted.
pub fn accept_record(step: &mut Step<'_>, incarnation: &Incarnation, write: &Write, seq: u64) -> Result<()> {
    let found = patients::get(step.transaction, &write.patient)?;
    if found.as_ref().is_some_and(|row| row.as_of >= seq) {
        // A snapshot brought the record as it was after this write.
        return Ok(());
    }
    match &write.intent {
        Intent::Register { record, .. } => {
            let mut row = found.unwrap_or_else(|| new_row(write, record.clone()));
            // A patient that two devices imported is registered once; the second registration changes nothing.
            if row.accepted.is_none() {
                row.accepted = Some(record.clone());
                row.version = 1;
                row.unit = write.unit;
            }
            store(step, row)
        }
        Intent::EditRecord {
            changes, resolves, ..
        } => {
            let Some(mut row) = found else { return Ok(()) };
            let Some(mut accepted) = row.accepted.clone() else {
                return Ok(());
            };
            let mut writers: Writers = serde_json::from_str(&row.field_writers).unwrap_or_default();
            let mut refused: Refused = serde_json::from_str(&row.refused).unwrap_or_default();
            for change in changes {
                let name = change.field.name();
                let choice = choice(write, incarnation, &change.to);
                let current = accepted.get(change.field);
                if current == change.from || current == change.to {
                    if accepted.set(change.field, &change.to).is_ok() {
                        writers.insert(
                            name.to_owned(),
                            Choice {
                                shown: true,
                                ..choice
                            },
                        );
                    }
                } else {
                    refused.entry(name.to_owned()).or_default().push(choice);
                }
                if resolves.contains(&change.field) && current == change.from {
                    refused.remove(name);
                }
            }
            row.version += 1;
            row.accepted = Some(accepted);
            row.field_writers = serde_json::to_string(&writers).unwrap_or_default();
            row.refused = serde_json::to_string(&refused).unwrap_or_default();
            store(step, row)
        }
        _ => Ok(()),
    }
}

/// Takes in a record as the server holds it.
pub fn accept_snapshot_record(step: &mut Step<'_>, snapshot: &SnapshotRecord) -> Result<()> {
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
    row.accepted = Some(snapshot.record.clone());
    row.version = snapshot.version;
    row.as_of = snapshot.as_of;
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
        ) => new_row(&waiting[0], record.clone()),
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

fn new_row(write: &Write, record: PatientRecord) -> PatientRow {
    PatientRow {
        id: write.patient,
        unit: write.unit,
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
    for write in waiting(step, &row.id)? {
        match write.intent {
            Intent::Register { record, .. } if shown.is_none() => shown = Some(record),
            Intent::EditRecord { changes, .. } => {
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
    write_conflicts(step, &row)?;
    step.changes.patient(row.id);
    step.changes.patient_list = true;
    Ok(())
}

fn write_conflicts(step: &mut Step<'_>, row: &PatientRow) -> Result<()> {
    let refused: Refused = serde_json::from_str(&row.refused).unwrap_or_default();
    let writers: Writers = serde_json::from_str(&row.field_writers).unwrap_or_default();
    let mut open = Vec::new();
    for (name, values) in &refused {
        let Some(field) = PatientField::parse(name) else {
            continue;
        };
        let shown = row.accepted.as_ref().unwrap_or(&row.record).get(field);
        let mut choices: Vec<Choice> = vec![
            writers
                .get(name)
                .cloned()
                .unwrap_or_else(|| registered(row, shown.clone())),
        ];
        choices[0].value = shown.clone();
        for value in values {
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
                id: ConflictId::derive(&row.id.0, name),
                patient: row.id,
                subject: row.id.0,
                subject_kind: ConflictSubject::Patient,
                field: name.clone(),
                needs_person: true,
                choices,
            },
        )?;
    }
    conflicts::keep_only(step.transaction, &row.id.0, &open)?;
    Ok(())
}

/// A value that nobody set since the registration.
fn registered(row: &PatientRow, value: PatientValue) -> Choice {
    Choice {
        value,
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
