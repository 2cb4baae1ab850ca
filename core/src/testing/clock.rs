//! A clock the test moves.

use crate::client::Clock;
use crate::time::{EpochMs, Now};
use std::sync::{Arc, Mutex, PoisonError};

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct TestClock(Arc<Mutex<Now>>);

impl TestClock {
    /// A clock that shows `wall_ms`, in a boot of its own.
    pub fn at(wall_ms: EpochMs) -> Self {
        Self(Arc::new(Mutex::new(Now {
            wall_ms,
            offset_minutes: -180,
            boot_ms: 1_000,
            boot_id: [1; 16],
        })))
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Time passes.
    pub fn advance(&self, ms: u64) {
        self.change(|now| {
            now.boot_ms += ms;
            now.wall_ms += ms as i64;
        });
    }

    /// Somebody sets the wall clock.
    pub fn set_wall(&self, wall_ms: EpochMs) {
        self.change(|now| now.wall_ms = wall_ms);
    }

    /// The machine starts again: the monotonic clock begins anew.
    pub fn reboot(&self) {
        self.change(|now| {
            now.boot_ms = 500;
            now.boot_id = (u128::from_be_bytes(now.boot_id) + 1).to_be_bytes();
        });
    }
}

impl Clock for TestClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
