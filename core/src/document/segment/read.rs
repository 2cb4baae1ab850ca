//! From a segment's bytes to what its documents say, one document at a time.

use super::{Content, Documents, Entries, SegmentItem, SegmentState};
use crate::document::DocumentKey;
use crate::error::{Code, SyncError};
use crate::id::{EntryId, WriteId};
use crate::protocol::{Encoding, decode_body};
use crate::record::{EntryHeader, Kind, Marks, NewEntry, Origin, Relation, Stream};
use crate::redact::Sensitive;
use crate::time::{EpochMs, Zoned};

/// An entry with one header and nothing else.
#[derive(Clone, PartialEq, Debug)]
pub struct SegmentEntry {
    /// The entry.
    pub id: EntryId,
    /// Its header.
    pub header: EntryHeader,
    /// The place of its write in the stream's log.
    pub seq: u64,
    /// When the server received it.
    pub received_ms: EpochMs,
}

/// What a document says.
#[derive(Debug)]
pub struct SegmentDocument {
    /// Which.
    pub key: DocumentKey,
    /// Its bytes as the server holds it: how full it is.
    pub bytes: u64,
    /// See [`crate::document::digest_leaf`].
    pub leaf: u64,
    /// Entries with one header and nothing else, in the order of their occurrence.
    pub entries: Vec<SegmentEntry>,
    /// The others.
    pub states: Vec<SegmentState>,
    /// Chart items.
    pub items: Vec<SegmentItem>,
}

/// What only some entries have, in their order.
type Sparse<T> = std::iter::Peekable<std::vec::IntoIter<(u32, T)>>;

/// A decoded segment; documents are taken from it in their order.
#[derive(Debug)]
pub struct Segment {
    content: Content,
    ids: Sparse<EntryId>,
    relations: Sparse<Relation>,
    sources: Sparse<Origin>,
    next_document: usize,
    next_entry: usize,
    states: std::vec::IntoIter<SegmentState>,
    items: std::vec::IntoIter<SegmentItem>,
}

impl Segment {
    /// Decodes a segment's bytes.
    ///
    /// # Errors
    /// `not_our_server` where they are none, or its columns do not fit one another.
    pub fn decode(bytes: &[u8]) -> Result<Self, SyncError> {
        let malformed = || SyncError::new(Code::NotOurServer, "not a segment");
        let mut content: Content = decode_body(bytes, Encoding::Vereda).map_err(|_| malformed())?;
        if !fits(&content) {
            return Err(malformed());
        }
        let entries = &mut content.entries;
        let ids = std::mem::take(&mut entries.ids).into_iter().peekable();
        let relations = std::mem::take(&mut entries.relations).into_iter().peekable();
        let sources = std::mem::take(&mut entries.sources).into_iter().peekable();
        let states = std::mem::take(&mut content.states).into_iter();
        let items = std::mem::take(&mut content.items).into_iter();
        Ok(Self {
            content,
            ids,
            relations,
            sources,
            next_document: 0,
            next_entry: 0,
            states,
            items,
        })
    }

    /// The stream it is of.
    pub fn stream(&self) -> Stream {
        self.content.stream
    }

    /// Every item of the stream up to here is in it.
    pub fn as_of(&self) -> u64 {
        self.content.as_of
    }

    /// The key of the next document, without what it says.
    pub fn peek(&self) -> Option<DocumentKey> {
        let (at, content) = (self.next_document, &self.content);
        let documents = &content.documents;
        let patient = *content.patients.get(*documents.patient.get(at)? as usize)?;
        let compartment = content.stream.compartment;
        Some(if documents.is_chart[at] != 0 {
            DocumentKey::chart(patient, compartment)
        } else {
            DocumentKey::chapter(patient, compartment, documents.year[at], documents.part[at])
        })
    }

    /// Rows the next document makes.
    pub fn next_rows(&self) -> usize {
        let (at, documents) = (self.next_document, &self.content.documents);
        let counts = [&documents.entries, &documents.states, &documents.items];
        counts
            .iter()
            .filter_map(|counts| counts.get(at))
            .map(|count| *count as usize)
            .sum()
    }

    /// The next document.
    pub fn take(&mut self) -> Option<SegmentDocument> {
        let key = self.peek()?;
        let at = self.next_document;
        self.next_document += 1;
        let Documents {
            bytes,
            leaf,
            entries,
            states,
            items,
            ..
        } = &self.content.documents;
        let (bytes, leaf) = (bytes[at], leaf[at]);
        let (entries, states, items) = (entries[at] as usize, states[at] as usize, items[at] as usize);
        let from = self.next_entry;
        self.next_entry += entries;
        Some(SegmentDocument {
            key,
            bytes,
            leaf,
            entries: (from..from + entries).map(|place| self.entry(place)).collect(),
            states: self.states.by_ref().take(states).collect(),
            items: self.items.by_ref().take(items).collect(),
        })
    }

    /// `fits` saw that every column has this place.
    fn entry(&mut self, at: usize) -> SegmentEntry {
        let content = &mut self.content;
        let entries = &mut content.entries;
        let number = at as u32;
        let origin = content.origins[entries.origin[at] as usize];
        let recorded_ms = entries.occurred_ms[at].wrapping_add(entries.recorded_ms[at]);
        let id = match of_entry(&mut self.ids, number) {
            Some(id) => id,
            None => EntryId::derive(&origin, entries.n[at], u64::from(entries.index[at]), recorded_ms),
        };
        let text = std::mem::replace(&mut entries.text[at], Sensitive(String::new()));
        let body = std::mem::replace(&mut entries.body[at], Sensitive(String::new()));
        let marks = entries.marks[at];
        SegmentEntry {
            id,
            header: EntryHeader {
                entry: NewEntry {
                    id: None,
                    kind: Kind(content.kinds[entries.kind[at] as usize].clone()),
                    occurred_at: Zoned {
                        utc_ms: entries.occurred_ms[at],
                        offset_minutes: entries.occurred_offset[at],
                    },
                    text,
                    body: (!body.0.is_empty()).then_some(body),
                    relation: of_entry(&mut self.relations, number),
                    origin: of_entry(&mut self.sources, number),
                    marks: Marks {
                        time_inferred: marks & 1 != 0,
                        time_uncertain: marks & 2 != 0,
                    },
                },
                recorded_at: Zoned {
                    utc_ms: recorded_ms,
                    offset_minutes: entries.recorded_offset[at],
                },
                author: content.people[entries.author[at] as usize],
                unit: content.units[entries.unit[at] as usize],
                write: WriteId::derive(&origin, entries.n[at]),
                draft_seen: None,
            },
            seq: entries.seq[at],
            received_ms: entries.received_ms[at],
        }
    }
}

fn of_entry<T>(sparse: &mut Sparse<T>, number: u32) -> Option<T> {
    sparse.next_if(|(of, _)| *of == number).map(|(_, value)| value)
}

/// Whether columns have equal lengths and places lie in their tables.
fn fits(content: &Content) -> bool {
    let Documents {
        patient,
        is_chart,
        year,
        part,
        bytes,
        leaf,
        entries,
        states,
        items,
    } = &content.documents;
    let documents = patient.len();
    let whole = |counts: &[u32]| counts.iter().map(|count| *count as usize).sum::<usize>();
    let lengths = [
        is_chart.len(),
        year.len(),
        part.len(),
        bytes.len(),
        leaf.len(),
        entries.len(),
        states.len(),
        items.len(),
    ];
    lengths.iter().all(|length| *length == documents)
        && below(patient, content.patients.len())
        && whole(entries) == content.entries.n.len()
        && whole(states) == content.states.len()
        && whole(items) == content.items.len()
        && entries_fit(content, &content.entries)
}

fn entries_fit(content: &Content, entries: &Entries) -> bool {
    let lengths = [
        entries.origin.len(),
        entries.index.len(),
        entries.seq.len(),
        entries.received_ms.len(),
        entries.kind.len(),
        entries.occurred_ms.len(),
        entries.occurred_offset.len(),
        entries.recorded_ms.len(),
        entries.recorded_offset.len(),
        entries.author.len(),
        entries.unit.len(),
        entries.text.len(),
        entries.body.len(),
        entries.marks.len(),
    ];
    lengths.iter().all(|length| *length == entries.n.len())
        && is_in_order(&entries.ids, entries.n.len())
        && is_in_order(&entries.relations, entries.n.len())
        && is_in_order(&entries.sources, entries.n.len())
        && below(&entries.origin, content.origins.len())
        && below(&entries.kind, content.kinds.len())
        && below(&entries.author, content.people.len())
        && below(&entries.unit, content.units.len())
}

/// Whether each names an entry, and one behind the one before.
fn is_in_order<T>(sparse: &[(u32, T)], entries: usize) -> bool {
    let last = sparse
        .last()
        .is_none_or(|(number, _)| (*number as usize) < entries);
    last && sparse.is_sorted_by(|(a, _), (b, _)| a < b)
}

fn below(places: &[u32], length: usize) -> bool {
    places.iter().all(|place| (*place as usize) < length)
}
