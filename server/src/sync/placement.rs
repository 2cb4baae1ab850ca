//! Writes that change which units have a patient. Who enters a stream comes with all their items, in their order: a
//! reader of that stream computes the same from it as the readers of the first one did.

use super::verdict::Verdict;
use crate::access::Caller;
use crate::places::Places;
use crate::server::Poke;
use crate::store::{LogRow, ShareRow, StoreResult};
use crate::writer::Session;
use std::collections::BTreeSet;
use vereda_core::error::Code;
use vereda_core::id::{Incarnation, PatientId, TenantId, UnitId, WriteId};
use vereda_core::limits::{CLAIM_SHARE_MS, TRANSFER_SHARE_MS};
use vereda_core::protocol::advance_chain;
use vereda_core::record::{Compartment, Intent, Stream, Write};
use vereda_core::time::EpochMs;

/// The streams whose logs a write goes to: its own, and every one that carries a patient it names. Who reads a stream
/// that carries only one of two gets only what is that one's (`pull`).
pub(super) fn targets(
    session: &mut Session<'_>,
    tenant: TenantId,
    write: &Write,
) -> StoreResult<BTreeSet<Stream>> {
    let mut targets = match Places::of(session, tenant, write.patient)? {
        Some(places) => places.streams(write.compartment),
        None => BTreeSet::new(),
    };
    if let Some(other) = write.intent.other_patient()
        && let Some(places) = Places::of(session, tenant, other)?
    {
        targets.extend(places.streams(write.compartment));
    }
    if let Intent::Share { to, .. } | Intent::Transfer { to, .. } = &write.intent {
        // Both units are told, and the one that gets the patient before it reads their items.
        targets.insert(Stream::new(*to, write.compartment));
    }
    targets.insert(write.stream());
    Ok(targets)
}

/// Which units have a patient, before a write that changes it.
pub(super) fn check(session: &mut Session<'_>, caller: &Caller, write: &Write) -> Result<(), Verdict> {
    let tenant = caller.tenant();
    let refused = |why| Err(Verdict::refused(Code::PolicyRefused, why));
    let places = Places::of(session, tenant, write.patient)?;
    let is_home = places.as_ref().is_some_and(|places| places.home() == write.unit);
    match &write.intent {
        Intent::Share { to, compartments, .. } => {
            if !is_home {
                return refused("only the patient's own unit shares them");
            }
            if !session.store.has_unit(tenant, *to)? {
                return refused("there is no such unit");
            }
            let may = |compartment| caller.may_use(&Stream::new(write.unit, compartment));
            if !compartments.iter().copied().all(may) {
                return refused("nobody shares what they may not read");
            }
            Ok(())
        }
        Intent::Transfer { to, .. } => {
            if !is_home {
                return refused("only the patient's own unit moves them");
            }
            if !session.store.has_unit(tenant, *to)? {
                return refused("there is no such unit");
            }
            Ok(())
        }
        Intent::EndShare { share, .. } => match places.as_ref().and_then(|places| places.share(share)) {
            Some(row) if is_home || row.unit == write.unit => Ok(()),
            _ => refused("there is no such share"),
        },
        Intent::Claim { grant, .. } => {
            let grant = session
                .shared
                .token_key
                .grant(grant, tenant, write.patient, write.unit, write.user);
            match grant {
                Some(until_ms) if session.now.ms < until_ms => Ok(()),
                _ => refused("the grant does not hold"),
            }
        }
        _ => Ok(()),
    }
}

/// Carries out a write that changes which units have a patient, once it is in the log. Its terms count from when it was
/// received, which of a write that comes back to a restored server was earlier.
pub(super) fn take_effect(
    session: &mut Session<'_>,
    caller: &Caller,
    incarnation: &Incarnation,
    write: &Write,
    received_ms: EpochMs,
) -> StoreResult<()> {
    let (tenant, id) = (caller.tenant(), write.id(incarnation));
    let patient = write.patient;
    let Some(before) = Places::of(session, tenant, patient)? else {
        return Ok(());
    };
    match &write.intent {
        Intent::Share {
            to,
            compartments,
            until_ms,
            ..
        } => {
            let share = ShareRow {
                id,
                patient,
                unit: *to,
                compartments: compartments.clone(),
                until_ms: *until_ms,
                ended_ms: None,
            };
            session.store.save_share(tenant, &share)?;
            enter(session, tenant, &before, id, patient, *to, compartments)
        }
        Intent::Claim { .. } => {
            let share = ShareRow {
                id,
                patient,
                unit: write.unit,
                compartments: [Compartment::Identity, Compartment::Clinical].into(),
                until_ms: Some(received_ms.saturating_add(CLAIM_SHARE_MS)),
                ended_ms: None,
            };
            session.store.save_share(tenant, &share)?;
            enter(
                session,
                tenant,
                &before,
                id,
                patient,
                write.unit,
                &share.compartments,
            )
        }
        Intent::Transfer { to, .. } => {
            let all = BTreeSet::from(Compartment::ALL);
            let kept = ShareRow {
                id,
                patient,
                unit: write.unit,
                compartments: all.clone(),
                until_ms: Some(received_ms.saturating_add(TRANSFER_SHARE_MS)),
                ended_ms: None,
            };
            enter(session, tenant, &before, id, patient, *to, &all)?;
            session.store.save_share(tenant, &kept)?;
            session.store.rehome(tenant, patient, *to, received_ms)
        }
        Intent::EndShare { share, .. } => {
            let Some(row) = before.share(share).filter(|row| row.ended_ms.is_none()) else {
                return Ok(());
            };
            let ended = ShareRow {
                ended_ms: Some(received_ms),
                ..row.clone()
            };
            session.store.save_share(tenant, &ended)
        }
        _ => Ok(()),
    }
}

/// Copies a patient's items into the streams of a unit that did not have them. What was there from an earlier share
/// stays where it is, and nobody reads it any more: all of it comes again, in order, with what was written meanwhile.
fn enter(
    session: &mut Session<'_>,
    tenant: TenantId,
    before: &Places,
    by: WriteId,
    patient: PatientId,
    unit: UnitId,
    compartments: &BTreeSet<Compartment>,
) -> StoreResult<()> {
    for compartment in compartments {
        let from = Stream::new(before.home(), *compartment);
        let to = Stream::new(unit, *compartment);
        if before.streams(*compartment).contains(&to) {
            continue;
        }
        let complete_from = session.store.entered(&from, patient)?;
        let head = session.store.head(&to)?.seq;
        // The write that lets the patient in stands before them already.
        let is_told = *compartment == Compartment::Identity;
        session
            .store
            .save_entered(&to, patient, if is_told { head } else { head + 1 })?;
        for row in session.store.log_of_patient(tenant, &from, patient)? {
            if row.seq >= complete_from && WriteId::derive(&row.incarnation, row.n) != by {
                let copy = LogRow { is_copy: true, ..row };
                append(session, tenant, &to, copy)?;
            }
        }
    }
    Ok(())
}

/// Puts an item behind a stream's head.
pub(super) fn append(
    session: &mut Session<'_>,
    tenant: TenantId,
    stream: &Stream,
    mut row: LogRow,
) -> StoreResult<u64> {
    let head = session.store.head(stream)?;
    let hashes: Vec<[u8; 32]> = row.changes.iter().map(|change| *change.hash).collect();
    let hash = Write::hash(&row.write);
    row.seq = head.seq + 1;
    row.chain = advance_chain(&head.chain, &row.incarnation, &hash, &hashes, row.received_ms);
    session.store.append(tenant, stream, &row)?;
    session.pokes.push(Poke {
        stream: *stream,
        seq: row.seq,
    });
    Ok(row.seq)
}
