//! Writes from outside their author's scope: the user left the unit, or the unit no longer has the patient. They were
//! made in good faith, offline; they are held, and a supervisor decides.

use super::settle::{Batch, try_write};
use super::verdict::Verdict;
use crate::access::Caller;
use crate::places::{Places, Standing};
use crate::refusal::Refusal;
use crate::store::{Decision, QuarantineDecision, QuarantineRow, StoreResult};
use crate::writer::Session;
use vereda_core::error::Code;
use vereda_core::id::{Incarnation, PatientId, UserId};
use vereda_core::limits::QUARANTINED_ASKED_MAX;
use vereda_core::protocol::{Frozen, PushItem, QuarantineAnswer};
use vereda_core::record::{Intent, Stream, Write};

/// Whether the unit had a patient the write names and has them no more. A claim is no late write: it asks for them anew,
/// and its grant is judged.
pub(super) fn is_late(session: &mut Session<'_>, caller: &Caller, write: &Write) -> StoreResult<bool> {
    if matches!(write.intent, Intent::Claim { .. }) {
        return Ok(false);
    }
    for patient in patients_of(write) {
        let places = Places::of(session, caller.tenant(), patient)?;
        if places.is_some_and(|places| places.standing(&write.stream()) == Standing::Had) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn patients_of(write: &Write) -> impl Iterator<Item = PatientId> {
    std::iter::once(write.patient).chain(write.intent.other_patient())
}

/// Holds a write. Only one its author may once have made: in a unit they work or worked in, signed by themselves.
pub(super) fn hold(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    item: &PushItem,
    write: &Write,
) -> StoreResult<Verdict> {
    let tenant = caller.tenant();
    let knows_unit = caller.member.units.iter().any(|unit| unit.id == write.unit)
        || session.store.was_in_unit(write.user, write.unit)?;
    if write.user != caller.device.user || !knows_unit {
        return Ok(Verdict::Park(Code::OutOfScope));
    }
    let hash = item.write.hash();
    if let Some(outcome) = session.store.outcome(incarnation, write.n)?
        && outcome.hash == hash
    {
        // It came before, when it was in scope, and its answer was lost: nothing is to be decided.
        return Ok(Verdict::Park(Code::Quarantined));
    }
    match session.store.quarantined(incarnation, write.n)? {
        Some(held) if held.hash == hash => {}
        Some(_) => {
            return Ok(Verdict::refused(
                Code::Reused,
                "the number came before with other bytes",
            ));
        }
        None => session.store.save_quarantined(&QuarantineRow {
            incarnation: *incarnation,
            n: write.n,
            hash,
            tenant,
            user: write.user,
            stream: write.stream(),
            patient: write.patient,
            generation: item.generation,
            received_ms: session.now.ms,
            write: item.write.bytes().to_vec(),
            decided: None,
        })?,
    }
    Ok(Verdict::Park(Code::Quarantined))
}

/// What became of the writes a device asks for. One whose author has its scope back goes in by itself.
pub(super) fn answer(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    asked: &[u64],
) -> Result<Vec<(u64, QuarantineAnswer)>, Refusal> {
    let mut answers = Vec::new();
    for n in asked.iter().take(QUARANTINED_ASKED_MAX) {
        if is_in_scope_again(session, caller, incarnation, *n)? {
            let decision = QuarantineDecision::Released;
            // What does not go in waits for a supervisor, as before.
            let _ =
                session.isolated(|session| decide(session, incarnation, *n, decision, caller.device.user));
        }
        let decided = match session.store.quarantined(incarnation, *n)? {
            Some(row) => row.decided.map(|(decision, ..)| decision),
            None => session
                .store
                .outcome(incarnation, *n)?
                .map(|row| match row.decision {
                    Decision::Accepted { .. } => QuarantineDecision::Released,
                    Decision::Refused { .. } => QuarantineDecision::Discarded,
                }),
        };
        let answer = match decided {
            Some(QuarantineDecision::Released) => QuarantineAnswer::Released,
            Some(QuarantineDecision::Discarded) => QuarantineAnswer::Discarded,
            None => continue,
        };
        answers.push((*n, answer));
    }
    Ok(answers)
}

fn is_in_scope_again(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    n: u64,
) -> StoreResult<bool> {
    let Some(row) = session.store.quarantined(incarnation, n)? else {
        return Ok(false);
    };
    if row.decided.is_some() || !caller.may_use(&row.stream) {
        return Ok(false);
    }
    let write = Frozen::<Write>::from_bytes(row.write.clone());
    let other = write.value().and_then(|write| write.intent.other_patient());
    for patient in std::iter::once(row.patient).chain(other) {
        let places = Places::of(session, row.tenant, patient)?;
        if places.is_some_and(|places| places.standing(&row.stream) != Standing::Has) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A supervisor decides: the write goes in as if it had been accepted, or it does not. Deciding twice changes nothing.
pub(crate) fn decide(
    session: &mut Session<'_>,
    incarnation: &Incarnation,
    n: u64,
    decision: QuarantineDecision,
    supervisor: UserId,
) -> Result<(), Refusal> {
    let row = session.store.quarantined(incarnation, n)?;
    let row = row.ok_or_else(Refusal::not_found)?;
    if row.decided.is_some() {
        return Ok(());
    }
    if decision == QuarantineDecision::Released {
        release(session, &row)?;
    }
    let decided = QuarantineRow {
        decided: Some((decision, supervisor, session.now.ms)),
        ..row
    };
    Ok(session.store.save_quarantined(&decided)?)
}

fn release(session: &mut Session<'_>, row: &QuarantineRow) -> Result<(), Refusal> {
    let item = PushItem {
        write: Frozen::from_bytes(row.write.clone()),
        generation: row.generation,
        changes: Vec::new(),
    };
    let unreadable = || Refusal::internal("a write in quarantine cannot be read");
    let write = item.write.value().cloned().ok_or_else(unreadable)?;
    let device = session.store.device_of_store(row.incarnation.store)?;
    let member = session.store.member(row.user)?;
    let (Some(device), Some(member)) = (device, member) else {
        return Err(unreadable());
    };
    // As it was in their unit: what their role reads there, whatever became of them since.
    let reads = member.role.rights().reads.iter();
    let streams = reads.map(|compartment| Stream::new(row.stream.unit, *compartment));
    let author = Caller {
        device,
        streams: streams.chain([row.stream]).collect(),
        member,
        tokens: None,
        is_released: true,
    };
    let batch = Batch::default();
    let done = try_write(
        session,
        &author,
        &row.incarnation,
        &batch,
        &item,
        &write,
        row.hash,
    );
    done.map(|_| ()).map_err(|verdict| match verdict {
        Verdict::Refused(error) => Refusal {
            status: 409,
            error,
            retry_after: None,
        },
        Verdict::Retry(code) | Verdict::Park(code) => {
            Refusal::new(409, code, "it does not go in as things stand")
        }
    })
}
