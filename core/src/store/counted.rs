//! The entries of a timeline that count in its statistics, with as much of each as is counted.

use super::StoreError;
use super::entries::{EntryFilter, EntryPlace, EntryStatus};
use super::stretch::{self, Look, Stretch};
use crate::id::{PatientId, UnitId};
use crate::redact::Sensitive;
use crate::time::Zoned;
use rusqlite::{Connection, Row};

/// `relation` of an entry that retracts another one.
const RETRACTS: u8 = 2;

/// Begins with [`stretch::COLUMNS`].
const COLUMNS: &str = "id, patient, occurred_ms, kind, status, author, text, body, occurred_offset, relation";

/// An entry that counts.
#[derive(Debug)]
pub struct CountedEntry {
    /// When it happened.
    pub occurred_at: Zoned,
    /// Its kind.
    pub kind: String,
    /// The structured part, for the kind whose bodies were asked for.
    pub body: Option<Sensitive<String>>,
}

/// The next entries of a person's timeline that count, after a place, the oldest first, of a bounded number of rows. An
/// entry counts that is final and does not retract another one: no draft, nothing entered in error, and of what was
/// amended the amendment.
pub fn stretch(
    connection: &Connection,
    patients: &[PatientId],
    filter: &EntryFilter,
    bodies_of: Option<&str>,
    after: Option<EntryPlace>,
) -> Result<Stretch<CountedEntry>, StoreError> {
    let filter = EntryFilter {
        oldest_first: true,
        ..filter.clone()
    };
    let look = Look {
        patients,
        filter: &filter,
        after,
        limit: usize::MAX,
        columns: COLUMNS,
    };
    stretch::stretch(connection, look, |row| {
        if row.get::<_, u8>(4)? != EntryStatus::Final as u8 || row.get::<_, u8>(9)? == RETRACTS {
            return Ok(None);
        }
        let entry = read(row, bodies_of)?;
        let bytes = entry.body.as_ref().map_or(0, |body| body.len());
        Ok(Some((entry, bytes)))
    })
}

/// How many entries count in a unit, or in all, of a kind in an hour of the week.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HourCount {
    /// The kind.
    pub kind: String,
    /// The hour of the week: 0 is Monday's first.
    pub hour: usize,
    /// How many.
    pub entries: u64,
}

/// The entries that count, of all patients, by kind and hour. The table is as large as there are kinds, hours and units,
/// however many entries there are.
pub fn of_everybody(connection: &Connection, unit: Option<&UnitId>) -> Result<Vec<HourCount>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, hour, sum(entries) FROM entry_count WHERE (?1 IS NULL OR unit = ?1) AND entries > 0
         GROUP BY kind, hour ORDER BY kind, hour",
    )?;
    let rows = statement.query_map([unit], |row| {
        Ok(HourCount {
            kind: row.get(0)?,
            hour: row.get::<_, i64>(1)? as usize,
            entries: row.get::<_, i64>(2)? as u64,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>, bodies_of: Option<&str>) -> rusqlite::Result<CountedEntry> {
    let kind: String = row.get(3)?;
    let body: Option<String> = match bodies_of == Some(kind.as_str()) {
        true => row.get(7)?,
        false => None,
    };
    Ok(CountedEntry {
        occurred_at: Zoned {
            utc_ms: row.get(2)?,
            offset_minutes: row.get(8)?,
        },
        kind,
        body: body.map(Sensitive),
    })
}
