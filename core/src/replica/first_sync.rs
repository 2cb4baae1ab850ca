//! Documents from state: a new device is useful before the history is read.

use super::apply::{project, with_document};
use super::departure::note_unknown;
use super::placement::is_readable;
use super::{chart_rows, entry_rows, resync};
use crate::document::segment::{Segment, SegmentDocument};
use crate::document::{ChartState, DocumentKey, EntryState, Touched};
use crate::error::{Code, Result, SyncError};
use crate::id::{EntryId, UnitId};
use crate::protocol::SnapshotDocument;
use crate::record::Stream;
use crate::step::Step;
use crate::store::documents::{self, DocumentHealth};
use crate::store::receipts::{self, Receipt};
use crate::store::{chart, cursors, entries, meta, patients};
use crate::time::EpochMs;
use std::collections::BTreeSet;

pub(super) fn key_of(document: &SnapshotDocument) -> Result<DocumentKey> {
    let compartment = document.stream.compartment;
    let key = DocumentKey::from_parts(&document.kind, document.patient, compartment, document.chapter);
    match key {
        Some(key) if key.id() == document.id => Ok(key),
        _ => Err(SyncError::from(Code::GateRefused)),
    }
}

/// Why a document is opened that came from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// To be read.
    First,
    /// To mend what is here, also one that is set aside.
    Repair,
}

/// Notes that a document from outside is about to be opened. Returns whether it may be: not where its bytes were being
/// opened when the process died, nor of a patient who left the scope while it was on its way, nor, but for a repair,
/// one that is set aside.
pub fn announce(step: &mut Step<'_>, document: &SnapshotDocument, opening: Opening) -> Result<bool> {
    let Ok(key) = key_of(document) else {
        return Ok(false);
    };
    let known = documents::get(step.transaction, &key.id())?.map(|row| row.health);
    let is_here = known.is_some() || patients::unit(step.transaction, &key.patient)?.is_some();
    if !is_here || !step.device.enrolled()?.scope.streams.contains(&document.stream) {
        return Ok(false);
    }
    documents::ensure(step.transaction, &key, &document.stream.unit)?;
    match known {
        Some(DocumentHealth::FromLogOnly) => return Ok(false),
        // Found so at the next open it still is set aside.
        Some(DocumentHealth::Quarantined) => return Ok(opening == Opening::Repair),
        Some(health) if health.is_rows_only() => {
            documents::set_rows_only_loading(step.transaction, &key.id())?
        }
        _ => documents::set_health(step.transaction, &key.id(), DocumentHealth::Loading)?,
    }
    Ok(true)
}

/// Takes a document in: through the gate, merged with what is here (unsent writes stay), its rows written.
pub fn take_document(step: &mut Step<'_>, document: &SnapshotDocument) -> Result<()> {
    let key = key_of(document)?;
    let cursor = cursors::get(step.transaction, &document.stream)?;
    let Some(row) = documents::get(step.transaction, &key.id())? else {
        return Ok(());
    };
    let rows_only = row.health.is_rows_only();
    if !rows_only && cursor.seq >= document.as_of {
        // The log was read past it meanwhile.
        return Ok(documents::set_health(
            step.transaction,
            &key.id(),
            DocumentHealth::Whole,
        )?);
    }
    if rows_only && resync::replaces(step, &key.id())? {
        resync::replace(step, &key, document)?;
        step.changes.patient(key.patient);
        return Ok(());
    }
    let merged = with_document(step, &key, |loaded| loaded.merge_saved(&document.saved));
    let (touched, saved) = match merged {
        Ok(merged) => merged,
        Err(error) => {
            // What has its rows only keeps them; nothing more can be done to it until it is repaired.
            let health = if rows_only {
                DocumentHealth::Quarantined
            } else {
                DocumentHealth::Whole
            };
            documents::set_health(step.transaction, &key.id(), health)?;
            step.documents.evict(&key.id());
            if error.code == Code::GateRefused {
                // Committed: the announcement is taken back, nothing of the bytes stays.
                return Ok(());
            }
            return Err(error);
        }
    };
    let entries = with_document(step, &key, |loaded| Ok(loaded.entry_count()))?;
    documents::append_chunk(step.transaction, &key.id(), None, &saved, entries)?;
    documents::set_as_of(
        step.transaction,
        &key.id(),
        entries,
        &document.stream.unit,
        document.as_of,
    )?;
    documents::set_health(step.transaction, &key.id(), DocumentHealth::Whole)?;
    if rows_only {
        compare_rows(step, &key, document.stream.unit, &touched)?;
    } else {
        project(step, &key, document.stream.unit, &touched)?;
    }
    step.changes.patient(key.patient);
    Ok(())
}

/// Rows that came in a segment are held against the document: one that differs is written anew, and counted.
fn compare_rows(step: &mut Step<'_>, key: &DocumentKey, unit: UnitId, touched: &Touched) -> Result<()> {
    let states = with_document(step, key, |document| {
        let states = touched.entries.iter().map(|entry| document.entry(entry));
        Ok(states.collect::<Vec<_>>())
    })?;
    let mut differ = Touched {
        entries: BTreeSet::new(),
        ..touched.clone()
    };
    for (entry, state) in touched.entries.iter().zip(&states) {
        if !entry_rows::is_as_written(step, key, unit, entry, state)? {
            differ.entries.insert(*entry);
        }
    }
    note_repaired(step, differ.entries.len() as u64)?;
    project(step, key, unit, &differ)
}

/// Counts rows that were not as their document has them.
pub(super) fn note_repaired(step: &mut Step<'_>, rows: u64) -> Result<()> {
    if rows > 0 {
        let before: u64 = meta::get(step.transaction, "repaired_rows")?.unwrap_or_default();
        meta::set(step.transaction, "repaired_rows", &(before + rows))?;
    }
    Ok(())
}

/// Writes rows of a segment's next documents, up to `limit` or one document's. Returns whether there are more.
///
/// A document that is here already, of unsent writes or a snapshot, keeps its rows; those that are missing are added,
/// and the document itself is fetched behind.
pub fn ingest(step: &mut Step<'_>, segment: &mut Segment, limit: usize) -> Result<bool> {
    let mut rows = 0;
    let mut known_patient = None;
    while rows == 0 || rows + segment.next_rows() < limit {
        rows += segment.next_rows() + 1;
        let Some(document) = segment.take() else {
            return Ok(false);
        };
        let key = document.key;
        if known_patient != Some(key.patient) {
            known_patient = Some(key.patient);
            if !is_readable(step, &key.patient, key.compartment)? {
                note_unknown(step)?;
            }
        }
        take_rows(step, &segment.stream(), segment.as_of(), document)?;
    }
    Ok(segment.peek().is_some())
}

fn take_rows(step: &mut Step<'_>, stream: &Stream, as_of: u64, document: SegmentDocument) -> Result<()> {
    let key = document.key;
    let known = documents::get(step.transaction, &key.id())?;
    if let Some(row) = &known {
        let is_of_stream = row.unit == stream.unit;
        let is_rows_only = row.health.is_rows_only();
        if row.health == DocumentHealth::Quarantined || (is_rows_only && is_of_stream) {
            return Ok(());
        }
        take_receipts(step, stream, &document)?;
        if is_rows_only {
            return Ok(());
        }
        show_first(step, &key, stream, &document)?;
        if is_of_stream && row.as_of >= as_of {
            return Ok(());
        }
    }
    let (entries, bytes) = (document.entries.len() + document.states.len(), document.bytes);
    let filled = (entries, bytes);
    documents::put_rows_only(step.transaction, &key, &stream.unit, filled, document.leaf, as_of)?;
    let is_new = known.is_none();
    let mut plain = Vec::with_capacity(document.entries.len());
    for entry in document.entries {
        let receipt = (entry.seq, entry.received_ms);
        if !is_new && entries::get(step.transaction, &key.patient, &entry.id)?.is_some() {
            continue;
        }
        // A row carries a receipt of its own unit's log.
        let derived = entry.id.0.get_version_num() == 5;
        if derived || entry.header.unit != stream.unit {
            let state = EntryState {
                headers: [(entry.header.write, entry.header)].into(),
                ..EntryState::default()
            };
            take_state(step, &key, stream, &entry.id, &state, &[receipt])?;
        } else {
            plain.push((entry_rows::plain_row(&key, &entry.id, entry.header), receipt));
        }
    }
    entries::put_all_new(step.transaction, &plain, &mut step.counts)?;
    for state in document.states {
        if !is_new && entries::get(step.transaction, &key.patient, &state.id)?.is_some() {
            continue;
        }
        let receipts: Vec<(u64, EpochMs)> = state.headers.iter().map(|(_, seq, at)| (*seq, *at)).collect();
        let found = EntryState {
            headers: state
                .headers
                .into_iter()
                .map(|(header, ..)| (header.write, header))
                .collect(),
            draft: state.draft,
            dismissed: state.dismissed.into_iter().map(|digest| *digest).collect(),
            chosen: state.chosen,
        };
        take_state(step, &key, stream, &state.id, &found, &receipts)?;
    }
    for item in document.items {
        let state = ChartState { fields: item.fields };
        if is_new || chart::get(step.transaction, &key.patient, key.compartment, &item.id)?.is_none() {
            chart_rows::write(step, &key, &item.id, &state)?;
        }
    }
    step.changes.patient(key.patient);
    Ok(())
}

/// The rows are here: of a snapshot, which knows of no receipts, or of another unit's segment; of a write in several
/// logs one receipt is kept.
fn take_receipts(step: &mut Step<'_>, stream: &Stream, document: &SegmentDocument) -> Result<()> {
    let plain = document.entries.iter();
    let plain = plain.map(|entry| (entry.id, entry.header.write, entry.seq, entry.received_ms));
    let states = document.states.iter().flat_map(|state| {
        let headers = state.headers.iter();
        headers.map(|(header, seq, received_ms)| (state.id, header.write, *seq, *received_ms))
    });
    for (entry, write, seq, received_ms) in plain.chain(states).filter(|(_, _, seq, _)| *seq > 0) {
        let receipt = Receipt {
            stream: *stream,
            seq,
            received_ms,
        };
        receipts::put_of_entry(
            step.transaction,
            (&document.key.patient, &entry),
            &write,
            &receipt,
        )?;
    }
    Ok(())
}

/// Of several headers the first in the log's order shows, which is known by now.
fn show_first(
    step: &mut Step<'_>,
    key: &DocumentKey,
    stream: &Stream,
    document: &SegmentDocument,
) -> Result<()> {
    let several = document.states.iter().filter(|state| state.headers.len() > 1);
    let touched = Touched {
        entries: several.map(|state| state.id).collect(),
        ..Touched::default()
    };
    if touched.entries.is_empty() {
        return Ok(());
    }
    step.changes.patient(key.patient);
    project(step, key, stream.unit, &touched)
}

/// `receipts` are of the headers, in their order.
fn take_state(
    step: &mut Step<'_>,
    key: &DocumentKey,
    stream: &Stream,
    id: &EntryId,
    state: &EntryState,
    receipts: &[(u64, EpochMs)],
) -> Result<()> {
    for (write, (seq, received_ms)) in state.headers.keys().zip(receipts) {
        if *seq > 0 {
            let receipt = Receipt {
                stream: *stream,
                seq: *seq,
                received_ms: *received_ms,
            };
            receipts::put(step.transaction, write, &receipt)?;
        }
    }
    entry_rows::write(step, key, stream.unit, id, state)
}
