//! `POST /v1/segments` and `/v1/segment`: row segments of a stream, for devices that have nothing of it yet.
//!
//! They are built from the stored documents when somebody asks, one for each request so that the writer is never held
//! up for long, and kept in bounded memory only: nothing of them lies on a disk beside the patients' keys, and a
//! server that was started anew builds them again. Segments of one list may be built at different times; each says
//! up to where its documents are, and the list stands at the first one's.
//!
//! In a segment are the patients the stream carries, at home in its unit or shared with it. One of which a patient
//! left the stream since is neither named nor given: it is built again without them, in its place.

mod build;
mod cache;

pub(crate) use cache::SegmentCache;

use crate::access;
use crate::places::{Places, Standing};
use crate::refusal::Refusal;
use crate::writer::{Session, lock};
use build::{End, build};
use cache::{Beginning, List};
use ed25519_dalek::Signer;
use vereda_core::bytes::ByteArray;
use vereda_core::id::{PatientId, TenantId};
use vereda_core::limits::SEGMENT_PIECE_BYTES;
use vereda_core::protocol::{SEGMENT_FORM, SegmentRequest, SegmentsAnswer, SegmentsRequest};
use vereda_core::record::{Compartment, Stream};

/// The list, one segment longer than before if it is not whole.
pub(crate) fn list(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: &SegmentsRequest,
) -> Result<SegmentsAnswer, Refusal> {
    let caller = access::authenticate(session, access, None)?;
    let (tenant, stream) = (caller.tenant(), request.stream);
    let epoch = session.store.epoch()?;
    let mut answer = SegmentsAnswer {
        epoch,
        form: SEGMENT_FORM,
        as_of: 0,
        chain: ByteArray::new([0; 32]),
        first: 0,
        segments: Vec::new(),
        more: false,
        signature: ByteArray::new([0; 64]),
    };
    if caller.may_use(&stream) && is_offered(session, &stream)? {
        let now = Beginning {
            epoch,
            head: session.store.head(&stream)?,
            log_bytes: session.store.log_bytes(&stream)?,
        };
        let mut cache = lock(&session.shared.segments);
        if request.from == 0 {
            cache.drop_stale(tenant, stream, &now);
        }
        // Taken out while it grows: what fails in between is built again.
        let mut list = cache.take(tenant, stream, now);
        drop(cache);
        let head = list.begun.head;
        let known = if request.as_of == head.seq {
            request.from as usize
        } else {
            0
        };
        // What is built already is told first.
        if list.segments.len() <= known {
            build_next(session, tenant, &stream, &mut list)?;
        }
        for segment in list.segments.iter_mut().skip(known) {
            if has_left(session, tenant, &stream, &segment.patients)? {
                *segment = build(session, tenant, &stream, segment.from, End::Before(segment.to))?;
            }
        }
        answer.as_of = head.seq;
        answer.chain = ByteArray::new(head.chain);
        answer.first = known as u32;
        let segments = list.segments.iter().skip(known);
        answer.segments = segments.map(|segment| segment.name).collect();
        answer.more = list.next.is_some();
        lock(&session.shared.segments).put(tenant, stream, list);
    }
    let signed = answer.signed_bytes(&stream);
    answer.signature = ByteArray::new(session.shared.signing_key.sign(&signed).to_bytes());
    Ok(answer)
}

/// Adds one segment to the list, or notes that it is whole.
fn build_next(
    session: &mut Session<'_>,
    tenant: TenantId,
    stream: &Stream,
    list: &mut List,
) -> Result<(), Refusal> {
    let Some(from) = list.next else { return Ok(()) };
    let built = build(session, tenant, stream, from, End::Full)?;
    list.next = built.to;
    if !built.patients.is_empty() {
        list.segments.push(built);
    }
    Ok(())
}

/// Whether a stream is read from segments first: its log is long, and only documents are in it.
pub(crate) fn is_offered(session: &mut Session<'_>, stream: &Stream) -> Result<bool, Refusal> {
    let has_documents = matches!(stream.compartment, Compartment::Clinical | Compartment::Sensitive);
    Ok(has_documents && session.store.log_bytes(stream)? >= session.shared.segments_from_bytes)
}

/// A segment's bytes from a place on.
pub(crate) fn piece(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: &SegmentRequest,
) -> Result<Vec<u8>, Refusal> {
    let caller = access::authenticate(session, access, None)?;
    let found = lock(&session.shared.segments).find(caller.tenant(), &request.hash);
    let (stream, bytes, patients) = found
        .filter(|(stream, ..)| caller.may_use(stream))
        .ok_or_else(Refusal::not_found)?;
    if has_left(session, caller.tenant(), &stream, &patients)? {
        return Err(Refusal::not_found());
    }
    let from = (request.from as usize).min(bytes.len());
    let to = (from + SEGMENT_PIECE_BYTES).min(bytes.len());
    Ok(bytes[from..to].to_vec())
}

/// Whether a stream no longer carries one of these patients, who are in the order of their ids. Nobody leaves a unit
/// for which no share ever named them: who moves away is shared with the unit they left.
fn has_left(
    session: &mut Session<'_>,
    tenant: TenantId,
    stream: &Stream,
    patients: &[PatientId],
) -> Result<bool, Refusal> {
    let (Some(first), Some(last)) = (patients.first(), patients.last()) else {
        return Ok(false);
    };
    for guest in session.store.guests(tenant, stream.unit, *first, *last)? {
        if patients.binary_search(&guest).is_ok() && !carries(session, tenant, stream, guest)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn carries(
    session: &mut Session<'_>,
    tenant: TenantId,
    stream: &Stream,
    patient: PatientId,
) -> Result<bool, Refusal> {
    let places = Places::of(session, tenant, patient)?;
    Ok(places.is_none_or(|places| places.standing(stream) == Standing::Has))
}
