//! Records while their log is read again from its beginning: each comes out anew beside what is shown, and takes its
//! place when the log is read to its end.

use super::records::{Trail, lay_down};
use crate::error::{Code, Result, SyncError};
use crate::id::{Incarnation, UnitId};
use crate::record::{Compartment, Stream, Write};
use crate::step::Step;
use crate::store::cursors::{self, CursorRow};
use crate::store::{meta, patients, reached};

const AGAIN: &str = "records_again";

/// Records laid down in one step.
const RECORDS_MAX: usize = 200;

fn units(step: &Step<'_>) -> Result<Vec<UnitId>> {
    Ok(meta::get(step.transaction, AGAIN)?.unwrap_or_default())
}

/// The log of a unit's records is read again. A patient of several units stands in several logs, in the same order:
/// what comes out is complete when all that are read again were read to their end.
pub fn begin(step: &Step<'_>, unit: UnitId) -> Result<()> {
    let mut units = units(step)?;
    // What came out so far may be of a history that is no longer this server's.
    patients::forget_all_again(step.transaction)?;
    for other in units.iter().filter(|other| **other != unit) {
        let stream = Stream::new(*other, Compartment::Identity);
        let cursor = cursors::get(step.transaction, &stream)?;
        reached::note(step.transaction, &cursor)?;
        cursors::put(
            step.transaction,
            &CursorRow {
                seq: 0,
                chain: [0; 32],
                caught_up: false,
                ..cursor
            },
        )?;
    }
    if !units.contains(&unit) {
        units.push(unit);
    }
    keep(step, &units)
}

/// Which logs are still read again.
fn keep(step: &Step<'_>, units: &[UnitId]) -> Result<()> {
    if units.is_empty() {
        Ok(meta::remove(step.transaction, AGAIN)?)
    } else {
        Ok(meta::set(step.transaction, AGAIN, &units)?)
    }
}

/// Whether a unit's log is on its way again.
pub(super) fn is_under_way(step: &Step<'_>, unit: &UnitId) -> Result<bool> {
    Ok(units(step)?.contains(unit))
}

/// Applies a write to a record as it comes out.
pub(super) fn accept(step: &Step<'_>, incarnation: &Incarnation, write: &Write) -> Result<()> {
    let mut trail: Trail = match patients::again(step.transaction, &write.patient)? {
        Some(bytes) => crate::protocol::decode(&bytes)
            .map_err(|_| SyncError::new(Code::StoreDamaged, "a record read again"))?,
        None => Trail::default(),
    };
    trail.apply(write, incarnation);
    let bytes = crate::protocol::encode(&trail);
    Ok(patients::put_again(
        step.transaction,
        &write.patient,
        &write.unit,
        &bytes,
    )?)
}

/// A unit's log is out of scope and read no further.
pub(super) fn leave(step: &Step<'_>, unit: &UnitId) -> Result<()> {
    let mut units = units(step)?;
    if units.contains(unit) {
        units.retain(|other| other != unit);
        keep(step, &units)?;
    }
    Ok(())
}

/// The log of these records is read to its end. Once none is read again any more, they take their places. Says whether
/// there are more.
pub fn finish(step: &mut Step<'_>, unit: &UnitId) -> Result<bool> {
    leave(step, unit)?;
    if !units(step)?.is_empty() {
        return Ok(false);
    }
    let come_out = patients::list_again(step.transaction, RECORDS_MAX)?;
    for (patient, bytes) in &come_out {
        let trail: Trail = crate::protocol::decode(bytes)
            .map_err(|_| SyncError::new(Code::StoreDamaged, "a record read again"))?;
        // Who is not here has left the scope meanwhile; whose registration did not come keeps what is shown.
        let row = patients::get(step.transaction, patient)?;
        if let Some(mut row) = row.filter(|_| trail.record.is_some()) {
            row.as_of = 0;
            lay_down(step, trail, row)?;
        }
        patients::forget_again(step.transaction, patient)?;
    }
    Ok(come_out.len() == RECORDS_MAX)
}
