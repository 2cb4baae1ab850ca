//! What a restored server could not take yet: what it rests on is still with another device. It is offered again
//! whenever the log has grown, until it is in or the tail forgets it.

use super::give_back::NOT_TAKEN;
use crate::error::{Code, Result};
use crate::protocol::TailRun;
use crate::record::Stream;
use crate::step::Step;
use crate::store::meta;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const LEFT_OVER: &str = "left_over";

/// Places that are remembered of a stretch; what is past them counts as not taken.
const PLACES_MAX: usize = 10_000;

/// What was left of a stretch.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(super) struct LeftOver {
    pub(super) stream: Stream,
    pub(super) history: u32,
    pub(super) places: BTreeSet<u64>,
}

/// Whether what is lacking may still come from another device.
fn may_come(code: &str) -> bool {
    let lacking = [
        Code::UnknownPatient,
        Code::UnknownEntry,
        Code::NotADraft,
        Code::MissingDependency,
    ];
    lacking.iter().any(|known| known.as_str() == code)
}

/// Notes what became of a run: what of it was left, and what it will never take.
pub(super) fn note(
    step: &Step<'_>,
    stretch: (Stream, u32),
    run: &TailRun,
    left: &[(u64, String)],
) -> Result<()> {
    let mut places = of(step, stretch)?;
    let end = run.first.saturating_add(run.items.len() as u64);
    places.retain(|place| !(run.first..end).contains(place));
    let mut never = 0;
    for (place, code) in left {
        if may_come(code) && places.len() < PLACES_MAX {
            places.insert(*place);
        } else {
            never += 1;
        }
    }
    never_taken(step, never)?;
    put(step, stretch, places)
}

/// All of it.
pub(super) fn list(connection: &rusqlite::Connection) -> Result<Vec<LeftOver>> {
    Ok(meta::get(connection, LEFT_OVER)?.unwrap_or_default())
}

/// What was left of a stretch.
pub(super) fn of(step: &Step<'_>, (stream, history): (Stream, u32)) -> Result<BTreeSet<u64>> {
    let all = list(step.transaction)?.into_iter();
    let mut found = all.filter(|left| left.stream == stream && left.history == history);
    Ok(found.next().map(|left| left.places).unwrap_or_default())
}

/// The tail does not hold this of a stretch any more, or no signature covers it: it is not taken, for good.
pub(super) fn give_up(step: &Step<'_>, stretch: (Stream, u32), from: u64) -> Result<()> {
    let mut places = of(step, stretch)?;
    let gone = places.split_off(&from);
    never_taken(step, gone.len() as u64)?;
    put(step, stretch, places)
}

/// Items that the server will never take.
pub(super) fn never_taken(step: &Step<'_>, count: u64) -> Result<()> {
    if count == 0 {
        return Ok(());
    }
    let before: u64 = meta::get(step.transaction, NOT_TAKEN)?.unwrap_or(0);
    Ok(meta::set(step.transaction, NOT_TAKEN, &(before + count))?)
}

/// Another history begins: everything is given back from the beginning.
pub(super) fn forget(step: &Step<'_>) -> Result<()> {
    Ok(meta::remove(step.transaction, LEFT_OVER)?)
}

fn put(step: &Step<'_>, (stream, history): (Stream, u32), places: BTreeSet<u64>) -> Result<()> {
    let mut all = list(step.transaction)?;
    all.retain(|left| left.stream != stream || left.history != history);
    if !places.is_empty() {
        all.push(LeftOver {
            stream,
            history,
            places,
        });
    }
    match all.is_empty() {
        true => forget(step),
        false => Ok(meta::set(step.transaction, LEFT_OVER, &all)?),
    }
}
