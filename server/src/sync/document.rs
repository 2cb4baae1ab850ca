//! A write's changes. The server believes no label: it computes each change itself, and takes one that came as
//! bytes only where a copy shows that it does the same.

use super::settle::Batch;
use super::verdict::Verdict;
use super::{check, policy};
use crate::access::Caller;
use crate::store::StoredChange;
use crate::writer::Session;
use vereda_core::bytes::{ByteArray, ByteBuf};
use vereda_core::document::gate::limits::{CHANGE_BYTES_MAX, DEPENDENCIES_MAX, DOCUMENT_BYTES_MAX};
use vereda_core::document::{
    AppliedChange, ChangeId, DocumentError, DocumentKey, DocumentOperations, LoadedDocument, digest_leaf,
    operations,
};
use vereda_core::error::Code;
use vereda_core::id::{Incarnation, TenantId};
use vereda_core::limits::CHUNKS_BEFORE_COMPACTION;
use vereda_core::protocol::{ChangeReference, PushItem};
use vereda_core::record::{Stream, Write};

/// Opens a document, empty if it is new.
pub(super) fn open(
    session: &mut Session<'_>,
    tenant: TenantId,
    key: &DocumentKey,
) -> Result<LoadedDocument, Verdict> {
    if let Some(document) = session.documents.take(tenant, key.id()) {
        return Ok(document);
    }
    load(session, tenant, key)
}

fn load(session: &mut Session<'_>, tenant: TenantId, key: &DocumentKey) -> Result<LoadedDocument, Verdict> {
    match session.store.document(tenant, key.id())? {
        Some(row) => LoadedDocument::load(row.chunks.iter().map(Vec::as_slice)).map_err(|error| {
            tracing::error!(%error, "a stored document does not open");
            Verdict::Retry(Code::Internal)
        }),
        None => Ok(LoadedDocument::new()),
    }
}

/// Applies a write's changes, one for each document it touches.
pub(super) fn apply(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    batch: &Batch,
    item: &PushItem,
    write: &Write,
) -> Result<Vec<StoredChange>, Verdict> {
    let compiled = operations(write, incarnation);
    if caller.is_released {
        return release(
            session,
            caller,
            write,
            &compiled,
            &incarnation.actor(item.generation),
        );
    }
    if compiled.len() != item.changes.len() {
        return Err(Verdict::Retry(Code::EncodingMismatch));
    }
    let actor = incarnation.actor(item.generation);
    let mut stored = Vec::with_capacity(compiled.len());
    for (index, (wanted, reference)) in compiled.iter().zip(&item.changes).enumerate() {
        let mut document = open(session, caller.tenant(), &wanted.key)?;
        if index == 0 {
            policy::check_document(write, &document)?;
        }
        let (applied, raw) = match &reference.raw {
            None => (compute(&mut document, batch, wanted, reference, &actor)?, None),
            Some(raw) => {
                let (copy, applied, raw) = compare(session, caller, wanted, reference, raw, &actor)?;
                document = copy;
                (applied, raw)
            }
        };
        keep(session, caller, write, &wanted.key, &applied, document)?;
        stored.push(StoredChange {
            document: wanted.key.id(),
            hash: ByteArray::new(applied.hash),
            dependencies: applied.dependencies.into_iter().map(ByteArray::new).collect(),
            raw,
        });
    }
    Ok(stored)
}

/// Computes the changes of a write from quarantine on top of what stands here now: the ones its device made are gone
/// with the patient.
fn release(
    session: &mut Session<'_>,
    caller: &Caller,
    write: &Write,
    compiled: &[DocumentOperations],
    actor: &[u8; 16],
) -> Result<Vec<StoredChange>, Verdict> {
    let mut stored = Vec::with_capacity(compiled.len());
    for (index, wanted) in compiled.iter().enumerate() {
        let mut document = open(session, caller.tenant(), &wanted.key)?;
        if index == 0 {
            policy::check_document(write, &document)?;
        }
        let applied = document
            .apply(&wanted.operations, actor, None)
            .map_err(Verdict::of_computed)?;
        keep(session, caller, write, &wanted.key, &applied, document)?;
        stored.push(StoredChange {
            document: wanted.key.id(),
            hash: ByteArray::new(applied.hash),
            dependencies: applied.dependencies.into_iter().map(ByteArray::new).collect(),
            raw: None,
        });
    }
    Ok(stored)
}

/// Computes the change from the write.
fn compute(
    document: &mut LoadedDocument,
    batch: &Batch,
    wanted: &DocumentOperations,
    reference: &ChangeReference,
    actor: &[u8; 16],
) -> Result<AppliedChange, Verdict> {
    let dependencies: Vec<ChangeId> = match &reference.dependencies {
        None => vec![batch.previous(&wanted.key.id(), LoadedDocument::genesis_hash())?],
        Some(named) if (1..=DEPENDENCIES_MAX).contains(&named.len()) => {
            named.iter().map(|hash| **hash).collect()
        }
        Some(_) => return Err(Verdict::refused(Code::GateRefused, "too_many_dependencies")),
    };
    let applied = document
        .apply(&wanted.operations, actor, Some(&dependencies))
        .map_err(Verdict::of_computed)?;
    if check(&applied.hash) == reference.check {
        Ok(applied)
    } else {
        Err(Verdict::Retry(Code::EncodingMismatch))
    }
}

/// Takes the bytes in on one copy, computes the change on another, and compares what both then show.
fn compare(
    session: &mut Session<'_>,
    caller: &Caller,
    wanted: &DocumentOperations,
    reference: &ChangeReference,
    raw: &[u8],
    actor: &[u8; 16],
) -> Result<(LoadedDocument, AppliedChange, Option<ByteBuf>), Verdict> {
    let mut taken = load(session, caller.tenant(), &wanted.key)?;
    let mut computed = load(session, caller.tenant(), &wanted.key)?;
    let applied = taken.apply_raw(raw, actor).map_err(Verdict::of_raw)?;
    let own = computed
        .apply(&wanted.operations, actor, Some(&applied.dependencies))
        .map_err(|error| match error {
            DocumentError::Automerge => Verdict::refused(Code::PolicyRefused, "it cannot be computed"),
            other => Verdict::of_computed(other),
        })?;
    let mut touched = applied.touched.clone();
    touched.merge(own.touched);
    let same = taken.shows_the_same_as(&computed)
        && touched
            .entries
            .iter()
            .all(|entry| taken.entry(entry) == computed.entry(entry))
        && touched
            .chart_items
            .iter()
            .all(|item| taken.chart_item(item) == computed.chart_item(item));
    if !same {
        return Err(Verdict::refused(
            Code::PolicyRefused,
            "the change does something else than its write",
        ));
    }
    if check(&applied.hash) != reference.check {
        return Err(Verdict::refused(
            Code::GateRefused,
            "the bytes are not the change referenced",
        ));
    }
    let raw = (applied.hash != own.hash).then(|| ByteBuf::from(raw.to_vec()));
    Ok((taken, applied, raw))
}

/// Stores the change, and puts the document back among the loaded ones.
fn keep(
    session: &mut Session<'_>,
    caller: &Caller,
    write: &Write,
    key: &DocumentKey,
    applied: &AppliedChange,
    document: LoadedDocument,
) -> Result<(), Verdict> {
    // What others' gates would refuse must not enter the log.
    if applied.bytes.len() > CHANGE_BYTES_MAX {
        return Err(Verdict::Park(Code::TooLarge));
    }
    let tenant = caller.tenant();
    let home = session.store.home(tenant, key.patient)?.unwrap_or(write.unit);
    let leaf = digest_leaf(&key.id(), document.heads());
    let home = Stream::new(home, key.compartment);
    let chunks = session
        .store
        .append_change(tenant, &home, key, &applied.bytes, leaf)?;
    let document = if chunks >= CHUNKS_BEFORE_COMPACTION || document.bytes() > DOCUMENT_BYTES_MAX {
        compact(session, tenant, key, document)?
    } else {
        document
    };
    session.has_changed_documents = true;
    session.documents.put(tenant, key.id(), document);
    Ok(())
}

fn compact(
    session: &mut Session<'_>,
    tenant: TenantId,
    key: &DocumentKey,
    document: LoadedDocument,
) -> Result<LoadedDocument, Verdict> {
    let saved = document.save();
    if saved.len() > DOCUMENT_BYTES_MAX {
        return Err(Verdict::Park(Code::TooLarge));
    }
    session.store.compact(tenant, key, &saved)?;
    if document.bytes() > DOCUMENT_BYTES_MAX {
        // Loaded anew it knows its true size.
        return LoadedDocument::load([saved.as_slice()]).map_err(Verdict::of_computed);
    }
    Ok(document)
}
