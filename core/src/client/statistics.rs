//! Statistics of an opened patient's timeline.

use super::view::completeness_of;
use super::{PatientView, Watched};
use crate::engine::Completeness;
use crate::error::Result;
use crate::record::{Finite, Found, Heatmap, Measure, NumericField, Window};
use crate::record::{mean, moving_average, percentile_95};
use crate::store::counted::{self, CountedEntry};
use crate::store::entries::EntryFilter;
use crate::time::Zoned;
use serde::Serialize;
use std::collections::BTreeMap;

/// Times a long timeline is read anew because it changed between two steps.
const PASSES_MAX: usize = 3;

/// What can be counted and computed of a timeline. An entry counts that is final: no draft, nothing entered in error,
/// no retraction, and of what was amended the amendment.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct TimelineStatistics {
    /// How many entries count.
    pub entries: u64,
    /// How many of each kind.
    pub by_kind: BTreeMap<String, u64>,
    /// When they happened, by weekday and hour of the zone each was made in.
    pub heatmap: Heatmap,
    /// The values of the field that was asked for.
    pub numeric: Option<NumericStatistics>,
    /// Whether everything is here that the server had at the last contact.
    pub completeness: Completeness,
}

/// The values of a numeric field.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct NumericStatistics {
    /// One for each measure (concept and unit): values of different ones are not mixed.
    pub series: Vec<NumericSeries>,
    /// Values that are not one exact number (words, `<5`) and hence in no series.
    pub left_out: u64,
}

/// The values of one measure.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct NumericSeries {
    /// What is measured.
    #[serde(flatten)]
    pub measure: Measure,
    /// The arithmetic mean of all values.
    pub mean: Finite,
    /// The 95th percentile, by nearest rank.
    pub p95: Finite,
    /// Each value, the oldest first.
    pub points: Vec<NumericPoint>,
}

/// A value.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct NumericPoint {
    /// When it was observed.
    pub at: Zoned,
    /// What was observed.
    pub value: Finite,
    /// The mean of it and those before it in the window.
    pub moving_average: Finite,
}

/// A numeric field to compute, and the window of its moving average.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumericRequest {
    /// The field.
    pub field: NumericField,
    /// The window.
    pub window: Window,
}

#[derive(Default)]
struct Tally {
    by_kind: BTreeMap<String, u64>,
    heatmap: Heatmap,
    values: BTreeMap<Measure, Vec<(Zoned, Finite)>>,
    left_out: u64,
}

impl Tally {
    fn add(&mut self, entry: CountedEntry, field: Option<&NumericField>, unit: Option<&str>) {
        self.heatmap.add(entry.occurred_at);
        if let (Some(field), Some(body)) = (field, &entry.body) {
            for found in field.find(body, unit) {
                match found {
                    Found::Number(measure, value) => {
                        let values = self.values.entry(measure).or_default();
                        values.push((entry.occurred_at, value));
                    }
                    Found::Other => self.left_out += 1,
                }
            }
        }
        *self.by_kind.entry(entry.kind).or_default() += 1;
    }

    fn finished(self, window: Option<Window>, completeness: Completeness) -> TimelineStatistics {
        let numeric = window.map(|window| NumericStatistics {
            series: self
                .values
                .into_iter()
                .filter_map(|(measure, values)| series(measure, &values, window))
                .collect(),
            left_out: self.left_out,
        });
        TimelineStatistics {
            entries: self.by_kind.values().sum(),
            by_kind: self.by_kind,
            heatmap: self.heatmap,
            numeric,
            completeness,
        }
    }
}

fn series(measure: Measure, values: &[(Zoned, Finite)], window: Window) -> Option<NumericSeries> {
    let numbers: Vec<Finite> = values.iter().map(|(_, value)| *value).collect();
    let averages = moving_average(&numbers, window);
    let points = values.iter().zip(averages);
    Some(NumericSeries {
        measure,
        mean: mean(&numbers)?,
        p95: percentile_95(&numbers)?,
        points: points
            .map(|((at, value), moving_average)| NumericPoint {
                at: *at,
                value: *value,
                moving_average,
            })
            .collect(),
    })
}

impl PatientView {
    /// Statistics of the entries that pass the filter and count ([`TimelineStatistics`]); its order does not matter, and
    /// a status other than final leaves nothing. With a numeric field, the values that these entries' bodies have in it.
    ///
    /// A long timeline is read in several steps: other people's commands go in between. Where they change this patient
    /// it is read anew, three times at most; the watched twin follows in any case.
    ///
    /// # Errors
    /// `view_closed`.
    pub async fn statistics(
        &self,
        filter: EntryFilter,
        numeric: Option<NumericRequest>,
    ) -> Result<TimelineStatistics> {
        let mut statistics = self.counted_once(&filter, numeric.as_ref()).await?;
        for _ in 1..PASSES_MAX {
            match statistics {
                (found, false) => return Ok(found),
                _ => statistics = self.counted_once(&filter, numeric.as_ref()).await?,
            }
        }
        Ok(statistics.0)
    }

    /// The same, watched.
    pub fn watch_statistics(
        &self,
        filter: EntryFilter,
        numeric: Option<NumericRequest>,
    ) -> Watched<TimelineStatistics> {
        self.watched(move |view| {
            let (view, filter, numeric) = (view.clone(), filter.clone(), numeric.clone());
            Box::pin(async move { view.statistics(filter, numeric).await })
        })
    }

    /// The statistics, and whether the patient changed between the first step and the last.
    async fn counted_once(
        &self,
        filter: &EntryFilter,
        numeric: Option<&NumericRequest>,
    ) -> Result<(TimelineStatistics, bool)> {
        let field = numeric.map(|numeric| &numeric.field);
        let mut changed = self.changed_since();
        let (mut tally, mut after, mut steps) = (Tally::default(), None, 0);
        loop {
            let (filter, wanted) = (filter.clone(), field.cloned());
            let (stretch, unit, completeness) = self
                .read(move |step, person| {
                    let bodies_of = wanted.as_ref().map(|field| field.kind().as_str());
                    let stretch =
                        counted::stretch(step.transaction, &person.patients, &filter, bodies_of, after)?;
                    let unit = wanted.as_ref().and_then(|field| {
                        let schema = step.kinds.get(field.kind())?.schema();
                        field.unit_in(schema).map(str::to_owned)
                    });
                    Ok((stretch, unit, completeness_of(step, person)?))
                })
                .await?;
            for entry in stretch.rows {
                tally.add(entry, field, unit.as_deref());
            }
            after = stretch.looked_up_to;
            steps += 1;
            if after.is_none() {
                let changed = steps > 1 && changed();
                let window = numeric.map(|numeric| numeric.window);
                return Ok((tally.finished(window, completeness), changed));
            }
        }
    }
}
