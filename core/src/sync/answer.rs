//! What an answer means. It is verified as a whole (running hashes, signature) before any of it is applied; outcomes
//! are applied before pages; pages in slices, each in a step of its own, so that people's writes come in between.

use super::request::Asked;
use crate::audit;
use crate::document::DocumentKey;
use crate::error::{Code, Result, SyncError};
use crate::id::Incarnation;
use crate::limits::SLICE_ITEMS;
use crate::outbox;
use crate::protocol::{
    LogItem, Outcome, OutcomeRun, PageItem, SignedHeads, SyncAnswer, advance_chain_by_checks, chain_tag,
    change_check,
};
use crate::record::{Compartment, Intent};
use crate::replica;
use crate::step::Step;
use crate::store::cursors::{self, CursorRow};
use crate::store::outbox as rows;
use crate::store::receipts::{self, Receipt};
use ed25519_dalek::{Signature, VerifyingKey};
use std::collections::{HashMap, VecDeque};

/// An answer on its way into the store.
#[derive(Debug)]
pub struct PendingAnswer {
    asked: Asked,
    answer: SyncAnswer,
    pages: VecDeque<PendingPage>,
    previous: HashMap<DocumentKey, replica::Previous>,
    outcomes_applied: bool,
    more: bool,
    /// Items of the pages, and how many of them are applied: for the progress.
    pub total: usize,
    /// See `total`.
    pub applied: usize,
}

#[derive(Debug)]
struct PendingPage {
    cursor: CursorRow,
    items: VecDeque<(PageEntry, i64)>,
    more: bool,
}

#[derive(Debug)]
enum PageEntry {
    Own(u64),
    Item(Box<LogItem>),
}

/// What a slice left to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SliceResult {
    /// There are more slices.
    More,
    /// All is applied; whether the server said that more is there.
    Done {
        /// Ask again at once.
        more: bool,
    },
    /// This file is a copy of one that went on elsewhere: it began a new incarnation, the pages are dropped.
    Forked,
    /// A change came out differently: ask again for the changes themselves.
    NeedRaw,
}

/// Verifies an answer against the request.
///
/// # Errors
/// `not_our_server` when running hashes or the signature do not fit. Nothing is applied.
pub fn check_answer(step: &Step<'_>, asked: Asked, mut answer: SyncAnswer) -> Result<PendingAnswer> {
    let mut heads = Vec::with_capacity(asked.cursors.len());
    let mut pages = VecDeque::new();
    let mut answered: HashMap<_, _> = answer.pages.drain(..).map(|page| (page.stream, page)).collect();
    for cursor in &asked.cursors {
        let mut at = *cursor;
        if let Some(page) = answered.remove(&cursor.stream) {
            if page.first == 1 && at.seq > 0 {
                // The server's log differs from what was read: it is read anew.
                at = CursorRow {
                    seq: 0,
                    chain: [0; 32],
                    ..at
                };
            }
            if page.first != at.seq + 1 {
                return Err(SyncError::new(Code::NotOurServer, "a page leaves a gap"));
            }
            let mut received = page
                .received_ms
                .iter()
                .flat_map(|(count, at)| std::iter::repeat_n(*at, *count as usize));
            let mut items = VecDeque::new();
            let start = at;
            for item in page.items {
                let entries: Vec<PageEntry> = match item {
                    PageItem::Own { n, count } => {
                        let count = u64::from(count).min(crate::limits::OUTBOX_WRITES_MAX);
                        (n..n.saturating_add(count)).map(PageEntry::Own).collect()
                    }
                    PageItem::Item(item) => vec![PageEntry::Item(item)],
                };
                for entry in entries {
                    let received_ms = received
                        .next()
                        .ok_or(SyncError::new(Code::NotOurServer, "an item has no time"))?;
                    at.chain = chain_after(step, &asked, &answer, &at, &entry, received_ms)?;
                    at.seq += 1;
                    items.push_back((entry, received_ms));
                }
            }
            at.caught_up = !page.more;
            pages.push_back(PendingPage {
                cursor: start,
                items,
                more: page.more,
            });
        } else {
            at.caught_up = true;
        }
        heads.push((at.seq, chain_tag(&at.chain)));
    }
    verify_signature(step, &answer, heads)?;
    let total = pages.iter().map(|page| page.items.len()).sum();
    Ok(PendingAnswer {
        asked,
        answer,
        pages,
        previous: HashMap::new(),
        outcomes_applied: false,
        more: false,
        total,
        applied: 0,
    })
}

fn verify_signature(
    step: &Step<'_>,
    answer: &SyncAnswer,
    heads: Vec<(u64, crate::bytes::ByteArray<8>)>,
) -> Result<()> {
    let signed = SignedHeads {
        epoch: answer.epoch,
        time_ms: answer.time_ms,
        heads,
    };
    let key = VerifyingKey::from_bytes(&step.device.enrolled()?.signing_key)
        .map_err(|_| SyncError::from(Code::ServerKeyMismatch))?;
    key.verify_strict(&signed.to_bytes(), &Signature::from_bytes(&answer.signature))
        .map_err(|_| SyncError::new(Code::NotOurServer, "the signature does not fit"))
}

fn origin_of(answer: &SyncAnswer, item: &LogItem) -> Result<Incarnation> {
    let origin = answer.origins.get(item.origin as usize).copied();
    origin.ok_or(SyncError::new(Code::NotOurServer, "an item has no origin"))
}

fn chain_after(
    step: &Step<'_>,
    asked: &Asked,
    answer: &SyncAnswer,
    at: &CursorRow,
    entry: &PageEntry,
    received_ms: i64,
) -> Result<[u8; 32]> {
    match entry {
        PageEntry::Item(item) => {
            let checks: Vec<u32> = item.changes.iter().map(|change| change.check).collect();
            let origin = origin_of(answer, item)?;
            Ok(advance_chain_by_checks(
                &at.chain,
                &origin,
                &item.write.hash(),
                &checks,
                received_ms,
            ))
        }
        PageEntry::Own(n) => {
            let number = asked.request.incarnation;
            let origin = Incarnation {
                store: step.device.incarnation.store,
                number,
            };
            let (hash, changes) = match receipts::own(step.transaction, *n)? {
                Some(own) => own,
                None => {
                    let row = rows::get(step.transaction, *n)?;
                    let row =
                        row.ok_or(SyncError::new(Code::MissingDependency, "an own item is not here"))?;
                    let changes = rows::encodings(step.transaction, *n)?
                        .iter()
                        .map(|row| row.hash)
                        .collect();
                    (row.hash, changes)
                }
            };
            let checks: Vec<u32> = changes.iter().map(change_check).collect();
            Ok(advance_chain_by_checks(
                &at.chain,
                &origin,
                &hash,
                &checks,
                received_ms,
            ))
        }
    }
}

/// Applies the next slice. The first one takes the outcomes, tokens, scope and receipts.
pub fn apply_slice(step: &mut Step<'_>, pending: &mut PendingAnswer) -> Result<SliceResult> {
    if !pending.outcomes_applied {
        pending.outcomes_applied = true;
        if apply_head(step, pending)? {
            return Ok(SliceResult::Forked);
        }
    }
    let mut left = SLICE_ITEMS;
    let mut weight = 0;
    while left > 0 && weight < crate::limits::SLICE_ENTRIES {
        let Some(page) = pending.pages.front_mut() else {
            break;
        };
        let Some((entry, received_ms)) = page.items.pop_front() else {
            let cursor = CursorRow {
                caught_up: !page.more,
                ..page.cursor
            };
            cursors::put(step.transaction, &cursor)?;
            pending.more |= page.more;
            pending.pages.pop_front();
            continue;
        };
        let seq = page.cursor.seq + 1;
        let chain = chain_after(
            step,
            &pending.asked,
            &pending.answer,
            &page.cursor,
            &entry,
            received_ms,
        )?;
        let stream = page.cursor.stream;
        let applied = match &entry {
            PageEntry::Own(n) => apply_own_item(
                step,
                *n,
                Receipt {
                    stream,
                    seq,
                    received_ms,
                },
            ),
            PageEntry::Item(item) => {
                weight += weight_of(item);
                let origin = origin_of(&pending.answer, item)?;
                let receipt = Receipt {
                    stream,
                    seq,
                    received_ms,
                };
                apply_item(step, &origin, item, receipt, &mut pending.previous)
            }
        };
        match applied {
            Ok(()) => {}
            Err(error) if matches!(error.code, Code::EncodingMismatch | Code::MissingDependency) => {
                // The slice is not committed; the next request starts at the cursor before it.
                return Ok(SliceResult::NeedRaw);
            }
            Err(error) => return Err(error),
        }
        if let Some(page) = pending.pages.front_mut() {
            page.cursor.seq = seq;
            page.cursor.chain = chain;
            cursors::put(step.transaction, &page.cursor)?;
        }
        left -= 1;
        pending.applied += 1;
    }
    step.changes.queue = true;
    if pending.pages.iter().any(|page| !page.items.is_empty()) {
        return Ok(SliceResult::More);
    }
    let more = pending.pages.iter().any(|page| page.more) || pending.more;
    pending.more |= more;
    for page in std::mem::take(&mut pending.pages) {
        cursors::put(
            step.transaction,
            &CursorRow {
                caught_up: !page.more,
                ..page.cursor
            },
        )?;
    }
    for cursor in &pending.asked.cursors {
        let mut row = cursors::get(step.transaction, &cursor.stream)?;
        if !row.caught_up && !more {
            row.caught_up = true;
            cursors::put(step.transaction, &row)?;
        }
    }
    // The answer may have widened the scope: what is new in it is still to be read.
    let asked = &pending.asked.cursors;
    let mut in_scope = step.device.enrolled()?.scope.streams.iter();
    let unasked = in_scope.any(|stream| asked.iter().all(|cursor| cursor.stream != *stream));
    Ok(SliceResult::Done {
        more: more || unasked,
    })
}

impl PendingAnswer {
    /// The writes the request pushed.
    pub fn pushed(&self) -> usize {
        self.asked.pushed.len()
    }

    /// The request it answers.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }
}

fn weight_of(item: &LogItem) -> usize {
    match item.write.value().map(|write| &write.intent) {
        Some(Intent::Add { entries }) => entries.len(),
        _ => 1,
    }
}

/// Outcomes, tokens, scope, time, audit. Returns whether this file turned out to be a copy.
fn apply_head(step: &mut Step<'_>, pending: &PendingAnswer) -> Result<bool> {
    let answer = &pending.answer;
    step.device
        .observe_server_time(&step.now, answer.time_ms, pending.asked.sent_boot_ms);
    step.device.store_clock(step.transaction)?;
    if is_copy(step, &pending.asked, answer)? {
        // Before anything else is applied or sent: no actor of ours may be used by two files. What became of the
        // writes is not taken either: it was said of encodings that are no longer theirs, and is said again.
        outbox::fork(step)?;
        crate::sync::recall(step, &pending.asked)?;
        take_enrolment(step, answer)?;
        return Ok(true);
    }
    let incarnation_before = step.device.incarnation.number;
    take_enrolment(step, answer)?;
    let mut answered = std::collections::BTreeSet::new();
    // A refusal encodes what waits anew: what is in stays as the server has it, so that comes first.
    for turn in 0..3 {
        for run in &answer.outcomes {
            if turn_of(&run.outcome) != turn {
                continue;
            }
            let count = u64::from(run.count).min(pending.asked.pushed.len() as u64);
            for index in 0..count {
                let n = run.n.saturating_add(index);
                if !pending.asked.pushed.contains(&n) {
                    continue;
                }
                answered.insert(n);
                outbox::apply_outcome(step, n, &counted_on(&run.outcome, index))?;
            }
        }
    }
    for n in pending.asked.pushed.iter().filter(|n| !answered.contains(n)) {
        outbox::apply_outcome(
            step,
            *n,
            &Outcome::Retry {
                code: Code::Internal.as_str().into(),
            },
        )?;
    }
    if let Some(anchor) = &answer.audit {
        audit::take_receipt(step, anchor, pending.asked.request.audit.as_ref())?;
    }
    for (index, seq) in &answer.durable {
        if let Some(cursor) = pending.asked.cursors.get(*index as usize) {
            let row = cursors::get(step.transaction, &cursor.stream)?;
            cursors::put(
                step.transaction,
                &CursorRow {
                    durable_seq: *seq,
                    ..row
                },
            )?;
        }
    }
    Ok(step.device.incarnation.number != incarnation_before)
}

fn turn_of(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Accepted { .. } => 0,
        Outcome::Retry { .. } | Outcome::Park { .. } => 1,
        Outcome::Refused { .. } => 2,
    }
}

fn counted_on(outcome: &Outcome, index: u64) -> Outcome {
    match outcome {
        Outcome::Accepted {
            seq,
            received_ms,
            changes,
        } => Outcome::Accepted {
            seq: seq + index,
            received_ms: *received_ms,
            changes: changes.clone(),
        },
        other => other.clone(),
    }
}

/// Whether the server holds a write of this incarnation that is not ours. What an answer says of it counts also
/// where the rest of the answer does not fit: of a copied file nothing fits any more, and a new incarnation is
/// never wrong.
pub fn is_copy(step: &Step<'_>, asked: &Asked, answer: &SyncAnswer) -> Result<bool> {
    if asked.request.incarnation != step.device.incarnation.number {
        return Ok(false);
    }
    let reused = |run: &OutcomeRun| matches!(&run.outcome, Outcome::Refused { code, .. } if code == Code::Reused.as_str());
    if answer.outcomes.iter().any(reused) {
        return Ok(true);
    }
    let Some(seen) = answer.seen else {
        return Ok(false);
    };
    if seen.n >= step.device.counters.next_n {
        return Ok(true);
    }
    let known = match step.device.last_accepted {
        Some(last) if last.n == seen.n => Some(last.check),
        _ => match rows::get(step.transaction, seen.n)? {
            Some(row) => Some(change_check(&row.hash)),
            None => receipts::own(step.transaction, seen.n)?.map(|(hash, _)| change_check(&hash)),
        },
    };
    Ok(known.is_some_and(|known| known != seen.check))
}

fn take_enrolment(step: &mut Step<'_>, answer: &SyncAnswer) -> Result<()> {
    let Some(enrolment) = step.device.enrolment.as_mut() else {
        return Ok(());
    };
    let mut changed = enrolment.epoch != answer.epoch;
    enrolment.epoch = answer.epoch;
    if let Some(tokens) = &answer.tokens {
        enrolment.tokens = Some(tokens.clone());
        changed = true;
    }
    if let Some(scope) = &answer.scope {
        if scope.version != enrolment.scope.version {
            rows::unpark_in_scope(step.transaction, &scope.streams)?;
        }
        enrolment.scope = scope.clone();
        changed = true;
    }
    if changed {
        step.device.store_enrolment(step.transaction)?;
    }
    Ok(())
}

/// An own item of the log. If it is still pending, this is its outcome.
fn apply_own_item(step: &mut Step<'_>, n: u64, receipt: Receipt) -> Result<()> {
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
    receipts::forget_own(step.transaction, n)?;
    // In the identity stream one's own writes take effect in the log's order, like everybody's.
    if let Some(write) = record.and_then(|bytes| crate::record::Write::from_bytes(&bytes)) {
        let incarnation = step.device.incarnation;
        replica::accept_record(step, &incarnation, &write, receipt.seq)?;
    }
    Ok(())
}

fn apply_item(
    step: &mut Step<'_>,
    origin: &Incarnation,
    item: &LogItem,
    receipt: Receipt,
    previous: &mut HashMap<DocumentKey, replica::Previous>,
) -> Result<()> {
    let Some(write) = item.write.value() else {
        // A newer version's: kept as it came, and passed over.
        return keep_unread(step, item, receipt);
    };
    let id = write.id(origin);
    let mut apply = |step: &mut Step<'_>| {
        receipts::put(step.transaction, &id, &receipt)?;
        let limit = step.device.clock_limit_ms(&step.now);
        step.device.counters.hlc = step.device.counters.hlc.observe(write.hlc(), limit);
        if receipt.stream.compartment == Compartment::Identity {
            replica::accept_record(step, origin, write, receipt.seq)?;
        }
        let applied = replica::apply_accepted(
            step,
            origin,
            item.generation,
            write,
            &item.changes,
            receipt.seq,
            previous,
        );
        match applied {
            // Its document is set aside: the item is kept, and the rest goes on.
            Err(error) if error.code == Code::DocumentQuarantined => keep_unread(step, item, receipt),
            applied => applied,
        }
    };
    let waits = if origin.store == step.device.incarnation.store {
        if receipts::own(step.transaction, write.n)?.is_some_and(|(hash, _)| hash == item.write.hash()) {
            // Accepted before, and now the cursor passes it.
            receipts::forget_own(step.transaction, write.n)?;
        }
        rows::by_id(step.transaction, &id)?
    } else {
        None
    };
    match waits {
        // What waited here is in the log: the server's encoding takes the place of ours.
        Some(row) => outbox::take_over(step, &row, apply),
        None => apply(step),
    }
}

fn keep_unread(step: &Step<'_>, item: &LogItem, receipt: Receipt) -> Result<()> {
    let bytes = crate::protocol::encode(item);
    Ok(cursors::keep_unread(
        step.transaction,
        &receipt.stream,
        receipt.seq,
        &bytes,
    )?)
}
