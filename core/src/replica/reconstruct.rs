//! Taking writes back: a document is built again from what the server accepted and the writes that still wait,
//! encoded anew under the next generation.

use super::apply::{project, with_document};
use crate::document::{DocumentKey, DocumentOperations, LoadedDocument, Operation, operations};
use crate::error::{Code, Result, SyncError};
use crate::id::{DocumentId, Incarnation};
use crate::record::{Intent, Relation, Write};
use crate::step::Step;
use crate::store::links::Pair;
use crate::store::outbox::{self, EncodingRow, OutboxRow};
use crate::store::{chart, conflicts, documents, entries, entry_counts};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Builds documents again. The writes that wait in them, and the documents these touch besides, come along.
/// `meanwhile` runs on the documents as the server has them, before the waiting writes are laid on top.
/// Returns the writes that cannot be encoded any more (what they build on is gone): they belong into the drawer.
pub fn rebuild_documents(
    step: &mut Step<'_>,
    documents: &BTreeSet<DocumentId>,
    meanwhile: impl FnOnce(&mut Step<'_>) -> Result<()>,
) -> Result<Vec<OutboxRow>> {
    let (documents, writes) = closure(step, documents)?;
    step.device.counters.generation = step.device.counters.generation.saturating_add(1);
    let generation = step.device.counters.generation;
    let mut keys: BTreeMap<DocumentId, DocumentKey> = BTreeMap::new();
    for id in &documents {
        let Some(row) = documents::get(step.transaction, id)? else {
            continue;
        };
        if row.health == documents::DocumentHealth::Quarantined {
            continue;
        }
        documents::drop_pending_chunks(step.transaction, id)?;
        let chunks = documents::chunks(step.transaction, id, true)?;
        let loaded = LoadedDocument::load(chunks.iter().map(Vec::as_slice)).map_err(|_| {
            step.damaged.insert(*id);
            SyncError::from(Code::StoreDamaged)
        })?;
        step.documents.replace(*id, loaded);
        keys.insert(*id, row.key);
    }
    meanwhile(step)?;
    let mut orphans = Vec::new();
    for n in writes {
        let Some(row) = outbox::get(step.transaction, n)? else {
            continue;
        };
        if !encode_again(step, &row, generation, &keys)? {
            orphans.push(row);
        }
    }
    for (id, key) in keys {
        let Some(row) = documents::get(step.transaction, &id)? else {
            continue;
        };
        let entries = with_document(step, &key, |document| Ok(document.entry_count()))?;
        documents::set_entries(step.transaction, &id, entries)?;
        reproject(step, &key, row.unit)?;
    }
    Ok(orphans)
}

/// The documents, the writes waiting in them, the other documents of these writes, and so on.
fn closure(
    step: &Step<'_>,
    documents: &BTreeSet<DocumentId>,
) -> Result<(BTreeSet<DocumentId>, BTreeSet<u64>)> {
    let mut documents = documents.clone();
    let mut writes = BTreeSet::new();
    let mut open: Vec<DocumentId> = documents.iter().copied().collect();
    while let Some(document) = open.pop() {
        for n in outbox::writes_in(step.transaction, &document)? {
            if writes.insert(n) {
                for encoding in outbox::encodings(step.transaction, n)? {
                    if documents.insert(encoding.document) {
                        open.push(encoding.document);
                    }
                }
            }
        }
    }
    Ok((documents, writes))
}

/// Whether a snapshot brought the write before its outcome came: the server has it, and its answer or its item will
/// say so.
fn is_there(step: &mut Step<'_>, row: &OutboxRow, compiled: &[DocumentOperations]) -> Result<bool> {
    let encodings = outbox::encodings(step.transaction, row.n)?;
    for compiled in compiled {
        let hashes = encodings
            .iter()
            .filter(|encoding| encoding.document == compiled.key.id());
        let hashes: Vec<[u8; 32]> = hashes.map(|encoding| encoding.hash).collect();
        let there = with_document(step, &compiled.key, |document| {
            let as_encoded = !hashes.is_empty() && hashes.iter().all(|hash| document.contains(hash));
            let otherwise = compiled.operations.iter().any(|operation| match operation {
                Operation::PutHeader { entry, .. } => document.entry(entry).headers.contains_key(&row.id),
                Operation::OpenDraft { draft, .. } => document.draft(draft).is_some(),
                _ => false,
            });
            Ok(as_encoded || otherwise)
        })?;
        if !there {
            return Ok(false);
        }
    }
    Ok(!compiled.is_empty())
}

fn encode_again(
    step: &mut Step<'_>,
    row: &OutboxRow,
    generation: u32,
    rebuilt: &BTreeMap<DocumentId, DocumentKey>,
) -> Result<bool> {
    let write = Write::from_bytes(&row.bytes).ok_or(SyncError::from(Code::StoreDamaged))?;
    let incarnation = Incarnation {
        store: step.device.incarnation.store,
        number: row.incarnation,
    };
    let actor = incarnation.actor(generation);
    let compiled = operations(&write, &incarnation);
    if is_there(step, row, &compiled)? {
        return Ok(true);
    }
    let mut applied = Vec::new();
    for compiled in &compiled {
        let found = documents::get(step.transaction, &compiled.key.id())?;
        if found.is_some_and(|row| row.health == documents::DocumentHealth::Quarantined) {
            // It keeps the encoding it has: what is set aside takes no write with it.
            return Ok(true);
        }
    }
    for compiled in &compiled {
        if !rebuilt.contains_key(&compiled.key.id()) {
            return Ok(false);
        }
        let made = with_document(step, &compiled.key, |document| {
            Ok(document.apply(&compiled.operations, &actor, None).ok())
        })?;
        match made {
            Some(change) => applied.push((compiled.key.id(), change)),
            // A write of two documents whose first half fits and second does not would leave a half: none does
            // today, because only a move touches two, and both its halves only add.
            None => return Ok(false),
        }
    }
    for (ordinal, (id, change)) in applied.into_iter().enumerate() {
        documents::append_chunk(step.transaction, &id, Some(row.n), &change.bytes, 0)?;
        let encoding = EncodingRow {
            document: id,
            hash: change.hash,
            dependencies: change.dependencies,
        };
        outbox::put_encoding(step.transaction, row.n, ordinal, &encoding)?;
    }
    outbox::set_generation(step.transaction, row.n, generation)?;
    Ok(true)
}

/// Writes all rows of a document again, and takes away those that are no longer in it.
pub(super) fn reproject(step: &mut Step<'_>, key: &DocumentKey, unit: crate::id::UnitId) -> Result<()> {
    let everything = with_document(step, key, |document| Ok(document.everything()))?;
    let row = documents::get(step.transaction, &key.id())?;
    let rows_only = row.is_some_and(|row| row.health.is_rows_only());
    let subject = |id| conflicts::Subject {
        patient: key.patient,
        compartment: key.compartment,
        id,
    };
    let here = if rows_only {
        entries::ids_not_of_segments(step.transaction, key)?
    } else {
        entries::ids_in_chapter(step.transaction, key)?
    };
    for entry in here {
        if !everything.entries.contains(&entry) {
            entries::remove(step.transaction, &key.patient, &entry, &mut step.counts)?;
            conflicts::keep_only(step.transaction, &subject(entry.0), &[])?;
        }
    }
    if matches!(key.kind, crate::document::DocumentKind::Chart) && !rows_only {
        for item in chart::list(step.transaction, &key.patient)? {
            if item.compartment == key.compartment && !everything.chart_items.contains(&item.id) {
                chart::remove(step.transaction, &key.patient, key.compartment, &item.id)?;
                conflicts::keep_only(step.transaction, &subject(item.id.0), &[])?;
            }
        }
    }
    project(step, key, unit, &everything)?;
    step.changes.patient(key.patient);
    Ok(())
}

/// Writes the whole read model again from the documents: for repair, and to prove that it follows from them.
pub fn reproject_everything(step: &mut Step<'_>) -> Result<u64> {
    let mut count = 0;
    for row in documents::list(step.transaction, None)? {
        if row.health != documents::DocumentHealth::Quarantined {
            reproject(step, &row.key, row.unit)?;
            count += 1;
        }
    }
    step.counts = entry_counts::recount(step.transaction)?;
    Ok(count)
}

/// What a write is about: two writes about the same thing share a case in the drawer.
pub fn subjects(write: &Write, incarnation: &Incarnation) -> BTreeSet<Uuid> {
    let mut found = BTreeSet::new();
    if matches!(write.intent, Intent::Register { .. } | Intent::EditRecord { .. }) {
        found.insert(write.patient.0);
    }
    if let Intent::Link { other, .. } | Intent::Unlink { other, .. } = &write.intent {
        found.insert(Pair::of(write.patient, *other).subject());
    }
    for compiled in operations(write, incarnation) {
        let touched = crate::document::Touched::by_operations(&compiled.operations);
        found.extend(touched.entries.iter().map(|entry| entry.0));
        found.extend(touched.chart_items.iter().map(|item| item.0));
    }
    if let Intent::Add { entries } = &write.intent {
        for entry in entries {
            if let Some(Relation::Amends(related) | Relation::Retracts(related)) = entry.relation {
                found.insert(related.0);
            }
        }
    }
    found
}
