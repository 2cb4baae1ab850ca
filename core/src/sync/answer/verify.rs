//! An answer is verified as a whole, running hashes and signature, before any of it is applied.

use super::{PageEntry, PendingAnswer, PendingPage};
use crate::bytes::ByteArray;
use crate::error::{Code, Result, SyncError};
use crate::id::Incarnation;
use crate::protocol::{
    BREAKS_MAX, PageItem, SignedHeads, SyncAnswer, WholeHeads, advance_chain_by_checks, chain_tag,
    change_check, encode, head_leaf,
};
use crate::step::Step;
use crate::store::cursors::CursorRow;
use crate::store::outbox as rows;
use crate::store::receipts;
use crate::sync::request::Asked;
use crate::sync::tail::Proof;
use ed25519_dalek::{Signature, VerifyingKey};
use std::collections::{HashMap, VecDeque};

/// Verifies an answer against the request.
///
/// # Errors
/// `not_our_server` when running hashes or the signature do not fit. Nothing is applied.
pub fn check_answer(step: &Step<'_>, asked: Asked, mut answer: SyncAnswer) -> Result<PendingAnswer> {
    let mut heads = Vec::with_capacity(asked.cursors.len());
    let mut leaves = Vec::with_capacity(asked.cursors.len());
    let mut breaks = Vec::new();
    let mut pages = VecDeque::new();
    let mut answered: HashMap<_, _> = answer.pages.drain(..).map(|page| (page.stream, page)).collect();
    for (cursor, index) in asked.cursors.iter().zip(0_u32..) {
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
            let mut was_whole = false;
            let start = at;
            for item in page.items {
                let entries: Vec<PageEntry> = match item {
                    PageItem::Own { n, count } => {
                        let count = u64::from(count).min(crate::limits::OUTBOX_WRITES_MAX);
                        (n..n.saturating_add(count)).map(PageEntry::Own).collect()
                    }
                    PageItem::Item(item) => vec![PageEntry::Item(item)],
                    PageItem::Part(part) => vec![PageEntry::Part(part)],
                    PageItem::Withheld { count, chain, ended } => {
                        vec![PageEntry::Withheld(count, *chain, ended)]
                    }
                };
                for entry in entries {
                    if was_whole && !entry.is_whole() {
                        breaks.push(head_leaf(&at.stream, at.seq, &at.chain));
                    }
                    was_whole = entry.is_whole();
                    let count = usize::try_from(entry.count()).unwrap_or(usize::MAX);
                    let received_ms = received
                        .nth(count.saturating_sub(1))
                        .ok_or(SyncError::new(Code::NotOurServer, "an item has no time"))?;
                    at.chain = chain_after(step, &asked, &answer, &at, &entry, received_ms)?;
                    at.seq = at.seq.saturating_add(entry.count());
                    items.push_back((entry, received_ms, at.chain));
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
        if !answer.unproven.contains(&index) {
            leaves.push(head_leaf(&at.stream, at.seq, &at.chain));
        }
    }
    let first = breaks.len().saturating_sub(BREAKS_MAX);
    let proof = verify_signature(step, &answer, heads, leaves, breaks.split_off(first))?;
    let total = pages.iter().map(|page| page.items.len()).sum();
    Ok(PendingAnswer {
        asked,
        answer,
        pages,
        proof,
        previous: HashMap::new(),
        outcomes_applied: false,
        more: false,
        more_reference: false,
        total,
        applied: 0,
    })
}

/// The signature is over whole heads, with the places before what a page does not carry whole; an older server's
/// without these, or over tags, which prove nothing later.
fn verify_signature(
    step: &Step<'_>,
    answer: &SyncAnswer,
    heads: Vec<(u64, ByteArray<8>)>,
    leaves: Vec<ByteArray<32>>,
    breaks: Vec<ByteArray<32>>,
) -> Result<Option<Proof>> {
    let (epoch, time_ms) = (answer.epoch, answer.time_ms);
    let key = VerifyingKey::from_bytes(&step.device.enrolled()?.signing_key)
        .map_err(|_| SyncError::from(Code::ServerKeyMismatch))?;
    let signature = Signature::from_bytes(&answer.signature);
    let mut whole = WholeHeads {
        epoch,
        time_ms,
        leaves,
    };
    let ends = whole.leaves.len();
    whole.leaves.extend(&breaks);
    for breaks in [breaks, Vec::new()] {
        whole.leaves.truncate(ends + breaks.len());
        if key.verify_strict(&whole.to_bytes(), &signature).is_ok() {
            return Ok(Some(Proof {
                heads: encode(&whole),
                signature: *answer.signature,
                breaks,
            }));
        }
    }
    let signed = SignedHeads {
        epoch,
        time_ms,
        heads,
    };
    key.verify_strict(&signed.to_bytes(), &signature)
        .map_err(|_| SyncError::new(Code::NotOurServer, "the signature does not fit"))?;
    Ok(None)
}

pub(super) fn origin_of(answer: &SyncAnswer, origin: u32) -> Result<Incarnation> {
    let origin = answer.origins.get(origin as usize).copied();
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
            let origin = origin_of(answer, item.origin)?;
            Ok(advance_chain_by_checks(
                &at.chain,
                &origin,
                &item.write.hash(),
                &checks,
                received_ms,
            ))
        }
        PageEntry::Part(part) => {
            let checks: Vec<u32> = part.changes.iter().map(|change| change.check).collect();
            let origin = origin_of(answer, part.origin)?;
            Ok(advance_chain_by_checks(
                &at.chain,
                &origin,
                &part.hash,
                &checks,
                received_ms,
            ))
        }
        // The signature covers where the reader then stands.
        PageEntry::Withheld(_, chain, _) => Ok(*chain),
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
