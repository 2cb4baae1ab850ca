//! What a comparison came to, and what is kept of it.

use crate::error::Result;
use crate::limits::DIGEST_EVERY_MS;
use crate::step::Step;
use crate::store::{StoreError, meta};
use crate::time::{EpochMs, Now};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

/// The value's name in the store.
const KEPT: &str = "digest";

/// What a comparison with the server came to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct DigestReport {
    /// Streams compared.
    pub streams: u64,
    /// Streams that could not be compared this time.
    pub skipped: u64,
    /// Documents and records in them here.
    pub compared: u64,
    /// Documents and records that differed.
    pub found: u64,
    /// Those of them that are now as the server has them.
    pub repaired: u64,
    /// Those that the server does not have, or that hold here what it lacks. Nothing is taken away here for that.
    pub only_here: u64,
    /// There are more differences than one comparison finds.
    pub more: bool,
    /// Why nothing, or not all, was compared: a stable code.
    pub code: Option<String>,
}

impl DigestReport {
    /// Differences that are still there.
    pub fn standing(&self) -> u64 {
        self.found.saturating_sub(self.repaired)
    }
}

/// What is kept of comparisons.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DigestKept {
    /// When the device compares again by itself, by its clock.
    pub due_ms: EpochMs,
    /// When everything in scope was last compared, by its clock.
    #[serde(default)]
    pub verified_ms: Option<EpochMs>,
    /// Differences found so far.
    #[serde(default)]
    pub found: u64,
    /// Differences repaired so far.
    #[serde(default)]
    pub repaired: u64,
    /// Differences that the last comparison left.
    #[serde(default)]
    pub standing: u64,
}

impl DigestKept {
    /// What is kept; a store that never compared does so a day after it was first opened.
    pub fn open(connection: &Connection, now: &Now) -> std::result::Result<Self, StoreError> {
        if let Some(kept) = meta::get(connection, KEPT)? {
            return Ok(kept);
        }
        let kept = Self {
            due_ms: now.wall_ms.saturating_add(DIGEST_EVERY_MS),
            ..Self::default()
        };
        meta::set(connection, KEPT, &kept)?;
        Ok(kept)
    }

    /// What is kept.
    pub fn read(connection: &Connection) -> std::result::Result<Self, StoreError> {
        Ok(meta::get(connection, KEPT)?.unwrap_or_default())
    }

    /// Whether it is time. A clock that was set back does not put it off for ever.
    pub fn is_due(&self, now: &Now) -> bool {
        now.wall_ms >= self.due_ms || self.due_ms > now.wall_ms.saturating_add(DIGEST_EVERY_MS)
    }

    /// Takes a comparison in; the next one is due at `due_ms`.
    pub fn note(self, step: &Step<'_>, report: &DigestReport, due_ms: EpochMs) -> Result<Self> {
        let whole = report.streams > 0 && report.skipped == 0 && report.code.is_none();
        let kept = Self {
            due_ms,
            verified_ms: if whole {
                Some(step.now.wall_ms)
            } else {
                self.verified_ms
            },
            found: self.found + report.found,
            repaired: self.repaired + report.repaired,
            standing: if report.streams > 0 {
                report.standing()
            } else {
                self.standing
            },
        };
        meta::set(step.transaction, KEPT, &kept)?;
        Ok(kept)
    }
}
