//! A restored server may have lost writes it had accepted. Those that no signed head covers it cannot be shown: they
//! wait again, under their ids and as they were encoded, so that a server that has them answers as it did.

use crate::document::operations;
use crate::error::Result;
use crate::id::Incarnation;
use crate::protocol::{ChangeReference, LogItem, PageItem, decode};
use crate::record::{Stream, Write};
use crate::replica;
use crate::step::Step;
use crate::store::outbox::{self, EncodingRow, OutboxRow, WriteState};
use crate::store::{documents, receipts, tail};

/// Items behind the last signed place that are looked through: one page's.
const UNSIGNED_MAX: usize = 2_000;

/// Queues own accepted writes again that no signed head covers; of one stream, or of all.
pub fn queue_unproven(step: &mut Step<'_>, stream: Option<&Stream>) -> Result<()> {
    for own in receipts::list_own(step.transaction)? {
        let Ok(PageItem::Item(item)) = decode(&own.item) else {
            continue;
        };
        let origin = Incarnation {
            number: own.incarnation,
            ..step.device.incarnation
        };
        let is_meant = |write: &Write| stream.is_none_or(|stream| write.stream() == *stream);
        if item.write.value().is_some_and(is_meant) {
            queue_again(step, &origin, &item, true)?;
        }
    }
    if stream.is_none() {
        queue_unsigned(step)?;
    }
    Ok(())
}

/// Items that were read and whose signature was lost with the power: the tail ends behind its last signed place.
fn queue_unsigned(step: &mut Step<'_>) -> Result<()> {
    let all = tail::list(step.transaction)?;
    for (index, stretch) in all.iter().enumerate() {
        if all
            .get(index + 1)
            .is_some_and(|next| next.stream == stretch.stream)
        {
            continue;
        }
        let signed = tail::last_places(step.transaction, stretch)?;
        let signed = signed.first().map_or(stretch.base_seq, |(seq, _)| *seq);
        for row in tail::items(step.transaction, stretch, signed, UNSIGNED_MAX)? {
            if row.origin.store == step.device.incarnation.store
                && let Ok(PageItem::Item(item)) = decode(&row.item)
            {
                queue_again(step, &row.origin, &item, false)?;
            }
        }
    }
    Ok(())
}

/// `is_last`: nothing that was read builds on its changes, so that they can be taken back.
fn queue_again(step: &mut Step<'_>, origin: &Incarnation, item: &LogItem, is_last: bool) -> Result<()> {
    let Some(write) = item.write.value() else {
        return Ok(());
    };
    let n = write.n;
    if outbox::get(step.transaction, n)?.is_some() {
        return Ok(());
    }
    let mut encodings = Vec::new();
    for (compiled, change) in operations(write, origin).iter().zip(&item.changes) {
        let actor = origin.actor(item.generation);
        let Some(found) = replica::find_change(step, &compiled.key, &actor, change.check)? else {
            // Its document is set aside; what stands in the tail is all there is.
            return Ok(());
        };
        if is_last {
            documents::unsettle_chunk(step.transaction, &compiled.key.id(), &found.bytes, n)?;
        }
        encodings.push(EncodingRow {
            document: compiled.key.id(),
            hash: found.hash,
            dependencies: found.dependencies,
        });
    }
    let bytes = item.write.bytes().to_vec();
    let row = OutboxRow {
        n,
        incarnation: origin.number,
        id: write.id(origin),
        lane: write.patient,
        class: write.class(),
        stream: write.stream(),
        hash: item.write.hash(),
        state: WriteState::Pending,
        reason: None,
        attempts: 0,
        due_ms: 0,
        saved_ms: write.recorded_at.utc_ms,
        generation: item.generation,
        raw: false,
        bytes,
    };
    outbox::insert(step.transaction, &row)?;
    for (ordinal, encoding) in encodings.iter().enumerate() {
        outbox::put_encoding(step.transaction, n, ordinal, encoding)?;
    }
    if item.changes.iter().any(has_raw) {
        outbox::set_raw(step.transaction, n)?;
    }
    receipts::forget(step.transaction, &row.id)?;
    receipts::forget_own(step.transaction, n)?;
    step.device.counters.queued += 1;
    step.device.counters.queued_bytes += row.bytes.len() as u64;
    step.changes.patient(write.patient);
    step.changes.queue = true;
    replica::refresh_record(step, &row.lane)
}

fn has_raw(change: &ChangeReference) -> bool {
    change.raw.is_some()
}
