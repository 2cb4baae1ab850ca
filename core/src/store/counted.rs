//! The entries of a timeline that count in its statistics, with as much of each as is counted.

use super::StoreError;
use super::entries::{EntryFilter, EntryPlace, EntryStatus};
use super::entry_counts::RETRACTS;
use super::stretch::{self, Look, Stretch};
use crate::id::PatientId;
use crate::redact::Sensitive;
use crate::time::Zoned;
use rusqlite::{Connection, Row};

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
