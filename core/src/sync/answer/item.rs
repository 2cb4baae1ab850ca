//! One item of a page, own or somebody else's.

use super::unread::{dependencies_of, or_pass_over, pass_over};
use crate::bytes::ByteArray;
use crate::document::{DocumentKey, operations};
use crate::error::{Code, Result};
use crate::id::{Incarnation, WriteId};
use crate::outbox;
use crate::protocol::{LogItem, Outcome, PartItem};
use crate::record::Compartment;
use crate::replica;
use crate::step::Step;
use crate::store::outbox as rows;
use crate::store::receipts::Receipt;
use crate::store::{documents, receipts, unread};
use crate::sync::tail::kept_item;
use std::collections::HashMap;

/// An own item of the log. If it is still pending, this is its outcome. Returns the item as the tail keeps it; none
/// where it is not known whole.
pub(super) fn apply_own_item(step: &mut Step<'_>, n: u64, receipt: Receipt) -> Result<Option<Vec<u8>>> {
    if rows::get(step.transaction, n)?.is_some() {
        let accepted = Outcome::Accepted {
            seq: receipt.seq,
            received_ms: receipt.received_ms,
            changes: Vec::new(),
        };
        outbox::apply_outcome(step, n, &accepted)?;
    }
    let id = crate::id::WriteId::derive(&step.device.incarnation, n);
    receipts::put(step.transaction, &id, &receipt)?;
    let record = receipts::own_record(step.transaction, n)?;
    let own = receipts::own_item(step.transaction, n)?;
    receipts::forget_own(step.transaction, n)?;
    // In the identity stream one's own writes take effect in the log's order, like everybody's.
    if let Some(write) = record.and_then(|bytes| crate::record::Write::from_bytes(&bytes)) {
        let incarnation = step.device.incarnation;
        replica::accept_record(step, &incarnation, &write, &receipt)?;
    }
    Ok(own.map(|own| own.item))
}

/// An item that came whole. Returns it as the tail keeps it: with what its changes build on.
pub(super) fn apply_item(
    step: &mut Step<'_>,
    origin: &Incarnation,
    item: &LogItem,
    receipt: Receipt,
    previous: &mut HashMap<DocumentKey, replica::Previous>,
) -> Result<Vec<u8>> {
    let mut whole = item.changes.clone();
    let Some(write) = item.write.value() else {
        // A newer version's: kept as it came, and passed over.
        keep_unread(step, item, receipt)?;
        return Ok(kept_item(item, &whole));
    };
    let id = write.id(origin);
    let mut apply = |step: &mut Step<'_>| {
        receipts::put(step.transaction, &id, &receipt)?;
        let limit = step.device.clock_limit_ms(&step.now);
        step.device.counters.hlc = step.device.counters.hlc.observe(write.hlc(), limit);
        if receipt.stream.compartment == Compartment::Identity {
            replica::accept_record(step, origin, write, &receipt)?;
        }
        let applied = replica::apply_accepted(
            step,
            origin,
            item.generation,
            write,
            &item.changes,
            &receipt,
            previous,
        );
        match applied {
            // Its document is set aside: the item is kept, and the rest goes on.
            Err(error) if error.code == Code::DocumentQuarantined => keep_unread(step, item, receipt),
            applied => {
                whole = applied?;
                Ok(())
            }
        }
    };
    let waits = if origin.store == step.device.incarnation.store {
        // A copy in another stream: its place in its own is still to be passed.
        if receipt.stream == write.stream()
            && receipts::own(step.transaction, write.n)?.is_some_and(|(hash, _)| hash == item.write.hash())
        {
            // Accepted before, and now the cursor passes it.
            receipts::forget_own(step.transaction, write.n)?;
        }
        rows::by_id(step.transaction, &id)?
    } else {
        None
    };
    match waits {
        // What waited here is in the log: the server's encoding takes the place of ours.
        Some(row) => outbox::take_over(step, &row, apply)?,
        None => apply(step)?,
    }
    Ok(kept_item(item, &whole))
}

/// The same of an item whose changes came whole: one that cannot be applied even so is kept, and the rest goes on.
pub(super) fn apply_whole_item(
    step: &mut Step<'_>,
    origin: &Incarnation,
    item: &LogItem,
    receipt: Receipt,
    previous: &mut HashMap<DocumentKey, replica::Previous>,
) -> Result<Vec<u8>> {
    let mut before = previous.clone();
    let applied = or_pass_over(
        step,
        |step| apply_item(step, origin, item, receipt, previous).map(Some),
        |_| Ok(None),
    )?;
    if let Some(applied) = applied {
        return Ok(applied);
    }
    let mut whole = item.changes.clone();
    let mut changes = Vec::new();
    if let Some(write) = item.write.value() {
        for (compiled, change) in operations(write, origin).into_iter().zip(&mut whole) {
            changes.push((compiled.key.id(), change.check));
            before.insert(compiled.key, replica::Previous::Brought(change.check));
            let named = change.raw.as_ref().and_then(|raw| dependencies_of(raw));
            if let Some(named) = named {
                change.dependencies = Some(named.into_iter().map(ByteArray::new).collect());
            }
        }
        pass_over(step, &write.id(origin), &receipt, item, &changes)?;
    }
    *previous = before;
    Ok(kept_item(item, &whole))
}

/// What a write that names another patient does to one this stream carries. What cannot be applied is kept, and the
/// rest goes on.
pub(super) fn apply_whole_part(
    step: &mut Step<'_>,
    origin: &Incarnation,
    part: &PartItem,
    receipt: Receipt,
) -> Result<()> {
    or_pass_over(
        step,
        |step| apply_part(step, origin, part, receipt),
        |step| {
            let changes = part.changes.iter().filter_map(|change| {
                let theirs = change.change.as_ref()?;
                let key = super::part_key(theirs, receipt.stream.compartment);
                Some((key.id(), change.check))
            });
            let changes: Vec<_> = changes.collect();
            pass_over(step, &WriteId::derive(origin, part.n), &receipt, part, &changes)
        },
    )
}

/// What a write that names another patient does to one this stream carries: the change itself, through the gate.
pub(super) fn apply_part(
    step: &mut Step<'_>,
    origin: &Incarnation,
    part: &PartItem,
    receipt: Receipt,
) -> Result<()> {
    receipts::put(step.transaction, &WriteId::derive(origin, part.n), &receipt)?;
    let actor = origin.actor(part.generation);
    for change in part.changes.iter().filter_map(|change| change.change.as_ref()) {
        let key = super::part_key(change, receipt.stream.compartment);
        let row = documents::get(step.transaction, &key.id())?;
        if row.is_some_and(|row| {
            row.health.is_rows_only() && row.unit == receipt.stream.unit && row.as_of >= receipt.seq
        }) {
            // A segment brought it.
            continue;
        }
        match replica::accept_change(step, &key, receipt.stream.unit, &actor, &change.raw) {
            // Its document is set aside; the rest goes on.
            Err(error) if error.code == Code::DocumentQuarantined => {}
            applied => applied?,
        }
    }
    Ok(())
}

fn keep_unread(step: &Step<'_>, item: &LogItem, receipt: Receipt) -> Result<()> {
    let bytes = crate::protocol::encode(item);
    Ok(unread::keep(
        step.transaction,
        &receipt.stream,
        receipt.seq,
        &bytes,
    )?)
}
