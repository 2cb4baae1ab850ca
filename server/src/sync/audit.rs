//! A device's audit: taken in only where its chain goes on from what is held.

use crate::access::Caller;
use crate::refusal::Refusal;
use crate::writer::Session;
use std::collections::HashMap;
use vereda_core::bytes::ByteArray;
use vereda_core::id::Incarnation;
use vereda_core::protocol::{
    AuditAnchor, AuditBatch, AuditItem, AuditRecord, SyncRequest, advance_audit, encode,
};

/// Records in one batch; a device sends the rest next time.
const RECORDS_MAX: usize = 5_000;

/// Takes in a batch and answers how far the audit is held. A batch with a gap, or whose chain does not come out at
/// its head, changes nothing: the answer stays where it was, and the log tells.
pub(super) fn receive(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    request: &SyncRequest,
    batch: &AuditBatch,
) -> Result<AuditAnchor, Refusal> {
    let (last, head) = session.store.audit_anchor(incarnation)?;
    let held = AuditAnchor {
        last,
        head: ByteArray::new(head),
        durable: session.store.audit_durable(incarnation)?,
    };
    let Some(before) = batch.first.checked_sub(1).filter(|before| *before <= last) else {
        return Ok(held);
    };
    let Some(mut chain) = session.store.audit_chain_at(incarnation, before)? else {
        return Ok(held);
    };
    let Some(records) = fill_in(session, incarnation, request, batch)? else {
        return Ok(held);
    };
    let mut fresh = Vec::new();
    for (record, k) in records.iter().zip(batch.first..) {
        chain = advance_audit(&chain, record);
        if k > last {
            fresh.push((k, chain, encode(record)));
        } else if session.store.audit_chain_at(incarnation, k)? != Some(chain) {
            return Ok(alarm(caller, held));
        }
    }
    if chain != *batch.head {
        return Ok(alarm(caller, held));
    }
    let received_ms = session.now.ms;
    let mut anchor = held;
    for (k, chain, record) in fresh {
        session
            .store
            .append_audit(caller.tenant(), incarnation, k, &chain, &record, received_ms)?;
        anchor = AuditAnchor {
            last: k,
            head: ByteArray::new(chain),
            ..anchor
        };
    }
    Ok(anchor)
}

/// The records themselves: the hashes of named writes are those of the request, or of the outcomes held. None where
/// one is neither here nor there.
fn fill_in(
    session: &mut Session<'_>,
    incarnation: &Incarnation,
    request: &SyncRequest,
    batch: &AuditBatch,
) -> Result<Option<Vec<AuditRecord>>, Refusal> {
    let travelling: HashMap<u64, [u8; 32]> = request
        .push
        .iter()
        .filter_map(|item| item.write.value().map(|write| (write.n, item.write.hash())))
        .collect();
    let mut records = Vec::new();
    for item in &batch.items {
        match item {
            AuditItem::Record(record) => records.push(record.clone()),
            AuditItem::Wrote { n, count } => {
                if records.len() + *count as usize > RECORDS_MAX {
                    return Err(too_many());
                }
                for n in *n..n.saturating_add(u64::from(*count)) {
                    let hash = match travelling.get(&n) {
                        Some(hash) => Some(*hash),
                        None => session.store.outcome(incarnation, n)?.map(|row| row.hash),
                    };
                    let Some(hash) = hash else {
                        return Ok(None);
                    };
                    records.push(AuditRecord::Wrote {
                        n,
                        hash: ByteArray::new(hash),
                    });
                }
            }
        }
        if records.len() > RECORDS_MAX {
            return Err(too_many());
        }
    }
    Ok(Some(records))
}

fn too_many() -> Refusal {
    Refusal::too_large(format!("at most {RECORDS_MAX} audit records"))
}

fn alarm(caller: &Caller, held: AuditAnchor) -> AuditAnchor {
    tracing::warn!(
        device = caller.device.short,
        last = held.last,
        "an audit chain does not hold"
    );
    held
}
