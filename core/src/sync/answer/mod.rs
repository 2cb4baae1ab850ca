//! What an answer means. It is verified as a whole (running hashes, signature) before any of it is applied; outcomes
//! are applied before pages; pages in slices, each in a step of its own, so that people's writes come in between.

mod head;
mod item;
mod unread;
mod verify;

pub use head::{is_copy, server_makes_copies};
pub use verify::check_answer;

use crate::bytes::ByteArray;
use crate::document::{DocumentKey, operations};
use crate::error::Result;
use crate::id::{DocumentId, Incarnation, PatientId};
use crate::limits::SLICE_ITEMS;
use crate::outbox;
use crate::protocol::{ChainHash, DocumentChange, LogItem, PageItem, PartItem, SyncAnswer};
use crate::record::{Compartment, Intent, Stream};
use crate::replica;
use crate::step::Step;
use crate::store::cursors::CursorRow;
use crate::store::first_sync::{self, FirstSyncState};
use crate::store::receipts::Receipt;
use crate::store::tail::TailRow;
use crate::store::{cursors, documents, patients, places};
use crate::sync::request::Asked;
use crate::sync::tail::{self, Keeper, Proof};
use crate::time::EpochMs;
use head::apply_head;
use item::{apply_item, apply_own_item, apply_part, apply_whole_item, apply_whole_part};
use std::collections::{BTreeSet, HashMap, VecDeque};
use verify::origin_of;

/// An answer on its way into the store.
#[derive(Debug)]
pub struct PendingAnswer {
    asked: Asked,
    answer: SyncAnswer,
    pages: VecDeque<PendingPage>,
    previous: HashMap<DocumentKey, replica::Previous>,
    /// The signature over where the pages end, where it can be shown later.
    proof: Option<Proof>,
    outcomes_applied: bool,
    more: bool,
    /// There is more reference data to ask for.
    more_reference: bool,
    /// Items of the pages, and how many of them are applied: for the progress.
    pub total: usize,
    /// See `total`.
    pub applied: usize,
}

#[derive(Debug)]
struct PendingPage {
    cursor: CursorRow,
    /// Each with when it was received and the running hash behind it.
    items: VecDeque<(PageEntry, i64, ChainHash)>,
    more: bool,
}

#[derive(Debug)]
enum PageEntry {
    Own(u64),
    Item(Box<LogItem>),
    Part(Box<PartItem>),
    /// So many items, the running hash behind them, and the shares that ended in them.
    Withheld(u32, [u8; 32], Vec<ByteArray<8>>),
}

impl PageEntry {
    /// Whether it carries an item as the tail keeps it.
    fn is_whole(&self) -> bool {
        matches!(self, Self::Own(_) | Self::Item(_))
    }

    /// How many items of the log it stands for.
    fn count(&self) -> u64 {
        match self {
            Self::Withheld(count, ..) => u64::from(*count),
            _ => 1,
        }
    }
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

/// Applies what an answer says beside its pages, where these must wait.
pub fn apply_outcomes(step: &mut Step<'_>, pending: &mut PendingAnswer) -> Result<SliceResult> {
    if !pending.outcomes_applied {
        pending.outcomes_applied = true;
        if apply_head(step, pending)? {
            return Ok(SliceResult::Forked);
        }
        for page in &mut pending.pages {
            // The head said how far the stream is durable.
            page.cursor.durable_seq = cursors::get(step.transaction, &page.cursor.stream)?.durable_seq;
        }
    }
    Ok(SliceResult::More)
}

/// Applies the next slice. The first one takes the outcomes, tokens, scope and receipts.
pub fn apply_slice(step: &mut Step<'_>, pending: &mut PendingAnswer) -> Result<SliceResult> {
    if apply_outcomes(step, pending)? == SliceResult::Forked {
        return Ok(SliceResult::Forked);
    }
    let mut left = SLICE_ITEMS;
    let mut weight = 0;
    let mut keeper: Option<Keeper> = None;
    let came_whole = pending.asked.request.raw;
    while left > 0 && weight < crate::limits::SLICE_ENTRIES {
        let Some(page) = pending.pages.front_mut() else {
            break;
        };
        let Some((entry, received_ms, chain)) = page.items.pop_front() else {
            let cursor = CursorRow {
                caught_up: !page.more,
                ..page.cursor
            };
            cursors::put(step.transaction, &cursor)?;
            pending.more |= page.more;
            pending.pages.pop_front();
            if let Some(keeper) = keeper.take() {
                keeper.close(step)?;
            }
            continue;
        };
        let seq = page.cursor.seq + entry.count();
        let is_last = page.items.is_empty();
        let kept = match &mut keeper {
            Some(kept) => kept,
            None => keeper.insert(Keeper::open(step, &page.cursor)?),
        };
        if let Some(proof) = pending.proof.as_ref().filter(|_| !entry.is_whole()) {
            kept.prove_break(step, &page.cursor, proof)?;
        }
        let stream = page.cursor.stream;
        let receipt = Receipt {
            stream,
            seq,
            received_ms,
        };
        let (origin, applied) = match &entry {
            PageEntry::Own(n) => {
                let origin = Incarnation {
                    number: pending.asked.request.incarnation,
                    ..step.device.incarnation
                };
                (origin, apply_own_item(step, *n, receipt))
            }
            PageEntry::Item(item) => {
                weight += weight_of(item);
                let origin = origin_of(&pending.answer, item.origin)?;
                let apply = if came_whole { apply_whole_item } else { apply_item };
                let applied = apply(step, &origin, item, receipt, &mut pending.previous);
                (origin, applied.map(Some))
            }
            // What is not whole is given back by those who have it whole.
            PageEntry::Part(part) => {
                let origin = origin_of(&pending.answer, part.origin)?;
                let apply = if came_whole { apply_whole_part } else { apply_part };
                let applied = apply(step, &origin, part, receipt);
                (origin, applied.map(|()| None))
            }
            PageEntry::Withheld(count, _, ended) => {
                let first = seq - u64::from(*count) + 1;
                let applied = replica::end_shares(step, &stream, received_ms, ended)
                    .and_then(|()| withheld(step, &stream, first));
                (step.device.incarnation, applied.map(|()| None))
            }
        };
        match applied {
            Ok(item) => {
                let row = item.map(|item| TailRow {
                    seq,
                    origin,
                    received_ms,
                    chain,
                    patients: patients_of(&entry, &item),
                    item,
                });
                kept.keep(step, seq, &chain, row)?;
            }
            Err(error) if !came_whole && unread::is_of_the_item(error.code) => {
                // The slice is not committed; the next request starts at the cursor before it.
                return Ok(SliceResult::NeedRaw);
            }
            Err(error) => return Err(error),
        }
        if let Some(proof) = pending.proof.as_ref().filter(|_| is_last) {
            kept.prove(step, seq, proof)?;
        }
        if let Some(page) = pending.pages.front_mut() {
            page.cursor.seq = seq;
            page.cursor.chain = chain;
            cursors::put(step.transaction, &page.cursor)?;
        }
        left -= 1;
        pending.applied += 1;
    }
    if let Some(keeper) = keeper {
        keeper.close(step)?;
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
    let from_segments: Vec<Stream> = pending.first_reads().collect();
    for stream in &from_segments {
        first_sync::begin(step.transaction, stream)?;
    }
    for (index, cursor) in pending.asked.cursors.iter().enumerate() {
        if from_segments.contains(&cursor.stream) {
            continue;
        }
        let mut row = cursors::get(step.transaction, &cursor.stream)?;
        if !row.caught_up && !more {
            row.caught_up = true;
            cursors::put(step.transaction, &row)?;
        }
        let index = index as u32;
        if row.caught_up && !pending.answer.unproven.contains(&index) && read_to_its_end(step, &row)? {
            return Ok(SliceResult::More);
        }
    }
    tail::trim(step)?;
    let offers_again = pending.applied > 0 && tail::offer_again(step)?;
    // The answer may have widened the scope: what is new in it is still to be read.
    let asked = &pending.asked.cursors;
    let mut in_scope = step.device.enrolled()?.scope.streams.iter();
    let first_reads = first_sync::list(step.transaction)?;
    let is_read_otherwise = |stream: &Stream| {
        let mut found = first_reads.iter().filter(|row| row.stream == *stream);
        found.any(|row| row.state == FirstSyncState::UnderWay)
    };
    let unasked = in_scope
        .any(|stream| asked.iter().all(|cursor| cursor.stream != *stream) && !is_read_otherwise(stream));
    let mut more = more
        || unasked
        || offers_again
        || pending.more_reference
        || pending.answer.epoch != pending.asked.request.epoch;
    if pending.asked.settles_unknown && !more {
        replica::settle_unknown(step)?;
    } else if !more {
        more = replica::awaits_records(step)?;
    }
    // A share that was read just now may have ended by itself before.
    end_due_shares(step, pending.answer.time_ms)?;
    Ok(SliceResult::Done { more })
}

/// Documents of which only the rows are here and which items of the answer go on from.
pub fn documents_needed(step: &Step<'_>, pending: &PendingAnswer) -> Result<BTreeSet<DocumentId>> {
    let mut needed = BTreeSet::new();
    if documents::rows_only(step.transaction, None, 1)?.is_empty() {
        return Ok(needed);
    }
    for page in &pending.pages {
        let mut seq = page.cursor.seq;
        for (entry, ..) in &page.items {
            seq = seq.saturating_add(entry.count());
            for id in documents_of(entry, &pending.answer, page.cursor.stream.compartment)? {
                let row = documents::get(step.transaction, &id)?;
                if row.is_some_and(|row| {
                    let has_it = row.unit == page.cursor.stream.unit && row.as_of >= seq;
                    row.health.is_rows_only() && !has_it
                }) {
                    needed.insert(id);
                }
            }
        }
    }
    Ok(needed)
}

/// The documents an item of the log changes.
fn documents_of(entry: &PageEntry, answer: &SyncAnswer, compartment: Compartment) -> Result<Vec<DocumentId>> {
    Ok(match entry {
        PageEntry::Item(item) => match item.write.value() {
            Some(write) => operations(write, &origin_of(answer, item.origin)?)
                .into_iter()
                .map(|compiled| compiled.key.id())
                .collect(),
            None => Vec::new(),
        },
        PageEntry::Part(part) => {
            let changes = part.changes.iter().filter_map(|change| change.change.as_ref());
            changes.map(|change| part_key(change, compartment).id()).collect()
        }
        _ => Vec::new(),
    })
}

/// The document a change of a part is of.
fn part_key(change: &DocumentChange, compartment: Compartment) -> DocumentKey {
    let (year, number) = change.chapter;
    DocumentKey::chapter(change.patient, compartment, year, number)
}

impl PendingAnswer {
    /// Whether its outcomes and tokens are applied.
    pub fn has_outcomes_applied(&self) -> bool {
        self.outcomes_applied
    }

    /// Streams the server offers segments of.
    fn first_reads(&self) -> impl Iterator<Item = Stream> {
        let places = self.answer.segments.iter();
        places.filter_map(|place| {
            self.asked
                .cursors
                .get(*place as usize)
                .map(|cursor| cursor.stream)
        })
    }

    /// The writes the request pushed.
    pub fn pushed(&self) -> usize {
        self.asked.pushed.len()
    }

    /// The digests' roots it says, of the request's streams.
    pub fn digests(&self) -> Vec<(Stream, [u8; 8])> {
        let said = self.answer.digests.iter();
        said.filter_map(|(place, root)| {
            let cursor = self.asked.cursors.get(*place as usize)?;
            Some((cursor.stream, **root))
        })
        .collect()
    }

    /// The request it answers.
    pub fn asked(&self) -> &Asked {
        &self.asked
    }
}

/// Items of a log of records were withheld, from a place on. Who came from state as of no earlier place may have left
/// since: known when the log is read that far.
fn withheld(step: &mut Step<'_>, stream: &Stream, first: u64) -> Result<()> {
    let is_of_records = stream.compartment == Compartment::Identity;
    if is_of_records && patients::any_as_of_from(step.transaction, &stream.unit, first)? {
        replica::note_unknown(step)?;
    }
    Ok(())
}

/// Ends the shares whose time is up.
fn end_due_shares(step: &mut Step<'_>, server_ms: EpochMs) -> Result<()> {
    if places::end_due(step.transaction, server_ms)? {
        replica::begin_departures(step)?;
    }
    Ok(())
}

/// A stream's log was read to its end: what was accepted into it and did not come the server has lost, and records
/// that were read again take their places. Says whether this needs another slice.
fn read_to_its_end(step: &mut Step<'_>, cursor: &CursorRow) -> Result<bool> {
    outbox::queue_unproven(step, Some(&cursor.stream))?;
    if cursor.stream.compartment == Compartment::Identity {
        return replica::finish_records_again(step, &cursor.stream.unit);
    }
    Ok(false)
}

/// Whom an item kept names.
fn patients_of(entry: &PageEntry, item: &[u8]) -> (Option<PatientId>, Option<PatientId>) {
    let named = |item: &LogItem| {
        let write = item.write.value();
        (
            write.map(|write| write.patient),
            write.and_then(|write| write.intent.other_patient()),
        )
    };
    match entry {
        PageEntry::Item(item) => named(item),
        _ => match crate::protocol::decode(item) {
            Ok(PageItem::Item(item)) => named(&item),
            _ => (None, None),
        },
    }
}

fn weight_of(item: &LogItem) -> usize {
    match item.write.value().map(|write| &write.intent) {
        Some(Intent::Add { entries }) => entries.len(),
        _ => 1,
    }
}
