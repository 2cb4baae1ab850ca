//! How long to wait: full jitter (AWS Architecture Blog, 2015), at least what the server asks for, never past the cap.

use crate::entropy::Entropy;
use crate::limits::{RETRY_DELAY_MS_BASE, RETRY_DELAY_MS_MAX};
use crate::time::EpochMs;

/// The delay after the `failures`-th failure in a row: uniform in `[0, min(cap, base·2ⁿ)]`, at least `at_least_ms`.
pub fn retry_delay_ms(failures: u32, at_least_ms: u64, entropy: &mut dyn Entropy) -> u64 {
    let ceiling = RETRY_DELAY_MS_BASE
        .saturating_mul(1 << failures.min(20))
        .min(RETRY_DELAY_MS_MAX);
    entropy.up_to(ceiling).max(at_least_ms.min(RETRY_DELAY_MS_MAX))
}

/// `Retry-After` (RFC 9110 §10.2.3) in milliseconds from `now_ms`: seconds or a date; what is absurd or past is 0,
/// what is longer than the cap is the cap.
pub fn retry_after_ms(value: &str, now_ms: EpochMs) -> u64 {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return seconds.saturating_mul(1_000).min(RETRY_DELAY_MS_MAX);
    }
    match chrono::DateTime::parse_from_rfc2822(value) {
        Ok(date) => (date.timestamp_millis().saturating_sub(now_ms).max(0) as u64).min(RETRY_DELAY_MS_MAX),
        Err(_) => 0,
    }
}
