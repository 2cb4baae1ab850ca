//! When the next request goes out. One at a time; failures in a row slow down, a hint wakes without forgetting them.

use super::backoff::retry_delay_ms;
use crate::entropy::Entropy;
use crate::limits::{BATCH_ITEMS_MAX, RETRY_DELAY_MS_MAX};
use crate::time::{EpochMs, Now};
use serde::{Deserialize, Serialize};

/// Failures in a row after which the next request carries nothing.
const PROBE_AFTER: u32 = 4;

/// Whether requests go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// They do.
    Closed,
    /// Not before the deadline.
    Open,
    /// One, with nothing in it, to see.
    HalfOpen,
}

/// Why the last request failed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SyncFailure {
    /// The stable code.
    pub code: String,
    /// When, by the device's clock.
    pub at_ms: EpochMs,
}

/// The schedule. What must outlive the process is stored: the deadline, and how often it failed.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Schedule {
    /// Failures in a row.
    pub failures: u32,
    /// Not before this time since boot.
    pub due_boot_ms: u64,
    /// Not even when the network or a person wakes it before this time since boot: the server asked to wait.
    #[serde(default)]
    pub asked_to_wait_boot_ms: u64,
    /// The boot it counts in.
    pub boot_id: [u8; 16],
    /// Items in one push; halved when pushes fail while empty ones do not.
    pub batch_limit: usize,
    /// Failures in a row of pushes of this size.
    pub batch_failures: u32,
    /// The last failure, until a success.
    pub failure: Option<SyncFailure>,
    /// The last success, by the device's clock.
    pub last_success_ms: Option<EpochMs>,
    /// Tokens are not taken, or the app is too old: a person must act before it goes on by itself.
    pub halted: bool,
}

impl Schedule {
    /// A device that never synchronised.
    pub fn new(now: &Now) -> Self {
        Self {
            failures: 0,
            due_boot_ms: now.boot_ms,
            asked_to_wait_boot_ms: 0,
            boot_id: now.boot_id,
            batch_limit: BATCH_ITEMS_MAX,
            batch_failures: 0,
            failure: None,
            last_success_ms: None,
            halted: false,
        }
    }

    /// After loading: a deadline of another boot means nothing, one past the cap is a clock's fault.
    pub fn clamp(&mut self, now: &Now) {
        let latest = now.boot_ms + RETRY_DELAY_MS_MAX;
        if self.boot_id != now.boot_id {
            self.due_boot_ms = now.boot_ms;
            self.asked_to_wait_boot_ms = 0;
            self.boot_id = now.boot_id;
        }
        self.due_boot_ms = self.due_boot_ms.min(latest);
        self.asked_to_wait_boot_ms = self.asked_to_wait_boot_ms.min(latest);
        self.batch_limit = self.batch_limit.clamp(1, BATCH_ITEMS_MAX);
    }

    /// The breaker's state.
    pub fn breaker(&self, now: &Now) -> Breaker {
        match self.failures {
            failures if failures < PROBE_AFTER => Breaker::Closed,
            _ if now.boot_ms < self.due_boot_ms => Breaker::Open,
            _ => Breaker::HalfOpen,
        }
    }

    /// Whether the time has come.
    pub fn is_due(&self, now: &Now) -> bool {
        now.boot_ms >= self.due_boot_ms
    }

    /// A network or the screen came back: ask now, and remember the failures. What the server asked for stands.
    pub fn wake(&mut self, now: &Now) {
        self.due_boot_ms = self.due_boot_ms.min(now.boot_ms).max(self.asked_to_wait_boot_ms);
    }

    /// A request failed; `pushed` are the writes that may be what it failed of, none where it never arrived.
    pub fn failed(
        &mut self,
        now: &Now,
        code: &str,
        at_least_ms: u64,
        pushed: usize,
        entropy: &mut dyn Entropy,
    ) {
        self.failures = self.failures.saturating_add(1);
        self.due_boot_ms = now.boot_ms + retry_delay_ms(self.failures, at_least_ms, entropy);
        self.asked_to_wait_boot_ms = now.boot_ms + at_least_ms.min(RETRY_DELAY_MS_MAX);
        self.failure = Some(SyncFailure {
            code: code.to_owned(),
            at_ms: now.wall_ms,
        });
        if pushed > 0 {
            self.batch_failures += 1;
            if self.batch_failures >= 2 && pushed > 1 {
                self.split(pushed);
            }
        }
    }

    /// A push was too much at once.
    pub fn split(&mut self, pushed: usize) {
        self.batch_limit = (pushed / 2).max(1);
        self.batch_failures = 0;
    }

    /// A request was answered.
    pub fn succeeded(&mut self, now: &Now, pushed: usize) {
        self.failures = 0;
        self.failure = None;
        self.halted = false;
        self.last_success_ms = Some(now.wall_ms);
        self.due_boot_ms = now.boot_ms;
        self.asked_to_wait_boot_ms = 0;
        if pushed > 0 {
            self.batch_failures = 0;
            self.batch_limit = (self.batch_limit * 2).min(BATCH_ITEMS_MAX);
        }
    }
}
