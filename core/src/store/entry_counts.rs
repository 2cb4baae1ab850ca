//! How many entries count in the statistics, for each unit, kind and hour of the week: kept in step with the rows of
//! the timeline, by whatever writes or removes them, and written once for all the rows of a step.

use super::StoreError;
use super::entries::EntryStatus;
use crate::id::{PatientId, UnitId};
use crate::record::Compartment;
use crate::time::Zoned;
use rusqlite::{Connection, OptionalExtension, Params, params};
use std::collections::HashMap;

/// `relation` of an entry that retracts another one: it does not count itself.
pub(super) const RETRACTS: u8 = 2;

const HOUR_MS: i64 = 3_600_000;
const WEEK_HOURS: usize = 7 * 24;
/// 1970 began on a Thursday: Monday's first hour lies so long before it.
const SINCE_MONDAY_MS: i64 = 3 * 24 * HOUR_MS;

/// For each hour of the week, Monday's first at 0.
type Hours = [i64; WEEK_HOURS];

/// The hour of the week by the clock of the zone the entry was made in.
fn hour_of_week(occurred_at: Zoned) -> usize {
    let by_the_clock = occurred_at
        .utc_ms
        .wrapping_add(i64::from(occurred_at.offset_minutes) * 60_000)
        .wrapping_add(SINCE_MONDAY_MS);
    (by_the_clock.div_euclid(HOUR_MS)).rem_euclid(WEEK_HOURS as i64) as usize
}

/// Changes of the counts that are not written yet.
#[derive(Clone, Debug, Default)]
pub struct CountChanges(HashMap<UnitId, Vec<(String, Hours)>>);

impl CountChanges {
    /// Rows came (1) or went (-1). An entry counts that is final and does not retract another one.
    pub(super) fn note(
        &mut self,
        (unit, kind, occurred_at): (UnitId, &str, Zoned),
        (status, relation): (EntryStatus, u8),
        rows: i64,
    ) {
        if status != EntryStatus::Final || relation == RETRACTS {
            return;
        }
        let kinds = self.0.entry(unit).or_default();
        let known = kinds.iter().position(|(known, _)| known == kind);
        let at = known.unwrap_or_else(|| {
            kinds.push((kind.to_owned(), [0; WEEK_HOURS]));
            kinds.len() - 1
        });
        kinds[at].1[hour_of_week(occurred_at)] += rows;
    }

    /// Writes them, in the transaction that wrote the rows. Of a unit that was left not even its id stays.
    pub(crate) fn write(self, connection: &Connection) -> Result<(), StoreError> {
        for (unit, kinds) in self.0 {
            for (kind, changes) in kinds {
                let mut hours = read(connection, &unit, &kind)?.unwrap_or([0; WEEK_HOURS]);
                for (hour, change) in hours.iter_mut().zip(changes) {
                    *hour += change;
                }
                if hours.iter().any(|entries| *entries > 0) {
                    let bytes: Vec<u8> = hours.iter().flat_map(|hour| hour.to_be_bytes()).collect();
                    connection
                        .prepare_cached(
                            "INSERT OR REPLACE INTO entry_hours (unit, kind, hours) VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![unit, kind, bytes])?;
                } else {
                    connection
                        .prepare_cached("DELETE FROM entry_hours WHERE unit = ?1 AND kind = ?2")?
                        .execute(params![unit, kind])?;
                }
            }
        }
        Ok(())
    }

    /// Notes that the first `limit` rows of a patient's compartment go.
    pub(super) fn note_leaving(
        &mut self,
        connection: &Connection,
        patient: &PatientId,
        compartment: Compartment,
        limit: usize,
    ) -> Result<(), StoreError> {
        let which = "WHERE patient = ?1 AND compartment = ?2 ORDER BY occurred_ms, id LIMIT ?3";
        let values = params![patient, compartment.code(), limit as i64];
        self.note_rows(connection, which, values, -1)
    }

    fn note_rows(
        &mut self,
        connection: &Connection,
        which: &str,
        values: impl Params,
        each: i64,
    ) -> Result<(), StoreError> {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT unit, kind, occurred_ms, occurred_offset, status, relation FROM entry {which}"
        ))?;
        let mut rows = statement.query(values)?;
        while let Some(row) = rows.next()? {
            let unit = super::id_column(row, 0)?;
            let occurred_at = Zoned {
                utc_ms: row.get(2)?,
                offset_minutes: row.get(3)?,
            };
            let kind = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let status = EntryStatus::from_code(row.get(4)?);
            self.note((unit, kind, occurred_at), (status, row.get(5)?), each);
        }
        Ok(())
    }
}

/// Forgets all counts, and counts all rows anew: for repair. What it returns is to be written.
pub fn recount(connection: &Connection) -> Result<CountChanges, StoreError> {
    connection.execute("DELETE FROM entry_hours", [])?;
    let mut counts = CountChanges::default();
    counts.note_rows(connection, "", [], 1)?;
    Ok(counts)
}

fn read(connection: &Connection, unit: &UnitId, kind: &str) -> Result<Option<Hours>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT hours FROM entry_hours WHERE unit = ?1 AND kind = ?2")?;
    let found = statement.query_row(params![unit, kind], |row| Ok(decode(row.get_ref(0)?.as_blob()?)));
    Ok(found.optional()?)
}

fn decode(bytes: &[u8]) -> Hours {
    let mut hours = [0; WEEK_HOURS];
    for (hour, bytes) in hours.iter_mut().zip(bytes.chunks_exact(8)) {
        *hour = bytes.try_into().map(i64::from_be_bytes).unwrap_or_default();
    }
    hours
}

/// How many entries count of a kind in an hour of the week.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HourCount {
    /// The kind.
    pub kind: String,
    /// The hour of the week: 0 is Monday's first.
    pub hour: usize,
    /// How many.
    pub entries: u64,
}

/// The entries that count in a unit, or in all, of all patients, by kind and hour. The table is as large as there are
/// kinds and units, however many entries there are.
pub fn of_everybody(connection: &Connection, unit: Option<&UnitId>) -> Result<Vec<HourCount>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, hours FROM entry_hours WHERE ?1 IS NULL OR unit = ?1 ORDER BY kind, unit",
    )?;
    let mut rows = statement.query([unit])?;
    let mut counts = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        let hours = decode(row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?);
        counts.extend(
            (0..)
                .zip(hours)
                .filter(|(_, entries)| *entries > 0)
                .map(|(hour, entries)| HourCount {
                    kind: kind.clone(),
                    hour,
                    entries: entries as u64,
                }),
        );
    }
    Ok(counts)
}
