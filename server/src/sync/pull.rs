//! What is new behind the cursors, and one signature over where the reader then stands.

use super::history::History;
use super::{check, document};
use crate::access::Caller;
use crate::places::{Places, Standing};
use crate::refusal::Refusal;
use crate::segments;
use crate::store::{LogRow, StoredChange};
use crate::writer::Session;
use ed25519_dalek::Signer;
use std::collections::HashMap;
use vereda_core::bytes::{ByteArray, ByteBuf};
use vereda_core::document::{ChangeId, DocumentKey, LoadedDocument, operations};
use vereda_core::id::{DocumentId, Incarnation, PatientId};
use vereda_core::limits::PAGE_BYTES_MAX;
use vereda_core::protocol::{
    BREAKS_MAX, ChainHash, ChangeReference, Cursor, DocumentChange, Frozen, LogItem, MINOR_OF_BREAKS,
    MINOR_OF_PARTS, Page, PageItem, PartChange, PartItem, SignedHeads, SyncRequest, WholeHeads, chain_tag,
    head_leaf, moved_tag, share_tag,
};
use vereda_core::record::{Intent, Stream, Write};
use vereda_core::time::EpochMs;

/// The pages of an answer.
pub(super) struct Pulled {
    pub(super) epoch: u64,
    pub(super) origins: Vec<Incarnation>,
    pub(super) pages: Vec<Page>,
    /// Cursors whose streams are to be read from segments first.
    pub(super) segments: Vec<u32>,
    pub(super) unproven: Vec<u32>,
    heads: Heads,
    /// Something comes next that the reader's minor version has no words for.
    stops: bool,
}

/// Where the reader stands after the answer, in the form it asked for.
enum Heads {
    Tags(Vec<(u64, ByteArray<8>)>),
    Whole(Vec<ByteArray<32>>),
}

impl Pulled {
    /// Whether the reader can go no further before it is updated, and this answer has nothing for it.
    pub(super) fn is_stuck(&self) -> bool {
        self.stops && self.pages.is_empty()
    }

    /// Signs where the reader stands after this answer.
    pub(super) fn sign(&self, session: &Session<'_>) -> ByteArray<64> {
        let (epoch, time_ms) = (self.epoch, session.now.ms);
        let bytes = match &self.heads {
            Heads::Tags(heads) => SignedHeads {
                epoch,
                time_ms,
                heads: heads.clone(),
            }
            .to_bytes(),
            Heads::Whole(leaves) => WholeHeads {
                epoch,
                time_ms,
                leaves: leaves.clone(),
            }
            .to_bytes(),
        };
        ByteArray::new(session.shared.signing_key.sign(&bytes).to_bytes())
    }
}

/// Reads behind the cursors of a request, `PAGE_BYTES_MAX` in all. A device that keeps a tail gets no pages before it
/// knows of the epoch: it reads on from where both agree, once it gave back what is lacking here.
pub(super) fn run(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    request: &SyncRequest,
    history: &History,
) -> Result<Pulled, Refusal> {
    let mut puller = Puller {
        caller,
        reader: incarnation,
        raw: request.raw,
        reads_parts: request.minor >= MINOR_OF_PARTS,
        breaks: Vec::new(),
        stops: false,
        budget: PAGE_BYTES_MAX,
        origins: Origins::default(),
        last: HashMap::new(),
        present: HashMap::new(),
    };
    let whole = request.heads >= WholeHeads::VERSION;
    let mut pages = Vec::new();
    let mut segments = Vec::new();
    let mut unproven = Vec::new();
    let mut tags = Vec::new();
    let mut leaves = Vec::new();
    for ((cursor, known), index) in request.cursors.iter().zip(&history.known).zip(0_u32..) {
        let reached = match known {
            _ if !caller.may_use(&cursor.stream) => None,
            None if whole => None,
            Some(chain) if whole && history.is_behind => Some((cursor.seq, *chain)),
            // From segments first: the reader stands where it stood.
            Some(chain)
                if request.segments && cursor.seq == 0 && segments::is_offered(session, &cursor.stream)? =>
            {
                segments.push(index);
                Some((cursor.seq, *chain))
            }
            known => {
                let (page, reached) = puller.page(session, cursor, *known)?;
                pages.extend(page);
                Some(reached)
            }
        };
        match reached {
            Some((seq, chain)) => {
                tags.push((seq, chain_tag(&chain)));
                leaves.push(head_leaf(&cursor.stream, seq, &chain));
            }
            None => {
                tags.push((cursor.seq, cursor.chain));
                unproven.push(index);
            }
        }
    }
    if request.minor >= MINOR_OF_BREAKS {
        let first = puller.breaks.len().saturating_sub(BREAKS_MAX);
        leaves.extend(puller.breaks.drain(first..));
    }
    Ok(Pulled {
        epoch: history.epoch,
        origins: puller.origins.list,
        pages,
        segments,
        unproven: if whole { unproven } else { Vec::new() },
        heads: if whole {
            Heads::Whole(leaves)
        } else {
            Heads::Tags(tags)
        },
        stops: puller.stops,
    })
}

/// Whose writes the pages hold.
#[derive(Default)]
struct Origins {
    list: Vec<Incarnation>,
    places: HashMap<Incarnation, u32>,
}

impl Origins {
    fn place(&mut self, incarnation: &Incarnation) -> u32 {
        let next = self.list.len() as u32;
        *self.places.entry(*incarnation).or_insert_with(|| {
            self.list.push(*incarnation);
            next
        })
    }
}

struct Puller<'a> {
    caller: &'a Caller,
    reader: &'a Incarnation,
    raw: bool,
    /// Whether the reader knows items of patients who left a stream.
    reads_parts: bool,
    /// Places behind an item that came whole and before one that does not.
    breaks: Vec<ByteArray<32>>,
    /// Whether a page ended before one, because the reader does not.
    stops: bool,
    /// Bytes the answer may still hold.
    budget: usize,
    origins: Origins,
    /// The last change of each document in this answer.
    last: HashMap<DocumentId, ChangeId>,
    /// Which streams carry which patients, and from which place on, as far as asked.
    present: HashMap<(Stream, PatientId), Option<u64>>,
}

impl Puller<'_> {
    /// One stream's page, if there is anything to say, and where the reader then stands.
    fn page(
        &mut self,
        session: &mut Session<'_>,
        cursor: &Cursor,
        known: Option<ChainHash>,
    ) -> Result<(Option<Page>, (u64, ChainHash)), Refusal> {
        let stream = cursor.stream;
        let (start, chain) = known.map_or((0, [0; 32]), |chain| (cursor.seq, chain));
        let end = session.store.head(&stream)?.seq;
        let rows = if start < end && self.budget > 0 {
            session
                .store
                .log(self.caller.tenant(), &stream, start, self.budget)?
        } else {
            Vec::new()
        };
        let mut reached = (start, chain);
        let mut page = Page {
            stream,
            first: start + 1,
            items: Vec::new(),
            received_ms: Vec::new(),
            more: false,
        };
        let mut stops = false;
        let mut was_whole = false;
        let mut tells_a_move = false;
        for row in rows {
            let view = self.view(session, &stream, &row)?;
            if !self.reads_parts && !matches!(view, View::Whole) {
                stops = true;
                break;
            }
            let is_whole = matches!(view, View::Whole);
            if was_whole && !is_whole {
                self.breaks.push(head_leaf(&stream, reached.0, &reached.1));
            }
            was_whole = is_whole;
            reached = (row.seq, row.chain);
            note_received(&mut page.received_ms, row.received_ms);
            match view {
                View::Whole => self.item(session, row, &mut page.items)?,
                View::Part(patient) => self.part(session, &row, patient, &mut page.items)?,
                View::Nothing => withhold(&stream, &row, &mut page.items, &mut tells_a_move),
            }
        }
        page.more = reached.0 < end;
        self.stops |= stops;
        let says_something = !page.items.is_empty() || known.is_none() || (page.more && !stops);
        Ok((says_something.then_some(page), reached))
    }

    /// What of an item the readers of a stream may see now.
    fn view(&mut self, session: &mut Session<'_>, stream: &Stream, row: &LogRow) -> Result<View, Refusal> {
        let has = self.has(session, stream, row.patient, row.seq)?;
        let Some(other) = row.other else {
            return Ok(if has { View::Whole } else { View::Nothing });
        };
        Ok(match (has, self.has(session, stream, other, row.seq)?) {
            (true, true) => View::Whole,
            // A link says nothing to who knows only one of the two.
            _ if row.changes.is_empty() => View::Nothing,
            (true, false) => View::Part(row.patient),
            (false, true) => View::Part(other),
            (false, false) => View::Nothing,
        })
    }

    /// Whether a stream carries a patient at a place. What stands before they last entered it comes again behind. What
    /// is written about nobody who is registered is everybody's.
    fn has(
        &mut self,
        session: &mut Session<'_>,
        stream: &Stream,
        patient: PatientId,
        seq: u64,
    ) -> Result<bool, Refusal> {
        let from = match self.present.get(&(*stream, patient)) {
            Some(known) => *known,
            None => {
                let places = Places::of(session, self.caller.tenant(), patient)?;
                let has = places.is_none_or(|places| places.standing(stream) == Standing::Has);
                let from = match has {
                    true => Some(session.store.entered(stream, patient)?),
                    false => None,
                };
                self.present.insert((*stream, patient), from);
                from
            }
        };
        Ok(from.is_some_and(|from| seq >= from))
    }

    /// Of a write that names two patients, what it does to one of them.
    fn part(
        &mut self,
        session: &mut Session<'_>,
        row: &LogRow,
        patient: PatientId,
        items: &mut Vec<PageItem>,
    ) -> Result<(), Refusal> {
        let write = Frozen::<Write>::from_bytes(row.write.clone());
        let documents = match write.value() {
            Some(write) => operations(write, &row.incarnation),
            None => Vec::new(),
        };
        let mut changes = Vec::with_capacity(row.changes.len());
        for (index, change) in row.changes.iter().enumerate() {
            let key = documents.get(index).map(|document| document.key);
            let change_of_theirs = match key.filter(|key| key.patient == patient) {
                None => None,
                Some(key) => {
                    let raw = match &change.raw {
                        Some(raw) => raw.clone(),
                        None => self.whole(session, &key, &change.hash)?,
                    };
                    self.budget = self.budget.saturating_sub(raw.len());
                    Some(DocumentChange {
                        patient,
                        chapter: key.chapter_numbers(),
                        raw,
                    })
                }
            };
            changes.push(PartChange {
                check: check(&change.hash),
                change: change_of_theirs,
            });
        }
        items.push(PageItem::Part(Box::new(PartItem {
            origin: self.origins.place(&row.incarnation),
            generation: row.generation,
            n: row.n,
            hash: ByteArray::new(Write::hash(&row.write)),
            changes,
        })));
        Ok(())
    }

    fn item(
        &mut self,
        session: &mut Session<'_>,
        row: LogRow,
        items: &mut Vec<PageItem>,
    ) -> Result<(), Refusal> {
        self.budget = self
            .budget
            .saturating_sub(row.write.len() + 64 * row.changes.len() + 16);
        // A copy comes whole: by its number a reader knows only what it wrote into this stream.
        if row.incarnation == *self.reader && !row.is_copy {
            match items.last_mut() {
                Some(PageItem::Own { n, count }) if *n + u64::from(*count) == row.n => *count += 1,
                _ => items.push(PageItem::Own { n: row.n, count: 1 }),
            }
            return Ok(());
        }
        let write = Frozen::<Write>::from_bytes(row.write);
        let keys: Vec<DocumentKey> = match write.value() {
            Some(write) if self.raw => operations(write, &row.incarnation)
                .into_iter()
                .map(|document| document.key)
                .collect(),
            _ => Vec::new(),
        };
        let mut changes = Vec::with_capacity(row.changes.len());
        for (index, change) in row.changes.into_iter().enumerate() {
            changes.push(self.reference(session, change, keys.get(index))?);
        }
        items.push(PageItem::Item(Box::new(LogItem {
            origin: self.origins.place(&row.incarnation),
            generation: row.generation,
            write,
            changes,
        })));
        Ok(())
    }

    /// A change as the reader gets it: what it can compute is left out.
    fn reference(
        &mut self,
        session: &mut Session<'_>,
        change: StoredChange,
        key: Option<&DocumentKey>,
    ) -> Result<ChangeReference, Refusal> {
        let previous = self
            .last
            .insert(change.document, *change.hash)
            .unwrap_or_else(LoadedDocument::genesis_hash);
        let follows = matches!(change.dependencies.as_slice(), [only] if **only == previous);
        let raw = match (change.raw, key) {
            (Some(raw), _) => Some(raw),
            (None, Some(key)) => Some(self.whole(session, key, &change.hash)?),
            (None, None) => None,
        };
        if let Some(raw) = &raw {
            self.budget = self.budget.saturating_sub(raw.len());
        }
        Ok(ChangeReference {
            check: check(&change.hash),
            dependencies: (!follows).then_some(change.dependencies),
            raw,
        })
    }

    /// A change's bytes out of its document.
    fn whole(
        &mut self,
        session: &mut Session<'_>,
        key: &DocumentKey,
        hash: &ChangeId,
    ) -> Result<ByteBuf, Refusal> {
        let tenant = self.caller.tenant();
        let document = document::open(session, tenant, key)
            .map_err(|_| Refusal::internal("a stored document does not open"))?;
        let bytes = document.change(hash);
        session.documents.put(tenant, key.id(), document);
        bytes
            .map(ByteBuf::from)
            .ok_or_else(|| Refusal::internal("a change of the log is not in its document"))
    }
}

/// What of an item a reader may see.
enum View {
    Whole,
    /// Only what it does to this patient.
    Part(PatientId),
    Nothing,
}

/// `tells_a_move`: the item before told of a patient who moved away, at the time of the last item it stands for.
fn withhold(stream: &Stream, row: &LogRow, items: &mut Vec<PageItem>, tells_a_move: &mut bool) {
    let write = Frozen::<Write>::from_bytes(row.write.clone());
    let write = write.value();
    let end = match write.map(|write| &write.intent) {
        Some(Intent::EndShare { share, .. }) => Some(share_tag(share)),
        Some(Intent::Transfer { .. }) if write.is_some_and(|write| write.unit == stream.unit) => {
            Some(moved_tag(&row.patient))
        }
        _ => None,
    };
    let moves = matches!(write.map(|write| &write.intent), Some(Intent::Transfer { .. })) && end.is_some();
    let begins = std::mem::replace(tells_a_move, moves);
    match items.last_mut() {
        Some(PageItem::Withheld { count, chain, ended }) if !begins => {
            *count += 1;
            *chain = ByteArray::new(row.chain);
            ended.extend(end);
        }
        _ => items.push(PageItem::Withheld {
            count: 1,
            chain: ByteArray::new(row.chain),
            ended: end.into_iter().collect(),
        }),
    }
}

fn note_received(runs: &mut Vec<(u32, EpochMs)>, received_ms: EpochMs) {
    match runs.last_mut() {
        Some((count, at_ms)) if *at_ms == received_ms => *count += 1,
        _ => runs.push((1, received_ms)),
    }
}
