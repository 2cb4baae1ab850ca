//! Limits per device, user and address: token buckets in memory.

use crate::refusal::Refusal;
use std::collections::HashMap;
use std::net::IpAddr;
use vereda_core::id::UserId;
use vereda_core::limits::{FINDS_AT_ONCE, FINDS_PER_HOUR};
use vereda_core::time::EpochMs;

/// Buckets kept; past it the full ones go.
const BUCKETS_MAX: usize = 100_000;

/// How many requests one side may make: a burst, refilled by so many a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Requests of a device at once, and refilled each second.
    pub device: (u32, u32),
    /// Requests of all devices of a user.
    pub user: (u32, u32),
    /// Requests from an address: a clinic's devices share one.
    pub address: (u32, u32),
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            device: (2_000, 20),
            user: (4_000, 40),
            address: (20_000, 500),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Device(u32),
    User(UserId),
    Address(IpAddr),
    /// Of a user who looks for identifiers.
    Find(UserId),
}

const SECONDS_PER_HOUR: u64 = 3_600;

#[derive(Clone, Copy)]
struct Bucket {
    /// Thousandths of a request.
    left: u64,
    at_ms: EpochMs,
}

pub(crate) struct Throttle {
    limits: Limits,
    buckets: HashMap<Side, Bucket>,
}

impl Throttle {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            buckets: HashMap::new(),
        }
    }

    /// Takes one request out of a side's bucket.
    pub(crate) fn take(&mut self, side: Side, now_ms: EpochMs) -> Result<(), Refusal> {
        let each_second = |(burst, per_second): (u32, u32)| (burst, u64::from(per_second) * SECONDS_PER_HOUR);
        let (burst, per_hour) = match side {
            Side::Device(_) => each_second(self.limits.device),
            Side::User(_) => each_second(self.limits.user),
            Side::Address(_) => each_second(self.limits.address),
            Side::Find(_) => (FINDS_AT_ONCE, u64::from(FINDS_PER_HOUR)),
        };
        let full = u64::from(burst) * 1000;
        let refilled = |bucket: &Bucket| {
            // A clock that goes back refills nothing.
            let elapsed_ms = now_ms.saturating_sub(bucket.at_ms).max(0) as u64;
            let new = elapsed_ms.saturating_mul(per_hour) / SECONDS_PER_HOUR;
            full.min(bucket.left.saturating_add(new))
        };
        if self.buckets.len() >= BUCKETS_MAX {
            self.buckets.retain(|_, bucket| refilled(bucket) < full);
        }
        let bucket = self.buckets.entry(side).or_insert(Bucket {
            left: full,
            at_ms: now_ms,
        });
        let left = refilled(bucket);
        *bucket = Bucket { left, at_ms: now_ms };
        if left < 1000 {
            let wait_ms = (1000 - left).saturating_mul(SECONDS_PER_HOUR) / per_hour.max(1);
            return Err(Refusal::throttled((wait_ms / 1000) as u32 + 1));
        }
        bucket.left -= 1000;
        Ok(())
    }
}
