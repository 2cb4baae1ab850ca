//! Documents and records that differ from the server's: what the server holds comes in whole, what is here besides
//! stays, and the rows are written anew. And documents and rows held against one another, without a server.

use super::first_sync::{key_of, note_repaired};
use super::reconstruct::reproject;
use super::{chart_rows, entry_rows, records};
use crate::document::{ChartState, DocumentKey, DocumentKind, EntryState, LoadedDocument, digest_leaf, gate};
use crate::error::{Code, Result, SyncError};
use crate::id::{ChartItemId, DocumentId, EntryId};
use crate::protocol::{SnapshotDocument, SnapshotRecord, change_check};
use crate::step::Step;
use crate::store::documents::{self, DocumentHealth, DocumentRow};
use crate::store::{chart, cursors, entries, unread};
use std::collections::BTreeSet;

/// What became of a repair.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Repair {
    /// It is as the server has it.
    Done,
    /// It has what the server has, and more: something that the server accepted once and lacks now.
    OnlyHere,
    /// What came cannot be used.
    Failed,
}

/// Takes in what the server holds of a document that differs, through the gate, beside what was accepted here, and writes
/// the rows. Where unsent writes wait in it they are to be laid on top anew, which writes the rows.
pub fn repair_document(step: &mut Step<'_>, document: &SnapshotDocument) -> Result<Repair> {
    let key = key_of(document)?;
    let id = key.id();
    let Some(row) = documents::get(step.transaction, &id)? else {
        return Ok(Repair::Failed);
    };
    let accepted = documents::chunks(step.transaction, &id, true)?;
    let Ok(merged) = merge(&accepted, &document.saved) else {
        let health = match row.health {
            DocumentHealth::Loading => DocumentHealth::Whole,
            _ => DocumentHealth::Quarantined,
        };
        documents::set_health(step.transaction, &id, health)?;
        return Ok(Repair::Failed);
    };
    documents::replace_accepted(step.transaction, &id, &merged.save())?;
    let (entries, unit) = (merged.entry_count(), document.stream.unit);
    documents::set_as_of(step.transaction, &id, entries, &unit, document.as_of)?;
    documents::set_health(step.transaction, &id, DocumentHealth::Whole)?;
    let checks: BTreeSet<u32> = merged.change_hashes().map(|hash| change_check(&hash)).collect();
    unread::settle(step.transaction, &id, |check| checks.contains(&check))?;
    step.documents.evict(&id);
    if !documents::has_pending(step.transaction, &id)? {
        reproject(step, &key, unit)?;
    }
    let mut theirs = gate::admit_document(&document.saved).map_or(Vec::new(), |admitted| admitted.heads);
    theirs.sort_unstable();
    Ok(match theirs == merged.heads() {
        true => Repair::Done,
        false => Repair::OnlyHere,
    })
}

/// The bytes announced were not taken: the document is as it was.
pub fn withdraw_repair(step: &mut Step<'_>, id: &DocumentId) -> Result<()> {
    if documents::get(step.transaction, id)?.is_some_and(|row| row.health == DocumentHealth::Loading) {
        documents::set_health(step.transaction, id, DocumentHealth::Whole)?;
    }
    Ok(())
}

/// What is here, where it opens, and what came. Of what does not open, the chunks that are whole.
fn merge(accepted: &[Vec<u8>], saved: &[u8]) -> Result<LoadedDocument> {
    let refused = |_| SyncError::from(Code::GateRefused);
    if let Ok(mut loaded) = LoadedDocument::load(accepted.iter().map(Vec::as_slice)) {
        loaded.merge_saved(saved).map_err(refused)?;
        return Ok(loaded);
    }
    let mut theirs = LoadedDocument::new();
    theirs.merge_saved(saved).map_err(refused)?;
    let is_whole = |chunk: &&[u8]| {
        gate::split_chunks(chunk).is_ok_and(|chunks| chunks.iter().all(|chunk| chunk.verify().is_ok()))
    };
    let whole = accepted.iter().map(Vec::as_slice).filter(is_whole);
    let chunks: Vec<&[u8]> = std::iter::once(saved).chain(whole).collect();
    Ok(LoadedDocument::load(chunks).unwrap_or(theirs))
}

/// Takes a record that differs as the server holds it.
pub fn repair_record(step: &mut Step<'_>, record: &SnapshotRecord) -> Result<Repair> {
    // What the server wrote since comes with the log, on top of what is here.
    if cursors::get(step.transaction, &record.stream)?.seq != record.as_of {
        return Ok(Repair::Failed);
    }
    records::replace(step, record)?;
    Ok(Repair::Done)
}

/// The leaf of what was accepted of a document, found by opening it; none where it does not open.
pub fn opened_leaf(step: &Step<'_>, id: &DocumentId) -> Result<Option<u64>> {
    let accepted = documents::chunks(step.transaction, id, true)?;
    let loaded = LoadedDocument::load(accepted.iter().map(Vec::as_slice)).ok();
    Ok(loaded.map(|loaded| digest_leaf(id, loaded.heads())))
}

/// A document held against its rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DocumentCheck {
    /// It does not open, or the gate would not let it in.
    pub damaged: bool,
    /// Rows that are not as it has them.
    pub rows: u64,
}

/// Opens a document as the gate would let it in, and holds the rows against it; with `repair` those that differ are
/// written anew and counted. A damaged one is set aside with `repair`.
pub fn check_document(step: &mut Step<'_>, row: &DocumentRow, repair: bool) -> Result<DocumentCheck> {
    if row.health.is_rows_only() {
        // There is nothing yet to hold them against.
        return Ok(DocumentCheck::default());
    }
    let (key, id) = (row.key, row.key.id());
    let chunks = documents::chunks(step.transaction, &id, false)?;
    let loaded = LoadedDocument::load(chunks.iter().map(Vec::as_slice));
    let Some(loaded) = loaded
        .ok()
        .filter(|loaded| chunks.is_empty() || gate::admit_document(&loaded.save()).is_ok())
    else {
        if repair {
            documents::set_health(step.transaction, &id, DocumentHealth::Quarantined)?;
            step.documents.evict(&id);
        }
        return Ok(DocumentCheck {
            damaged: true,
            rows: 0,
        });
    };
    let everything = loaded.everything();
    let mut rows = 0;
    for entry in &everything.entries {
        let state: EntryState = loaded.entry(entry);
        rows += u64::from(!entry_rows::is_as_written(step, &key, row.unit, entry, &state)?);
    }
    for item in &everything.chart_items {
        let state: ChartState = loaded.chart_item(item);
        rows += u64::from(!chart_rows::is_as_written(step, &key, item, &state)?);
    }
    rows += strays(step, &key, &everything.entries, &everything.chart_items)?;
    if repair && rows > 0 {
        if row.health == DocumentHealth::Quarantined {
            documents::set_health(step.transaction, &id, DocumentHealth::Whole)?;
        }
        step.documents.evict(&id);
        reproject(step, &key, row.unit)?;
        note_repaired(step, rows)?;
    }
    Ok(DocumentCheck { damaged: false, rows })
}

/// Rows of a document's that it does not have.
fn strays(
    step: &Step<'_>,
    key: &DocumentKey,
    in_it: &BTreeSet<EntryId>,
    items: &BTreeSet<ChartItemId>,
) -> Result<u64> {
    if key.kind == DocumentKind::Chart {
        let here = chart::list(step.transaction, &key.patient)?;
        let strays = here
            .iter()
            .filter(|item| item.compartment == key.compartment && !items.contains(&item.id));
        return Ok(strays.count() as u64);
    }
    let here = entries::ids_in_chapter(step.transaction, key)?;
    Ok(here.iter().filter(|entry| !in_it.contains(entry)).count() as u64)
}
