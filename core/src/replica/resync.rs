//! Everything is fetched again, in place: what is shown stays, and each document gives way to the server's when that is
//! here. Unsent writes lie on top before and after; what of them fits no more goes into the drawer.

use super::reconstruct::{rebuild_documents, reproject};
use crate::device::Resync;
use crate::document::{DocumentKey, LoadedDocument};
use crate::error::{Code, Result};
use crate::id::DocumentId;
use crate::outbox;
use crate::protocol::SnapshotDocument;
use crate::step::Step;
use crate::store::cursors;
use crate::store::documents::{self, DocumentHealth};
use crate::store::first_sync;
use std::collections::BTreeSet;

/// Documents looked at in one step.
const DOCUMENTS_A_STEP: usize = 500;

/// Notes the next documents as to be fetched.
pub fn mark_documents(step: &mut Step<'_>) -> Result<()> {
    let Some(Resync::Marking(after)) = step.device.resync.clone() else {
        return Ok(());
    };
    let next = match documents::await_again(step.transaction, after.as_ref(), DOCUMENTS_A_STEP)? {
        Some(last) => Resync::Marking(Some(last)),
        None => Resync::Fetching,
    };
    Ok(step.device.set_resync(step.transaction, Some(next))?)
}

/// Ends it, where everything is here.
pub fn end_resync(step: &mut Step<'_>) -> Result<()> {
    let streams = step.device.enrolled()?.scope.streams.clone();
    let is_over = step.device.resync == Some(Resync::Fetching)
        && documents::rows_only(step.transaction, None, 1)?.is_empty()
        && !first_sync::is_under_way(step.transaction)?
        && cursors::all_caught_up(step.transaction, &streams)?;
    if is_over {
        step.device.set_resync(step.transaction, None)?;
        step.changes.queue = true;
    }
    Ok(())
}

/// Whether a document that came takes the place of what was accepted here.
pub(super) fn replaces(step: &Step<'_>, id: &DocumentId) -> Result<bool> {
    Ok(step.device.resync.is_some() && !documents::chunks(step.transaction, id, true)?.is_empty())
}

/// Puts a document as the server holds it in the place of what was accepted here. The writes that wait in it keep
/// their encoding where that fits, and are encoded anew where it does not.
pub(super) fn replace(step: &mut Step<'_>, key: &DocumentKey, document: &SnapshotDocument) -> Result<()> {
    let id = key.id();
    let mut theirs = LoadedDocument::new();
    let Ok((_, saved)) = theirs.merge_saved(&document.saved) else {
        return keep(step, &id);
    };
    documents::replace_accepted(step.transaction, &id, &saved)?;
    let unit = document.stream.unit;
    documents::set_as_of(step.transaction, &id, theirs.entry_count(), &unit, document.as_of)?;
    documents::set_health(step.transaction, &id, DocumentHealth::Whole)?;
    step.documents.evict(&id);
    let chunks = documents::chunks(step.transaction, &id, false)?;
    match LoadedDocument::load(chunks.iter().map(Vec::as_slice)) {
        Ok(_) => reproject(step, key, unit),
        Err(_) => {
            for orphan in rebuild_documents(step, &BTreeSet::from([id]), |_| Ok(()))? {
                outbox::refuse(step, &orphan, Code::NeedsRefused.as_str(), "")?;
            }
            Ok(())
        }
    }
}

/// The server gives no such document, or one that the gate refuses: what was accepted here stays, where it opens.
pub fn keep(step: &mut Step<'_>, id: &DocumentId) -> Result<()> {
    let accepted = documents::chunks(step.transaction, id, true)?;
    let opens = !accepted.is_empty() && LoadedDocument::load(accepted.iter().map(Vec::as_slice)).is_ok();
    let health = match opens {
        true => DocumentHealth::Whole,
        false => DocumentHealth::Quarantined,
    };
    Ok(documents::set_health(step.transaction, id, health)?)
}
