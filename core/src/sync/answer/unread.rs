//! Items that are kept and passed over. One that cannot be applied although its changes came whole holds nothing else
//! up: it is undone alone and kept, and its documents are fetched whole once the rest is read.

use crate::document::gate;
use crate::error::{Code, Result};
use crate::id::{DocumentId, WriteId};
use crate::protocol::encode;
use crate::step::Step;
use crate::store::receipts::{self, Receipt};
use crate::store::{StoreError, unread};
use serde::Serialize;

/// Whether a failure is of what an item says, and not of the store or of what is still to come.
pub(super) fn is_of_the_item(code: Code) -> bool {
    matches!(
        code,
        Code::EncodingMismatch
            | Code::MissingDependency
            | Code::GateRefused
            | Code::PolicyRefused
            | Code::Internal
    )
}

/// Applies an item that came whole, or does `otherwise` in its place: then everything else of the step stays.
pub(super) fn or_pass_over<T>(
    step: &mut Step<'_>,
    apply: impl FnOnce(&mut Step<'_>) -> Result<T>,
    otherwise: impl FnOnce(&mut Step<'_>) -> Result<T>,
) -> Result<T> {
    let connection = step.transaction;
    let batch = |sql: &str| connection.execute_batch(sql).map_err(StoreError::from);
    let (device, counts) = (step.device.clone(), step.counts.clone());
    batch("SAVEPOINT item")?;
    let applied = apply(step);
    match applied {
        Err(error) if is_of_the_item(error.code) => {
            batch("ROLLBACK TO item; RELEASE item")?;
            *step.device = device;
            step.counts = counts;
            step.documents.rolled_back();
            otherwise(step)
        }
        applied => {
            batch("RELEASE item")?;
            applied
        }
    }
}

/// Keeps an item as it came; `changes` names what it changes.
pub(super) fn pass_over(
    step: &mut Step<'_>,
    id: &WriteId,
    receipt: &Receipt,
    item: &impl Serialize,
    changes: &[(DocumentId, u32)],
) -> Result<()> {
    receipts::put(step.transaction, id, receipt)?;
    step.changes.queue = true;
    let bytes = encode(item);
    Ok(unread::keep_unapplied(
        step.transaction,
        &receipt.stream,
        receipt.seq,
        &bytes,
        changes,
    )?)
}

/// What a change builds on, by its bytes alone.
pub(super) fn dependencies_of(raw: &[u8]) -> Option<Vec<[u8; 32]>> {
    gate::inspect_change(raw).ok().map(|change| change.dependencies)
}
