//! The entries of a timeline that count in its statistics, with as much of each as is counted.

use super::StoreError;
use super::entries::{EntryFilter, EntryPlace, EntryStatus, ROWS_LOOKED_AT_MAX, conditions};
use super::id_column;
use crate::id::PatientId;
use crate::record::SearchWords;
use crate::redact::Sensitive;
use crate::time::Zoned;
use rusqlite::{Connection, Row, ToSql};

/// Bytes of bodies past which a step looks at no further row.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// `relation` of an entry that retracts another one.
const RETRACTS: u8 = 2;

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

/// Part of a patient's timeline.
#[derive(Debug, Default)]
pub struct CountedStretch {
    /// The entries that count and pass the filter, the oldest first.
    pub entries: Vec<CountedEntry>,
    /// The last row looked at, where there may be more to look at behind it.
    pub looked_up_to: Option<EntryPlace>,
}

/// The next entries of a patient's timeline that count, after a place, of at most [`ROWS_LOOKED_AT_MAX`] rows. An entry
/// counts that is final and does not retract another one: no draft, nothing entered in error, and of what was amended
/// the amendment. Only the times narrow what is looked at, so that one call is bounded whatever the filter.
pub fn stretch(
    connection: &Connection,
    patient: &PatientId,
    filter: &EntryFilter,
    bodies_of: Option<&str>,
    after: Option<EntryPlace>,
) -> Result<CountedStretch, StoreError> {
    let words = match &filter.words {
        Some(text) => match SearchWords::of(text) {
            Some(words) => Some(words),
            None => return Ok(CountedStretch::default()),
        },
        None => None,
    };
    let times = EntryFilter {
        from_ms: filter.from_ms,
        to_ms: filter.to_ms,
        oldest_first: true,
        ..EntryFilter::default()
    };
    let (conditions, values) = conditions(patient, &times, after);
    let sql = format!(
        "SELECT occurred_ms, id, occurred_offset, kind, status, relation, author, text, body FROM entry
         WHERE {} ORDER BY patient, occurred_ms, id LIMIT {ROWS_LOOKED_AT_MAX}",
        conditions.join(" AND ")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
    let mut rows = statement.query(values.as_slice())?;
    let mut found = CountedStretch::default();
    let (mut looked_at, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        looked_at += 1;
        if counts(row, filter, words.as_ref())? {
            let entry = read(row, bodies_of)?;
            bytes += entry.body.as_ref().map_or(0, |body| body.len());
            found.entries.push(entry);
        }
        if looked_at == ROWS_LOOKED_AT_MAX || bytes > BODY_BYTES_MAX {
            found.looked_up_to = Some(EntryPlace {
                occurred_ms: row.get(0)?,
                id: id_column(row, 1)?,
            });
            break;
        }
    }
    Ok(found)
}

fn counts(row: &Row<'_>, filter: &EntryFilter, words: Option<&SearchWords>) -> rusqlite::Result<bool> {
    let is_final = row.get::<_, u8>(4)? == EntryStatus::Final as u8 && row.get::<_, u8>(5)? != RETRACTS;
    if !is_final || filter.status.is_some_and(|status| status != EntryStatus::Final) {
        return Ok(false);
    }
    let kind = row.get_ref(3)?.as_str()?;
    if !filter.kinds.is_empty() && !filter.kinds.iter().any(|wanted| wanted == kind) {
        return Ok(false);
    }
    if let Some(author) = filter.author
        && author != id_column(row, 6)?
    {
        return Ok(false);
    }
    Ok(match words {
        Some(words) => words.are_in(row.get_ref(7)?.as_str()?),
        None => true,
    })
}

fn read(row: &Row<'_>, bodies_of: Option<&str>) -> rusqlite::Result<CountedEntry> {
    let kind: String = row.get(3)?;
    let body: Option<String> = match bodies_of == Some(kind.as_str()) {
        true => row.get(8)?,
        false => None,
    };
    Ok(CountedEntry {
        occurred_at: Zoned {
            utc_ms: row.get(0)?,
            offset_minutes: row.get(2)?,
        },
        kind,
        body: body.map(Sensitive),
    })
}
