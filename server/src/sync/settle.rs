//! One write: scope, dedupe, lane, needs, judgement, effect, log, outcome.

use super::verdict::Verdict;
use super::{check, document, history, placement, policy, quarantine, record};
use crate::access::Caller;
use crate::refusal::Refusal;
use crate::store::{Decision, LogRow, OutcomeRow, StoredChange};
use crate::writer::{Session, Undone};
use std::collections::{HashMap, HashSet};
use vereda_core::bytes::ByteArray;
use vereda_core::document::{ChangeId, operations};
use vereda_core::error::Code;
use vereda_core::id::{DocumentId, Incarnation, PatientId};
use vereda_core::protocol::{Outcome, PushItem};
use vereda_core::record::Write;
use vereda_core::time::EpochMs;

/// What the items of one message share.
#[derive(Default)]
pub(super) struct Batch {
    /// Lanes in which an item got no outcome: what follows waits.
    blocked: HashSet<PatientId>,
    /// An item whose lane is not known got no outcome.
    all_blocked: bool,
    /// The last change of each document in this message; none where the item that made it did not go in.
    last: HashMap<DocumentId, Option<ChangeId>>,
}

impl Batch {
    pub(super) fn block(&mut self, patient: Option<PatientId>) {
        match patient {
            Some(patient) => {
                self.blocked.insert(patient);
            }
            None => self.all_blocked = true,
        }
    }

    fn is_blocked(&self, write: &Write) -> bool {
        self.all_blocked || lanes(write).any(|lane| self.blocked.contains(&lane))
    }

    /// What a change builds on when its item does not say.
    pub(super) fn previous(&self, document: &DocumentId, genesis: ChangeId) -> Result<ChangeId, Verdict> {
        match self.last.get(document) {
            None => Ok(genesis),
            Some(Some(hash)) => Ok(*hash),
            Some(None) => Err(Verdict::Retry(Code::MissingDependency)),
        }
    }

    pub(super) fn remember(&mut self, changes: &[StoredChange]) {
        for change in changes {
            self.last.insert(change.document, Some(*change.hash));
        }
    }
}

/// The aggregates a write belongs to.
fn lanes(write: &Write) -> impl Iterator<Item = PatientId> {
    std::iter::once(write.patient).chain(write.intent.other_patient())
}

/// Settles an item whose write can be read.
pub(super) fn settle(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    batch: &mut Batch,
    item: &PushItem,
    write: &Write,
) -> Result<Outcome, Refusal> {
    let hash = item.write.hash();
    // Scope comes first: not even a stored outcome may reach a device out of it.
    if !caller.may_use(&write.stream()) || quarantine::is_late(session, caller, write)? {
        let verdict = quarantine::hold(session, caller, incarnation, item, write)?;
        return Ok(leave_out(batch, incarnation, write, verdict));
    }
    if let Some(stored) = session.store.outcome(incarnation, write.n)? {
        return replay(session, caller, batch, incarnation, item, write, &stored);
    }
    let verdict = match try_write(session, caller, incarnation, batch, item, write, hash) {
        Ok((row, outcome)) => {
            batch.remember(&row);
            return Ok(outcome);
        }
        Err(verdict) => verdict,
    };
    let verdict = match verdict {
        // What it rests on may still come back from a device that was not here yet.
        Verdict::Refused(error) if may_come_back(error.code) && history::is_recovering(session)? => {
            Verdict::Retry(Code::MissingDependency)
        }
        verdict => verdict,
    };
    if let Verdict::Refused(error) = &verdict {
        let outcome = OutcomeRow {
            hash,
            decision: Decision::Refused {
                code: error.code.as_str().into(),
                detail: error.detail.clone(),
            },
        };
        session.store.save_outcome(incarnation, write.n, &outcome)?;
    }
    Ok(leave_out(batch, incarnation, write, verdict))
}

fn may_come_back(code: Code) -> bool {
    matches!(code, Code::UnknownPatient | Code::UnknownEntry | Code::NotADraft)
}

/// Notes that an item did not go in.
pub(super) fn leave_out(
    batch: &mut Batch,
    incarnation: &Incarnation,
    write: &Write,
    verdict: Verdict,
) -> Outcome {
    // Changes behind it were made on top of its own, which does not exist here.
    for document in operations(write, incarnation) {
        batch.last.insert(document.key.id(), None);
    }
    if !matches!(verdict, Verdict::Refused(_)) {
        batch.blocked.extend(lanes(write));
    }
    verdict.outcome()
}

/// The stored outcome again; another content under the same number has no effect.
fn replay(
    session: &mut Session<'_>,
    caller: &Caller,
    batch: &mut Batch,
    incarnation: &Incarnation,
    item: &PushItem,
    write: &Write,
    stored: &OutcomeRow,
) -> Result<Outcome, Refusal> {
    if stored.hash != item.write.hash() {
        let verdict = Verdict::refused(Code::Reused, "the number came before with other bytes");
        return Ok(leave_out(batch, incarnation, write, verdict));
    }
    match &stored.decision {
        Decision::Refused { code, detail } => {
            for document in operations(write, incarnation) {
                batch.last.insert(document.key.id(), None);
            }
            Ok(Outcome::Refused {
                code: code.clone(),
                detail: detail.clone(),
            })
        }
        Decision::Accepted { seq, received_ms } => {
            let row = session
                .store
                .log(caller.tenant(), &write.stream(), seq - 1, 1)?
                .pop();
            let changes = row.map(|row| row.changes).unwrap_or_default();
            batch.remember(&changes);
            let as_referenced = changes.len() == item.changes.len()
                && changes
                    .iter()
                    .zip(&item.changes)
                    .all(|(stored, sent)| check(&stored.hash) == sent.check);
            Ok(Outcome::Accepted {
                seq: *seq,
                received_ms: *received_ms,
                changes: if as_referenced {
                    Vec::new()
                } else {
                    changes.iter().map(|change| change.hash).collect()
                },
            })
        }
    }
}

pub(super) fn try_write(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    batch: &Batch,
    item: &PushItem,
    write: &Write,
    hash: [u8; 32],
) -> Result<(Vec<StoredChange>, Outcome), Verdict> {
    if batch.is_blocked(write) {
        return Err(Verdict::Retry(Code::WaitingFor));
    }
    let done = session.isolated(|session| {
        check_needs(session, incarnation, write)?;
        policy::check_write(session, caller, write)?;
        placement::check(session, caller, write)?;
        record::apply(session, caller, incarnation, write)?;
        let changes = document::apply(session, caller, incarnation, batch, item, write)?;
        let received_ms = session.now.ms;
        append(
            session,
            caller,
            incarnation,
            item,
            write,
            hash,
            (changes, received_ms),
        )
    });
    done.map_err(|undone| {
        for document in operations(write, incarnation) {
            session.documents.evict(caller.tenant(), document.key.id());
        }
        match undone {
            Undone::Failed(verdict) => verdict,
            Undone::Fault => Verdict::Retry(Code::Internal),
        }
    })
}

/// What it names in `after` must be in, and in for good.
fn check_needs(session: &mut Session<'_>, incarnation: &Incarnation, write: &Write) -> Result<(), Verdict> {
    for need in &write.after {
        match session.store.outcome(incarnation, *need)?.map(|row| row.decision) {
            Some(Decision::Accepted { .. }) => {}
            Some(Decision::Refused { .. }) => {
                return Err(Verdict::refused(
                    Code::NeedsRefused,
                    "a write it names was refused",
                ));
            }
            None => return Err(Verdict::Retry(Code::WaitingFor)),
        }
    }
    Ok(())
}

/// The write's place in the log, with its outcome; its changes come with the time it is received at.
pub(super) fn append(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    item: &PushItem,
    write: &Write,
    hash: [u8; 32],
    (changes, received_ms): (Vec<StoredChange>, EpochMs),
) -> Result<(Vec<StoredChange>, Outcome), Verdict> {
    let stream = write.stream();
    let hashes: Vec<[u8; 32]> = changes.iter().map(|change| *change.hash).collect();
    let row = LogRow {
        seq: 0,
        chain: [0; 32],
        received_ms,
        incarnation: *incarnation,
        generation: item.generation,
        n: write.n,
        patient: write.patient,
        other: write.intent.other_patient(),
        is_copy: false,
        write: item.write.bytes().to_vec(),
        changes,
    };
    let mut seq = 0;
    for target in placement::targets(session, caller.tenant(), write)? {
        let copy = LogRow {
            is_copy: target != stream,
            ..row.clone()
        };
        let place = placement::append(session, caller.tenant(), &target, copy)?;
        if target == stream {
            seq = place;
        }
    }
    placement::take_effect(session, caller, incarnation, write, received_ms)?;
    let decision = Decision::Accepted { seq, received_ms };
    session
        .store
        .save_outcome(incarnation, write.n, &OutcomeRow { hash, decision })?;
    let outcome = Outcome::Accepted {
        seq,
        received_ms,
        changes: substituted(item, &hashes),
    };
    Ok((row.changes, outcome))
}

/// The hashes the server holds, where an item referenced others.
fn substituted(item: &PushItem, hashes: &[[u8; 32]]) -> Vec<ByteArray<32>> {
    let same = item.changes.len() == hashes.len()
        && item
            .changes
            .iter()
            .zip(hashes)
            .all(|(sent, hash)| sent.check == check(hash));
    if same {
        Vec::new()
    } else {
        hashes.iter().map(|hash| ByteArray::new(*hash)).collect()
    }
}
