//! `POST /v1/documents`: documents whole, by id, for a device that has their rows only, or a damaged copy.

use crate::access;
use crate::places::Places;
use crate::refusal::Refusal;
use crate::snapshot::whole;
use crate::writer::Session;
use vereda_core::limits::{DOCUMENTS_ASKED_MAX, PAGE_BYTES_MAX};
use vereda_core::protocol::{DocumentsAnswer, DocumentsRequest, SnapshotRecord};
use vereda_core::record::Compartment;

/// Answers with the documents in scope; the others are simply not in it.
pub(crate) fn run(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: &DocumentsRequest,
) -> Result<DocumentsAnswer, Refusal> {
    let caller = access::authenticate(session, access, None)?;
    if request.documents.len() + request.records.len() > DOCUMENTS_ASKED_MAX {
        return Err(Refusal::too_large(format!(
            "at most {DOCUMENTS_ASKED_MAX} documents and records"
        )));
    }
    let mut answer = DocumentsAnswer {
        epoch: session.store.epoch()?,
        ..DocumentsAnswer::default()
    };
    let mut bytes = 0;
    for id in &request.documents {
        // What was left out says nothing of its scope: it was not looked at.
        if bytes > PAGE_BYTES_MAX {
            answer.left_out.push(*id);
            continue;
        }
        let Some(row) = session.store.document(caller.tenant(), *id)? else {
            continue;
        };
        let Some(places) = Places::of(session, caller.tenant(), row.key.patient)? else {
            continue;
        };
        let mut streams = places.streams(row.home.compartment).into_iter();
        let Some(stream) = streams.find(|stream| caller.may_use(stream)) else {
            continue;
        };
        let document = whole(session, row, stream)?;
        bytes += document.saved.len() + 128;
        answer.documents.push(document);
    }
    for patient in &request.records {
        let Some(row) = session.store.record(caller.tenant(), *patient)? else {
            continue;
        };
        let Some(places) = Places::of(session, caller.tenant(), *patient)? else {
            continue;
        };
        let mut streams = places.streams(Compartment::Identity).into_iter();
        if let Some(stream) = streams.find(|stream| caller.may_use(stream)) {
            answer.records.push(SnapshotRecord {
                patient: *patient,
                stream,
                record: row.record,
                version: row.version,
                as_of: session.store.head(&stream)?.seq,
            });
        }
    }
    Ok(answer)
}
