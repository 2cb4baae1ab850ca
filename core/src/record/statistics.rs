//! The mathematics of a timeline's statistics: pure, finite, and defined for every length of list.

use crate::time::Zoned;
use serde::ser::{Serialize, SerializeSeq, Serializer};

/// The longest window of a moving average.
const WINDOW_MAX: usize = 1_000;
const HOURS: usize = 24;
const DAYS: usize = 7;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// A number that is neither infinite nor NaN. What it says is a patient's: `Debug` hides it.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub struct Finite(f64);

impl std::fmt::Debug for Finite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("‹hidden›")
    }
}

impl Finite {
    /// The number; none where it is infinite or NaN.
    pub fn new(number: f64) -> Option<Self> {
        number.is_finite().then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Serialize for Finite {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.get())
    }
}

/// How many values a moving average looks at: 1 to 1,000.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Window(usize);

impl Window {
    /// A window of so many values; none outside 1 to 1,000.
    pub fn new(values: usize) -> Option<Self> {
        (1..=WINDOW_MAX).contains(&values).then_some(Self(values))
    }
}

/// The arithmetic mean: the sum over the number of values, never outside of them. None of no values.
pub fn mean(values: &[Finite]) -> Option<Finite> {
    let numbers = || values.iter().map(|value| value.get());
    let least = numbers().reduce(f64::min)?;
    let greatest = numbers().reduce(f64::max)?;
    let count = values.len() as f64;
    let sum: f64 = numbers().sum();
    let mean = if sum.is_finite() {
        sum / count
    } else {
        // The sum is beyond the largest number, the mean is not.
        numbers().map(|number| number / count).sum()
    };
    Finite::new(mean.clamp(least, greatest))
}

/// The trailing moving average, one for each value: the mean of it and of those before it, as many as the window
/// holds; at the beginning of those that are there.
pub fn moving_average(values: &[Finite], window: Window) -> Vec<Finite> {
    let ends = 1..=values.len();
    ends.filter_map(|end| mean(&values[end.saturating_sub(window.0)..end]))
        .collect()
}

/// The 95th percentile by nearest rank: of n values in ascending order the one of rank ⌈0.95·n⌉, counted from 1. It is
/// always one of the values. None of no values.
pub fn percentile_95(values: &[Finite]) -> Option<Finite> {
    let mut ascending = values.to_vec();
    ascending.sort_by(|a, b| a.get().total_cmp(&b.get()));
    let rank = (ascending.len() * 95).div_ceil(100);
    ascending.get(rank.checked_sub(1)?).copied()
}

/// How many entries were made on each weekday in each hour, by the clock of the zone each was made in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Heatmap([[u64; HOURS]; DAYS]);

/// A weekday's hour in which there are entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct HeatmapCell {
    /// ISO 8601: 1 is Monday, 7 is Sunday.
    pub weekday: u8,
    /// 0 to 23.
    pub hour: u8,
    /// How many.
    pub entries: u64,
}

impl Heatmap {
    /// Counts one entry.
    pub fn add(&mut self, at: Zoned) {
        let local_ms = at.utc_ms.saturating_add(i64::from(at.offset_minutes) * 60_000);
        // The epoch was a Thursday, three days after a Monday.
        let weekday = (local_ms.div_euclid(DAY_MS) + 3).rem_euclid(DAYS as i64);
        let hour = local_ms.rem_euclid(DAY_MS) / HOUR_MS;
        self.0[weekday as usize][hour as usize] += 1;
    }

    /// Counts entries of an hour of the week: 0 is Monday's first. Others are none.
    pub fn add_hour(&mut self, hour_of_week: usize, entries: u64) {
        if let Some(hours) = self.0.get_mut(hour_of_week / HOURS) {
            hours[hour_of_week % HOURS] += entries;
        }
    }

    /// The hours in which there are entries, Monday's first.
    pub fn cells(&self) -> impl Iterator<Item = HeatmapCell> {
        let days = (1..).zip(&self.0);
        days.flat_map(|(weekday, hours)| {
            let hours = (0..).zip(hours).filter(|(_, entries)| **entries > 0);
            hours.map(move |(hour, entries)| HeatmapCell {
                weekday,
                hour,
                entries: *entries,
            })
        })
    }
}

/// The cells that are not empty.
impl Serialize for Heatmap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut cells = serializer.serialize_seq(None)?;
        for cell in self.cells() {
            cells.serialize_element(&cell)?;
        }
        cells.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finite(numbers: &[f64]) -> Vec<Finite> {
        numbers
            .iter()
            .map(|number| Finite::new(*number).expect("finite"))
            .collect()
    }

    fn numbers(values: impl IntoIterator<Item = Finite>) -> Vec<f64> {
        values.into_iter().map(Finite::get).collect()
    }

    #[test]
    fn of_no_values_there_is_no_figure_and_of_one_it_is_that_one() {
        let window = Window::new(3).expect("a window");
        assert_eq!((mean(&[]), percentile_95(&[])), (None, None));
        assert_eq!(moving_average(&[], window), []);
        let one = finite(&[7.5]);
        assert_eq!((mean(&one), percentile_95(&one)), (Some(one[0]), Some(one[0])));
        assert_eq!(moving_average(&one, window), one);
    }

    #[test]
    fn the_largest_numbers_have_a_mean_and_what_is_no_number_is_refused() {
        for values in [
            &[f64::MAX; 3][..],
            &[f64::MAX, f64::MAX, f64::MIN],
            &[f64::MIN; 7],
        ] {
            let values = finite(values);
            assert!(mean(&values).is_some());
            assert_eq!(moving_average(&values, Window(2)).len(), values.len());
        }
        assert_eq!(numbers(mean(&finite(&[f64::MAX; 3]))), [f64::MAX]);
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Finite::new(number), None);
        }
        assert_eq!((Window::new(0), Window::new(WINDOW_MAX + 1)), (None, None));
    }

    #[test]
    fn the_percentile_is_the_value_of_the_nearest_rank() {
        for (count, rank) in [
            (1, 1),
            (2, 2),
            (10, 10),
            (19, 19),
            (20, 19),
            (21, 20),
            (100, 95),
            (101, 96),
        ] {
            let descending: Vec<f64> = (1..=count).rev().map(f64::from).collect();
            assert_eq!(
                numbers(percentile_95(&finite(&descending))),
                [f64::from(rank)],
                "of {count}"
            );
        }
    }

    #[test]
    fn the_moving_average_trails() {
        let averages = moving_average(&finite(&[1.0, 3.0, 8.0, 1.0]), Window(3));
        assert_eq!(numbers(averages), [1.0, 2.0, 4.0, 4.0]);
    }

    #[test]
    fn an_hour_is_that_of_the_clock_on_the_wall() {
        let mut heatmap = Heatmap::default();
        for at in [
            "2026-05-04T00:30:00+02:00",
            "2026-05-03T23:59:59-03:00",
            "1969-12-29T05:00:00Z",
            "1900-01-01T00:00:00Z",
        ] {
            heatmap.add(Zoned::parse(at).expect("a date"));
        }
        let cells: Vec<_> = heatmap
            .cells()
            .map(|cell| (cell.weekday, cell.hour, cell.entries))
            .collect();
        assert_eq!(cells, [(1, 0, 2), (1, 5, 1), (7, 23, 1)]);
    }
}
