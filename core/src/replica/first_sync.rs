//! Documents from state: a new device is useful before the history is read.

use super::apply::{project, with_document};
use crate::document::DocumentKey;
use crate::error::{Code, Result, SyncError};
use crate::protocol::SnapshotDocument;
use crate::step::Step;
use crate::store::cursors;
use crate::store::documents::{self, DocumentHealth};

fn key_of(document: &SnapshotDocument) -> Result<DocumentKey> {
    let compartment = document.stream.compartment;
    let key = DocumentKey::from_parts(&document.kind, document.patient, compartment, document.chapter);
    match key {
        Some(key) if key.id() == document.id => Ok(key),
        _ => Err(SyncError::from(Code::GateRefused)),
    }
}

/// Notes that a document from outside is about to be opened. Returns whether it may be: not for one that was set
/// aside, nor where its bytes were being opened when the process died.
pub fn announce(step: &mut Step<'_>, document: &SnapshotDocument) -> Result<bool> {
    let Ok(key) = key_of(document) else {
        return Ok(false);
    };
    documents::ensure(step.transaction, &key, &document.stream.unit)?;
    let known = documents::get(step.transaction, &key.id())?.map(|row| row.health);
    if matches!(
        known,
        Some(DocumentHealth::Quarantined | DocumentHealth::FromLogOnly)
    ) {
        return Ok(false);
    }
    documents::set_health(step.transaction, &key.id(), DocumentHealth::Loading)?;
    Ok(true)
}

/// Takes a document in: through the gate, merged with what is here (unsent writes stay), its rows written.
pub fn take_document(step: &mut Step<'_>, document: &SnapshotDocument) -> Result<()> {
    let key = key_of(document)?;
    let cursor = cursors::get(step.transaction, &document.stream)?;
    if cursor.seq >= document.as_of {
        // The log was read past it meanwhile.
        return Ok(documents::set_health(
            step.transaction,
            &key.id(),
            DocumentHealth::Whole,
        )?);
    }
    let merged = with_document(step, &key, |loaded| loaded.merge_saved(&document.saved));
    let touched = match merged {
        Ok(touched) => touched,
        Err(error) => {
            documents::set_health(step.transaction, &key.id(), DocumentHealth::Whole)?;
            step.documents.evict(&key.id());
            if error.code == Code::GateRefused {
                // Committed: the announcement is taken back, nothing of the bytes stays.
                return Ok(());
            }
            return Err(error);
        }
    };
    let entries = with_document(step, &key, |loaded| Ok(loaded.entry_count()))?;
    documents::append_chunk(step.transaction, &key.id(), None, &document.saved, entries)?;
    documents::set_as_of(step.transaction, &key.id(), entries, document.as_of)?;
    documents::set_health(step.transaction, &key.id(), DocumentHealth::Whole)?;
    project(step, &key, document.stream.unit, &touched)?;
    step.changes.patient(key.patient);
    Ok(())
}
