//! Patients who left the scope: the user left a unit, a share ended, they moved away. What is here of them goes, rows,
//! documents and the pages they lay on; what waits to be sent goes to the server first, which holds it.

use super::placement::{forget_given_away, is_readable, mark_given_away};
use super::records::has_left_since_snapshot;
use super::records_again;
use crate::bytes::ByteArray;
use crate::device::Departures;
use crate::error::Result;
use crate::id::PatientId;
use crate::outbox;
use crate::protocol::{PageItem, PartChange, PartItem, decode, encode};
use crate::record::{Compartment, Stream};
use crate::step::Step;
use crate::store::{cursors, departed, documents, first_sync, meta, patients, places, tail};

/// Patients of a segment are waiting for their records.
const UNKNOWN: &str = "unknown_patients";
/// Patients looked at in one step.
const PATIENTS_A_STEP: usize = 100;
/// Rows taken away in one step.
const ROWS_A_STEP: usize = 1_000;
/// Free pages filled in one step.
const PAGES_A_STEP: i64 = 1_000;

/// Begins a walk over all patients, or begins it anew.
pub fn begin_departures(step: &mut Step<'_>) -> Result<()> {
    let walk = Departures::Walking(None);
    Ok(step.device.set_departures(step.transaction, Some(walk))?)
}

/// Streams left the scope: they would be read anew, and what waits for them is due, so that the server holds it.
pub fn leave_streams(step: &mut Step<'_>, lost: &[Stream]) -> Result<()> {
    for stream in lost {
        departed::remove_stream(step.transaction, stream)?;
        if stream.compartment == Compartment::Identity {
            records_again::leave(step, &stream.unit)?;
        }
        departed::hurry(step.transaction, stream)?;
    }
    begin_departures(step)
}

/// Does the next part. Returns whether only the log is left to be emptied.
pub fn continue_departures(step: &mut Step<'_>) -> Result<bool> {
    let next = match step.device.departures.clone() {
        None => return Ok(true),
        Some(Departures::Walking(after)) => Some(walk(step, after)?),
        Some(Departures::Filling) => match departed::fill_free_pages(step.transaction, PAGES_A_STEP)? {
            true => Some(Departures::Filling),
            false => Some(Departures::Freeing),
        },
        Some(Departures::Freeing) => Some(match departed::free_filled_page(step.transaction)? {
            true => Departures::Freeing,
            false => Departures::Emptying,
        }),
        // Not in a transaction: the engine empties the log.
        Some(Departures::Emptying) => return Ok(true),
    };
    let is_over = next == Some(Departures::Emptying);
    step.device.set_departures(step.transaction, next)?;
    Ok(is_over)
}

/// The log is empty: nothing is left to do.
pub fn end_departures(step: &mut Step<'_>) -> Result<()> {
    Ok(step.device.set_departures(step.transaction, None)?)
}

fn walk(step: &mut Step<'_>, mut after: Option<PatientId>) -> Result<Departures> {
    let mut left = ROWS_A_STEP;
    let next = departed::patients_after(step.transaction, after.as_ref(), PATIENTS_A_STEP)?;
    let is_last = next.len() < PATIENTS_A_STEP;
    for patient in next {
        mark_given_away(step, &patient)?;
        if !take_away(step, &patient, &mut left)? {
            // The same patient again in the next step.
            return Ok(Departures::Walking(after));
        }
        after = Some(patient);
    }
    if is_last {
        forget_given_away(step)?;
    }
    // One document in a step.
    Ok(match is_last && !outbox::take_held_out(step)? {
        true => Departures::Filling,
        false => Departures::Walking(after),
    })
}

/// Takes away what of a patient is out of scope. Returns false where rows are left for the next step.
fn take_away(step: &mut Step<'_>, patient: &PatientId, left: &mut usize) -> Result<bool> {
    let mut identity_goes = false;
    let mut something_waits = false;
    let has_left = has_left_since_snapshot(step, patient)?;
    for compartment in Compartment::ALL {
        if !has_left && may_stay(step, patient, compartment)? {
            continue;
        }
        if departed::has_waiting(step.transaction, patient, compartment)? {
            something_waits = true;
            continue;
        }
        if !take_compartment(step, patient, compartment, left)? {
            return Ok(false);
        }
        identity_goes |= compartment == Compartment::Identity;
    }
    // The record goes last: by it the walk finds the rest.
    if identity_goes && !something_waits {
        departed::remove_own_records(step.transaction, patient)?;
        departed::remove_links(step.transaction, patient)?;
        patients::remove(step.transaction, patient)?;
        places::remove(step.transaction, patient)?;
        step.changes.patient_list = true;
        step.changes.patient(*patient);
    }
    Ok(true)
}

/// Whether a patient is in scope, or may be: of one who came in a segment the record may not be read yet.
fn may_stay(step: &mut Step<'_>, patient: &PatientId, compartment: Compartment) -> Result<bool> {
    if is_readable(step, patient, compartment)? {
        return Ok(true);
    }
    if patients::unit(step.transaction, patient)?.is_some()
        || !places::of(step.transaction, patient)?.is_empty()
    {
        return Ok(false);
    }
    for stream in documents::streams_of(step.transaction, patient, compartment)? {
        if step.device.enrolled()?.scope.streams.contains(&stream) && !records_are_read(step, &stream)? {
            note_unknown(step)?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether every patient of a stream is known: the log of their records was read to its end since it came.
fn records_are_read(step: &Step<'_>, stream: &Stream) -> Result<bool> {
    let records = Stream::new(stream.unit, Compartment::Identity);
    let in_scope = step.device.enrolled()?.scope.streams.contains(&records);
    Ok(in_scope
        && meta::get(step.transaction, UNKNOWN)? != Some(true)
        && cursors::get(step.transaction, &records)?.caught_up)
}

/// Somebody came in a segment who is not known, or not known to be in scope: the log of records says so next.
pub fn note_unknown(step: &Step<'_>) -> Result<()> {
    if meta::get(step.transaction, UNKNOWN)? != Some(true) {
        meta::set(step.transaction, UNKNOWN, &true)?;
    }
    Ok(())
}

/// Whether an answer to what is asked now can say who of a segment is in scope.
pub fn awaits_records(step: &Step<'_>) -> Result<bool> {
    Ok(meta::get(step.transaction, UNKNOWN)? == Some(true) && !first_sync::is_under_way(step.transaction)?)
}

/// The logs of records were read to their ends: who came in a segment and is not in scope is taken away.
pub fn settle_unknown(step: &mut Step<'_>) -> Result<()> {
    let scope = step.device.enrolled()?.scope.streams.iter();
    for stream in scope.filter(|stream| stream.compartment == Compartment::Identity) {
        if !cursors::get(step.transaction, stream)?.caught_up {
            return Ok(());
        }
    }
    meta::remove(step.transaction, UNKNOWN)?;
    begin_departures(step)
}

fn take_compartment(
    step: &mut Step<'_>,
    patient: &PatientId,
    compartment: Compartment,
    left: &mut usize,
) -> Result<bool> {
    if !blank_tail(step, patient, compartment, left)? {
        return Ok(false);
    }
    for document in departed::documents(step.transaction, patient, compartment)? {
        if *left == 0 {
            return Ok(false);
        }
        // Should the patient come back, what is written before all of it is read again must take nobody's place.
        step.device.counters.generation = step.device.counters.generation.saturating_add(1);
        let chunks = departed::remove_document(step.transaction, &document)?;
        step.documents.evict(&document);
        *left = left.saturating_sub(chunks + 1);
        step.changes.patient(*patient);
    }
    let removed = departed::remove_entries(step.transaction, patient, compartment, *left, &mut step.counts)?;
    *left = left.saturating_sub(removed);
    if *left == 0 {
        return Ok(false);
    }
    departed::remove_chart(step.transaction, patient, compartment)
        .map(|()| true)
        .map_err(Into::into)
}

/// Of the log items kept about a patient only the hashes stay, so that what stands beside them can be given back to a
/// restored server.
fn blank_tail(
    step: &Step<'_>,
    patient: &PatientId,
    compartment: Compartment,
    left: &mut usize,
) -> Result<bool> {
    let found = tail::items_about(step.transaction, patient, compartment, *left)?;
    for (unit, history, seq, item) in &found {
        let blank = match decode(item) {
            Ok(PageItem::Item(item)) => encode(&PageItem::Part(Box::new(PartItem {
                origin: 0,
                generation: item.generation,
                n: item.write.value().map_or(0, |write| write.n),
                hash: ByteArray::new(item.write.hash()),
                changes: item
                    .changes
                    .iter()
                    .map(|change| PartChange {
                        check: change.check,
                        change: None,
                    })
                    .collect(),
            }))),
            _ => Vec::new(),
        };
        tail::blank_item(step.transaction, compartment, (unit, *history, *seq), &blank)?;
    }
    *left = left.saturating_sub(found.len());
    Ok(*left > 0)
}
