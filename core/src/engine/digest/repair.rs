//! What differs comes whole from the server, and is taken in one at a time.

use super::*;
use crate::id::PatientId;
use crate::limits::DIGEST_DIFFERENCES_MAX;
use crate::protocol::{DocumentsAnswer, DocumentsRequest, PATH_DOCUMENTS, SnapshotDocument, SnapshotRecord};
use crate::replica::{Opening, Repair, announce, repair_record, withdraw_repair};
use crate::store::unread;
use crate::sync::digest::take_document;

/// Documents and records asked for at once.
const AT_ONCE: usize = 50;

/// What is to be repaired.
#[derive(Default)]
pub(super) struct Repairing {
    left_documents: VecDeque<DocumentId>,
    left_records: VecDeque<PatientId>,
    asked: Option<u64>,
    documents: VecDeque<SnapshotDocument>,
    records: VecDeque<SnapshotRecord>,
    /// Whether anything was repaired since the last comparison.
    has_repaired: bool,
}

impl Repairing {
    pub(super) fn new(found: &[Found]) -> Self {
        let mut repairing = Self::default();
        for found in found {
            let (Difference::NotHere(leaf) | Difference::Otherwise(leaf)) = found.difference else {
                // What the server does not have it cannot give.
                continue;
            };
            match found.compartment {
                Compartment::Identity => repairing.left_records.push_back(PatientId::from_bytes(leaf.id)),
                _ => repairing
                    .left_documents
                    .push_back(DocumentId::from_bytes(leaf.id)),
            }
        }
        repairing
    }

    /// Documents that lack what could not be applied.
    fn of_documents(documents: Vec<DocumentId>) -> Self {
        Self {
            left_documents: documents.into(),
            ..Self::default()
        }
    }

    fn next(&self) -> DocumentsRequest {
        DocumentsRequest {
            documents: self.left_documents.iter().take(AT_ONCE).copied().collect(),
            records: self.left_records.iter().take(AT_ONCE).copied().collect(),
        }
    }

    /// Whether something came that is to be taken in.
    pub(super) fn has_come(&self) -> bool {
        !self.documents.is_empty() || !self.records.is_empty()
    }

    pub(super) fn is_asked(&mut self, id: u64) -> bool {
        self.asked.take_if(|asked| *asked == id).is_some()
    }

    pub(super) fn is_over(&self) -> bool {
        self.left_documents.is_empty()
            && self.left_records.is_empty()
            && self.asked.is_none()
            && !self.has_come()
    }

    pub(super) fn take(&mut self, epoch: Option<u64>, body: &[u8]) -> Result<()> {
        let answer: DocumentsAnswer =
            decode_body(body, Encoding::Vereda).map_err(|_| SyncError::from(Code::NotOurServer))?;
        if Some(answer.epoch) != epoch {
            return Err(SyncError::from(Code::HistoryChanged));
        }
        self.left_documents.extend(answer.left_out);
        self.documents.extend(answer.documents);
        self.records.extend(answer.records);
        Ok(())
    }
}

impl Engine {
    /// Begins to fetch the documents that lack an item which could not be applied: once, until somebody asks or another
    /// such item comes. A comparison repairs them as well.
    pub(in crate::engine) fn mend_unapplied(&mut self) {
        let can = self.comparing.run.is_none()
            && self.device.departures.is_none()
            && self.device.resync.is_none()
            && self.schedule.failure.is_none();
        if !can || self.comparing.has_mended {
            return;
        }
        self.comparing.has_mended = true;
        let documents =
            unread::documents(self.store.connection(), DIGEST_DIFFERENCES_MAX).unwrap_or_default();
        if documents.is_empty() {
            return;
        }
        let run = self.begin_digest();
        run.repair = true;
        run.mends = true;
        run.report.found = documents.len() as u64;
        run.stage = Stage::Repairing(Repairing::of_documents(documents));
    }

    /// Whether documents are being fetched that lack an item.
    pub(in crate::engine) fn is_mending(&self) -> bool {
        self.comparing.run.as_ref().is_some_and(|run| run.mends)
    }

    /// Another item could not be applied, or somebody asks: what lacks one is fetched anew.
    pub(in crate::engine) fn mend_again(&mut self) {
        self.comparing.has_mended = false;
    }

    /// Asks for the next that differ, where nothing is asked yet.
    pub(super) fn ask_repair(&mut self, now: Now, entropy: &mut dyn Entropy, effects: &mut Vec<Effect>) {
        let Some(run) = &mut self.comparing.run else {
            return;
        };
        let Stage::Repairing(repairing) = &mut run.stage else {
            return;
        };
        if repairing.asked.is_some() {
            return;
        }
        let request = repairing.next();
        let (documents, records) = (request.documents.len(), request.records.len());
        if documents + records == 0 {
            if !(repairing.has_repaired && run.go_round()) {
                self.end_digest(now, entropy, effects, None);
            }
            return;
        }
        let body = encode_body(&request, Encoding::Vereda);
        let asked = self.ask_beside(&now, entropy, PATH_DOCUMENTS, body, effects);
        if let Some(Run {
            stage: Stage::Repairing(repairing),
            ..
        }) = &mut self.comparing.run
            && asked.is_some()
        {
            repairing.left_documents.drain(..documents);
            repairing.left_records.drain(..records);
            repairing.asked = asked;
        }
    }

    /// Takes in the next that came.
    pub(super) fn continue_repair(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        run: &mut Run,
    ) -> Result<()> {
        let Stage::Repairing(repairing) = &mut run.stage else {
            return Ok(());
        };
        let (patient, repaired) = if let Some(record) = repairing.records.pop_front() {
            let repaired = self.transact(now, entropy, effects, |step| repair_record(step, &record));
            (record.patient, repaired)
        } else if let Some(document) = repairing.documents.pop_front() {
            let repaired = self.repair(now, entropy, effects, &document);
            (document.patient, repaired)
        } else {
            return Ok(());
        };
        // The run is not in its place while it works.
        run.local.note_patient(patient);
        match repaired {
            Ok(Repair::Done) => {
                run.report.repaired += 1;
                repairing.has_repaired = true;
            }
            Ok(Repair::OnlyHere) => run.report.only_here += 1,
            Ok(Repair::Failed) => {}
            // The difference stays and is told.
            Err(error) => effects.push(Effect::Log(LogEvent::Failed(error.code))),
        }
        Ok(())
    }

    /// In two steps: should its bytes kill the process, it is known which ones did.
    fn repair(
        &mut self,
        now: Now,
        entropy: &mut dyn Entropy,
        effects: &mut Vec<Effect>,
        document: &SnapshotDocument,
    ) -> Result<Repair> {
        if !self.transact(now, entropy, effects, |step| {
            announce(step, document, Opening::Repair)
        })? {
            return Ok(Repair::Failed);
        }
        let taken = self.transact(now, entropy, effects, |step| take_document(step, document));
        if taken.is_err() {
            self.transact(now, entropy, effects, |step| withdraw_repair(step, &document.id))?;
        }
        taken
    }
}
