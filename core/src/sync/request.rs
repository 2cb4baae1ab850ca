//! What to ask for: the due writes of all lanes in their order, the audit, and what is new.

use super::backoff::retry_delay_ms;
use super::schedule::{Breaker, Schedule};
use super::tail;
use crate::audit;
use crate::bytes::{ByteArray, ByteBuf};
use crate::error::{Code, Result, SyncError};
use crate::limits::{BATCH_BYTES_MAX, QUARANTINED_ASKED_MAX, RETRY_DELAY_MS_BASE};
use crate::outbox::ENCODING_REPLACED;
use crate::protocol::{
    ChangeReference, CorrelationId, Cursor, Frozen, PushItem, SyncRequest, TailRequest, WholeHeads,
    chain_tag, change_check,
};
use crate::step::Step;
use crate::store::cursors::{self, CursorRow};
use crate::store::first_sync::{self, FirstSyncState};
use crate::store::held;
use crate::store::meta;
use crate::store::outbox::{self, OutboxRow, WriteState};
use crate::store::{reached, receipts};
use std::collections::HashMap;

/// The last held write that was asked for.
const HELD_ASKED: &str = "held_asked";

/// The share of an access token's life that must be left for it to be used alone.
const REFRESH_BEFORE_MS: i64 = 60_000;

/// A request that is under way.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The message.
    pub request: SyncRequest,
    /// The numbers of the writes in it.
    pub pushed: Vec<u64>,
    /// The cursors in it, with their whole running hashes.
    pub cursors: Vec<CursorRow>,
    /// When it was built, since boot.
    pub sent_boot_ms: u64,
    /// Whether own items come in full: the device does not trust what it has of them.
    pub own_in_full: bool,
    /// What is given back to a restored server; then nothing else is asked.
    pub tail: Option<Box<TailRequest>>,
    /// Whether its answer says who of those that came in a segment is in scope.
    pub settles_unknown: bool,
    /// Names it in the logs of both sides; set when its body and credential are known.
    pub correlation: CorrelationId,
}

/// What is special about the next request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wish {
    /// Own items come in full: the device does not trust what it has of them.
    pub own_in_full: bool,
    /// The changes themselves come: the device computes others.
    pub raw: bool,
    /// The refresh credential goes along, whatever the clock says.
    pub with_refresh: bool,
    /// Its writes are not marked as in flight: on a full disk nothing can be, and what waits is sent all the same.
    pub unmarked: bool,
    /// The answer says the digests of the streams.
    pub digest: bool,
}

/// Builds the next request and marks its writes as in flight.
pub fn build_request(step: &mut Step<'_>, schedule: &Schedule, wish: Wish) -> Result<Asked> {
    let Wish {
        own_in_full,
        raw,
        with_refresh,
        unmarked,
        digest,
    } = wish;
    let mark = !unmarked;
    let enrolment = step.device.enrolled()?.clone();
    let tokens = enrolment
        .tokens
        .as_ref()
        .ok_or(SyncError::from(Code::Unauthenticated))?;
    let server_ms = step.device.server_ms(&step.now);
    let fresh = server_ms.is_some_and(|now_ms| now_ms + REFRESH_BEFORE_MS < tokens.expires_ms);
    let refresh = (with_refresh || !fresh).then(|| tokens.refresh.clone());
    if let Some(tail) = tail::next_request(step)? {
        return Ok(Asked {
            request: SyncRequest {
                refresh: refresh.clone(),
                ..SyncRequest::default()
            },
            pushed: Vec::new(),
            cursors: Vec::new(),
            sent_boot_ms: step.now.boot_ms,
            own_in_full: false,
            tail: Some(Box::new(TailRequest { refresh, ..tail })),
            settles_unknown: false,
            correlation: CorrelationId::default(),
        });
    }
    let push = if own_in_full || schedule.breaker(&step.now) == Breaker::HalfOpen {
        Vec::new()
    } else {
        let due_ms = i64::try_from(step.now.boot_ms).unwrap_or(i64::MAX);
        let due = outbox::due(step.transaction, due_ms, schedule.batch_limit)?;
        if mark { behind_their_items(step, due)? } else { due }
    };
    // Writes of a former incarnation go under its own number, so that the server knows them again; such a request
    // pulls nothing, because what is "own" in its answer would not be this file's.
    let current = step.device.incarnation.number;
    let incarnation = push.first().map_or(current, |row| row.incarnation);
    let former = incarnation != current;
    let push = push_items(step, push)?;
    let pushed: Vec<u64> = push.iter().map(|(n, _)| *n).collect();
    for n in pushed.iter().filter(|_| mark) {
        outbox::mark_in_flight(step.transaction, *n)?;
    }
    let first_reads = first_sync::list(step.transaction)?;
    let cursors: Vec<CursorRow> = if former {
        Vec::new()
    } else {
        let streams = enrolment.scope.streams.iter();
        // A stream that is being read from segments has no cursor yet.
        streams
            .filter(|stream| {
                !first_reads
                    .iter()
                    .any(|row| row.stream == **stream && row.state == FirstSyncState::UnderWay)
            })
            .map(|stream| Ok(cursors::get(step.transaction, stream)?))
            .collect::<Result<_>>()?
    };
    let declined = first_reads
        .iter()
        .any(|row| row.state == FirstSyncState::NotOffered);
    let request = SyncRequest {
        incarnation: if own_in_full { 0 } else { incarnation },
        epoch: enrolment.epoch,
        scope: enrolment.scope.version,
        refresh,
        cursors: cursors
            .iter()
            .map(|row| Cursor {
                stream: row.stream,
                seq: row.seq,
                chain: chain_tag(&row.chain),
            })
            .collect(),
        audit: if former || own_in_full {
            None
        } else {
            audit::batch(step.transaction, &pushed)?
        },
        push: push.into_iter().map(|(_, item)| item).collect(),
        raw,
        reference: if former {
            None
        } else {
            crate::reference::wanted(step.transaction, &enrolment)?
        },
        quarantined: held_asked(step, incarnation)?,
        segments: !declined && cursors.iter().any(|cursor| cursor.seq == 0 && !cursor.caught_up),
        minor: crate::protocol::MINOR,
        heads: WholeHeads::VERSION,
        accepted: match own_in_full {
            // It names no incarnation.
            true => None,
            false => receipts::last_own(step.transaction, incarnation)?,
        },
        digest: digest && !former && !own_in_full,
        reached: reached::list(step.transaction)?,
    };
    Ok(Asked {
        request,
        pushed,
        cursors,
        sent_boot_ms: step.now.boot_ms,
        own_in_full,
        tail: None,
        settles_unknown: !former && crate::replica::awaits_records(step)?,
        correlation: CorrelationId::default(),
    })
}

/// The held writes to ask for: where they are many, the next ones each time.
fn held_asked(step: &Step<'_>, incarnation: u64) -> Result<Vec<u64>> {
    let after = meta::get(step.transaction, HELD_ASKED)?.unwrap_or(0);
    let asked = held::waiting(step.transaction, incarnation, after, QUARANTINED_ASKED_MAX)?;
    if asked.len() == QUARANTINED_ASKED_MAX {
        meta::set(step.transaction, HELD_ASKED, &asked.last())?;
    }
    Ok(asked)
}

/// The server holds some of these in another encoding: their items are read before anything is sent again.
fn behind_their_items(step: &mut Step<'_>, due: Vec<OutboxRow>) -> Result<Vec<OutboxRow>> {
    let is_replaced = |row: &&OutboxRow| row.reason.as_deref() == Some(ENCODING_REPLACED);
    if !due.iter().any(|row| is_replaced(&row)) {
        return Ok(due);
    }
    for row in due.iter().filter(is_replaced) {
        let delay_ms = retry_delay_ms(row.attempts + 1, RETRY_DELAY_MS_BASE, step.entropy);
        let due_ms = i64::try_from(step.now.boot_ms.saturating_add(delay_ms)).unwrap_or(i64::MAX);
        outbox::set_retry(step.transaction, row.n, row.attempts, due_ms, "item_awaited")?;
    }
    Ok(Vec::new())
}

fn push_items(step: &Step<'_>, rows: Vec<OutboxRow>) -> Result<Vec<(u64, PushItem)>> {
    let mut items = Vec::with_capacity(rows.len());
    let mut bytes = 0;
    let mut previous = HashMap::new();
    for row in rows {
        bytes += row.bytes.len() + 64;
        if !items.is_empty() && bytes > BATCH_BYTES_MAX {
            break;
        }
        let changes = change_references(step, &row, &mut previous)?;
        let (n, generation) = (row.n, row.generation);
        items.push((
            n,
            PushItem {
                write: Frozen::from_bytes(row.bytes),
                generation,
                changes,
            },
        ));
    }
    Ok(items)
}

fn change_references(
    step: &Step<'_>,
    row: &OutboxRow,
    previous: &mut HashMap<crate::id::DocumentId, [u8; 32]>,
) -> Result<Vec<ChangeReference>> {
    let mut changes = Vec::new();
    for encoding in outbox::encodings(step.transaction, row.n)? {
        let genesis = crate::document::LoadedDocument::genesis_hash();
        let implied = previous
            .insert(encoding.document, encoding.hash)
            .unwrap_or(genesis);
        let raw = if row.raw {
            crate::store::documents::pending_chunk(step.transaction, &encoding.document, row.n)?
                .map(ByteBuf::from)
        } else {
            None
        };
        changes.push(ChangeReference {
            check: change_check(&encoding.hash),
            dependencies: (encoding.dependencies != [implied]).then(|| {
                encoding
                    .dependencies
                    .iter()
                    .map(|hash| ByteArray::new(*hash))
                    .collect()
            }),
            raw,
        });
    }
    Ok(changes)
}

/// The request failed: its writes are pending again, with their ids.
pub fn recall(step: &mut Step<'_>, asked: &Asked) -> Result<()> {
    for n in &asked.pushed {
        if let Some(row) = outbox::get(step.transaction, *n)?
            && row.state == WriteState::InFlight
        {
            outbox::set_state(step.transaction, *n, WriteState::Pending, row.reason.as_deref())?;
        }
    }
    Ok(())
}
