//! What no look at the bytes can tell: whether what a change refers to is in the document.
//!
//! Automerge takes the existence of objects, elements and predecessors for granted. Where they are missing it
//! panics, or takes the change in and can never give it back, so that the document saved from it does not load.

use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, Change, ReadDoc};

use super::GateRefusal;
use super::limits::DEPENDENCIES_MAX;

/// Applies an admitted change to a copy of the document and returns the copy, if it took the change in and can give
/// it back unaltered, and if the next edit still may name all heads.
///
/// A device that pulls from a server which did this needs not do it again (and cannot on wasm32, where a panic ends
/// the worker).
///
/// # Errors
/// `Inapplicable`, or `TooManyDependencies` for a change that leaves more heads than one edit can join.
pub fn try_change(document: &Automerge, change: Change) -> Result<Automerge, GateRefusal> {
    let hash = change.hash();
    let trial = catch_unwind(AssertUnwindSafe(|| {
        let mut copy = document.clone();
        copy.apply_changes([change]).ok()?;
        let given_back = copy.get_change_by_hash(&hash)?;
        (given_back.hash() == hash).then_some(copy)
    }));
    let copy = trial.ok().flatten().ok_or(GateRefusal::Inapplicable)?;
    match copy.get_heads().len() > DEPENDENCIES_MAX {
        true => Err(GateRefusal::TooManyDependencies),
        false => Ok(copy),
    }
}
