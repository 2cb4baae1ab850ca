//! The leaves of what is here, as the server accepted it: unsent writes make no difference. Nothing is kept for them on
//! the way of a write; they are computed when asked, patient by patient, and those of a patient anew where something
//! changed since.

use crate::document::digest::{DigestLeaf, DigestTree, record_leaf};
use crate::document::{LoadedDocument, digest_leaf, heads_of_chunks};
use crate::error::Result;
use crate::id::PatientId;
use crate::limits::{DIGEST_STEP_BYTES, DIGEST_STEP_ROWS};
use crate::record::{Compartment, Stream};
use crate::replica::carried_by;
use crate::step::{Changes, Step};
use crate::store::documents::{self, DocumentRow};
use crate::store::{cursors, digest};
use std::collections::{BTreeMap, BTreeSet};

/// The leaf of a document whose chunks do not open: no server has it.
const DAMAGED: u64 = 0;

/// What is here of some streams.
#[derive(Debug)]
pub struct LocalDigest {
    streams: Vec<Stream>,
    held: BTreeMap<PatientId, Vec<Held>>,
    after: Option<PatientId>,
    is_walked: bool,
    /// Patients read already of whom something changed since.
    stale: BTreeSet<PatientId>,
    /// More changed than is known.
    is_void: bool,
}

/// Something of a patient in a stream; without a leaf it cannot be compared now.
#[derive(Clone, Copy, Debug)]
struct Held {
    stream: usize,
    leaf: Option<DigestLeaf>,
}

#[derive(Default)]
struct Cost {
    bytes: usize,
    rows: usize,
}

impl LocalDigest {
    /// Nothing read yet.
    pub fn new(streams: Vec<Stream>) -> Self {
        Self {
            streams,
            held: BTreeMap::new(),
            after: None,
            is_walked: false,
            stale: BTreeSet::new(),
            is_void: false,
        }
    }

    /// The streams it is of.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Takes note of what a step changed.
    pub fn note(&mut self, changes: &Changes) {
        self.is_void |= changes.many;
        let read =
            |patient: &&PatientId| self.is_walked || self.after.is_some_and(|after| **patient <= after);
        let stale: Vec<PatientId> = changes.patients.iter().filter(read).copied().collect();
        self.stale.extend(stale);
    }

    /// Takes note that something of a patient changed.
    pub fn note_patient(&mut self, patient: PatientId) {
        self.stale.insert(patient);
    }

    /// Whether everything is read as it stands.
    pub fn is_ready(&self) -> bool {
        self.is_walked && self.stale.is_empty() && !self.is_void
    }

    /// Reads some more, a bounded part. Returns whether there is more to read.
    pub fn read_some(&mut self, step: &mut Step<'_>) -> Result<bool> {
        if self.is_void {
            *self = Self::new(std::mem::take(&mut self.streams));
        }
        let mut cost = Cost::default();
        while cost.bytes < DIGEST_STEP_BYTES && cost.rows < DIGEST_STEP_ROWS {
            if let Some(patient) = self.stale.first().copied() {
                self.read_patient(step, patient, &mut cost)?;
                self.stale.remove(&patient);
                continue;
            }
            if self.is_walked {
                return Ok(false);
            }
            match digest::next_patient(step.transaction, self.after.as_ref())? {
                Some(patient) => {
                    self.read_patient(step, patient, &mut cost)?;
                    self.after = Some(patient);
                }
                None => self.is_walked = true,
            }
        }
        Ok(true)
    }

    /// The tree of a stream, and how many leaves; none where something in it cannot be compared now.
    pub fn tree(&self, stream: &Stream) -> Option<DigestTree> {
        let index = self.streams.iter().position(|known| known == stream)?;
        let held = self.held.values().flatten().filter(|held| held.stream == index);
        let leaves: Option<Vec<DigestLeaf>> = held.map(|held| held.leaf).collect();
        Some(DigestTree::new(leaves?))
    }

    fn read_patient(&mut self, step: &mut Step<'_>, patient: PatientId, cost: &mut Cost) -> Result<()> {
        let mut held = Vec::new();
        cost.rows += 1;
        for row in documents::list(step.transaction, Some(&patient))? {
            cost.rows += 1;
            let carried = carried_by(step, &patient, row.key.compartment, Some(row.unit))?;
            let places = self.places(&carried);
            if places.is_empty() {
                continue;
            }
            let home = Stream::new(row.unit, row.key.compartment);
            let leaf = if self.is_ahead(step, &places, &home, row.as_of)? {
                Some(None)
            } else {
                leaf_of(step, &row, cost)?
            };
            if let Some(leaf) = leaf {
                let id = *row.key.id().as_bytes();
                let leaf = leaf.map(|leaf| DigestLeaf { id, leaf });
                held.extend(places.into_iter().map(|stream| Held { stream, leaf }));
            }
        }
        if let Some(record) = digest::accepted_record(step.transaction, &patient)? {
            let carried = carried_by(step, &patient, Compartment::Identity, Some(record.unit))?;
            let places = self.places(&carried);
            let home = Stream::new(record.unit, Compartment::Identity);
            let leaf = DigestLeaf {
                id: *patient.as_bytes(),
                leaf: record_leaf(&patient, record.version),
            };
            let leaf = (!self.is_ahead(step, &places, &home, record.as_of)?).then_some(leaf);
            held.extend(places.into_iter().map(|stream| Held { stream, leaf }));
        }
        if held.is_empty() {
            self.held.remove(&patient);
        } else {
            self.held.insert(patient, held);
        }
        Ok(())
    }

    fn places(&self, carried: &[Stream]) -> Vec<usize> {
        let places = self.streams.iter().enumerate();
        places
            .filter(|(_, stream)| carried.contains(stream))
            .map(|(place, _)| place)
            .collect()
    }

    /// Whether a snapshot or a fetched document holds more than what was read of the log.
    fn is_ahead(&self, step: &Step<'_>, places: &[usize], home: &Stream, as_of: u64) -> Result<bool> {
        if as_of == 0 {
            return Ok(false);
        }
        let read = match self.streams.contains(home) {
            true => Some(home),
            false => places.first().and_then(|place| self.streams.get(*place)),
        };
        match read {
            Some(stream) => Ok(as_of > cursors::get(step.transaction, stream)?.seq),
            None => Ok(false),
        }
    }
}

/// A document's leaf: outer none where nothing of it was accepted, inner none where it cannot be told now.
fn leaf_of(step: &Step<'_>, row: &DocumentRow, cost: &mut Cost) -> Result<Option<Option<u64>>> {
    let id = row.key.id();
    let accepted = documents::chunks(step.transaction, &id, true)?;
    if row.health.is_rows_only() {
        // Own writes accepted since are on top of what is not here.
        return Ok(Some(row.leaf.filter(|_| accepted.is_empty())));
    }
    if accepted.is_empty() {
        return Ok(None);
    }
    cost.bytes += accepted.iter().map(Vec::len).sum::<usize>();
    match heads_of_chunks(accepted.iter().map(Vec::as_slice)) {
        Ok(heads) => Ok(Some(Some(digest_leaf(&id, &heads)))),
        // What was accepted builds on an own write whose outcome has not come yet, or something is missing.
        Err(_) if documents::has_pending(step.transaction, &id)? => {
            let all = documents::chunks(step.transaction, &id, false)?;
            let opens = LoadedDocument::load(all.iter().map(Vec::as_slice)).is_ok();
            Ok(Some(if opens { None } else { Some(DAMAGED) }))
        }
        Err(_) => Ok(Some(Some(DAMAGED))),
    }
}
