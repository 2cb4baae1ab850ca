//! `POST /v1/tail`: what this store lost and a device still has. An item is taken because this server's own signature
//! covers the run it stands in, not because of what its bearer may do; but nobody gives back what they may not read.
//! A run that is not as it was signed is refused whole.

use super::settle::{Batch, append, leave_out};
use super::verdict::Verdict;
use super::{document, history, record};
use crate::access::{self, Caller};
use crate::places::Places;
use crate::refusal::Refusal;
use crate::store::{Decision, StoredChange};
use crate::writer::{Session, Undone};
use std::collections::BTreeSet;
use vereda_core::document::operations;
use vereda_core::error::Code;
use vereda_core::id::{Incarnation, PatientId};
use vereda_core::protocol::{
    LogItem, PageItem, PushItem, TAIL_POINTS_MAX, TailAnswer, TailRequest, TailRun, chain_tag,
};
use vereda_core::record::{Intent, Stream, Write};
use vereda_core::time::EpochMs;

/// An item of a run that was verified.
struct Given<'a> {
    seq: u64,
    received_ms: EpochMs,
    origin: Incarnation,
    item: &'a LogItem,
}

/// What became of an item.
enum Fate {
    Held,
    Appended,
}

/// Answers how far the log is held, and takes in a run of it.
pub(crate) fn run(
    session: &mut Session<'_>,
    access: Option<&[u8]>,
    request: &TailRequest,
) -> Result<TailAnswer, Refusal> {
    let caller = access::authenticate(session, access, request.refresh.as_ref())?;
    if !caller.may_use(&request.stream) {
        return Err(Refusal::not_found());
    }
    if request.points.len() > TAIL_POINTS_MAX {
        return Err(Refusal::too_large(format!("at most {TAIL_POINTS_MAX} points")));
    }
    if let Some(place) = request.reached {
        history::compare_place(session, &request.stream, place)?;
    }
    let mut answer = TailAnswer {
        epoch: session.store.epoch()?,
        ..TailAnswer::default()
    };
    if let Some(run) = &request.run {
        let given = verify(session, &request.stream, run)?;
        take(session, &caller, &given, &mut answer)?;
        tracing::info!(
            device = caller.device.short,
            given = given.len(),
            appended = answer.appended,
            left = answer.left.len(),
            "a device gave back a part of a log"
        );
    }
    for (seq, tag) in &request.points {
        let here = session.store.chain_at(&request.stream, *seq)?;
        if here.is_some_and(|chain| chain_tag(&chain) == *tag) {
            answer.held = answer.held.max(*seq);
        }
    }
    let end = session.store.head(&request.stream)?;
    answer.end = (end.seq > 0).then(|| (end.seq, chain_tag(&end.chain)));
    answer.tokens = caller.tokens;
    Ok(answer)
}

/// The items of a run, once its running hash comes out where this server's key signed it.
fn verify<'a>(session: &Session<'_>, stream: &Stream, run: &'a TailRun) -> Result<Vec<Given<'a>>, Refusal> {
    let key = session.shared.signing_key.verifying_key().to_bytes();
    run.check(stream, &key)
        .map_err(|flaw| Refusal::new(422, Code::TailRefused, flaw.to_string()))?;
    let mut given = Vec::with_capacity(run.items.len());
    for ((item, received_ms), seq) in run.items.iter().zip(run.received()).zip(run.first..) {
        // Both were checked.
        if let PageItem::Item(item) = item
            && let Some(origin) = run.origins.get(item.origin as usize)
        {
            given.push(Given {
                seq,
                received_ms,
                origin: *origin,
                item,
            });
        }
    }
    Ok(given)
}

fn take(
    session: &mut Session<'_>,
    caller: &Caller,
    given: &[Given<'_>],
    answer: &mut TailAnswer,
) -> Result<(), Refusal> {
    let mut batch = Batch::default();
    let mut left = Vec::new();
    let mut wait_for = BTreeSet::new();
    for given in given {
        let write = given.item.write.value();
        // Behind what is left of a patient the rest waits, too: which unit has them follows from the order.
        let registers = write.is_some_and(|write| matches!(write.intent, Intent::Register { .. }));
        let mut patients = write.into_iter().flat_map(patients_of);
        if !registers && patients.any(|patient| wait_for.contains(&patient)) {
            left.push(given);
            continue;
        }
        match take_one(session, caller, &mut batch, given)? {
            Ok(Fate::Held) => {}
            Ok(Fate::Appended) => answer.appended += 1,
            Err(_) => {
                wait_for.extend(write.into_iter().flat_map(patients_of));
                left.push(given);
            }
        }
    }
    // In a unit's log that got a patient, the write that let them in stands before their registration.
    for given in left {
        match take_one(session, caller, &mut batch, given)? {
            Ok(Fate::Held) => {}
            Ok(Fate::Appended) => answer.appended += 1,
            Err(code) => {
                tracing::warn!(code = code.as_str(), "an item given back was not taken");
                answer.left.push((given.seq, code.as_str().to_owned()));
            }
        }
    }
    Ok(())
}

fn patients_of(write: &Write) -> impl Iterator<Item = PatientId> {
    std::iter::once(write.patient).chain(write.intent.other_patient())
}

/// One item: held already, put behind the log's end as it was, or left with a code.
fn take_one(
    session: &mut Session<'_>,
    caller: &Caller,
    batch: &mut Batch,
    given: &Given<'_>,
) -> Result<Result<Fate, Code>, Refusal> {
    let Some(write) = given.item.write.value() else {
        return Ok(Err(Code::ProtocolUnsupported));
    };
    let hash = given.item.write.hash();
    if let Some(stored) = session.store.outcome(&given.origin, write.n)? {
        let decision = match stored.decision {
            _ if stored.hash != hash => Err(Code::Reused),
            Decision::Refused { .. } => Err(Code::PolicyRefused),
            Decision::Accepted { seq, .. } => {
                let row = session
                    .store
                    .log(caller.tenant(), &write.stream(), seq - 1, 1)?
                    .pop();
                batch.remember(&row.map(|row| row.changes).unwrap_or_default());
                Ok(Fate::Held)
            }
        };
        if decision.is_err() {
            leave_out(batch, &given.origin, write, Verdict::Retry(Code::Internal));
        }
        return Ok(decision);
    }
    match put_back(session, caller, batch, given, write, hash) {
        Ok(changes) => {
            batch.remember(&changes);
            Ok(Ok(Fate::Appended))
        }
        // A fault of this server's says nothing of the item: the whole run comes again.
        Err(Verdict::Retry(Code::Internal)) => Err(Refusal::internal("an item given back met a fault")),
        Err(verdict) => {
            let code = verdict.code();
            leave_out(batch, &given.origin, write, verdict);
            Ok(Err(code))
        }
    }
}

/// What is said of a patient or a share has an effect only once these are here: another device brings them.
fn check_known(session: &mut Session<'_>, caller: &Caller, write: &Write) -> Result<(), Verdict> {
    if matches!(
        write.intent,
        Intent::Register { .. } | Intent::AddReference { .. }
    ) {
        return Ok(());
    }
    for patient in patients_of(write) {
        if session.store.home(caller.tenant(), patient)?.is_none() {
            return Err(Verdict::refused(
                Code::UnknownPatient,
                "the patient is not registered",
            ));
        }
    }
    if let Intent::EndShare { share, .. } = &write.intent {
        let places = Places::of(session, caller.tenant(), write.patient)?;
        if places.is_none_or(|places| places.share(share).is_none()) {
            return Err(Verdict::refused(Code::UnknownEntry, "the share is not here"));
        }
    }
    Ok(())
}

/// Its effects, its place in the log and its outcome, with the time it was first received at.
fn put_back(
    session: &mut Session<'_>,
    caller: &Caller,
    batch: &Batch,
    given: &Given<'_>,
    write: &Write,
    hash: [u8; 32],
) -> Result<Vec<StoredChange>, Verdict> {
    let origin = &given.origin;
    let item = PushItem {
        write: given.item.write.clone(),
        generation: given.item.generation,
        changes: given.item.changes.clone(),
    };
    let done = session.isolated(|session| {
        check_known(session, caller, write)?;
        record::apply(session, caller, origin, write)?;
        let changes = document::apply(session, caller, origin, batch, &item, write)?;
        append(
            session,
            caller,
            origin,
            &item,
            write,
            hash,
            (changes, given.received_ms),
        )
    });
    done.map(|(changes, _)| changes).map_err(|undone| {
        for document in operations(write, origin) {
            session.documents.evict(caller.tenant(), document.key.id());
        }
        match undone {
            Undone::Failed(verdict) => verdict,
            Undone::Fault => Verdict::Retry(Code::Internal),
        }
    })
}
