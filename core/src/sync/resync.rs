//! Everything is to be fetched again: the logs are read from their beginnings, or segments are.

use super::tail::{self, GivingBack};
use crate::audit;
use crate::device::Resync;
use crate::error::Result;
use crate::step::Step;
use crate::store::first_sync;

/// Somebody wants it. It begins with the next answer.
pub fn want_resync(step: &mut Step<'_>, reason: &str) -> Result<()> {
    step.device.enrolled()?;
    audit::did(step, "resync", None, reason)?;
    step.changes.queue = true;
    Ok(step.device.set_resync(step.transaction, Some(Resync::Wanted))?)
}

/// The server answers: cursors go back to the beginning of each stream that was read. Not while a restored server is
/// given back what it lost.
pub fn begin_resync(step: &mut Step<'_>) -> Result<()> {
    if step.device.resync != Some(Resync::Wanted) || GivingBack::streams_left(step.transaction) > 0 {
        return Ok(());
    }
    for stream in step.device.enrolled()?.scope.streams.clone() {
        first_sync::remove(step.transaction, &stream)?;
        tail::read_again(step, &stream)?;
    }
    Ok(step
        .device
        .set_resync(step.transaction, Some(Resync::Marking(None)))?)
}
