//! Records while their log is read again from its beginning: each comes out anew beside what is shown, and takes its
//! place when the log is read to its end.

use super::records::{Trail, lay_down, new_row};
use crate::error::{Code, Result, SyncError};
use crate::id::{Incarnation, UnitId};
use crate::record::Write;
use crate::step::Step;
use crate::store::{meta, patients};

const AGAIN: &str = "records_again";

/// Records laid down in one step.
const RECORDS_MAX: usize = 200;

fn units(step: &Step<'_>) -> Result<Vec<UnitId>> {
    Ok(meta::get(step.transaction, AGAIN)?.unwrap_or_default())
}

/// The log of a unit's records is read again.
pub fn begin(step: &Step<'_>, unit: UnitId) -> Result<()> {
    patients::forget_all_again(step.transaction, &unit)?;
    let mut units = units(step)?;
    if !units.contains(&unit) {
        units.push(unit);
    }
    Ok(meta::set(step.transaction, AGAIN, &units)?)
}

/// Whether a unit's records are on their way again.
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

/// The log of these records is read to its end: they take their places. Says whether there are more.
pub fn finish(step: &mut Step<'_>, unit: &UnitId) -> Result<bool> {
    if !is_under_way(step, unit)? {
        return Ok(false);
    }
    let come_out = patients::list_again(step.transaction, unit, RECORDS_MAX)?;
    for (patient, bytes) in &come_out {
        let trail: Trail = crate::protocol::decode(bytes)
            .map_err(|_| SyncError::new(Code::StoreDamaged, "a record read again"))?;
        let row = match patients::get(step.transaction, patient)? {
            Some(row) => Some(row),
            None => trail
                .record
                .clone()
                .map(|record| new_row(*patient, *unit, record)),
        };
        if let Some(mut row) = row {
            row.as_of = 0;
            lay_down(step, trail, row)?;
        }
        patients::forget_again(step.transaction, patient)?;
    }
    if come_out.len() == RECORDS_MAX {
        return Ok(true);
    }
    let left: Vec<UnitId> = units(step)?.into_iter().filter(|other| other != unit).collect();
    if left.is_empty() {
        meta::remove(step.transaction, AGAIN)?;
    } else {
        meta::set(step.transaction, AGAIN, &left)?;
    }
    Ok(false)
}
