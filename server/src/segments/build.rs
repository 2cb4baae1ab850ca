//! One segment, from the stored documents of the patients its stream carries.

use super::carries;
use crate::refusal::Refusal;
use crate::writer::Session;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use vereda_core::bytes::ByteArray;
use vereda_core::document::LoadedDocument;
use vereda_core::document::segment::{Place, SegmentBuilder};
use vereda_core::id::{PatientId, TenantId, WriteId};
use vereda_core::limits::WRITE_ENTRIES_MAX;
use vereda_core::protocol::SegmentName;
use vereda_core::record::{EntryHeader, Relation, Stream};

/// A segment, and where it begins and ends, so that it can be built again.
pub(super) struct Built {
    pub(super) name: SegmentName,
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) from: Position,
    /// None where it is the last one.
    pub(super) to: Option<Position>,
    /// In the order of their ids.
    pub(super) patients: Arc<Vec<PatientId>>,
}

/// Where a segment begins.
#[derive(Clone, Copy)]
pub(super) struct Position {
    after: Option<PatientId>,
    /// The next document: whose, and which of theirs. They may have left meanwhile.
    next: Option<(PatientId, usize)>,
}

impl Position {
    pub(super) const BEGINNING: Self = Self {
        after: None,
        next: None,
    };
}

/// Where a segment is to end.
#[derive(Clone, Copy)]
pub(super) enum End {
    /// Where it is full.
    Full,
    /// Where it ended before; none: with the last patient.
    Before(Option<Position>),
}

/// Builds a segment.
pub(super) fn build(
    session: &mut Session<'_>,
    tenant: TenantId,
    stream: &Stream,
    from: Position,
    end: End,
) -> Result<Built, Refusal> {
    let mut builder = SegmentBuilder::new(*stream, session.store.head(stream)?.seq);
    let mut patients = Vec::new();
    let mut at = from;
    let mut to = match end {
        End::Full => None,
        End::Before(end) => end,
    };
    'patients: while let Some(patient) = session.store.next_patient(tenant, stream, at.after)? {
        let mut writes = Writes::default();
        let mut number = match at.next {
            Some((known, number)) if known == patient => number,
            _ => 0,
        };
        let carried = carries(session, tenant, stream, patient)?;
        while carried
            && let Some(row) = session
                .store
                .nth_document(tenant, patient, stream.compartment, number)?
        {
            let next = Some((patient, number));
            match end {
                End::Full if builder.is_full() => {
                    to = Some(Position { next, ..at });
                    break 'patients;
                }
                End::Before(Some(end)) if next >= end.next => break 'patients,
                _ => {}
            }
            let document = LoadedDocument::load(row.chunks.iter().map(Vec::as_slice))
                .map_err(|_| Refusal::internal("a stored document does not open"))?;
            let mut failed = None;
            builder.add(&row.key, &document, |header| {
                writes
                    .place_of(session, tenant, stream, patient, header)
                    .unwrap_or_else(|error| {
                        failed = Some(error);
                        None
                    })
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if patients.last() != Some(&patient) {
                patients.push(patient);
            }
            number += 1;
        }
        at = Position {
            after: Some(patient),
            next: None,
        };
    }
    let rows = builder.rows() as u32;
    let bytes = builder.finish();
    let name = SegmentName {
        hash: ByteArray::new(Sha256::digest(&bytes).into()),
        bytes: bytes.len() as u32,
        rows,
    };
    Ok(Built {
        name,
        bytes: Arc::new(bytes),
        from,
        to,
        patients: Arc::new(patients),
    })
}

/// The places of a patient's writes, and of those they were moved from.
#[derive(Default)]
struct Writes {
    read: Vec<PatientId>,
    found: HashMap<WriteId, Place>,
}

impl Writes {
    fn place_of(
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
