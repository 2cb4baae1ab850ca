//! Reference data on the device: which version it has, how fresh that is, what an answer brings.

use crate::device::Enrolment;
use crate::error::Result;
use crate::protocol::SyncAnswer;
use crate::record::{KindRegistry, ReferenceKind};
use crate::step::Step;
use crate::store::{StoreError, meta, tenant_reference};
use crate::time::EpochMs;
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// The name of the value in the store.
const STATE: &str = "tenant_reference";
/// How often a confirmation is written down: an idle round costs no write of its own.
const CONFIRM_INTERVAL_MS: i64 = 10 * 60_000;

/// How the device stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReferenceState {
    /// The version of the tenant's reference data it has.
    pub version: u32,
    /// The server's history it is of: another one may give the same version to other rows.
    pub epoch: u64,
    /// When the server last confirmed that there is no later one, by the server's clock.
    pub confirmed_ms: Option<EpochMs>,
}

impl ReferenceState {
    fn version_in(&self, epoch: u64) -> u32 {
        if self.epoch == epoch { self.version } else { 0 }
    }
}

/// Reads how the device stands.
pub fn state(connection: &Connection) -> Result<ReferenceState, StoreError> {
    Ok(meta::get(connection, STATE)?.unwrap_or_default())
}

/// The kinds an app was built with, and the tenant's own beside them.
pub fn kinds(connection: &Connection, app: &KindRegistry) -> Result<KindRegistry, StoreError> {
    let mut kinds = app.clone();
    for row in tenant_reference::list(connection, ReferenceKind::Kind.name())? {
        kinds.adopt(&row.item.content);
    }
    Ok(kinds)
}

/// What to ask for: the version it has, where the scope names another one.
pub fn wanted(connection: &Connection, enrolment: &Enrolment) -> Result<Option<u32>, StoreError> {
    let version = state(connection)?.version_in(enrolment.epoch);
    Ok((version != enrolment.scope.reference).then_some(version))
}

/// Takes what an answer says of reference data, once its scope is taken. Returns whether there is more to ask for.
pub fn take(step: &mut Step<'_>, asked: Option<u32>, answer: &SyncAnswer) -> Result<bool> {
    let before = state(step.transaction)?;
    let mut after = ReferenceState {
        version: before.version_in(answer.epoch),
        epoch: answer.epoch,
        ..before
    };
    let has = after.version;
    // A page of another history, or one nobody asked for, is not taken.
    let page = answer
        .reference
        .as_ref()
        .filter(|page| asked == Some(has) && (page.from == 0 || page.from == has));
    if let Some(page) = page {
        if page.from == 0 {
            tenant_reference::clear(step.transaction)?;
        }
        for item in &page.rows {
            tenant_reference::put(step.transaction, item, answer.time_ms)?;
        }
        after.version = page.version;
        step.changes.reference = true;
    }
    let newest = step.device.enrolled()?.scope.reference;
    let has_moved = after.version != has;
    if after.version == newest {
        let is_due = after
            .confirmed_ms
            .is_none_or(|confirmed_ms| answer.time_ms >= confirmed_ms + CONFIRM_INTERVAL_MS);
        if is_due || has_moved {
            after.confirmed_ms = Some(answer.time_ms);
            step.changes.reference = true;
        }
    }
    if after != before {
        meta::set(step.transaction, STATE, &after)?;
    }
    // A server that names a version and gives no rows is asked again in the next round, not at once.
    Ok(after.version != newest && (asked != Some(after.version)))
}
