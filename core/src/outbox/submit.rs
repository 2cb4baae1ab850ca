//! Saving a write: the intent, its change, the rows, the audit, in the step's transaction.

use crate::audit;
use crate::bytes::ByteArray;
use crate::error::{Code, Result, SyncError};
use crate::id::{EntryId, Incarnation, PatientId, UnitId, WriteId};
use crate::limits::{CHAPTER_PART_BYTES, CHAPTER_PART_ENTRIES, OUTBOX_BYTES_MAX, OUTBOX_WRITES_MAX};
use crate::protocol::AuditRecord;
use crate::record::{Compartment, FirstKey, Intent, Write};
use crate::replica;
use crate::step::Step;
use crate::store::outbox::{self, OutboxRow, WriteState};
use crate::store::{documents, patients};
use crate::time::{Hlc, Zoned};

/// What a person asks to be written.
#[derive(Clone, PartialEq, Debug)]
pub struct NewWrite {
    /// The unit a new patient is registered in, or claimed for; when none is named the first in scope. What is about a
    /// patient who is here is written in a unit that has them.
    pub unit: Option<UnitId>,
    /// Who may read it.
    pub compartment: Compartment,
    /// Whose; of a registration without a derived id, none.
    pub patient: Option<PatientId>,
    /// Of a write edited and sent again: the one it takes the place of.
    pub replaces: Option<WriteId>,
    /// What is asked.
    pub intent: Intent,
}

/// A saved write. It is durable when the step's transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Saved {
    /// Its id: the idempotency key.
    pub write: WriteId,
    /// Its number on this device.
    pub n: u64,
    /// The patient.
    pub patient: PatientId,
    /// The entry it made, if it made one (the first of several).
    pub entry: Option<EntryId>,
    /// The chart item it set, if it did.
    pub chart_item: Option<crate::id::ChartItemId>,
}

/// Saves a write.
///
/// # Errors
/// What `Write::validate` refuses; `unknown_patient`; `outbox_full`; `out_of_scope`; `not_enrolled`. Nothing is saved.
pub fn submit(step: &mut Step<'_>, new: NewWrite) -> Result<Saved> {
    submit_as(step, new, None)
}

/// The same for a write that was saved before: its ids stay those people saw.
pub(super) fn submit_as(step: &mut Step<'_>, new: NewWrite, first_key: Option<FirstKey>) -> Result<Saved> {
    let enrolment = step.device.enrolled()?;
    let user = enrolment.user;
    let unit = unit_of(step, &new)?;
    let stream = crate::record::Stream::new(unit, new.compartment);
    if !enrolment.scope.streams.contains(&stream) {
        return Err(SyncError::from(Code::OutOfScope));
    }
    if enrolment
        .scope
        .withheld
        .iter()
        .any(|name| name == new.intent.name())
    {
        let detail = format!("this user does not write `{}`", new.intent.name());
        return Err(SyncError::new(Code::PolicyRefused, detail));
    }
    let counters = &step.device.counters;
    if counters.queued >= OUTBOX_WRITES_MAX || counters.queued_bytes >= OUTBOX_BYTES_MAX {
        return Err(SyncError::new(
            Code::OutboxFull,
            format!("{} writes wait", counters.queued),
        ));
    }
    let incarnation = step.device.incarnation;
    let n = counters.next_n;
    let recorded_at = Zoned {
        utc_ms: step.now.wall_ms,
        offset_minutes: step.now.offset_minutes,
    };
    let hlc = counters.hlc.tick(step.now.wall_ms);
    let patient = new
        .patient
        .unwrap_or_else(|| PatientId::derive(&incarnation, n, recorded_at.utc_ms));
    require_patient(step, &new.intent, &patient)?;
    replica::check_asked(step, unit, &patient, &new.intent)?;
    let write = Write {
        n,
        user,
        unit,
        compartment: new.compartment,
        patient,
        recorded_at,
        hlc: (hlc != Hlc::at(recorded_at.utc_ms)).then_some(hlc),
        time_uncertain: step.device.server_ms(&step.now).is_none(),
        after: needs(step, &new.intent, &patient)?,
        part: part(step, &new.intent, &patient, new.compartment)?,
        replaces: new.replaces,
        first_key,
        intent: new.intent,
    };
    write.validate(step.kinds)?;
    save(step, &incarnation, write)
}

/// Saves a write that is already whole: the rest of [`submit`], and a write that takes another key.
pub(super) fn save(step: &mut Step<'_>, incarnation: &Incarnation, write: Write) -> Result<Saved> {
    let bytes = write.to_bytes();
    let hash = Write::hash(&bytes);
    let row = OutboxRow {
        n: write.n,
        incarnation: incarnation.number,
        id: write.id(incarnation),
        lane: write.patient,
        class: write.class(),
        stream: write.stream(),
        hash,
        state: WriteState::Pending,
        reason: None,
        attempts: 0,
        due_ms: 0,
        saved_ms: step.now.wall_ms,
        generation: step.device.counters.generation,
        raw: false,
        bytes,
    };
    step.device.counters.next_n = write.n + 1;
    step.device.counters.hlc = step.device.counters.hlc.max(write.hlc());
    step.device.counters.queued += 1;
    step.device.counters.queued_bytes += row.bytes.len() as u64;
    outbox::insert(step.transaction, &row)?;
    super::update::hold_back(step, &write)?;
    let encodings = replica::apply_own(step, &write, row.generation)?;
    for (ordinal, encoding) in encodings.iter().enumerate() {
        outbox::put_encoding(step.transaction, write.n, ordinal, encoding)?;
    }
    audit::record(
        step,
        &AuditRecord::Wrote {
            n: write.n,
            hash: ByteArray::new(hash),
        },
    )?;
    step.changes.queue = true;
    Ok(saved(&write, incarnation, &row))
}

fn saved(write: &Write, incarnation: &Incarnation, row: &OutboxRow) -> Saved {
    let entry = match &write.intent {
        Intent::Add { entries } => entries
            .first()
            .map(|entry| write.entry_id(incarnation, 0, entry.id)),
        Intent::OpenDraft { draft, .. } => Some(write.entry_id(incarnation, 0, *draft)),
        Intent::EditDraft { draft, .. } | Intent::Finalize { draft, .. } => Some(*draft),
        Intent::Move { .. } => Some(write.entry_id(incarnation, 1, None)),
        Intent::SetChart { entry, .. } => entry
            .as_ref()
            .map(|entry| write.entry_id(incarnation, 0, entry.id)),
        _ => None,
    };
    let chart_item = match &write.intent {
        Intent::SetChart { item, .. } => Some(write.chart_item_id(incarnation, *item)),
        _ => None,
    };
    Saved {
        write: row.id,
        n: write.n,
        patient: write.patient,
        entry,
        chart_item,
    }
}

/// The unit a write goes to.
fn unit_of(step: &Step<'_>, new: &NewWrite) -> Result<UnitId> {
    let patient = match (&new.intent, new.unit, new.patient) {
        (Intent::Register { .. } | Intent::AddReference { .. } | Intent::Claim { .. }, Some(unit), _) => {
            return Ok(unit);
        }
        (Intent::AddReference { .. } | Intent::Claim { .. }, None, _) | (_, _, None) => {
            return step.device.default_unit();
        }
        (_, _, Some(patient)) => patient,
    };
    if !patients::exists(step.transaction, &patient)? {
        return step.device.default_unit();
    }
    let mut other = new.intent.other_patient();
    if let Some(named) = &other
        && !patients::exists(step.transaction, named)?
    {
        other = None;
    }
    replica::writing_unit(step, &patient, other.as_ref(), new.compartment)
}

fn require_patient(step: &Step<'_>, intent: &Intent, patient: &PatientId) -> Result<()> {
    let unknown = |id: &PatientId| -> Result<bool> { Ok(!patients::exists(step.transaction, id)?) };
    match intent {
        Intent::Register { .. } | Intent::AddReference { .. } | Intent::Claim { .. } => return Ok(()),
        _ if unknown(patient)? => return Err(SyncError::from(Code::UnknownPatient)),
        _ => {}
    }
    match intent.other_patient() {
        Some(other) if unknown(&other)? => Err(SyncError::from(Code::UnknownPatient)),
        _ => Ok(()),
    }
}

/// The registrations still waiting that this write must not precede.
fn needs(step: &Step<'_>, intent: &Intent, patient: &PatientId) -> Result<Vec<u64>> {
    let mut needed = Vec::new();
    for patient in std::iter::once(*patient).chain(intent.other_patient()) {
        let waits = patients::get(step.transaction, &patient)?.is_some_and(|row| row.accepted.is_none());
        if waits {
            let lane = outbox::lane(step.transaction, &patient)?;
            let registration = lane
                .iter()
                .find(|row| row.class == crate::record::Class::Registration);
            needed.extend(registration.map(|row| row.n));
        }
    }
    Ok(needed)
}

/// The part of the year's chapter that new entries go to: the last one, or the next when it is full.
fn part(step: &Step<'_>, intent: &Intent, patient: &PatientId, compartment: Compartment) -> Result<u32> {
    let years: Vec<i32> = match intent {
        Intent::Add { entries } => entries.iter().map(|entry| entry.occurred_at.utc_year()).collect(),
        Intent::OpenDraft { occurred_at, .. } => vec![occurred_at.utc_year()],
        Intent::SetChart {
            entry: Some(entry), ..
        } => vec![entry.occurred_at.utc_year()],
        _ => Vec::new(),
    };
    let mut part = 0;
    let distinct: std::collections::BTreeSet<i32> = years.into_iter().collect();
    for year in distinct {
        part = part.max(open_part(step, patient, compartment, year)?);
    }
    Ok(part)
}

/// The part of one year's chapter that takes new entries.
pub(crate) fn open_part(
    step: &Step<'_>,
    patient: &PatientId,
    compartment: Compartment,
    year: i32,
) -> Result<u32> {
    Ok(
        match documents::last_part(step.transaction, patient, compartment, year)? {
            Some((part, entries, bytes))
                if entries >= CHAPTER_PART_ENTRIES as u64 || bytes >= CHAPTER_PART_BYTES as u64 =>
            {
                part + 1
            }
            Some((part, ..)) => part,
            None => 0,
        },
    )
}
