//! Which units have a patient, and so what of them this device may show and write.

use crate::bytes::ByteArray;
use crate::error::{Code, Result, SyncError};
use crate::id::{PatientId, UnitId, UserId, WriteId};
use crate::limits::{CLAIM_SHARE_MS, TRANSFER_SHARE_MS};
use crate::protocol::{moved_tag, share_tag};
use crate::record::{Compartment, Intent, Stream, Write};
use crate::step::Step;
use crate::store::places::{self, PlaceKind, PlaceRow};
use crate::store::{meta, patients};
use crate::time::EpochMs;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The streams that carry a patient's compartment, the one of their own unit first.
fn streams(step: &Step<'_>, patient: &PatientId, compartment: Compartment) -> Result<Vec<Stream>> {
    let places = places::of(step.transaction, patient)?;
    let moved = places.iter().rfind(|place| place.kind == PlaceKind::Moved);
    let home = match moved {
        Some(place) => Some(place.unit),
        None => patients::unit(step.transaction, patient)?,
    };
    let open = places.iter().filter(|place| {
        place.kind != PlaceKind::Moved && !place.ended && place.compartments.contains(&compartment)
    });
    let units = home.into_iter().chain(open.map(|place| place.unit));
    Ok(units.map(|unit| Stream::new(unit, compartment)).collect())
}

/// The same; of somebody who is not registered here, the stream of a unit that wrote about them.
pub fn carried_by(
    step: &Step<'_>,
    patient: &PatientId,
    compartment: Compartment,
    unit: Option<UnitId>,
) -> Result<Vec<Stream>> {
    let mut carried = streams(step, patient, compartment)?;
    if carried.is_empty() {
        carried.extend(unit.map(|unit| Stream::new(unit, compartment)));
    }
    Ok(carried)
}

/// The unit of somebody whose record is lost here, by which the server says that `stream` carries them: who shares them
/// with it, or the unit itself. Of a claim it is not known; they stay as long as the claim.
pub(super) fn home_by_shares(step: &Step<'_>, patient: &PatientId, stream: &Stream) -> Result<UnitId> {
    let places = places::of(step.transaction, patient)?;
    let open = places
        .iter()
        .rfind(|place| place.kind != PlaceKind::Moved && !place.ended && place.unit == stream.unit);
    Ok(match open {
        Some(place) if place.kind == PlaceKind::Shared => place.from,
        Some(place) if place.kind == PlaceKind::Claimed => UnitId(uuid::Uuid::nil()),
        _ => stream.unit,
    })
}

/// Whether a patient's compartment is in this device's scope.
pub fn is_readable(step: &Step<'_>, patient: &PatientId, compartment: Compartment) -> Result<bool> {
    let scope = &step.device.enrolled()?.scope;
    let streams = streams(step, patient, compartment)?;
    Ok(streams.iter().any(|stream| scope.streams.contains(stream)))
}

/// The unit in which this device writes about a patient: their own where it is in scope, else one they are shared with.
/// A write that names another patient goes to a unit that has both.
///
/// # Errors
/// `out_of_scope`.
pub fn writing_unit(
    step: &Step<'_>,
    patient: &PatientId,
    other: Option<&PatientId>,
    compartment: Compartment,
) -> Result<UnitId> {
    let scope = &step.device.enrolled()?.scope;
    let mut candidates = streams(step, patient, compartment)?;
    if let Some(other) = other {
        let theirs = streams(step, other, compartment)?;
        candidates.retain(|stream| theirs.contains(stream));
    }
    let stream = candidates.iter().find(|stream| scope.streams.contains(stream));
    stream
        .map(|stream| stream.unit)
        .ok_or(SyncError::from(Code::OutOfScope))
}

/// What of a share or a move, asked for in `unit`, is known here to come to nothing.
///
/// # Errors
/// `out_of_scope` for a compartment the user does not read; `field_invalid` where they are there already, or the share
/// would be over.
pub fn check_asked(step: &Step<'_>, unit: UnitId, patient: &PatientId, intent: &Intent) -> Result<()> {
    let invalid = |detail| Err(SyncError::new(Code::FieldInvalid, detail));
    if let Intent::Transfer { to, .. } = intent {
        let home = streams(step, patient, Compartment::Identity)?;
        if home.first().is_some_and(|home| home.unit == *to) {
            return invalid("to: the same unit");
        }
    }
    if let Intent::Share {
        compartments,
        until_ms,
        ..
    } = intent
    {
        let scope = &step.device.enrolled()?.scope;
        let reads = |compartment: &Compartment| scope.streams.contains(&Stream::new(unit, *compartment));
        // The audit is in nobody's scope for this: what judges the write says so.
        let mut shared = compartments.iter().filter(|one| **one != Compartment::Audit);
        if !shared.all(reads) {
            return Err(SyncError::from(Code::OutOfScope));
        }
        let now_ms = step.device.server_ms(&step.now).unwrap_or(step.now.wall_ms);
        if until_ms.is_some_and(|until_ms| until_ms <= now_ms) {
            return invalid("until_ms: not in the future");
        }
    }
    Ok(())
}

/// Takes in a write that changes which units have a patient.
pub fn accept_placement(step: &mut Step<'_>, id: WriteId, write: &Write, received_ms: EpochMs) -> Result<()> {
    let place = |unit: UnitId, kind: PlaceKind| PlaceRow {
        patient: write.patient,
        write: id,
        unit,
        kind,
        from: write.unit,
        compartments: BTreeSet::from(Compartment::ALL),
        until_ms: None,
        ended: false,
        received_ms,
        author: write.user,
        reason: crate::redact::Sensitive::default(),
    };
    let (rows, reason) = match &write.intent {
        Intent::Share {
            to,
            compartments,
            reason,
            until_ms,
        } => {
            let shared = PlaceRow {
                compartments: compartments.clone(),
                until_ms: *until_ms,
                ..place(*to, PlaceKind::Shared)
            };
            (vec![shared], reason)
        }
        Intent::Claim { reason, .. } => {
            let claimed = PlaceRow {
                compartments: [Compartment::Identity, Compartment::Clinical].into(),
                until_ms: Some(received_ms.saturating_add(CLAIM_SHARE_MS)),
                ..place(write.unit, PlaceKind::Claimed)
            };
            (vec![claimed], reason)
        }
        Intent::Transfer { to, reason } => {
            let kept = PlaceRow {
                until_ms: Some(received_ms.saturating_add(TRANSFER_SHARE_MS)),
                ..place(write.unit, PlaceKind::Kept)
            };
            (vec![place(*to, PlaceKind::Moved), kept], reason)
        }
        Intent::EndShare { share, .. } => {
            places::end(step.transaction, &write.patient, share)?;
            super::begin_departures(step)?;
            step.changes.patient(write.patient);
            return Ok(());
        }
        _ => return Ok(()),
    };
    for row in rows {
        let row = PlaceRow {
            reason: reason.clone(),
            ..row
        };
        places::put(step.transaction, &row)?;
    }
    if matches!(write.intent, Intent::Transfer { .. }) {
        super::begin_departures(step)?;
    }
    step.changes.patient(write.patient);
    step.changes.patient_list = true;
    Ok(())
}

/// Of whom a stream's unit gave away this device is told no more than that.
#[derive(Serialize, Deserialize)]
struct GivenAway {
    unit: UnitId,
    received_ms: EpochMs,
    tags: Vec<ByteArray<8>>,
}

const GIVEN_AWAY: &str = "given_away";

/// Notes for the walk over the patients that one may be among those given away. The write itself is not read any more.
pub(super) fn mark_given_away(step: &mut Step<'_>, patient: &PatientId) -> Result<()> {
    let told: Vec<GivenAway> = meta::get(step.transaction, GIVEN_AWAY)?.unwrap_or_default();
    let tag = moved_tag(patient);
    for told in told.iter().filter(|told| told.tags.contains(&tag)) {
        let places = places::of(step.transaction, patient)?;
        let knows_better = places
            .iter()
            .any(|place| place.kind == PlaceKind::Moved && place.received_ms >= told.received_ms);
        if knows_better {
            continue;
        }
        places::put(
            step.transaction,
            &PlaceRow {
                patient: *patient,
                write: WriteId(Uuid::from_u64_pair(
                    told.received_ms as u64,
                    u64::from_be_bytes(*tag),
                )),
                // Somewhere else.
                unit: UnitId(Uuid::nil()),
                kind: PlaceKind::Moved,
                from: told.unit,
                compartments: BTreeSet::from(Compartment::ALL),
                until_ms: None,
                ended: false,
                received_ms: told.received_ms,
                author: UserId(Uuid::nil()),
                reason: crate::redact::Sensitive::default(),
            },
        )?;
    }
    Ok(())
}

/// The walk is through all patients.
pub(super) fn forget_given_away(step: &Step<'_>) -> Result<()> {
    Ok(meta::remove(step.transaction, GIVEN_AWAY)?)
}

/// Shares ended, or patients were given away, of which this device is told no more than that.
pub fn end_shares(
    step: &mut Step<'_>,
    stream: &Stream,
    received_ms: EpochMs,
    ended: &[ByteArray<8>],
) -> Result<()> {
    if ended.is_empty() {
        return Ok(());
    }
    let mut told: Vec<GivenAway> = meta::get(step.transaction, GIVEN_AWAY)?.unwrap_or_default();
    told.push(GivenAway {
        unit: stream.unit,
        received_ms,
        tags: ended.to_vec(),
    });
    meta::set(step.transaction, GIVEN_AWAY, &told)?;
    for (patient, write) in places::open(step.transaction)? {
        if ended.contains(&share_tag(&write)) {
            places::end(step.transaction, &patient, &write)?;
            step.changes.patient(patient);
        }
    }
    super::begin_departures(step)
}
