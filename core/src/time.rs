//! Time: instants, the zone they were made in, what a step knows of the clocks, and the hybrid logical clock.

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type EpochMs = i64;

/// 1900-01-01T00:00:00Z; what lies before is not a date (DESIGN §8).
pub const EARLIEST_MS: EpochMs = -2_208_988_800_000;
/// 2200-01-01T00:00:00Z.
pub const LATEST_MS: EpochMs = 7_258_118_400_000;

/// What a step knows of the clocks. Passed in, never read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// The device's wall clock, which people may have set to anything.
    pub wall_ms: EpochMs,
    /// The minutes east of UTC of the zone the device stands in.
    pub offset_minutes: i16,
    /// Milliseconds since the machine booted, sleep included; never goes back within a boot.
    pub boot_ms: u64,
    /// Names the boot; on the web each start of the worker.
    pub boot_id: [u8; 16],
}

/// An instant with the zone it was made in (RFC 3339 `2026-05-04T10:30:00-03:00`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Zoned {
    /// The instant.
    pub utc_ms: EpochMs,
    /// The zone's minutes east of UTC.
    pub offset_minutes: i16,
}

impl Zoned {
    /// Reads RFC 3339, or an ISO date (midnight UTC). `None` when it is neither, or outside 1900-2200.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| Self {
            utc_ms: at.timestamp_millis(),
            offset_minutes: (at.offset().local_minus_utc() / 60) as i16,
        });
        let parsed = parsed.or_else(|| {
            let date = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(Self {
                utc_ms: date.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis(),
                offset_minutes: 0,
            })
        })?;
        parsed.is_date().then_some(parsed)
    }

    /// Whether the instant lies in 1900-2200.
    pub fn is_date(&self) -> bool {
        (EARLIEST_MS..LATEST_MS).contains(&self.utc_ms)
    }

    /// The UTC year, which names the chapter an entry lies in.
    pub fn utc_year(&self) -> i32 {
        use chrono::Datelike;
        chrono::DateTime::from_timestamp_millis(self.utc_ms).map_or(1970, |at| at.year())
    }
}

impl std::fmt::Display for Zoned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let offset = chrono::FixedOffset::east_opt(i32::from(self.offset_minutes) * 60);
        match (chrono::DateTime::from_timestamp_millis(self.utc_ms), offset) {
            (Some(at), Some(offset)) => f.write_str(
                &at.with_timezone(&offset)
                    .to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            ),
            _ => write!(f, "{}ms", self.utc_ms),
        }
    }
}

/// In JSON an RFC 3339 string; on the wire the pair (milliseconds, minutes).
impl Serialize for Zoned {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            (self.utc_ms, self.offset_minutes).serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Zoned {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            Self::parse(&text)
                .ok_or_else(|| serde::de::Error::custom("not an RFC 3339 date between 1900 and 2200"))
        } else {
            let (utc_ms, offset_minutes) = Deserialize::deserialize(deserializer)?;
            Ok(Self {
                utc_ms,
                offset_minutes,
            })
        }
    }
}

/// A hybrid logical clock (Kulkarni et al. 2014): 48 bits of milliseconds, 16 of a counter. It orders what one
/// device did, and only ever rises, also across restarts and when the wall clock goes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The reading for an event at `wall_ms`, later than every earlier reading.
    pub fn tick(self, wall_ms: EpochMs) -> Self {
        let physical = Self::at(wall_ms);
        if physical > self {
            physical
        } else {
            Self(self.0.saturating_add(1))
        }
    }

    /// Takes notice of a remote reading, but follows it no further than `limit_ms` (server time + δ).
    pub fn observe(self, remote: Self, limit_ms: EpochMs) -> Self {
        self.max(remote.min(Self::at(limit_ms)))
    }

    /// The lowest reading of a millisecond.
    pub fn at(ms: EpochMs) -> Self {
        Self((ms.clamp(0, (1 << 47) - 1) as u64) << 16)
    }

    /// The milliseconds.
    pub fn ms(self) -> EpochMs {
        (self.0 >> 16) as EpochMs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hybrid_clock_rises_when_the_wall_clock_falls() {
        let first = Hlc::default().tick(2_000);
        let second = first.tick(1_000);
        assert!(second > first);
        assert_eq!(second.ms(), 2_000);
    }

    #[test]
    fn a_remote_reading_of_the_far_future_is_followed_only_to_the_limit() {
        assert_eq!(Hlc::at(10).observe(Hlc::at(1 << 46), 500).ms(), 500);
    }

    #[test]
    fn a_date_with_a_zone_survives_text() {
        let at = Zoned::parse("2026-05-04T10:30:00-03:00").expect("a date");
        assert_eq!(at.to_string(), "2026-05-04T10:30:00.000-03:00");
        assert_eq!(Zoned::parse("1066-10-14"), None);
    }
}
