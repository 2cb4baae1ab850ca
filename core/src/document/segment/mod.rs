//! Row segments: what documents say, without the documents. A device writes the same rows from a segment as it would
//! from the documents themselves, because both are projected from the same states; only what it cannot compute is in
//! it: of an entry whose ids derive from its write that write's place, and never the ids.
//!
//! The content lies by columns of equal things (`Content`), so that the codec's differences and the compressor find
//! what repeats. A segment is decoded alone.

mod build;
mod read;

pub use build::{Place, SegmentBuilder};
pub use read::{Segment, SegmentDocument, SegmentEntry};

use super::operation::ChartValue;
use super::state::DraftState;
use crate::bytes::ByteArray;
use crate::id::{ChartItemId, EntryId, Incarnation, PatientId, UnitId, UserId, WriteId};
use crate::record::{EntryHeader, Origin, Relation, Stream};
use crate::redact::Sensitive;
use crate::time::EpochMs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Serialize, Deserialize)]
struct Content {
    stream: Stream,
    as_of: u64,
    origins: Vec<Incarnation>,
    people: Vec<UserId>,
    units: Vec<UnitId>,
    kinds: Vec<String>,
    patients: Vec<PatientId>,
    documents: Documents,
    entries: Entries,
    states: Vec<SegmentState>,
    items: Vec<SegmentItem>,
}

/// The documents, each a place in every column.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Documents {
    patient: Vec<u32>,
    is_chart: Vec<u8>,
    year: Vec<i32>,
    part: Vec<u32>,
    bytes: Vec<u64>,
    leaf: Vec<u64>,
    /// How many of the entries, states and items behind one another are its.
    entries: Vec<u32>,
    states: Vec<u32>,
    items: Vec<u32>,
}

/// Entries with one header and nothing else: nearly all.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Entries {
    origin: Vec<u32>,
    n: Vec<u64>,
    index: Vec<u32>,
    seq: Vec<u64>,
    received_ms: Vec<EpochMs>,
    kind: Vec<u32>,
    occurred_ms: Vec<EpochMs>,
    occurred_offset: Vec<i16>,
    /// After the time of occurrence.
    recorded_ms: Vec<i64>,
    recorded_offset: Vec<i16>,
    author: Vec<u32>,
    unit: Vec<u32>,
    text: Vec<Sensitive<String>>,
    /// Empty where there is none.
    body: Vec<Sensitive<String>>,
    /// 1 time inferred, 2 time uncertain.
    marks: Vec<u8>,
    ids: Vec<(u32, EntryId)>,
    relations: Vec<(u32, Relation)>,
    sources: Vec<(u32, Origin)>,
}

/// An entry with a draft, several headers or a person's decision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SegmentState {
    /// The entry or draft.
    pub id: EntryId,
    /// Its headers, each with its write's seq and time of receipt; seq 0 where the log of this stream has none.
    pub headers: Vec<(EntryHeader, u64, EpochMs)>,
    /// The draft it was, or still is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<DraftState>,
    /// Late edits that were dismissed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dismissed: Vec<ByteArray<32>>,
    /// Headers people chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<WriteId>,
}

/// A chart item.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SegmentItem {
    /// The item.
    pub id: ChartItemId,
    /// Its fields, the winner's value first.
    pub fields: BTreeMap<String, Vec<ChartValue>>,
}
