//! The audit: every read and every write, in one hash chain per device, kept until the server gave a receipt.

use crate::bytes::ByteArray;
use crate::error::{Code, Result, SyncError};
use crate::limits::{AUDIT_RECEIVED_RECORDS_KEPT, REASON_CHARACTERS_MAX};
use crate::protocol::{AuditAnchor, AuditBatch, AuditItem, AuditRecord, advance_audit};
use crate::record::check_length;
use crate::step::Step;
use crate::store::audit::{self, AuditRow};
use crate::store::{meta, outbox};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// Records sent in one request.
const BATCH_RECORDS: usize = 1_000;

/// Bytes of the records sent in one request: beside a whole push they fit into its body.
const BATCH_BYTES: usize = 128 * 1024;

/// Up to this record the server did not know every write that was named: their hashes travel.
const WHOLE_UP_TO: &str = "audit_whole_up_to";

/// The first write of this incarnation: the server can fill in the hashes of these only.
const FIRST_WRITE: &str = "audit_first_write";

/// Where the server's receipt ends.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Receipt {
    last: u64,
    head: ByteArray<32>,
}

/// Appends a record to the chain.
///
/// # Errors
/// `text_too_long` for a purpose or reason past its limit: the record must fit into a request.
pub fn record(step: &mut Step<'_>, record: &AuditRecord) -> Result<()> {
    match record {
        AuditRecord::Opened { purpose, .. } => check_reason_length(purpose, "purpose")?,
        AuditRecord::Did { reason, .. } => check_reason_length(reason, "reason")?,
        AuditRecord::Wrote { .. } | AuditRecord::Listed { .. } => {}
    }
    let head = advance_audit(&step.device.counters.audit_head, record);
    let k = step.device.counters.audit_last + 1;
    audit::append(
        step.transaction,
        &AuditRow {
            k,
            record: crate::protocol::encode(record),
            head,
        },
    )?;
    step.device.counters.audit_last = k;
    step.device.counters.audit_head = ByteArray::new(head);
    step.changes.audit = true;
    Ok(())
}

fn check_reason_length(text: &str, field: &str) -> Result<()> {
    check_length(text, field, REASON_CHARACTERS_MAX, Code::TextTooLong)
}

/// Notes something a person did.
pub fn did(step: &mut Step<'_>, action: &str, subject: Option<uuid::Uuid>, reason: &str) -> Result<()> {
    let user = step.device.enrolled()?.user;
    let at_ms = step.now.wall_ms;
    let action = action.to_owned();
    record(
        step,
        &AuditRecord::Did {
            user,
            action,
            subject,
            reason: reason.to_owned().into(),
            at_ms,
        },
    )
}

fn receipt(connection: &Connection) -> Result<Receipt> {
    let none = Receipt {
        last: 0,
        head: ByteArray::new([0; 32]),
    };
    Ok(meta::get(connection, "audit_receipt")?.unwrap_or(none))
}

/// How many records wait for a receipt.
pub fn waiting(connection: &Connection, last: u64) -> Result<u64> {
    Ok(last.saturating_sub(receipt(connection)?.last))
}

/// The next records to send. `pushed` are the writes in the same request: their hashes need not travel, so the batch
/// ends before the first write whose turn to be sent is still to come. One that was sent in vain, or is parked, and
/// what waits behind it, hold nothing up: their records go whole.
pub fn batch(connection: &Connection, pushed: &[u64]) -> Result<Option<AuditBatch>> {
    let receipt = receipt(connection)?;
    let first_write: u64 = meta::get(connection, FIRST_WRITE)?.unwrap_or(0);
    let whole_up_to: u64 = meta::get(connection, WHOLE_UP_TO)?.unwrap_or(0);
    let mut items = Vec::new();
    let mut head = None;
    let mut bytes = 0;
    for row in audit::after(connection, receipt.last, BATCH_RECORDS)? {
        bytes += row.record.len();
        if bytes > BATCH_BYTES && head.is_some() {
            break;
        }
        let record = decode(&row)?;
        let known = match &record {
            AuditRecord::Wrote { n, .. } if pushed.contains(n) => Some(*n),
            AuditRecord::Wrote { n, .. } if outbox::is_next(connection, *n)? => break,
            AuditRecord::Wrote { n, .. } => outbox::get(connection, *n)?.is_none().then_some(*n),
            _ => None,
        };
        let known = known.filter(|n| *n >= first_write && row.k > whole_up_to);
        match (known, items.last_mut()) {
            (Some(n), Some(AuditItem::Wrote { n: first, count })) if *first + u64::from(*count) == n => {
                *count += 1;
            }
            (Some(n), _) => items.push(AuditItem::Wrote { n, count: 1 }),
            (None, _) => items.push(AuditItem::Record(record)),
        }
        head = Some(ByteArray::new(row.head));
    }
    Ok(head.map(|head| AuditBatch {
        first: receipt.last + 1,
        items,
        head,
    }))
}

/// Begins the chain of a new incarnation, and says why: the file was copied, and the other one's chain goes on from
/// the old head; or the server lost a part of it that is no longer here. What has no receipt comes along.
pub fn begin_chain(step: &mut Step<'_>, why: &str) -> Result<()> {
    let receipt = receipt(step.transaction)?;
    let waiting = audit::after(step.transaction, receipt.last, usize::MAX >> 1)?;
    audit::purge(step.transaction, step.device.counters.audit_last)?;
    meta::remove(step.transaction, "audit_receipt")?;
    meta::remove(step.transaction, WHOLE_UP_TO)?;
    meta::set(step.transaction, FIRST_WRITE, &step.device.counters.next_n)?;
    step.device.counters.audit_last = 0;
    step.device.counters.audit_head = ByteArray::new([0; 32]);
    did(step, why, None, &format!("after record {}", receipt.last))?;
    waiting.iter().try_for_each(|row| record(step, &decode(row)?))
}

/// Takes the server's receipt: what comes next is proven from its head, and what a verified copy of the server holds
/// may go; without copies, what lies far behind.
///
/// A receipt that does not fit the chain here (a restored file) is not taken; the records stay. Where the server took
/// nothing of `sent`, it may lack a write named there (one that went into the drawer before it was ever sent): from
/// then on these records go whole. A receipt that ends before an earlier one comes from a server that was restored: it
/// gets the records again. Returns whether they are no longer here, so that another chain must begin.
pub fn take_receipt(step: &mut Step<'_>, anchor: &AuditAnchor, sent: Option<&AuditBatch>) -> Result<bool> {
    if let Some(sent) = sent.filter(|sent| anchor.last < sent.first) {
        meta::set(step.transaction, WHOLE_UP_TO, &sent.last())?;
    }
    let known = receipt(step.transaction)?;
    if anchor.last == known.last {
        return Ok(false);
    }
    let Some(head) = head_at(step, anchor.last)? else {
        return Ok(anchor.last < known.last);
    };
    if head != *anchor.head {
        return Ok(false);
    }
    let taken = Receipt {
        last: anchor.last,
        head: anchor.head,
    };
    meta::set(step.transaction, "audit_receipt", &taken)?;
    let durable = anchor.durable.unwrap_or(0);
    let far_behind = anchor.last.saturating_sub(AUDIT_RECEIVED_RECORDS_KEPT);
    // The last covered record stays: the next receipt is compared with it.
    audit::purge(
        step.transaction,
        durable.max(far_behind).min(anchor.last.saturating_sub(1)),
    )?;
    Ok(false)
}

/// The chain's head after a record, if it is here and so is what follows it.
fn head_at(step: &Step<'_>, k: u64) -> Result<Option<[u8; 32]>> {
    if k == step.device.counters.audit_last {
        return Ok(Some(*step.device.counters.audit_head));
    }
    let rows = audit::after(step.transaction, k.saturating_sub(1), 1)?;
    Ok(match rows.first() {
        Some(row) if row.k == k => Some(row.head),
        Some(row) if k == 0 && row.k == 1 => Some([0; 32]),
        _ => None,
    })
}

/// A record with its place, as people read it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct AuditEntry {
    /// Its place in the chain.
    pub k: u64,
    /// What was done.
    pub record: AuditRecord,
    /// The chain's head after it.
    pub head: String,
    /// Whether the server has it.
    pub received: bool,
}

fn decode(row: &AuditRow) -> Result<AuditRecord> {
    crate::protocol::decode(&row.record)
        .map_err(|_| SyncError::new(Code::StoreDamaged, format!("audit record {}", row.k)))
}

/// The records kept here, after a place.
pub fn list(connection: &Connection, after: u64, limit: usize) -> Result<Vec<AuditEntry>> {
    let receipt = receipt(connection)?;
    let rows = audit::after(connection, after, limit)?;
    rows.iter()
        .map(|row| {
            Ok(AuditEntry {
                k: row.k,
                record: decode(row)?,
                head: hex::encode(row.head),
                received: row.k <= receipt.last,
            })
        })
        .collect()
}

/// What a verification found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AuditVerification {
    /// Records checked.
    pub records: u64,
    /// Up to here the server has a receipt.
    pub received: u64,
    /// The first record that does not follow from the one before it; none when the chain is whole.
    pub broken_at: Option<u64>,
}

/// Walks the chain from the receipt to the head in the counters: an edited, removed, moved or cut-off record shows.
pub fn verify(connection: &Connection, last: u64, head: &[u8; 32]) -> Result<AuditVerification> {
    let receipt = receipt(connection)?;
    let mut found = AuditVerification {
        records: 0,
        received: receipt.last,
        broken_at: None,
    };
    let (mut k, mut known) = (receipt.last, *receipt.head);
    loop {
        let rows = audit::after(connection, k, BATCH_RECORDS)?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            let expected = decode(row).map(|record| advance_audit(&known, &record));
            if row.k != k + 1 || expected != Ok(row.head) {
                found.broken_at = Some(k + 1);
                return Ok(found);
            }
            found.records += 1;
            (k, known) = (row.k, row.head);
        }
    }
    if k != last || known != *head {
        found.broken_at = Some(k + 1);
    }
    Ok(found)
}
