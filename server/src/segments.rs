//! `POST /v1/segments` and `/v1/segment`: row segments of a stream, for devices that have nothing of it yet.
//!
//! They are built from the stored documents when somebody asks, one for each request so that the writer is never held
//! up for long, and kept in bounded memory only: nothing of them lies on a disk beside the patients' keys, and a
//! server that was started anew builds them again. Segments of one list may be built at different times; each says
//! up to where its documents are, and the list stands at the first one's.

use crate::access;
use crate::refusal::Refusal;
use crate::store::Head;
use crate::writer::{Session, lock};
use ed25519_dalek::Signer;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use vereda_core::bytes::ByteArray;
use vereda_core::document::LoadedDocument;
use vereda_core::document::segment::{Place, SegmentBuilder};
use vereda_core::id::{PatientId, TenantId, WriteId};
use vereda_core::limits::{SEGMENT_PIECE_BYTES, WRITE_ENTRIES_MAX};
use vereda_core::protocol::{SEGMENT_FORM, SegmentName, SegmentRequest, SegmentsAnswer, SegmentsRequest};
use vereda_core::record::{Compartment, EntryHeader, Relation, Stream};

/// Bytes of segments kept; past it the lists used least recently go.
const KEPT_BYTES_MAX: usize = 192 * 1024 * 1024;
/// A list is made anew where the log has grown since by this many items and by a tenth.
const AGE_ITEMS_MAX: u64 = 2_000;

/// The lists that were built, and the bytes of their segments.
#[derive(Default)]
pub(crate) struct SegmentCache {
    lists: HashMap<(TenantId, Stream), List>,
    clock: u64,
}

struct List {
    epoch: u64,
    head: Head,
    segments: Vec<(SegmentName, Arc<Vec<u8>>)>,
    next: Option<Position>,
    used: u64,
}

/// Where the next segment begins.
#[derive(Clone, Copy)]
struct Position {
    after: Option<PatientId>,
    /// Documents of the patient behind `after` that are in a segment already.
    skip: usize,
}

impl List {
    fn bytes(&self) -> usize {
        self.segments.iter().map(|(_, bytes)| bytes.len()).sum()
    }

    fn is_stale(&self, epoch: u64, head: &Head) -> bool {
        let grown = head.seq.saturating_sub(self.head.seq);
        self.epoch != epoch
            || head.seq < self.head.seq
            || (grown > AGE_ITEMS_MAX && grown > self.head.seq / 10)
    }
}

impl SegmentCache {
    fn take(&mut self, tenant: TenantId, stream: Stream, epoch: u64, head: Head) -> List {
        self.clock += 1;
        let list = self.lists.remove(&(tenant, stream)).unwrap_or_else(|| List {
            epoch,
            head,
            segments: Vec::new(),
            next: Some(Position { after: None, skip: 0 }),
            used: 0,
        });
        List {
            used: self.clock,
            ..list
        }
    }

    fn find(&self, tenant: TenantId, hash: &[u8; 32]) -> Option<(Stream, Arc<Vec<u8>>)> {
        let mine = self.lists.iter().filter(|((owner, _), _)| *owner == tenant);
        mine.flat_map(|((_, stream), list)| list.segments.iter().map(move |segment| (stream, segment)))
            .find(|(_, (name, _))| *name.hash == *hash)
            .map(|(stream, (_, bytes))| (*stream, Arc::clone(bytes)))
    }

    /// Drops the lists used least recently until the rest fits; the one in use stays.
    fn shed(&mut self) {
        while self.lists.values().map(List::bytes).sum::<usize>() > KEPT_BYTES_MAX && self.lists.len() > 1 {
            let oldest = self.lists.iter().min_by_key(|(_, list)| list.used);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                return;
            };
            self.lists.remove(&key);
        }
    }
}

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
    if caller.may_use(&stream) && is_offered(session, tenant, &stream)? {
        let head = session.store.head(&stream)?;
        let mut cache = lock(&session.shared.segments);
        let stale = cache
            .lists
            .get(&(tenant, stream))
            .is_some_and(|list| list.is_stale(epoch, &head));
        if stale && request.from == 0 {
            cache.lists.remove(&(tenant, stream));
        }
        // Taken out while it grows: what fails in between is built again.
        let mut list = cache.take(tenant, stream, epoch, head);
        drop(cache);
        let known = if request.as_of == list.head.seq {
            request.from as usize
        } else {
            0
        };
        // What is built already is told first.
        if list.segments.len() <= known {
            build_next(session, tenant, &stream, &mut list)?;
        }
        answer.as_of = list.head.seq;
        answer.chain = ByteArray::new(list.head.chain);
        answer.first = known as u32;
        answer.segments = list.segments.iter().skip(known).map(|(name, _)| *name).collect();
        answer.more = list.next.is_some();
        let mut cache = lock(&session.shared.segments);
        cache.lists.insert((tenant, stream), list);
        cache.shed();
    }
    let signed = answer.signed_bytes(&stream);
    answer.signature = ByteArray::new(session.shared.signing_key.sign(&signed).to_bytes());
    Ok(answer)
}

/// Whether a stream is read from segments first: its log is long, and only documents are in it.
pub(crate) fn is_offered(
    session: &mut Session<'_>,
    tenant: TenantId,
    stream: &Stream,
) -> Result<bool, Refusal> {
    let has_documents = matches!(stream.compartment, Compartment::Clinical | Compartment::Sensitive);
    // Once a patient is in several units, what a stream holds is no longer the documents at home in it.
    Ok(has_documents
        && session.store.head(stream)?.seq >= session.shared.segments_from
        && !session.store.has_shares(tenant)?)
}

/// A segment's bytes from a place on.
pub(crate) fn piece(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: &SegmentRequest,
) -> Result<Vec<u8>, Refusal> {
    let caller = access::authenticate(session, access, None)?;
    let found = lock(&session.shared.segments).find(caller.tenant(), &request.hash);
    let (stream, bytes) = found
        .filter(|(stream, _)| caller.may_use(stream))
        .ok_or_else(Refusal::not_found)?;
    // What was built before a patient went elsewhere is not given any more.
    if !is_offered(session, caller.tenant(), &stream)? {
        return Err(Refusal::not_found());
    }
    let from = (request.from as usize).min(bytes.len());
    let to = (from + SEGMENT_PIECE_BYTES).min(bytes.len());
    Ok(bytes[from..to].to_vec())
}

/// Adds one segment to the list, or notes that it is whole.
fn build_next(
    session: &mut Session<'_>,
    tenant: TenantId,
    stream: &Stream,
    list: &mut List,
) -> Result<(), Refusal> {
    let Some(mut at) = list.next else { return Ok(()) };
    let mut builder = SegmentBuilder::new(*stream, session.store.head(stream)?.seq);
    let mut next = None;
    'patients: while let Some(patient) = session.store.next_patient(tenant, stream, at.after)? {
        let mut places = Places::default();
        while let Some(row) = session.store.nth_document(tenant, stream, patient, at.skip)? {
            if builder.is_full() {
                next = Some(at);
                break 'patients;
            }
            let document = LoadedDocument::load(row.chunks.iter().map(Vec::as_slice))
                .map_err(|_| Refusal::internal("a stored document does not open"))?;
            let mut failed = None;
            builder.add(&row.key, &document, |header| {
                places
                    .of(session, tenant, stream, patient, header)
                    .unwrap_or_else(|error| {
                        failed = Some(error);
                        None
                    })
            });
            if let Some(error) = failed {
                return Err(error);
            }
            at.skip += 1;
        }
        at = Position {
            after: Some(patient),
            skip: 0,
        };
    }
    if !builder.is_empty() {
        let rows = builder.rows() as u32;
        let bytes = builder.finish();
        let name = SegmentName {
            hash: ByteArray::new(Sha256::digest(&bytes).into()),
            bytes: bytes.len() as u32,
            rows,
        };
        list.segments.push((name, Arc::new(bytes)));
    }
    list.next = next;
    Ok(())
}

/// The places of a patient's writes, and of those they were moved from.
#[derive(Default)]
struct Places {
    read: Vec<PatientId>,
    found: HashMap<WriteId, Place>,
}

impl Places {
    fn of(
        &mut self,
        session: &mut Session<'_>,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
        header: &EntryHeader,
    ) -> Result<Option<Place>, Refusal> {
        self.read(session, tenant, stream, patient)?;
        if let (None, Some(Relation::MovedFrom { patient, .. })) =
            (self.found.get(&header.write), header.entry.relation)
        {
            self.read(session, tenant, stream, patient)?;
        }
        Ok(self.found.get(&header.write).copied())
    }

    fn read(
        &mut self,
        session: &mut Session<'_>,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> Result<(), Refusal> {
        if self.read.contains(&patient) || self.read.len() > WRITE_ENTRIES_MAX {
            return Ok(());
        }
        self.read.push(patient);
        for place in session.store.places(tenant, stream, patient)? {
            self.found.insert(WriteId::derive(&place.origin, place.n), place);
        }
        Ok(())
    }
}
