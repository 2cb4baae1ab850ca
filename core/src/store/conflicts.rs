//! Open conflicts: both values, who and when. A person decides; the decision is a write of its own.

use super::{StoreError, id_column};
use crate::id::{ConflictId, PatientId, UserId, WriteId};
use crate::record::Compartment;
use crate::redact::Sensitive;
use crate::time::Zoned;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// One of the values.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Choice {
    /// The value as text.
    pub value: Sensitive<String>,
    /// Who.
    pub author: UserId,
    /// When, by their device's clock.
    pub recorded_at: Zoned,
    /// The write that brought it.
    pub write: WriteId,
    /// Whether screens show this one until a person decides.
    pub shown: bool,
}

/// What a conflict is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConflictSubject {
    /// A field of a chart item.
    ChartItem,
    /// A field of a patient's record.
    Patient,
    /// A draft that was finalized twice.
    Entry,
}

impl ConflictSubject {
    fn name(self) -> &'static str {
        match self {
            Self::ChartItem => "chart_item",
            Self::Patient => "patient",
            Self::Entry => "entry",
        }
    }
}

/// Where it lies. An id alone may stand in another patient's documents as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject {
    /// Whose.
    pub patient: PatientId,
    /// Who may read it.
    pub compartment: Compartment,
    /// The item, patient or entry.
    pub id: Uuid,
}

impl Subject {
    /// The id everybody who sees it gives the conflict about a field.
    pub fn conflict_id(&self, field: &str) -> ConflictId {
        ConflictId::derive(self.patient, self.compartment.name(), &self.id, field)
    }
}

/// An open conflict.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ConflictRow {
    /// Everybody who sees it gives it this id.
    pub id: ConflictId,
    /// Whose.
    pub patient: PatientId,
    /// Who may read it.
    pub compartment: Compartment,
    /// The item, patient or entry.
    pub subject: Uuid,
    /// What the subject is.
    pub subject_kind: ConflictSubject,
    /// The field; `header` of an entry.
    pub field: String,
    /// Whether it must not be left to the machine (allergies, doses, identity).
    pub needs_person: bool,
    /// The values, the shown one first.
    pub choices: Vec<Choice>,
}

const COLUMNS: &str = "id, patient, subject, subject_kind, field, needs_person, choices, compartment";

fn read(row: &Row<'_>) -> rusqlite::Result<ConflictRow> {
    let kind: String = row.get(3)?;
    let choices: String = row.get(6)?;
    Ok(ConflictRow {
        id: id_column(row, 0)?,
        patient: id_column(row, 1)?,
        compartment: Compartment::from_code(row.get(7)?).unwrap_or(Compartment::Clinical),
        subject: Uuid::from_bytes(super::blob16(row, 2)?),
        subject_kind: match kind.as_str() {
            "patient" => ConflictSubject::Patient,
            "entry" => ConflictSubject::Entry,
            _ => ConflictSubject::ChartItem,
        },
        field: row.get(4)?,
        needs_person: row.get(5)?,
        choices: serde_json::from_str(&choices).unwrap_or_default(),
    })
}

/// Opens a conflict, or brings it up to date.
pub fn put(connection: &Connection, conflict: &ConflictRow) -> Result<(), StoreError> {
    let choices = serde_json::to_string(&conflict.choices).map_err(|_| StoreError::Row("conflict"))?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO conflict (id, patient, subject, subject_kind, field, needs_person, choices,
             compartment) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            conflict.id,
            conflict.patient,
            conflict.subject.as_bytes().as_slice(),
            conflict.subject_kind.name(),
            conflict.field,
            conflict.needs_person,
            choices,
            conflict.compartment.code(),
        ])?;
    Ok(())
}

/// Closes the conflicts about a subject, except those on the fields named.
pub fn keep_only(connection: &Connection, subject: &Subject, fields: &[&str]) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, field FROM conflict WHERE patient = ?1 AND compartment = ?2 AND subject = ?3",
    )?;
    let place = params![
        subject.patient,
        subject.compartment.code(),
        subject.id.as_bytes().as_slice()
    ];
    let open: Vec<(ConflictId, String)> = statement
        .query_map(place, |row| Ok((id_column(row, 0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (id, field) in open {
        if !fields.contains(&field.as_str()) {
            connection
                .prepare_cached("DELETE FROM conflict WHERE id = ?1")?
                .execute([id])?;
        }
    }
    Ok(())
}

/// A conflict.
pub fn get(connection: &Connection, id: &ConflictId) -> Result<Option<ConflictRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM conflict WHERE id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id], read)
        .optional()?)
}

/// The open conflicts of a patient, or all.
pub fn list(connection: &Connection, patient: Option<&PatientId>) -> Result<Vec<ConflictRow>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM conflict WHERE ?1 IS NULL OR patient = ?1 ORDER BY patient, subject, field, compartment"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([patient], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many are open.
pub fn count(connection: &Connection) -> Result<u64, StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM conflict", [], |row| row.get::<_, i64>(0))? as u64)
}
