//! Links of two records. In the log's order the last word on a pair counts; what waits here is laid on top, for the
//! screen only. The documents of both stay where they are: taking a link back leaves nothing behind.

use crate::error::Result;
use crate::id::{Incarnation, PatientId};
use crate::record::{Class, Intent, Write};
use crate::step::Step;
use crate::store::links::{self, LinkEvent, LinkRow, Pair};
use crate::store::outbox;
use crate::store::receipts::{self, Receipt};
use std::collections::BTreeSet;

/// The pair a write is about, and whether it links it.
fn said(write: &Write) -> Option<(Pair, bool, &str)> {
    match &write.intent {
        Intent::Link { other, reason } => Some((Pair::of(write.patient, *other), true, reason)),
        Intent::Unlink { other, reason } => Some((Pair::of(write.patient, *other), false, reason)),
        _ => None,
    }
}

fn row(write: &Write, incarnation: &Incarnation, pair: Pair, reason: &str, accepted: bool) -> LinkRow {
    LinkRow {
        patient: pair.0,
        other: pair.1,
        unit: write.unit,
        author: write.user,
        recorded_at: write.recorded_at,
        reason: reason.to_owned().into(),
        write: write.id(incarnation),
        accepted,
    }
}

/// Applies a link or its end that the server accepted.
pub fn accept_link(
    step: &mut Step<'_>,
    incarnation: &Incarnation,
    write: &Write,
    receipt: &Receipt,
) -> Result<()> {
    let Some((pair, linked, reason)) = said(write) else {
        return Ok(());
    };
    let event = LinkEvent {
        linked,
        seq: receipt.seq,
        received_ms: receipt.received_ms,
        said: row(write, incarnation, pair, reason, true),
    };
    links::put_event(step.transaction, pair, &event)?;
    refresh_pair(step, pair)
}

/// Shows the pairs of a patient anew: a write that said something of one came or went.
pub fn refresh_links(step: &mut Step<'_>, patient: &PatientId) -> Result<()> {
    let mut pairs = links::pairs_of(step.transaction, patient)?;
    for (write, _) in waiting(step, patient)? {
        pairs.extend(said(&write).map(|(pair, ..)| pair));
    }
    pairs.into_iter().try_for_each(|pair| refresh_pair(step, pair))
}

/// This device's writes of a patient's lane that the log read so far does not hold, in order.
fn waiting(step: &Step<'_>, patient: &PatientId) -> Result<Vec<(Write, Incarnation)>> {
    let incarnation = step.device.incarnation;
    let accepted = receipts::own_records(step.transaction, patient)?;
    let accepted = accepted.into_iter().map(|bytes| (bytes, incarnation));
    let queued = outbox::lane(step.transaction, patient)?.into_iter();
    let queued = queued.filter(|row| row.class == Class::Registration).map(|row| {
        let number = row.incarnation;
        (
            row.bytes,
            Incarnation {
                number,
                ..incarnation
            },
        )
    });
    Ok(accepted
        .chain(queued)
        .filter_map(|(bytes, incarnation)| Some((Write::from_bytes(&bytes)?, incarnation)))
        .collect())
}

fn refresh_pair(step: &mut Step<'_>, pair: Pair) -> Result<()> {
    let event = links::last_event(step.transaction, pair)?;
    let mut shown = event.filter(|event| event.linked).map(|event| event.said);
    let mut waiting_on_it = waiting(step, &pair.0)?;
    waiting_on_it.extend(waiting(step, &pair.1)?);
    waiting_on_it.sort_by_key(|(write, _)| write.n);
    for (write, incarnation) in &waiting_on_it {
        match said(write) {
            Some((about, linked, reason)) if about == pair => {
                shown = linked.then(|| row(write, incarnation, pair, reason, false));
            }
            _ => {}
        }
    }
    let mut touched = people(step, pair)?;
    links::show(step.transaction, pair, shown.as_ref())?;
    touched.extend(people(step, pair)?);
    for patient in touched {
        step.changes.patient(patient);
    }
    step.changes.patient_list = true;
    Ok(())
}

/// Everybody whose timeline shows what is under either.
fn people(step: &Step<'_>, pair: Pair) -> Result<BTreeSet<PatientId>> {
    let mut people: BTreeSet<PatientId> = links::person(step.transaction, &pair.0)?
        .patients
        .into_iter()
        .collect();
    people.extend(links::person(step.transaction, &pair.1)?.patients);
    Ok(people)
}
