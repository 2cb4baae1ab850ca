//! Writes into documents.

use super::{chart_rows, entry_rows, links, records};
use crate::bytes::ByteArray;
use crate::document::{AppliedChange, DocumentError, DocumentKey, Operation, Touched, operations};
use crate::error::{Code, Result, SyncError};
use crate::id::{Incarnation, UnitId};
use crate::limits::CHUNKS_BEFORE_COMPACTION;
use crate::protocol::{ChangeReference, change_check};
use crate::record::{Intent, Write};
use crate::step::Step;
use crate::store::outbox::EncodingRow;
use crate::store::receipts::Receipt;
use crate::store::{documents, entries, reference};
use std::collections::{BTreeSet, HashMap};

/// Applies one's own new write on top of everything here. Returns the changes it is encoded as.
pub fn apply_own(step: &mut Step<'_>, write: &Write, generation: u32) -> Result<Vec<EncodingRow>> {
    let incarnation = step.device.incarnation;
    let actor = incarnation.actor(generation);
    let mut encodings = Vec::new();
    for compiled in operations(write, &incarnation) {
        let id = compiled.key.id();
        documents::ensure(step.transaction, &compiled.key, &write.unit)?;
        if !matches!(write.intent, Intent::Add { .. }) {
            require_document(step, &compiled.key)?;
        }
        let applied = with_document(step, &compiled.key, |document| {
            document.apply(&compiled.operations, &actor, None)
        })?;
        store_change(step, &compiled.key, Some(write.n), &applied)?;
        project(step, &compiled.key, write.unit, &applied.touched)?;
        encodings.push(EncodingRow {
            document: id,
            hash: applied.hash,
            dependencies: applied.dependencies,
        });
    }
    match &write.intent {
        Intent::Register { .. } | Intent::EditRecord { .. } => records::refresh_record(step, &write.patient)?,
        Intent::Link { .. } | Intent::Unlink { .. } => links::refresh_links(step, &write.patient)?,
        Intent::AddReference { rows } => put_reference(step, rows)?,
        _ => {}
    }
    step.changes.patient(write.patient);
    Ok(encodings)
}

/// The last change of a document in a message, which the next one builds on unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub enum Previous {
    /// It was applied.
    Applied([u8; 32]),
    /// A snapshot had brought it: four bytes of its hash are known.
    Brought(u32),
}

/// Applies a write the server accepted, somebody else's or one's own that is no longer here. `previous` holds, per
/// document, the last change of this message. The change computed must be the one the server computed. Returns the
/// references with what they build on written out, where that is known.
///
/// # Errors
/// `encoding_mismatch` when it is not: then the changes themselves must come. `missing_dependency`.
pub fn apply_accepted(
    step: &mut Step<'_>,
    incarnation: &Incarnation,
    generation: u32,
    write: &Write,
    changes: &[ChangeReference],
    receipt: &Receipt,
    previous: &mut HashMap<DocumentKey, Previous>,
) -> Result<Vec<ChangeReference>> {
    let mut whole = changes.to_vec();
    let actor = incarnation.actor(generation);
    let compiled = operations(write, incarnation);
    if compiled.len() != changes.len() {
        return Err(SyncError::from(Code::EncodingMismatch));
    }
    for ((compiled, change), whole) in compiled.iter().zip(changes).zip(&mut whole) {
        let key = compiled.key;
        documents::ensure(step.transaction, &key, &write.unit)?;
        let row = documents::get(step.transaction, &key.id())?;
        if row
            .as_ref()
            .is_some_and(|row| row.unit == receipt.stream.unit && row.as_of >= receipt.seq)
        {
            // A snapshot brought this item's change with the document.
            previous.insert(key, Previous::Brought(change.check));
            if row.is_some_and(|row| row.health.is_rows_only()) {
                continue;
            }
            project_by_order(step, &key, incarnation, write, &compiled.operations)?;
            continue;
        }
        require_document(step, &key)?;
        let dependencies = dependencies(step, &key, change, previous.get(&key))?;
        whole.dependencies = Some(dependencies.iter().copied().map(ByteArray::new).collect());
        let applied = with_document(step, &key, |document| match &change.raw {
            Some(raw) => document.take_accepted(raw, &actor),
            None => document.apply(&compiled.operations, &actor, Some(&dependencies)),
        })?;
        if change_check(&applied.hash) != change.check {
            return Err(SyncError::from(Code::EncodingMismatch));
        }
        previous.insert(key, Previous::Applied(applied.hash));
        if applied.known {
            // Read again: its place in the log may be another one.
            project_by_order(step, &key, incarnation, write, &compiled.operations)?;
            continue;
        }
        store_change(step, &key, None, &applied)?;
        project(step, &key, write.unit, &applied.touched)?;
    }
    if let Intent::AddReference { rows } = &write.intent {
        put_reference(step, rows)?;
    }
    step.changes.patient(write.patient);
    Ok(whole)
}

/// The change of an actor that the log names by four bytes of its hash; none where its document does not have it or
/// is set aside.
pub fn find_change(
    step: &mut Step<'_>,
    key: &DocumentKey,
    actor: &[u8; 16],
    check: u32,
) -> Result<Option<AppliedChange>> {
    match with_document(step, key, |document| Ok(document.find_change(actor, check))) {
        Err(error) if error.code == Code::DocumentQuarantined => Ok(None),
        found => found,
    }
}

/// Takes in a change that came whole, of a write that did not.
pub fn accept_change(
    step: &mut Step<'_>,
    key: &DocumentKey,
    unit: UnitId,
    actor: &[u8; 16],
    raw: &[u8],
) -> Result<()> {
    documents::ensure(step.transaction, key, &unit)?;
    let applied = with_document(step, key, |document| document.take_accepted(raw, actor))?;
    if !applied.known {
        store_change(step, key, None, &applied)?;
        project(step, key, unit, &applied.touched)?;
        step.changes.patient(key.patient);
    }
    Ok(())
}

/// The heads a change reference names: given, or the previous change of the message, or the genesis change.
fn dependencies(
    step: &mut Step<'_>,
    key: &DocumentKey,
    change: &ChangeReference,
    previous: Option<&Previous>,
) -> Result<Vec<[u8; 32]>> {
    if let Some(named) = &change.dependencies {
        return Ok(named.iter().map(|hash| **hash).collect());
    }
    let implied = match previous {
        None => crate::document::LoadedDocument::genesis_hash(),
        Some(Previous::Applied(hash)) => *hash,
        Some(Previous::Brought(check)) => with_document(step, key, |document| {
            let mut hashes = document.change_hashes();
            hashes
                .find(|hash| change_check(hash) == *check)
                .ok_or(DocumentError::MissingDependency)
        })?,
    };
    Ok(vec![implied])
}

/// Only which of several headers of an entry shows depends on who came first in the log.
fn project_by_order(
    step: &mut Step<'_>,
    key: &DocumentKey,
    incarnation: &Incarnation,
    write: &Write,
    operations: &[Operation],
) -> Result<()> {
    if !matches!(write.intent, Intent::Finalize { .. } | Intent::Add { .. }) {
        return Ok(());
    }
    let mut touched = Touched::by_operations(operations);
    let mut several = BTreeSet::new();
    for entry in touched.entries {
        // An entry whose id derives from its write has one header.
        let shared = entry.0.get_version_num() == 5 || matches!(write.intent, Intent::Finalize { .. });
        // Headers that say the same count once, and yet somebody signed first: then another one than this shows.
        let id = write.id(incarnation);
        let unsettled = |row: entries::EntryRow| row.headers > 1 || row.write != id;
        if shared && entries::get(step.transaction, &key.patient, &entry)?.is_some_and(unsettled) {
            several.insert(entry);
        }
    }
    touched.entries = several;
    project(step, key, write.unit, &touched)
}

/// The server accepted one's own write as it is encoded here: its changes are everybody's now, and what depends on
/// the log's order is projected again.
pub fn settle_own(step: &mut Step<'_>, incarnation: &Incarnation, write: &Write) -> Result<()> {
    for compiled in operations(write, incarnation) {
        let id = compiled.key.id();
        documents::settle_chunks(step.transaction, &id, write.n)?;
        match project_by_order(step, &compiled.key, incarnation, write, &compiled.operations) {
            // Its rows stay as they are; the outcome is taken.
            Err(error) if error.code == Code::DocumentQuarantined => {}
            projected => projected?,
        }
    }
    step.changes.patient(write.patient);
    Ok(())
}

fn put_reference(step: &mut Step<'_>, rows: &[crate::record::ReferenceRow]) -> Result<()> {
    for row in rows {
        reference::put(step.transaction, row)?;
    }
    Ok(())
}

/// What only the document says is asked of it.
///
/// # Errors
/// `document_awaited` where only its rows are here; it is then fetched before others.
pub(super) fn require_document(step: &mut Step<'_>, key: &DocumentKey) -> Result<()> {
    let row = documents::get(step.transaction, &key.id())?;
    if row.is_some_and(|row| row.health.is_rows_only()) {
        step.awaited.insert(key.id());
        return Err(SyncError::from(Code::DocumentAwaited));
    }
    Ok(())
}

/// Works on a document; what the document's floor refuses becomes a public error.
pub(super) fn with_document<T>(
    step: &mut Step<'_>,
    key: &DocumentKey,
    work: impl FnOnce(&mut crate::document::LoadedDocument) -> Result<T, DocumentError>,
) -> Result<T> {
    let document = match step.documents.get(step.transaction, key) {
        Ok(document) => document,
        Err(error) => {
            if error.code == Code::StoreDamaged {
                step.damaged.insert(key.id());
            }
            return Err(error);
        }
    };
    work(document).map_err(|error| SyncError::new(error.code(), error.to_string()))
}

fn store_change(
    step: &mut Step<'_>,
    key: &DocumentKey,
    write_n: Option<u64>,
    applied: &AppliedChange,
) -> Result<()> {
    let id = key.id();
    let entries = with_document(step, key, |document| Ok(document.entry_count()))?;
    documents::append_chunk(step.transaction, &id, write_n, &applied.bytes, entries)?;
    compact_if_due(step, key)
}

/// Puts the accepted chunks into one when they are many. Pending ones stay apart.
fn compact_if_due(step: &mut Step<'_>, key: &DocumentKey) -> Result<()> {
    let id = key.id();
    let Some(row) = documents::get(step.transaction, &id)? else {
        return Ok(());
    };
    if row.chunks < CHUNKS_BEFORE_COMPACTION || row.chunks % CHUNKS_BEFORE_COMPACTION != 0 {
        return Ok(());
    }
    let saved = if documents::has_pending(step.transaction, &id)? {
        let chunks = documents::chunks(step.transaction, &id, true)?;
        if chunks.len() < 2 {
            return Ok(());
        }
        match crate::document::LoadedDocument::load(chunks.iter().map(Vec::as_slice)) {
            Ok(accepted) => accepted.save(),
            // An accepted change that builds on one of ours whose outcome has not come yet: later, then.
            Err(_) => return Ok(()),
        }
    } else {
        with_document(step, key, |document| Ok(document.save()))?
    };
    documents::replace_accepted(step.transaction, &id, &saved)?;
    Ok(())
}

/// Writes the rows of what was touched.
pub(super) fn project(step: &mut Step<'_>, key: &DocumentKey, unit: UnitId, touched: &Touched) -> Result<()> {
    let (entries, items) = with_document(step, key, |document| {
        let entries = touched.entries.iter().map(|entry| document.entry(entry));
        let items = touched.chart_items.iter().map(|item| document.chart_item(item));
        Ok((entries.collect::<Vec<_>>(), items.collect::<Vec<_>>()))
    })?;
    for (entry, state) in touched.entries.iter().zip(&entries) {
        entry_rows::write(step, key, unit, entry, state)?;
    }
    for (item, state) in touched.chart_items.iter().zip(&items) {
        chart_rows::write(step, key, item, state)?;
    }
    Ok(())
}
