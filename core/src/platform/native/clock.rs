//! The operating system's clocks.

use crate::client::Clock;
use crate::time::Now;
use std::sync::OnceLock;

/// Reads `CLOCK_BOOTTIME`, which counts sleep too, and the wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place where clocks are read"
    )]
    fn now(&self) -> Now {
        let wall = std::time::SystemTime::now();
        let wall_ms = match wall.duration_since(std::time::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
        };
        let offset = chrono::Offset::fix(&chrono::TimeZone::offset_from_utc_datetime(
            &chrono::Local,
            &chrono::DateTime::from_timestamp_millis(wall_ms)
                .unwrap_or_default()
                .naive_utc(),
        ));
        Now {
            wall_ms,
            offset_minutes: (offset.local_minus_utc() / 60) as i16,
            boot_ms: boot_ms(),
            boot_id: *boot_id(),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(
    unsafe_code,
    reason = "std has no clock that counts sleep; clock_gettime writes one struct we own"
)]
fn boot_ms() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid timespec for the call's whole duration.
    if unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &raw mut time) } != 0 {
        return 0;
    }
    (time.tv_sec as u64)
        .saturating_mul(1_000)
        .saturating_add(time.tv_nsec as u64 / 1_000_000)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(
    clippy::disallowed_methods,
    reason = "this is the place where clocks are read"
)]
fn boot_ms() -> u64 {
    // Apple's Instant is mach_continuous_time-less; each process is its own boot there (see `boot_id`).
    static START: OnceLock<std::time::Instant> = OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_millis() as u64
}

fn boot_id() -> &'static [u8; 16] {
    static BOOT: OnceLock<[u8; 16]> = OnceLock::new();
    BOOT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        match uuid::Uuid::parse_str(text.trim()) {
            Ok(id) => *id.as_bytes(),
            Err(_) => {
                // No name for the boot: each process counts as one, so no deadline outlives it.
                let mut id = [0; 16];
                crate::entropy::Entropy::fill(&mut super::SystemEntropy, &mut id);
                id
            }
        }
    })
}
