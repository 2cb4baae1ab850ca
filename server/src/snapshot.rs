//! `POST /v1/snapshot`: named patients from state, in one consistent read.

use crate::access::{self, Caller};
use crate::refusal::Refusal;
use crate::store::{DocumentRow, RecordRow};
use crate::writer::Session;
use serde_bytes::ByteBuf;
use vereda_core::document::LoadedDocument;
use vereda_core::id::PatientId;
use vereda_core::limits::{PAGE_BYTES_MAX, SNAPSHOT_PATIENTS_MAX};
use vereda_core::protocol::{SnapshotAnswer, SnapshotDocument, SnapshotRecord, SnapshotRequest};
use vereda_core::record::{Compartment, Intent, Stream, Write};

/// Answers for the patients in scope; the others are simply not in it.
pub(crate) fn run(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: &SnapshotRequest,
) -> Result<SnapshotAnswer, Refusal> {
    let caller = access::authenticate(session, access, None)?;
    if request.patients.len() > SNAPSHOT_PATIENTS_MAX {
        return Err(Refusal::too_large(format!(
            "a snapshot names at most {SNAPSHOT_PATIENTS_MAX} patients"
        )));
    }
    let mut answer = SnapshotAnswer {
        epoch: session.store.epoch()?,
        ..SnapshotAnswer::default()
    };
    let mut bytes = 0;
    for patient in &request.patients {
        let Some(row) = session.store.record(caller.tenant(), *patient)? else {
            continue;
        };
        let identity = Stream::new(row.unit, Compartment::Identity);
        if !caller.may_use(&identity) {
            continue;
        }
        let documents: Vec<SnapshotDocument> = session
            .store
            .documents_of(caller.tenant(), *patient)?
            .into_iter()
            .filter(|document| caller.may_use(&document.home))
            .map(|document| whole(session, document))
            .collect::<Result<_, _>>()?;
        let size: usize = documents.iter().map(|document| document.saved.len()).sum();
        // The first one always goes, or it would never.
        if bytes > 0 && bytes + size > PAGE_BYTES_MAX {
            answer.left_out.push(*patient);
            continue;
        }
        bytes += size + 512;
        answer
            .records
            .push(record(session, &caller, *patient, identity, row)?);
        answer.documents.extend(documents);
    }
    Ok(answer)
}

/// A record as it stands; one with a conflict as it was registered, so that its reader replays the edits and meets
/// the value that was not set.
fn record(
    session: &mut Session<'_>,
    caller: &Caller,
    patient: PatientId,
    stream: Stream,
    row: RecordRow,
) -> Result<SnapshotRecord, Refusal> {
    let mut snapshot = SnapshotRecord {
        patient,
        stream,
        record: row.record,
        version: row.version,
        as_of: session.store.head(&stream)?.seq,
    };
    if row.has_conflict {
        let registration = session
            .store
            .log(caller.tenant(), &stream, row.registered_seq - 1, 1)?
            .pop();
        let write = registration.and_then(|item| Write::from_bytes(&item.write));
        let Some(Intent::Register { record, .. }) = write.map(|write| write.intent) else {
            return Err(Refusal::internal("a registration is not in its place"));
        };
        snapshot.record = record;
        snapshot.version = 1;
        snapshot.as_of = row.registered_seq;
    }
    Ok(snapshot)
}

fn whole(session: &mut Session<'_>, row: DocumentRow) -> Result<SnapshotDocument, Refusal> {
    let saved = LoadedDocument::load(row.chunks.iter().map(Vec::as_slice))
        .map_err(|_| Refusal::internal("a stored document does not open"))?
        .save();
    Ok(SnapshotDocument {
        id: row.key.id(),
        kind: row.key.kind_name().into(),
        patient: row.key.patient,
        stream: row.home,
        chapter: row.key.chapter_numbers(),
        as_of: session.store.head(&row.home)?.seq,
        saved: ByteBuf::from(saved),
    })
}
