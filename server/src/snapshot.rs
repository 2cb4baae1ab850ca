//! `POST /v1/snapshot`: named patients from state, in one consistent read.

use crate::access;
use crate::places::Places;
use crate::refusal::Refusal;
use crate::store::DocumentRow;
use crate::writer::Session;
use vereda_core::bytes::ByteBuf;
use vereda_core::document::LoadedDocument;
use vereda_core::limits::{PAGE_BYTES_MAX, SNAPSHOT_PATIENTS_MAX};
use vereda_core::protocol::{SnapshotAnswer, SnapshotDocument, SnapshotRecord, SnapshotRequest};
use vereda_core::record::{Compartment, Stream};

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
        let Some(places) = Places::of(session, caller.tenant(), *patient)? else {
            continue;
        };
        let readable = |compartment| {
            let mut streams = places.streams(compartment).into_iter();
            streams.find(|stream| caller.may_use(stream))
        };
        let Some(identity) = readable(Compartment::Identity) else {
            continue;
        };
        let mut documents = Vec::new();
        for document in session.store.documents_of(caller.tenant(), *patient)? {
            if let Some(stream) = readable(document.home.compartment) {
                documents.push(whole(session, document, stream)?);
            }
        }
        let size: usize = documents.iter().map(|document| document.saved.len()).sum();
        // The first one always goes, or it would never.
        if bytes > 0 && bytes + size > PAGE_BYTES_MAX {
            answer.left_out.push(*patient);
            continue;
        }
        bytes += size + 512;
        answer.records.push(SnapshotRecord {
            patient: *patient,
            stream: identity,
            record: row.record,
            version: row.version,
            as_of: session.store.head(&identity)?.seq,
        });
        answer.documents.extend(documents);
    }
    Ok(answer)
}

pub(crate) fn whole(
    session: &mut Session<'_>,
    row: DocumentRow,
    stream: Stream,
) -> Result<SnapshotDocument, Refusal> {
    let saved = LoadedDocument::load(row.chunks.iter().map(Vec::as_slice))
        .map_err(|_| Refusal::internal("a stored document does not open"))?
        .save_for_message(PAGE_BYTES_MAX);
    Ok(SnapshotDocument {
        id: row.key.id(),
        kind: row.key.kind_name().into(),
        patient: row.key.patient,
        stream,
        chapter: row.key.chapter_numbers(),
        as_of: session.store.head(&stream)?.seq,
        saved: ByteBuf::from(saved),
    })
}
