//! Giving a restored server back what it lost, request by request. Where this stands is stored with each answer; a
//! crash or a lost answer repeats one request, and the server passes over what it has.

use super::left_over;
use super::points::points;
use super::rewind::{forget_as_of, rewind};
use crate::bytes::ByteArray;
use crate::document::operations;
use crate::error::{Code, Result, SyncError};
use crate::id::Incarnation;
use crate::limits::{TAIL_RUN_BYTES, TAIL_RUN_ITEMS};
use crate::outbox;
use crate::protocol::{
    ChangeReference, LogItem, PageItem, TailAnswer, TailRequest, TailRun, WholeHeads, decode,
};
use crate::record::Stream;
use crate::replica;
use crate::step::Step;
use crate::store::cursors::CursorRow;
use crate::store::tail::{self, ProofRow, Stretch, TailRow};
use crate::store::{cursors, meta, reached};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const GIVING_BACK: &str = "giving_back";
pub(super) const NOT_TAKEN: &str = "not_taken";

/// What is still to be given back. None of it is left when the device synchronises again.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct GivingBack {
    streams: Vec<Giving>,
}

/// Where it stands in a stream.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Giving {
    stream: Stream,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    /// Which is the last place of this stretch, or a later one, that the server holds?
    Asking(u32),
    /// The items from a place of a stretch on.
    Giving(u32, u64),
    /// What was left of a stretch, once more, from a place on.
    Again(u32, u64),
    /// Everything is given: how far does the server's log agree now?
    Comparing,
    /// The stream is read again from here; documents must not pass over what comes.
    Rewinding(u64),
}

impl GivingBack {
    /// What is stored.
    pub fn load(step: &Step<'_>) -> Result<Self> {
        Ok(meta::get(step.transaction, GIVING_BACK)?.unwrap_or_default())
    }

    /// Streams still to be gone through.
    pub fn streams_left(connection: &rusqlite::Connection) -> u64 {
        let stored: Option<Self> = meta::get(connection, GIVING_BACK).unwrap_or_default();
        stored.map_or(0, |stored| stored.streams.len() as u64)
    }

    /// Items that a restored server did not take back.
    pub fn not_taken(connection: &rusqlite::Connection) -> u64 {
        let never: u64 = meta::get(connection, NOT_TAKEN).unwrap_or_default().unwrap_or(0);
        let waiting = left_over::list(connection).unwrap_or_default();
        never + waiting.iter().map(|left| left.places.len() as u64).sum::<u64>()
    }

    fn store(&self, step: &Step<'_>) -> Result<()> {
        if self.streams.is_empty() {
            Ok(meta::remove(step.transaction, GIVING_BACK)?)
        } else {
            Ok(meta::set(step.transaction, GIVING_BACK, self)?)
        }
    }
}

/// The server speaks of another history. Own writes that no signature covers are queued again; the streams whose
/// place it does not hold are given back, and those that were being read again: it said nothing of how far they stood.
pub fn begin(step: &mut Step<'_>, unproven: &[Stream]) -> Result<()> {
    for cursor in cursors::list(step.transaction)? {
        cursors::put(
            step.transaction,
            &CursorRow {
                durable_seq: 0,
                ..cursor
            },
        )?;
    }
    outbox::queue_unproven(step, None)?;
    left_over::forget(step)?;
    let mut giving = GivingBack::load(step)?;
    giving
        .streams
        .retain(|giving| !matches!(giving.phase, Phase::Again(..)));
    let reached = reached::list(step.transaction)?;
    let reached = reached.iter().map(|place| &place.stream);
    let unproven: BTreeSet<&Stream> = unproven.iter().chain(reached).collect();
    for stream in unproven {
        // It names a place of the former history.
        reached::put(step.transaction, stream, None)?;
        let first = tail::stretches(step.transaction, stream)?
            .first()
            .map(|stretch| stretch.history);
        let phase = Phase::Asking(first.unwrap_or(0));
        match giving.streams.iter_mut().find(|giving| giving.stream == *stream) {
            Some(known) => known.phase = phase,
            None => giving.streams.push(Giving {
                stream: *stream,
                phase,
            }),
        }
    }
    // Who is registered, and in which units, comes before what was written about them.
    giving
        .streams
        .sort_by_key(|giving| giving.stream.compartment.code());
    step.changes.queue = true;
    giving.store(step)
}

/// The log has grown: what the server left may have what it rests on now. Says whether there is something.
pub fn offer_again(step: &mut Step<'_>) -> Result<bool> {
    let left = left_over::list(step.transaction)?;
    let mut giving = GivingBack::load(step)?;
    if left.is_empty() || !giving.streams.is_empty() {
        return Ok(false);
    }
    giving.streams.extend(left.iter().map(|left| Giving {
        stream: left.stream,
        phase: Phase::Again(left.history, 0),
    }));
    giving.store(step)?;
    Ok(true)
}

/// The next request; none when there is nothing to give back.
pub fn next_request(step: &mut Step<'_>) -> Result<Option<TailRequest>> {
    loop {
        let mut giving = GivingBack::load(step)?;
        let Some(first) = giving.streams.first().cloned() else {
            return Ok(None);
        };
        let stream = first.stream;
        let cursor = cursors::get(step.transaction, &stream)?;
        let stretches = tail::stretches(step.transaction, &stream)?;
        let epoch = step.device.enrolled()?.epoch;
        let reached = reached::get(step.transaction, &stream)?;
        let reached = reached.map(|place| (epoch, place.seq, place.chain));
        let ask = |points| TailRequest {
            stream,
            refresh: None,
            points,
            run: None,
            reached,
        };
        match first.phase {
            Phase::Asking(history) => {
                let stretch = stretches.iter().find(|stretch| stretch.history >= history);
                return Ok(Some(ask(points(step, stretch, &cursor)?)));
            }
            Phase::Comparing => return Ok(Some(ask(points(step, stretches.last(), &cursor)?))),
            Phase::Rewinding(from) => {
                if forget_as_of(step, &stream, from)? {
                    // The rest in another step: the question costs little, and people's commands come between.
                    return Ok(Some(ask(points(step, None, &cursor)?)));
                }
                giving.streams.remove(0);
                giving.store(step)?;
            }
            Phase::Again(history, from) => {
                let left = left_over::of(step, (stream, history))?;
                let next = left.range(from..).next().copied();
                let stretch = stretches.iter().find(|stretch| stretch.history == history);
                let held = stretch.filter(|stretch| next.is_some_and(|next| next > stretch.base_seq));
                if let (Some(stretch), Some(next)) = (held, next)
                    && let Some(run) = run_from(step, stretch, next)?
                {
                    return Ok(Some(TailRequest {
                        run: Some(run),
                        ..ask(Vec::new())
                    }));
                }
                if let Some(next) = next {
                    left_over::give_up(step, (stream, history), next)?;
                }
                giving.streams.remove(0);
                giving.store(step)?;
            }
            Phase::Giving(history, next) => {
                let stretch = stretches.iter().find(|stretch| stretch.history == history);
                if let Some(stretch) = stretch
                    && let Some(run) = run_from(step, stretch, next)?
                {
                    return Ok(Some(TailRequest {
                        run: Some(run),
                        ..ask(Vec::new())
                    }));
                }
                let later = stretches.iter().find(|stretch| stretch.history > history);
                set_phase(
                    step,
                    later.map_or(Phase::Comparing, |stretch| Phase::Asking(stretch.history)),
                )?;
            }
        }
    }
}

/// Takes in what the server said to a request.
pub fn take_answer(step: &mut Step<'_>, request: &TailRequest, answer: &TailAnswer) -> Result<()> {
    if let (Some(tokens), Some(enrolment)) = (&answer.tokens, step.device.enrolment.as_mut()) {
        enrolment.tokens = Some(tokens.clone());
        step.device.store_enrolment(step.transaction)?;
    }
    let Some(giving) = GivingBack::load(step)?.streams.into_iter().next() else {
        return Ok(());
    };
    if giving.stream != request.stream {
        return Ok(());
    }
    let cursor = cursors::get(step.transaction, &giving.stream)?;
    // What is given may be lost again before it is read.
    let end = answer.end.filter(|(seq, _)| *seq > cursor.seq.min(answer.held));
    reached::put(step.transaction, &giving.stream, end)?;
    match (giving.phase, &request.run) {
        (Phase::Asking(history), None) => {
            let stretches = tail::stretches(step.transaction, &giving.stream)?;
            let stretch = stretches.iter().find(|stretch| stretch.history >= history);
            let is_last = stretch.is_none_or(|stretch| stretches.last() == Some(stretch));
            match stretch {
                _ if is_last && answer.held == cursor.seq => finish(step, &cursor, answer.held),
                Some(stretch) => set_phase(
                    step,
                    Phase::Giving(stretch.history, answer.held.max(stretch.base_seq) + 1),
                ),
                None => finish(step, &cursor, answer.held),
            }
        }
        (Phase::Giving(history, _), Some(run)) => {
            left_over::note(step, (giving.stream, history), run, &answer.left)?;
            set_phase(step, Phase::Giving(history, run.first + run.items.len() as u64))
        }
        (Phase::Again(history, _), Some(run)) => {
            left_over::note(step, (giving.stream, history), run, &answer.left)?;
            set_phase(step, Phase::Again(history, run.first + run.items.len() as u64))
        }
        (Phase::Comparing, None) => finish(step, &cursor, answer.held),
        _ => Ok(()),
    }
}

/// The server refused the request: a run that it does not believe is passed over and counted; a stream that it does
/// not know of is left.
pub fn refused(step: &mut Step<'_>, request: &TailRequest) -> Result<()> {
    let mut giving = GivingBack::load(step)?;
    match (giving.streams.first().map(|giving| giving.phase), &request.run) {
        (Some(Phase::Giving(history, _)), Some(run)) => {
            left_over::never_taken(step, run.items.len() as u64)?;
            set_phase(step, Phase::Giving(history, run.first + run.items.len() as u64))
        }
        (Some(Phase::Again(history, _)), Some(run)) => {
            left_over::give_up(step, (request.stream, history), run.first)?;
            set_phase(step, Phase::Again(history, run.first + run.items.len() as u64))
        }
        _ => {
            reached::put(step.transaction, &request.stream, None)?;
            giving.streams.retain(|giving| giving.stream != request.stream);
            giving.store(step)
        }
    }
}

fn set_phase(step: &Step<'_>, phase: Phase) -> Result<()> {
    let mut giving = GivingBack::load(step)?;
    if let Some(first) = giving.streams.first_mut() {
        first.phase = phase;
    }
    giving.store(step)
}

/// The stream is through: reading goes on where both agree.
fn finish(step: &mut Step<'_>, cursor: &CursorRow, held: u64) -> Result<()> {
    if held == cursor.seq {
        let mut giving = GivingBack::load(step)?;
        giving.streams.remove(0);
        return giving.store(step);
    }
    let from = rewind(step, cursor, held)?;
    set_phase(step, Phase::Rewinding(from))
}

/// A run from a place on, up to a place that is signed.
fn run_from(step: &mut Step<'_>, stretch: &Stretch, first: u64) -> Result<Option<TailRun>> {
    let end = tail::last_seq(step.transaction, stretch)?;
    let proofs = tail::proofs(step.transaction, stretch, first - 1, end)?;
    let Some(nearest) = proofs.first() else {
        return Ok(None);
    };
    let before = tail::chain_at(step.transaction, stretch, first - 1)?
        .ok_or(SyncError::new(Code::StoreDamaged, "the tail has a gap"))?;
    let at_least = (nearest.seq - first + 1) as usize;
    let rows = tail::items(
        step.transaction,
        stretch,
        first - 1,
        at_least.max(TAIL_RUN_ITEMS as usize),
    )?;
    let proof = last_within(&proofs, &rows, nearest);
    let rows: Vec<TailRow> = rows.into_iter().take_while(|row| row.seq <= proof.seq).collect();
    let heads: WholeHeads =
        decode(&proof.heads).map_err(|_| SyncError::new(Code::StoreDamaged, "a signed head"))?;
    let mut packer = Packer::default();
    for row in &rows {
        packer.pack(step, row)?;
    }
    Ok(Some(TailRun {
        first,
        before: ByteArray::new(before),
        origins: packer.origins,
        items: packer.items,
        received_ms: packer.received_ms,
        heads,
        signature: ByteArray::new(proof.signature),
    }))
}

/// The last signed place that a request can hold everything up to.
fn last_within<'a>(proofs: &'a [ProofRow], rows: &[TailRow], nearest: &'a ProofRow) -> &'a ProofRow {
    let mut bytes = 0;
    let mut found = nearest;
    let mut rows = rows.iter().peekable();
    for proof in proofs {
        while let Some(row) = rows.next_if(|row| row.seq <= proof.seq) {
            bytes += row.bytes();
            if row.seq == proof.seq && bytes <= TAIL_RUN_BYTES {
                found = proof;
            }
        }
    }
    found
}

/// Puts items into a message.
#[derive(Default)]
struct Packer {
    origins: Vec<Incarnation>,
    items: Vec<PageItem>,
    received_ms: Vec<(u32, i64)>,
}

impl Packer {
    fn pack(&mut self, step: &mut Step<'_>, row: &TailRow) -> Result<()> {
        let item: PageItem =
            decode(&row.item).map_err(|_| SyncError::new(Code::StoreDamaged, "an item of the tail"))?;
        let item = match item {
            PageItem::Item(mut item) => {
                item.origin = self.place(&row.origin);
                item.changes = whole_references(step, &row.origin, &item)?;
                PageItem::Item(item)
            }
            PageItem::Part(mut part) => {
                part.origin = self.place(&row.origin);
                PageItem::Part(part)
            }
            other => other,
        };
        self.items.push(item);
        match self.received_ms.last_mut() {
            Some((count, at_ms)) if *at_ms == row.received_ms => *count += 1,
            _ => self.received_ms.push((1, row.received_ms)),
        }
        Ok(())
    }

    fn place(&mut self, origin: &Incarnation) -> u32 {
        let known = self.origins.iter().position(|known| known == origin);
        known.unwrap_or_else(|| {
            self.origins.push(*origin);
            self.origins.len() - 1
        }) as u32
    }
}

/// The references of an item with what they build on. What a snapshot had brought when the item came is looked up in
/// its document.
fn whole_references(
    step: &mut Step<'_>,
    origin: &Incarnation,
    item: &LogItem,
) -> Result<Vec<ChangeReference>> {
    let mut changes = item.changes.clone();
    if changes.iter().all(|change| change.dependencies.is_some()) {
        return Ok(changes);
    }
    let Some(write) = item.write.value() else {
        return Ok(changes);
    };
    let actor = origin.actor(item.generation);
    for (compiled, change) in operations(write, origin).iter().zip(&mut changes) {
        if change.dependencies.is_none()
            && let Some(found) = replica::find_change(step, &compiled.key, &actor, change.check)?
        {
            change.dependencies = Some(found.dependencies.into_iter().map(ByteArray::new).collect());
        }
    }
    Ok(changes)
}
