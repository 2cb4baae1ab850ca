//! What one step works with: the open transaction, the time and randomness it was given, the device, the documents
//! in memory, and what it changed. Everything durable goes through `transaction`; memory is a cache.

use crate::device::Device;
use crate::entropy::Entropy;
use crate::id::{DocumentId, PatientId};
use crate::record::KindRegistry;
use crate::replica::DocumentCache;
use crate::store::entry_counts::CountChanges;
use crate::time::Now;
use rusqlite::Connection;
use std::collections::BTreeSet;

/// What a step changed, for those who watch. Not durable: a watcher that missed some starts anew.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Changes {
    /// Patients whose timeline, chart, record or conflicts changed.
    pub patients: BTreeSet<PatientId>,
    /// The list of patients.
    pub patient_list: bool,
    /// The outbox, the drawer or the state of synchronising.
    pub queue: bool,
    /// The audit.
    pub audit: bool,
    /// The reference data, or how fresh it is.
    pub reference: bool,
    /// More patients changed than are listed.
    pub many: bool,
}

impl Changes {
    /// A patient changed.
    pub fn patient(&mut self, patient: PatientId) {
        if self.patients.len() < crate::limits::WATCHER_CHANGES_MAX {
            self.patients.insert(patient);
        } else {
            self.many = true;
        }
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes in another step's.
    pub fn merge(&mut self, other: Self) {
        for patient in other.patients {
            self.patient(patient);
        }
        self.patient_list |= other.patient_list;
        self.queue |= other.queue;
        self.audit |= other.audit;
        self.reference |= other.reference;
        self.many |= other.many;
    }
}

/// One step.
pub struct Step<'a> {
    /// The open transaction.
    pub transaction: &'a Connection,
    /// The time.
    pub now: Now,
    /// Randomness.
    pub entropy: &'a mut dyn Entropy,
    /// The device.
    pub device: &'a mut Device,
    /// The documents in memory.
    pub documents: &'a mut DocumentCache,
    /// The kinds.
    pub kinds: &'a KindRegistry,
    /// What changed.
    pub changes: Changes,
    /// How many entries count, as far as this step changed it; written before it commits.
    pub counts: CountChanges,
    /// Documents found damaged: set aside once this step is rolled back.
    pub damaged: BTreeSet<DocumentId>,
    /// Documents of which only the rows are here and more was needed: fetched before others.
    pub awaited: BTreeSet<DocumentId>,
}

impl std::fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Step")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
