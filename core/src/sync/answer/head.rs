//! What an answer says beside its pages: outcomes, tokens, scope, time, the receipt of the audit.

use super::PendingAnswer;
use crate::audit;
use crate::error::{Code, Result};
use crate::outbox;
use crate::protocol::{Outcome, OutcomeRun, QuarantineAnswer, SyncAnswer, change_check};
use crate::record::Stream;
use crate::replica;
use crate::step::Step;
use crate::store::cursors::CursorRow;
use crate::store::held::{self, HeldState};
use crate::store::outbox as rows;
use crate::store::{StoreError, cursors, meta, reached, receipts};
use crate::sync::request::Asked;
use crate::sync::tail;
use rusqlite::Connection;

/// The name under which is kept whether the server makes copies of its data.
const SERVER_MAKES_COPIES: &str = "server_makes_copies";

/// Outcomes, tokens, scope, time, audit. Returns whether this file turned out to be a copy.
pub(super) fn apply_head(step: &mut Step<'_>, pending: &mut PendingAnswer) -> Result<bool> {
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
    let asked = pending.asked.request.reference;
    pending.more_reference = crate::reference::take(step, asked, answer)?;
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
    if answer.epoch != pending.asked.request.epoch && pending.proof.is_some() {
        let asked = &pending.asked.cursors;
        let unproven = answer
            .unproven
            .iter()
            .filter_map(|index| asked.get(*index as usize));
        let unproven: Vec<_> = unproven.map(|cursor| cursor.stream).collect();
        tail::begin(step, &unproven)?;
    }
    forget_reached(step, pending)?;
    if let Some(anchor) = &answer.audit
        && audit::take_receipt(step, anchor, pending.asked.request.audit.as_ref())?
    {
        outbox::fork_because(step, "restored_server")?;
    }
    // Of another history these places are not those of the tail: first it is given back.
    let is_known = answer.epoch == pending.asked.request.epoch;
    if is_known && !pending.asked.cursors.is_empty() {
        note_copies(step, !answer.durable.is_empty())?;
    }
    for (index, seq) in answer.durable.iter().filter(|_| is_known) {
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
    for (n, decision) in &answer.quarantine {
        let state = match decision {
            QuarantineAnswer::Released => HeldState::Released,
            QuarantineAnswer::Discarded => HeldState::Discarded,
        };
        held::decide(step.transaction, incarnation_before, *n, state)?;
        step.changes.queue = true;
    }
    super::end_due_shares(step, answer.time_ms)?;
    Ok(step.device.incarnation.number != incarnation_before)
}

/// A cursor that stands behind a place, with the server holding both, says all.
fn forget_reached(step: &Step<'_>, pending: &PendingAnswer) -> Result<()> {
    let (answer, request) = (&pending.answer, &pending.asked.request);
    if answer.epoch != request.epoch {
        return Ok(());
    }
    for place in &request.reached {
        let mut cursors = pending.asked.cursors.iter().zip(0_u32..);
        let is_passed = cursors.any(|(cursor, index)| {
            cursor.stream == place.stream && cursor.seq >= place.seq && !answer.unproven.contains(&index)
        });
        if is_passed && reached::get(step.transaction, &place.stream)?.as_ref() == Some(place) {
            reached::put(step.transaction, &place.stream, None)?;
        }
    }
    Ok(())
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
    let mut lost: Vec<Stream> = Vec::new();
    enrolment.epoch = answer.epoch;
    if let Some(tokens) = &answer.tokens {
        enrolment.tokens = Some(tokens.clone());
        changed = true;
    }
    if let Some(scope) = &answer.scope {
        if scope.version != enrolment.scope.version {
            rows::unpark_in_scope(step.transaction, &scope.streams)?;
        }
        let before = std::mem::replace(&mut enrolment.scope, scope.clone()).streams;
        lost = before
            .into_iter()
            .filter(|stream| !scope.streams.contains(stream))
            .collect();
        changed = true;
    }
    if changed {
        step.device.store_enrolment(step.transaction)?;
    }
    if !lost.is_empty() {
        replica::leave_streams(step, &lost)?;
    }
    Ok(())
}

/// Whether the server said that it makes copies of its data.
pub fn server_makes_copies(connection: &Connection) -> Result<bool, StoreError> {
    Ok(meta::get(connection, SERVER_MAKES_COPIES)?.unwrap_or_default())
}

fn note_copies(step: &Step<'_>, made: bool) -> Result<(), StoreError> {
    if server_makes_copies(step.transaction)? != made {
        meta::set(step.transaction, SERVER_MAKES_COPIES, &made)?;
    }
    Ok(())
}
