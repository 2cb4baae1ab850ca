//! A date of which only the year, or the year and month, may be known (FHIR `date`).

/// A date between 1900 and 2200 that is in the calendar as far as it is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartialDate {
    /// The year.
    pub year: u16,
    /// The month, 1-12.
    pub month: Option<u8>,
    /// The day of the month.
    pub day: Option<u8>,
}

impl PartialDate {
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year: u16 = number(parts.next()?, 4)?;
        let month = parts.next().map(|part| number(part, 2));
        let day = parts.next().map(|part| number(part, 2));
        if parts.next().is_some() || !(1900..2200).contains(&year) {
            return None;
        }
        let (month, day) = (lift(month)?, lift(day)?);
        let first = |value: Option<u16>| u32::from(value.unwrap_or(1));
        chrono::NaiveDate::from_ymd_opt(i32::from(year), first(month), first(day))?;
        Some(Self {
            year,
            month: month.map(|month| month as u8),
            day: day.map(|day| day as u8),
        })
    }

    /// Whether the day is known.
    pub fn is_whole(&self) -> bool {
        self.day.is_some()
    }
}

fn lift(part: Option<Option<u16>>) -> Option<Option<u16>> {
    match part {
        Some(None) => None,
        Some(known) => Some(known),
        None => Some(None),
    }
}

fn number(text: &str, digits: usize) -> Option<u16> {
    (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// A date of birth is patient data: no log shows it.
impl std::fmt::Debug for PartialDate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartialDate(‹hidden›)")
    }
}
