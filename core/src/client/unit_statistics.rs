//! Statistics of all patients: counts, and nothing of anybody's content.

use super::Watched;
use super::page::completeness;
use super::patients::{Patients, audit_list};
use crate::engine::Completeness;
use crate::error::{Code, Result, SyncError};
use crate::id::UnitId;
use crate::record::Heatmap;
use crate::store::entry_counts;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is counted of all entries here, by the rules of [`super::TimelineStatistics`].
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct UnitStatistics {
    /// How many entries count.
    pub entries: u64,
    /// How many of each kind.
    pub by_kind: BTreeMap<String, u64>,
    /// When they happened, by weekday and hour of the zone each was made in.
    pub heatmap: Heatmap,
    /// Whether everything is here that the server had at the last contact.
    pub completeness: Completeness,
}

impl Patients<'_> {
    /// Statistics of a unit's entries, or of everything on this device; audited as a list. It takes as long with a million
    /// entries as with ten.
    ///
    /// # Errors
    /// `out_of_scope` for a unit that is not the user's.
    pub async fn statistics(&self, unit: Option<UnitId>) -> Result<UnitStatistics> {
        self.0
            .call(move |step| {
                let units = &step.device.enrolled()?.scope.units;
                if unit.is_some_and(|unit| units.iter().all(|known| known.id != unit)) {
                    return Err(SyncError::from(Code::OutOfScope));
                }
                let mut statistics = UnitStatistics {
                    entries: 0,
                    by_kind: BTreeMap::new(),
                    heatmap: Heatmap::default(),
                    completeness: completeness(step)?,
                };
                for found in entry_counts::of_everybody(step.transaction, unit.as_ref())? {
                    statistics.entries += found.entries;
                    statistics.heatmap.add_hour(found.hour, found.entries);
                    *statistics.by_kind.entry(found.kind).or_default() += found.entries;
                }
                audit_list(step, "statistics", statistics.by_kind.len(), "")?;
                Ok(statistics)
            })
            .await
    }

    /// The same, watched.
    pub fn watch_statistics(&self, unit: Option<UnitId>) -> Watched<UnitStatistics> {
        let client = self.0.clone();
        Watched::new(
            self.0.changes(),
            Box::new(|changes| !changes.patients.is_empty() || changes.many),
            Box::new(move || {
                let client = client.clone();
                Box::pin(async move { client.patients().statistics(unit).await })
            }),
        )
    }
}
