//! Comparing what is here with the server (SPEC 17): leaves of all that the server accepted, computed in bounded steps
//! and kept true while writes go on, then held against the server's sums. What differs is fetched whole.

mod local;
mod outcome;

use crate::error::Result;
use crate::outbox::lay_on_top;
use crate::protocol::SnapshotDocument;
use crate::replica::{Repair, repair_document};
use crate::step::Step;
pub use local::LocalDigest;
use std::collections::BTreeSet;

pub use outcome::{DigestKept, DigestReport};

/// Takes in a document that differs as the server holds it; unsent writes stay on top of it.
pub fn take_document(step: &mut Step<'_>, document: &SnapshotDocument) -> Result<Repair> {
    let repaired = repair_document(step, document)?;
    if crate::store::documents::has_pending(step.transaction, &document.id)? {
        lay_on_top(step, BTreeSet::from([document.id]))?;
    }
    Ok(repaired)
}
