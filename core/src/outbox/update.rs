//! Writes that wait for an update of the app: they follow an earlier major version of their kind than the tenant's.
//! They are shown like any other, and not sent.

use crate::error::{Code, Result};
use crate::record::{KindRegistry, Write};
use crate::step::Step;
use crate::store::outbox::{self, OutboxRow, WriteState};
use rusqlite::Connection;

/// Whether a write follows an earlier major version of its kind than the tenant's.
fn waits_for_update(kinds: &KindRegistry, write: &Write) -> bool {
    write.intent.kinds().any(|kind| kinds.needs_update(kind))
}

/// Parks a write that was just saved, where it waits for an update.
pub(super) fn hold_back(step: &Step<'_>, write: &Write) -> Result<()> {
    if waits_for_update(step.kinds, write) {
        let reason = Some(Code::AppTooOld.as_str());
        outbox::set_state(step.transaction, write.n, WriteState::Parked, reason)?;
    }
    Ok(())
}

fn waits(kinds: &KindRegistry, row: &OutboxRow) -> bool {
    Write::from_bytes(&row.bytes).is_some_and(|write| waits_for_update(kinds, &write))
}

/// Lets go of what waited for an update and need not any more: the app was updated, or the tenant went back.
pub fn release_updated(connection: &Connection, kinds: &KindRegistry) -> Result<()> {
    for row in outbox::parked(connection)? {
        let waited = row.reason.as_deref() == Some(Code::AppTooOld.as_str());
        if waited && !waits(kinds, &row) {
            outbox::set_state(connection, row.n, WriteState::Pending, None)?;
        }
    }
    Ok(())
}

/// Tries parked writes again, but those that wait for an update; returns how many.
pub fn unpark(step: &mut Step<'_>) -> Result<usize> {
    let parked = outbox::parked(step.transaction)?;
    outbox::unpark(step.transaction)?;
    let mut waiting = 0;
    for row in parked.iter().filter(|row| waits(step.kinds, row)) {
        let reason = Some(Code::AppTooOld.as_str());
        outbox::set_state(step.transaction, row.n, WriteState::Parked, reason)?;
        waiting += 1;
    }
    step.changes.queue = true;
    Ok(parked.len() - waiting)
}
