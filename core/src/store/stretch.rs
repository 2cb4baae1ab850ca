//! Part of a person's timeline, read in one bounded step: from one record, or from several that are linked, in one
//! order.

use super::entries::{EntryFilter, EntryPlace, EntryStatus};
use super::{StoreError, id_column};
use crate::id::PatientId;
use crate::record::SearchWords;
use rusqlite::{Connection, Row, ToSql};

/// Rows one step looks at: a timeline of more of them is read in several.
const ROWS_LOOKED_AT_MAX: usize = 2_000;
/// Bytes past which a step looks at no further row.
const BYTES_LOOKED_AT_MAX: usize = 1024 * 1024;

/// What a query of rows begins with: the place of a row, whose it is, and what a filter looks at.
pub(super) const COLUMNS: &str = "id, patient, occurred_ms, kind, status, author, text";

/// Part of a timeline.
#[derive(Debug)]
pub struct Stretch<T> {
    /// The rows that pass the filter, in its order.
    pub rows: Vec<T>,
    /// The last row looked at, where there may be more to look at behind it.
    pub looked_up_to: Option<EntryPlace>,
}

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    /// The records of the person.
    pub(super) patients: &'a [PatientId],
    /// Which rows.
    pub(super) filter: &'a EntryFilter,
    /// Behind this row.
    pub(super) after: Option<EntryPlace>,
    /// Rows wanted.
    pub(super) limit: usize,
    /// What is read; begins with [`COLUMNS`].
    pub(super) columns: &'a str,
}

/// The next rows that pass the filter and that `take` takes, with the bytes of each.
///
/// The times, and a single kind, narrow what SQLite looks at; the rest is looked for in the rows themselves, so that one
/// call is bounded whatever the filter. Words too: a patient's rows lie side by side, and an index over everybody's words
/// costs each write more than it saves a search.
pub(super) fn stretch<T>(
    connection: &Connection,
    look: Look<'_>,
    take: impl Fn(&Row<'_>) -> rusqlite::Result<Option<(T, usize)>>,
) -> Result<Stretch<T>, StoreError> {
    debug_assert!(look.columns.starts_with(COLUMNS));
    let nothing = Stretch {
        rows: Vec::new(),
        looked_up_to: None,
    };
    let words = match &look.filter.words {
        Some(text) => match SearchWords::of(text) {
            Some(words) => Some(words),
            None => return Ok(nothing),
        },
        None => None,
    };
    let mut found: Vec<(EntryPlace, T)> = Vec::new();
    let mut looked_up_to = None;
    let is_before = |a: &EntryPlace, b: &EntryPlace| if look.filter.oldest_first { a < b } else { b < a };
    for patient in look.patients {
        let (rows, end) = of_record(connection, &look, patient, words.as_ref(), &take)?;
        found.extend(rows);
        // Behind the first end there may be rows of that record which were not looked at.
        looked_up_to = match (looked_up_to, end) {
            (Some(known), Some(end)) => Some(if is_before(&end, &known) { end } else { known }),
            (known, end) => known.or(end),
        };
    }
    if let Some(end) = &looked_up_to {
        found.retain(|(place, _)| !is_before(end, place));
    }
    found.sort_by(|(a, _), (b, _)| {
        if look.filter.oldest_first {
            a.cmp(b)
        } else {
            b.cmp(a)
        }
    });
    if found.len() >= look.limit {
        found.truncate(look.limit);
        looked_up_to = found.last().map(|(place, _)| *place).or(looked_up_to);
    }
    Ok(Stretch {
        rows: found.into_iter().map(|(_, row)| row).collect(),
        looked_up_to,
    })
}

type Part<T> = (Vec<(EntryPlace, T)>, Option<EntryPlace>);

fn of_record<T>(
    connection: &Connection,
    look: &Look<'_>,
    patient: &PatientId,
    words: Option<&SearchWords>,
    take: impl Fn(&Row<'_>) -> rusqlite::Result<Option<(T, usize)>>,
) -> Result<Part<T>, StoreError> {
    let records = look.patients.len().max(1);
    let rows_max = (ROWS_LOOKED_AT_MAX / records).max(1);
    let (conditions, values) = conditions(patient, look.filter, look.after);
    let direction = if look.filter.oldest_first { "" } else { "DESC" };
    let sql = format!(
        "SELECT {} FROM entry WHERE {} ORDER BY patient {direction}, occurred_ms {direction}, id {direction}
         LIMIT {rows_max}",
        look.columns,
        conditions.join(" AND "),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let values: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
    let mut rows = statement.query(values.as_slice())?;
    let mut found = Vec::new();
    let (mut looked_at, mut bytes) = (0, 0);
    while let Some(row) = rows.next()? {
        looked_at += 1;
        let place = EntryPlace {
            occurred_ms: row.get(2)?,
            id: id_column(row, 0)?,
        };
        if passes(row, look.filter, words)?
            && let Some((taken, size)) = take(row)?
        {
            bytes += size;
            found.push((place, taken));
        }
        if found.len() >= look.limit || looked_at >= rows_max || bytes > BYTES_LOOKED_AT_MAX / records {
            return Ok((found, Some(place)));
        }
    }
    Ok((found, None))
}

fn passes(row: &Row<'_>, filter: &EntryFilter, words: Option<&SearchWords>) -> rusqlite::Result<bool> {
    let kind = row.get_ref(3)?.as_str()?;
    if !filter.kinds.is_empty() && !filter.kinds.iter().any(|wanted| wanted == kind) {
        return Ok(false);
    }
    if let Some(status) = filter.status
        && status != EntryStatus::from_code(row.get(4)?)
    {
        return Ok(false);
    }
    if let Some(author) = filter.author
        && author != id_column(row, 5)?
    {
        return Ok(false);
    }
    Ok(match words {
        Some(words) => words.are_in(row.get_ref(6)?.as_str()?),
        None => true,
    })
}

type Conditions = (Vec<&'static str>, Vec<Box<dyn ToSql>>);

fn conditions(patient: &PatientId, filter: &EntryFilter, after: Option<EntryPlace>) -> Conditions {
    let mut conditions = vec!["patient = ?"];
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(*patient)];
    let mut and = |condition, value: Box<dyn ToSql>| {
        conditions.push(condition);
        values.push(value);
    };
    if let [kind] = filter.kinds.as_slice() {
        and("kind = ?", Box::new(kind.clone()));
    }
    if let Some(from_ms) = filter.from_ms {
        and("occurred_ms >= ?", Box::new(from_ms));
    }
    if let Some(to_ms) = filter.to_ms {
        and("occurred_ms < ?", Box::new(to_ms));
    }
    if let Some(after) = after {
        let condition = if filter.oldest_first {
            "(occurred_ms, id) > (?, ?)"
        } else {
            "(occurred_ms, id) < (?, ?)"
        };
        and(condition, Box::new(after.occurred_ms));
        values.push(Box::new(after.id));
    }
    (conditions, values)
}
