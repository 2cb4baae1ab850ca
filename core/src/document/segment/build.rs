//! From documents to a segment's bytes.

use super::{Content, Documents, Entries, SegmentItem, SegmentState};
use crate::bytes::ByteArray;
use crate::document::{DocumentKey, DocumentKind, EntryState, LoadedDocument, digest_leaf};
use crate::id::{EntryId, Incarnation};
use crate::limits::{SEGMENT_CONTENT_BYTES, SEGMENT_ROWS, WRITE_ENTRIES_MAX};
use crate::protocol::{Encoding, encode_body};
use crate::record::{EntryHeader, Stream};
use crate::redact::Sensitive;
use crate::time::EpochMs;
use std::collections::HashMap;
use std::hash::Hash;

/// A write's place: whose it is, and where it stands in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Whose.
    pub origin: Incarnation,
    /// Its number.
    pub n: u64,
    /// Its place in the log.
    pub seq: u64,
    /// When the server received it.
    pub received_ms: EpochMs,
}

/// A table of what repeats: in the segment stands its place here.
#[derive(Debug)]
struct Table<T> {
    values: Vec<T>,
    places: HashMap<T, u32>,
}

impl<T: Clone + Eq + Hash> Table<T> {
    fn new() -> Self {
        Self {
            values: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn place(&mut self, value: &T) -> u32 {
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        let place = self.values.len() as u32;
        self.values.push(value.clone());
        self.places.insert(value.clone(), place);
        place
    }
}

/// The ids of a write's entries derived so far, and how many these are.
type Derived = (u32, HashMap<EntryId, u32>);

/// Collects documents until there are enough for a segment.
#[derive(Debug)]
pub struct SegmentBuilder {
    stream: Stream,
    as_of: u64,
    origins: Table<Incarnation>,
    people: Table<crate::id::UserId>,
    units: Table<crate::id::UnitId>,
    kinds: Table<String>,
    patients: Table<crate::id::PatientId>,
    documents: Documents,
    entries: Entries,
    states: Vec<SegmentState>,
    items: Vec<SegmentItem>,
    content_bytes: usize,
    /// Of writes with several entries the ids derived so far, with their index.
    derived: HashMap<(Incarnation, u64, EpochMs), Derived>,
}

impl SegmentBuilder {
    /// An empty one. `as_of`: the end of the stream's log now.
    pub fn new(stream: Stream, as_of: u64) -> Self {
        Self {
            stream,
            as_of,
            origins: Table::new(),
            people: Table::new(),
            units: Table::new(),
            kinds: Table::new(),
            patients: Table::new(),
            documents: Documents::default(),
            entries: Entries::default(),
            states: Vec::new(),
            items: Vec::new(),
            content_bytes: 0,
            derived: HashMap::new(),
        }
    }

    /// Whether it should take no further document.
    pub fn is_full(&self) -> bool {
        self.rows() >= SEGMENT_ROWS || self.content_bytes >= SEGMENT_CONTENT_BYTES
    }

    /// Entries and chart items in it.
    pub fn rows(&self) -> usize {
        self.entries.n.len() + self.states.len() + self.items.len()
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.documents.patient.is_empty()
    }

    /// Takes a document in. `place` finds a header's write in the log.
    pub fn add(
        &mut self,
        key: &DocumentKey,
        document: &LoadedDocument,
        mut place: impl FnMut(&EntryHeader) -> Option<Place>,
    ) {
        let (before_entries, before_states, before_items) =
            (self.entries.n.len(), self.states.len(), self.items.len());
        let everything = document.everything();
        let mut found: Vec<(EntryId, EntryState)> = everything
            .entries
            .iter()
            .map(|id| (*id, document.entry(id)))
            .collect();
        found.sort_by_key(|(id, state)| {
            let occurred = state
                .headers
                .values()
                .next()
                .map(|header| header.entry.occurred_at.utc_ms);
            (occurred, *id)
        });
        for (id, state) in found {
            self.content_bytes += 64;
            match plain(&state).and_then(|header| Some((header, place(header)?))) {
                Some((header, place)) => self.plain(id, header, &place),
                None => self.state(id, state, &mut place),
            }
        }
        for id in &everything.chart_items {
            let fields = document.chart_item(id).fields;
            self.content_bytes += 256;
            self.items.push(SegmentItem { id: *id, fields });
        }
        let patient = self.patients.place(&key.patient);
        let (year, part) = key.chapter_numbers();
        let documents = &mut self.documents;
        documents.patient.push(patient);
        documents
            .is_chart
            .push(u8::from(matches!(key.kind, DocumentKind::Chart)));
        documents.year.push(year);
        documents.part.push(part);
        documents.bytes.push(document.bytes() as u64);
        documents.leaf.push(digest_leaf(&key.id(), document.heads()));
        documents
            .entries
            .push((self.entries.n.len() - before_entries) as u32);
        documents.states.push((self.states.len() - before_states) as u32);
        documents.items.push((self.items.len() - before_items) as u32);
    }

    fn plain(&mut self, id: EntryId, header: &EntryHeader, place: &Place) {
        let entry = &header.entry;
        let number = self.entries.n.len() as u32;
        let index = self.index_of(id, header, place);
        let kind = self.kinds.place(&entry.kind.0);
        let author = self.people.place(&header.author);
        let unit = self.units.place(&header.unit);
        let origin = self.origins.place(&place.origin);
        self.content_bytes += entry.content_bytes();
        let entries = &mut self.entries;
        if index.is_none() {
            entries.ids.push((number, id));
        }
        entries.origin.push(origin);
        entries.n.push(place.n);
        entries.index.push(index.unwrap_or_default());
        entries.seq.push(place.seq);
        entries.received_ms.push(place.received_ms);
        entries.kind.push(kind);
        entries.occurred_ms.push(entry.occurred_at.utc_ms);
        entries.occurred_offset.push(entry.occurred_at.offset_minutes);
        let delay_ms = header.recorded_at.utc_ms.wrapping_sub(entry.occurred_at.utc_ms);
        entries.recorded_ms.push(delay_ms);
        entries.recorded_offset.push(header.recorded_at.offset_minutes);
        entries.author.push(author);
        entries.unit.push(unit);
        entries.text.push(entry.text.clone());
        let empty = || Sensitive(String::new());
        entries.body.push(entry.body.clone().unwrap_or_else(empty));
        let marks = u8::from(entry.marks.time_inferred) | u8::from(entry.marks.time_uncertain) << 1;
        entries.marks.push(marks);
        if let Some(relation) = entry.relation {
            entries.relations.push((number, relation));
        }
        if let Some(source) = &entry.origin {
            entries.sources.push((number, source.clone()));
        }
    }

    fn state(
        &mut self,
        id: EntryId,
        state: EntryState,
        place: &mut impl FnMut(&EntryHeader) -> Option<Place>,
    ) {
        let headers = state.headers.into_values().map(|header| {
            let (seq, received_ms) = place(&header).map_or((0, 0), |place| (place.seq, place.received_ms));
            (header, seq, received_ms)
        });
        let state = SegmentState {
            id,
            headers: headers.collect(),
            draft: state.draft,
            dismissed: state.dismissed.into_iter().map(ByteArray::new).collect(),
            chosen: state.chosen,
        };
        let texts = state
            .headers
            .iter()
            .map(|(header, ..)| header.entry.content_bytes());
        self.content_bytes += texts.sum::<usize>() + state.draft.as_ref().map_or(0, |draft| draft.text.len());
        self.states.push(state);
    }

    /// Which entry of its write it is, where its id derives from that.
    fn index_of(&mut self, id: EntryId, header: &EntryHeader, place: &Place) -> Option<u32> {
        if id.0.get_version_num() != 7 {
            return None;
        }
        let recorded_ms = header.recorded_at.utc_ms;
        let key = (place.origin, place.n, recorded_ms);
        let (next, known) = self.derived.entry(key).or_default();
        while !known.contains_key(&id) && (*next as usize) < WRITE_ENTRIES_MAX {
            known.insert(
                EntryId::derive(&place.origin, place.n, u64::from(*next), recorded_ms),
                *next,
            );
            *next += 1;
        }
        known.get(&id).copied()
    }

    /// The segment's bytes.
    pub fn finish(self) -> Vec<u8> {
        let content = Content {
            stream: self.stream,
            as_of: self.as_of,
            origins: self.origins.values,
            people: self.people.values,
            units: self.units.values,
            kinds: self.kinds.values,
            patients: self.patients.values,
            documents: self.documents,
            entries: self.entries,
            states: self.states,
            items: self.items,
        };
        encode_body(&content, Encoding::Vereda)
    }
}

/// The header of an entry that is that header and nothing else.
fn plain(state: &EntryState) -> Option<&EntryHeader> {
    let alone = state.headers.len() == 1
        && state.draft.is_none()
        && state.dismissed.is_empty()
        && state.chosen.is_empty();
    let header = state.headers.values().next().filter(|_| alone)?;
    (header.draft_seen.is_none() && header.entry.id.is_none()).then_some(header)
}
