//! The timeline as it is read: rows clustered by patient, time of occurrence and id.

mod find;
mod write;

pub use find::{anybodys, get, last_imported};
pub use write::{put, put_all_new, remove};

use super::stretch::{self, Look, Stretch};
use super::{StoreError, id_column, optional_id_column};
use crate::id::{EntryId, PatientId, UnitId, UserId, WriteId};
use crate::record::Compartment;
use crate::redact::Sensitive;
use crate::time::Zoned;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

/// What an entry is now. Projected from the entries that speak of it; written nowhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryStatus {
    /// As its author signed it.
    Final,
    /// Being written.
    Draft,
    /// A later entry amends it.
    Amended,
    /// A later entry says it was entered in error.
    EnteredInError,
}

impl EntryStatus {
    pub(super) fn from_code(code: u8) -> Self {
        [Self::Final, Self::Draft, Self::Amended, Self::EnteredInError][usize::from(code.min(3))]
    }
}

/// What an entry says of another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationRow {
    /// It replaces what that one said.
    Amends(EntryId),
    /// It says that one was entered in error.
    Retracts(EntryId),
    /// It was moved from another patient's chart.
    MovedFrom(PatientId, EntryId),
}

/// A row of the timeline.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct EntryRow {
    /// The entry.
    pub id: EntryId,
    /// Whose.
    pub patient: PatientId,
    /// When it happened.
    pub occurred_at: Zoned,
    /// Its kind.
    pub kind: String,
    /// What it is now.
    pub status: EntryStatus,
    /// What a person reads.
    pub text: Sensitive<String>,
    /// The structured part, canonical JSON.
    pub body: Option<Sensitive<String>>,
    /// Who signs it.
    pub author: UserId,
    /// The unit they worked in.
    pub unit: UnitId,
    /// Who may read it.
    pub compartment: Compartment,
    /// When the device recorded it, by its clock.
    pub recorded_at: Zoned,
    /// The chapter it lies in: UTC year and part.
    pub chapter: (i32, u32),
    /// The source had no clinical time.
    pub time_inferred: bool,
    /// The device's clock was not known to be right.
    pub time_uncertain: bool,
    /// What it says of another entry.
    pub relation: Option<RelationRow>,
    /// `Type/id` of the resource it was imported from.
    pub origin: Option<String>,
    /// The performer its source names.
    pub performer: Option<Sensitive<String>>,
    /// The digest of the source's content.
    pub origin_digest: Option<String>,
    /// The write that made it.
    pub write: WriteId,
    /// How many headers it has: more than one when a draft was finalized twice at once.
    pub headers: u32,
    /// The text after edits that came when it was already final; a person amends or dismisses.
    pub late_edit: Option<Sensitive<String>>,
    /// SHA-256 of the draft as it stands.
    #[serde(skip)]
    pub draft_digest: Option<[u8; 32]>,
}

/// Begins with [`stretch::COLUMNS`].
const COLUMNS: &str = "id, patient, occurred_ms, kind, status, author, text, body, occurred_offset, unit, compartment,
    recorded_ms, recorded_offset, year, part, marks, relation, related_entry, related_patient, origin_resource,
    origin_performer, origin_digest, write_id, headers, late_edit, draft_digest";

fn read(row: &Row<'_>) -> rusqlite::Result<EntryRow> {
    let marks: u8 = row.get(15)?;
    let related: Option<EntryId> = optional_id_column(row, 17)?;
    let related_patient: Option<PatientId> = optional_id_column(row, 18)?;
    let relation = match (row.get::<_, u8>(16)?, related, related_patient) {
        (1, Some(entry), _) => Some(RelationRow::Amends(entry)),
        (2, Some(entry), _) => Some(RelationRow::Retracts(entry)),
        (3, Some(entry), Some(patient)) => Some(RelationRow::MovedFrom(patient, entry)),
        _ => None,
    };
    Ok(EntryRow {
        id: id_column(row, 0)?,
        patient: id_column(row, 1)?,
        occurred_at: Zoned {
            utc_ms: row.get(2)?,
            offset_minutes: row.get(8)?,
        },
        kind: row.get(3)?,
        status: EntryStatus::from_code(row.get(4)?),
        text: Sensitive(row.get(6)?),
        body: row.get::<_, Option<String>>(7)?.map(Sensitive),
        author: id_column(row, 5)?,
        unit: id_column(row, 9)?,
        compartment: Compartment::from_code(row.get(10)?).unwrap_or(Compartment::Clinical),
        recorded_at: Zoned {
            utc_ms: row.get(11)?,
            offset_minutes: row.get(12)?,
        },
        chapter: (row.get(13)?, row.get(14)?),
        time_inferred: marks & 1 != 0,
        time_uncertain: marks & 2 != 0,
        relation,
        origin: row.get(19)?,
        performer: row.get::<_, Option<String>>(20)?.map(Sensitive),
        origin_digest: row.get(21)?,
        write: id_column(row, 22)?,
        headers: row.get(23)?,
        late_edit: row.get::<_, Option<String>>(24)?.map(Sensitive),
        draft_digest: row.get(25)?,
    })
}

/// The entries of a chapter's part that did not come in a segment.
pub fn ids_not_of_segments(
    connection: &Connection,
    key: &crate::document::DocumentKey,
) -> Result<Vec<EntryId>, StoreError> {
    let (year, part) = key.chapter_numbers();
    let mut statement = connection.prepare_cached(
        "SELECT id FROM entry WHERE patient = ?1 AND compartment = ?2 AND year = ?3 AND part = ?4 AND seq IS NULL",
    )?;
    let rows = statement.query_map(params![key.patient, key.compartment.code(), year, part], |row| {
        id_column(row, 0)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many entries there are.
pub fn count(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM entry")?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))? as u64)
}

/// Which entries a list shows. Every condition narrows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EntryFilter {
    /// Only these kinds; all when empty.
    pub kinds: Vec<String>,
    /// From this instant on.
    pub from_ms: Option<i64>,
    /// Before this instant.
    pub to_ms: Option<i64>,
    /// All these words, as prefixes, accents folded.
    pub words: Option<Sensitive<String>>,
    /// Only this author.
    pub author: Option<UserId>,
    /// Only this status.
    pub status: Option<EntryStatus>,
    /// The oldest first; the newest when false.
    pub oldest_first: bool,
}

/// The place of a row in its list: pages neither skip nor repeat while entries arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct EntryPlace {
    /// When it happened.
    pub occurred_ms: i64,
    /// The entry.
    pub id: EntryId,
}

/// The next rows of a person's timeline that pass the filter, after a place: up to `limit`, of a bounded number that are
/// looked at.
pub fn stretch(
    connection: &Connection,
    patients: &[PatientId],
    filter: &EntryFilter,
    after: Option<EntryPlace>,
    limit: usize,
) -> Result<Stretch<EntryRow>, StoreError> {
    let look = Look {
        patients,
        filter,
        after,
        limit,
        columns: COLUMNS,
    };
    stretch::stretch(connection, look, |row| Ok(Some((read(row)?, 0))))
}

/// Entries with a late edit or two headers, for whoever has to decide.
pub fn undecided(connection: &Connection, limit: usize) -> Result<Vec<EntryRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM entry WHERE late_edit IS NOT NULL OR headers > 1 LIMIT {limit}");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Every row, in order: for proving that the read model follows from the documents.
pub fn dump(connection: &Connection) -> Result<Vec<EntryRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM entry ORDER BY patient, occurred_ms, id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The entries of a chapter's part.
pub fn ids_in_chapter(
    connection: &Connection,
    key: &crate::document::DocumentKey,
) -> Result<Vec<EntryId>, StoreError> {
    let (year, part) = key.chapter_numbers();
    let mut statement = connection.prepare_cached(
        "SELECT id FROM entry WHERE patient = ?1 AND compartment = ?2 AND year = ?3 AND part = ?4",
    )?;
    let rows = statement.query_map(params![key.patient, key.compartment.code(), year, part], |row| {
        id_column(row, 0)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
