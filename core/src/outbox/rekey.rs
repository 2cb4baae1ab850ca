//! A file that is a copy of one that went on elsewhere (a restored backup, a cloned phone). Its waiting writes keep
//! their keys, so that what the other file already sent is recognised; where the other file used the number for
//! something else, the content goes on under another key, with the ids people already saw.

use super::outcome::put_in_place;
use super::submit::save;
use crate::error::{Code, Result, SyncError};
use crate::id::{DocumentId, Incarnation};
use crate::record::{Intent, Write};
use crate::replica::rebuild_documents;
use crate::step::Step;
use crate::store::outbox::{self, OutboxRow};
use std::collections::BTreeSet;

/// Begins a new incarnation and encodes every waiting write anew, under actors no other file has.
pub fn fork(step: &mut Step<'_>) -> Result<()> {
    step.device.begin_incarnation(step.transaction, step.entropy)?;
    let mut documents: BTreeSet<DocumentId> = BTreeSet::new();
    for row in outbox::list(step.transaction)? {
        documents.extend(
            outbox::encodings(step.transaction, row.n)?
                .into_iter()
                .map(|encoding| encoding.document),
        );
    }
    let orphans = rebuild_documents(step, &documents, |_| Ok(()))?;
    for orphan in orphans {
        super::refuse(step, &orphan, Code::NeedsRefused.as_str(), "")?;
    }
    step.changes.queue = true;
    Ok(())
}

/// The number belongs to another write at the server: this one is saved again under a new number of the current
/// incarnation, and what waits behind it names the new number.
pub fn take_another_key(step: &mut Step<'_>, row: &OutboxRow) -> Result<()> {
    if row.incarnation == step.device.incarnation.number {
        fork(step)?;
    }
    let Some(row) = outbox::get(step.transaction, row.n)? else {
        return Ok(());
    };
    let old = Incarnation {
        store: step.device.incarnation.store,
        number: row.incarnation,
    };
    let mut write = Write::from_bytes(&row.bytes).ok_or(SyncError::from(Code::StoreDamaged))?;
    keep_ids(&mut write, &old);
    // `after` names numbers of an incarnation; a lane's order holds without it, and the registration it names is
    // saved again before its notes or is at the server already.
    write.after.clear();
    write.n = step.device.counters.next_n;
    let incarnation = step.device.incarnation;
    put_in_place(step, &row, |step| save(step, &incarnation, write).map(|_| ()))
}

/// Names the ids that derived from the old key.
fn keep_ids(write: &mut Write, old: &Incarnation) {
    let frozen = write.clone();
    match &mut write.intent {
        Intent::Register { patient, .. } => *patient = Some(frozen.patient),
        Intent::Add { entries } => {
            for (index, entry) in entries.iter_mut().enumerate() {
                entry.id = Some(frozen.entry_id(old, index, entry.id));
            }
        }
        Intent::OpenDraft { draft, .. } => *draft = Some(frozen.entry_id(old, 0, *draft)),
        Intent::SetChart { item, entry, .. } => {
            *item =
                Some(item.unwrap_or_else(|| {
                    crate::id::ChartItemId::derive(old, frozen.n, frozen.recorded_at.utc_ms)
                }));
            if let Some(entry) = entry {
                entry.id = Some(frozen.entry_id(old, 0, entry.id));
            }
        }
        Intent::EditRecord { .. }
        | Intent::EditDraft { .. }
        | Intent::Finalize { .. }
        | Intent::DismissLateEdit { .. }
        | Intent::ChooseHeader { .. }
        | Intent::Move { .. }
        | Intent::AddReference { .. } => {}
    }
}
