//! What the server said of a write. Outcome and removal from the queue are one transaction.

use crate::error::{Code, Result, SyncError};
use crate::id::{DocumentId, Incarnation, WriteId};
use crate::protocol::Outcome;
use crate::record::{Class, Intent, Write};
use crate::replica::{self, rebuild_documents, subjects};
use crate::step::Step;
use crate::store::drawer::{self, DrawerRow};
use crate::store::held::{self, HeldRow, HeldState};
use crate::store::outbox::{self, OutboxRow, WriteState};
use crate::store::receipts::{self, Receipt};
use crate::sync::retry_delay_ms;
use std::collections::BTreeSet;

/// Why a write waits that the server holds in another encoding: its item comes first.
pub const ENCODING_REPLACED: &str = "encoding_replaced";

/// When a write without an outcome may be tried again, by its own failures.
fn retry_due_ms(step: &mut Step<'_>, attempts: u32) -> i64 {
    let delay_ms = retry_delay_ms(attempts.saturating_add(1), 0, step.entropy);
    i64::try_from(step.now.boot_ms.saturating_add(delay_ms)).unwrap_or(i64::MAX)
}

/// Whether an earlier write of its lane is still here: then this one is not sent before it.
fn is_behind_another(step: &Step<'_>, row: &OutboxRow) -> Result<bool> {
    Ok(outbox::lane(step.transaction, &row.lane)?
        .first()
        .is_some_and(|first| first.n < row.n))
}

/// Applies an outcome. An outcome of a write that is no longer here changes nothing: it came twice.
pub fn apply_outcome(step: &mut Step<'_>, n: u64, outcome: &Outcome) -> Result<()> {
    let Some(row) = outbox::get(step.transaction, n)? else {
        return Ok(());
    };
    step.changes.queue = true;
    match outcome {
        Outcome::Accepted { changes, .. } if !changes.is_empty() => {
            // The server holds another encoding: the item itself follows in full and takes the place of ours.
            outbox::set_retry(step.transaction, n, row.attempts, 0, ENCODING_REPLACED)?;
            Ok(())
        }
        Outcome::Accepted { seq, received_ms, .. } => accept(step, &row, *seq, *received_ms),
        Outcome::Refused { code, .. } if code == Code::Reused.as_str() => {
            // Another file with our name wrote this number: the content goes on under another key.
            super::take_another_key(step, &row)
        }
        Outcome::Refused { code, detail } => refuse(step, &row, code, detail),
        Outcome::Retry { code } if code == Code::HistoryChanged.as_str() => {
            // Nothing was tried; it goes out again as soon as the server has back what it lost.
            outbox::set_retry(step.transaction, n, row.attempts, 0, code)?;
            Ok(())
        }
        Outcome::Retry { code } => {
            if code == Code::EncodingMismatch.as_str() {
                outbox::set_raw(step.transaction, n)?;
            }
            // Waiting for another write is no failure of this one; where that one is in the same lane, it is what
            // this one is sent after.
            let waits = code == Code::WaitingFor.as_str();
            let attempts = if waits { row.attempts } else { row.attempts + 1 };
            let due_ms = if waits && is_behind_another(step, &row)? {
                row.due_ms
            } else {
                retry_due_ms(step, attempts)
            };
            outbox::set_retry(step.transaction, n, attempts, due_ms, code)?;
            Ok(())
        }
        Outcome::Park { code } if code == Code::Quarantined.as_str() => hold(step, &row),
        Outcome::Park { code } => Ok(outbox::set_state(
            step.transaction,
            n,
            WriteState::Parked,
            Some(code),
        )?),
    }
}

fn incarnation_of(step: &Step<'_>, row: &OutboxRow) -> Incarnation {
    Incarnation {
        store: step.device.incarnation.store,
        number: row.incarnation,
    }
}

fn read(row: &OutboxRow) -> Result<Write> {
    Write::from_bytes(&row.bytes).ok_or(SyncError::from(Code::StoreDamaged))
}

fn leave(step: &mut Step<'_>, row: &OutboxRow) -> Result<()> {
    outbox::remove(step.transaction, row.n)?;
    let counters = &mut step.device.counters;
    counters.queued = counters.queued.saturating_sub(1);
    counters.queued_bytes = counters.queued_bytes.saturating_sub(row.bytes.len() as u64);
    Ok(())
}

fn accept(step: &mut Step<'_>, row: &OutboxRow, seq: u64, received_ms: i64) -> Result<()> {
    let write = read(row)?;
    let incarnation = incarnation_of(step, row);
    receipts::put(
        step.transaction,
        &row.id,
        &Receipt {
            stream: row.stream,
            seq,
            received_ms,
        },
    )?;
    let changes: Vec<[u8; 32]> = outbox::encodings(step.transaction, row.n)?
        .iter()
        .map(|encoding| encoding.hash)
        .collect();
    let record = (row.class == Class::Registration).then_some((&row.lane, row.bytes.as_slice()));
    let own = receipts::OwnItem {
        incarnation: row.incarnation,
        item: crate::sync::own_item(step, row)?,
    };
    receipts::put_own(step.transaction, row.n, &row.hash, &changes, record, &own)?;
    replica::settle_own(step, &incarnation, &write)?;
    leave(step, row)?;
    if row.incarnation == step.device.incarnation.number {
        step.device.note_accepted(step.transaction, row.n, &row.hash)?;
    }
    drop_replaced(step, row)
}

/// The server holds a write from outside the scope until a supervisor decides. What it says leaves this device with
/// the patient.
fn hold(step: &mut Step<'_>, row: &OutboxRow) -> Result<()> {
    let held = HeldRow {
        write: row.id,
        n: row.n,
        intent: Write::from_bytes(&row.bytes)
            .map(|write| write.intent.name().to_owned())
            .unwrap_or_default(),
        saved_ms: row.saved_ms,
        held_ms: step.now.wall_ms,
        state: HeldState::Waiting,
    };
    held::put(step.transaction, row.incarnation, &held)?;
    let mut documents = held::documents(step.transaction)?;
    documents.extend(documents_of(step, row)?);
    held::set_documents(step.transaction, &documents)?;
    leave(step, row)?;
    replica::refresh_record(step, &row.lane)?;
    replica::refresh_links(step, &row.lane)?;
    replica::begin_departures(step)
}

/// Takes what the server holds out of one document that is still here: its patient is in scope, or again. Says
/// whether there was one.
pub fn take_held_out(step: &mut Step<'_>) -> Result<bool> {
    let mut documents = held::documents(step.transaction)?;
    let Some(document) = documents.pop_first() else {
        return Ok(false);
    };
    held::set_documents(step.transaction, &documents)?;
    // With a patient who left, the document is gone.
    if crate::store::documents::get(step.transaction, &document)?.is_some() {
        rebuild(step, [document].into(), None, |_| Ok(()))?;
    }
    Ok(true)
}

/// The accepted write takes the place of one in the drawer, and of those which that one was sent instead of.
fn drop_replaced(step: &mut Step<'_>, row: &OutboxRow) -> Result<()> {
    let mut replaced = read(row)?.replaces;
    while let Some(id) = replaced {
        let found = drawer::get(step.transaction, &id)?;
        drawer::remove(step.transaction, &id)?;
        replaced = found
            .and_then(|row| Write::from_bytes(&row.bytes))
            .and_then(|write| write.replaces);
    }
    Ok(())
}

/// The log brought a pending write in full: its own encoding goes, `apply` applies the item, and what waits behind
/// it is encoded anew on top.
pub fn take_over(
    step: &mut Step<'_>,
    row: &OutboxRow,
    apply: impl FnOnce(&mut Step<'_>) -> Result<()>,
) -> Result<()> {
    if row.incarnation == step.device.incarnation.number {
        step.device.note_accepted(step.transaction, row.n, &row.hash)?;
    }
    drop_replaced(step, row)?;
    put_in_place(step, row, apply)
}

/// Takes a pending write out of the queue, and `apply` puts the same content in its place, before what waits behind
/// it is encoded anew.
pub(super) fn put_in_place(
    step: &mut Step<'_>,
    row: &OutboxRow,
    apply: impl FnOnce(&mut Step<'_>) -> Result<()>,
) -> Result<()> {
    let documents = documents_of(step, row)?;
    leave(step, row)?;
    step.changes.queue = true;
    if documents.is_empty() {
        apply(step)?;
    } else {
        rebuild(step, documents, Some(row.id), apply)?;
    }
    replica::refresh_record(step, &row.lane)?;
    replica::refresh_links(step, &row.lane)
}

fn documents_of(step: &Step<'_>, row: &OutboxRow) -> Result<BTreeSet<DocumentId>> {
    Ok(outbox::encodings(step.transaction, row.n)?
        .into_iter()
        .map(|encoding| encoding.document)
        .collect())
}

fn rebuild(
    step: &mut Step<'_>,
    documents: BTreeSet<DocumentId>,
    case: Option<WriteId>,
    meanwhile: impl FnOnce(&mut Step<'_>) -> Result<()>,
) -> Result<()> {
    let mut orphans = rebuild_documents(step, &documents, meanwhile)?;
    // A write that can no longer be encoded built on what went: it belongs to its case. Taking it out may show
    // another one; each round takes at least one out, so this ends.
    while !orphans.is_empty() {
        for orphan in &orphans {
            into_drawer(
                step,
                orphan,
                case.unwrap_or(orphan.id),
                Code::NeedsRefused.as_str(),
                "",
            )?;
        }
        orphans = rebuild_documents(step, &documents, |_| Ok(()))?;
    }
    Ok(())
}

/// What was accepted of a document changed under the writes that wait in it: they are laid on top anew. One that no
/// longer can be goes into the drawer.
pub fn lay_on_top(step: &mut Step<'_>, documents: BTreeSet<DocumentId>) -> Result<()> {
    let mut orphans = rebuild_documents(step, &documents, |_| Ok(()))?;
    while !orphans.is_empty() {
        for orphan in &orphans {
            into_drawer(step, orphan, orphan.id, Code::NeedsRefused.as_str(), "")?;
        }
        orphans = rebuild_documents(step, &documents, |_| Ok(()))?;
    }
    Ok(())
}

/// The server said no. The effect is undone, and what touches the same goes into the drawer as one case.
pub fn refuse(step: &mut Step<'_>, row: &OutboxRow, code: &str, detail: &str) -> Result<()> {
    let mut documents = documents_of(step, row)?;
    let mut lanes = BTreeSet::from([row.lane]);
    for dependent in dependents(step, row)? {
        documents.extend(documents_of(step, &dependent)?);
        lanes.insert(dependent.lane);
        into_drawer(step, &dependent, row.id, Code::NeedsRefused.as_str(), "")?;
    }
    into_drawer(step, row, row.id, code, detail)?;
    if !documents.is_empty() {
        rebuild(step, documents, Some(row.id), |_| Ok(()))?;
    }
    for lane in lanes {
        replica::refresh_record(step, &lane)?;
        replica::refresh_links(step, &lane)?;
    }
    Ok(())
}

fn into_drawer(step: &mut Step<'_>, row: &OutboxRow, case: WriteId, code: &str, detail: &str) -> Result<()> {
    let write = read(row)?;
    drawer::insert(
        step.transaction,
        &DrawerRow {
            id: row.id,
            case,
            incarnation: row.incarnation,
            bytes: row.bytes.clone(),
            code: code.to_owned(),
            detail: detail.to_owned(),
            attempts: row.attempts + 1,
            saved_ms: row.saved_ms,
            refused_ms: step.now.wall_ms,
            resent_as: None,
        },
    )?;
    leave(step, row)?;
    step.changes.patient(write.patient);
    step.changes.queue = true;
    Ok(())
}

/// Later writes that cannot stand without this one: they name it, touch the same, or are about a patient whose
/// registration it was; and those that cannot stand without these.
fn dependents(step: &Step<'_>, row: &OutboxRow) -> Result<Vec<OutboxRow>> {
    let write = read(row)?;
    let mut subjects_gone = subjects(&write, &incarnation_of(step, row));
    let mut writes_gone = BTreeSet::from([row.n]);
    let mut patients_gone = BTreeSet::new();
    if matches!(write.intent, Intent::Register { .. }) {
        patients_gone.insert(write.patient);
    }
    let mut found = Vec::new();
    for candidate in outbox::list(step.transaction)? {
        if candidate.n <= row.n {
            continue;
        }
        let Some(later) = Write::from_bytes(&candidate.bytes) else {
            continue;
        };
        let about = subjects(&later, &incarnation_of(step, &candidate));
        let depends = later.after.iter().any(|n| writes_gone.contains(n))
            || !about.is_disjoint(&subjects_gone)
            || patients_gone.contains(&later.patient)
            || later
                .intent
                .other_patient()
                .is_some_and(|other| patients_gone.contains(&other));
        if depends {
            writes_gone.insert(candidate.n);
            subjects_gone.extend(about);
            found.push(candidate);
        }
    }
    Ok(found)
}
