//! A file that is a copy of one that went on elsewhere (a restored backup, a cloned phone). Its waiting writes keep
//! their keys, so that what the other file already sent is recognised; where the other file used the number for
//! something else, the content goes on under another key, with the ids people already saw.

use super::outcome::put_in_place;
use super::submit::save;
use crate::audit;
use crate::error::{Code, Result, SyncError};
use crate::id::{DocumentId, Incarnation};
use crate::record::Write;
use crate::replica::rebuild_documents;
use crate::step::Step;
use crate::store::outbox::{self, OutboxRow};
use std::collections::BTreeSet;

/// Begins a new incarnation and encodes every waiting write anew, under actors no other file has.
pub fn fork(step: &mut Step<'_>) -> Result<()> {
    fork_because(step, "copied_file")
}

/// The same, with the reason that stands in the audit.
pub fn fork_because(step: &mut Step<'_>, why: &str) -> Result<()> {
    step.device.begin_incarnation(step.transaction, step.entropy)?;
    audit::begin_chain(step, why)?;
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
/// incarnation, and with it what follows in its lane, which was not taken either.
pub fn take_another_key(step: &mut Step<'_>, row: &OutboxRow) -> Result<()> {
    if row.incarnation == step.device.incarnation.number {
        fork(step)?;
    }
    let rows: Vec<OutboxRow> = outbox::lane(step.transaction, &row.lane)?
        .into_iter()
        .filter(|later| later.n >= row.n && later.incarnation == row.incarnation)
        .collect();
    // The last first: what goes must not take with it what builds on it.
    for row in rows.iter().rev() {
        put_in_place(step, row, |_| Ok(()))?;
    }
    let old = Incarnation {
        number: row.incarnation,
        ..step.device.incarnation
    };
    let incarnation = step.device.incarnation;
    for row in rows {
        let mut write = Write::from_bytes(&row.bytes).ok_or(SyncError::from(Code::StoreDamaged))?;
        write.first_key = Some(write.first_key(&old));
        // `after` names numbers of an incarnation; a lane's order holds without it, and the registration it names
        // is saved again before its notes or is at the server already.
        write.after.clear();
        write.n = step.device.counters.next_n;
        save(step, &incarnation, write)?;
    }
    Ok(())
}
