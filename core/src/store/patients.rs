//! Patients: the record that is shown (what the server has, plus what waits here), and what the server has.

use super::{StoreError, id_column};
use crate::id::{PatientId, UnitId};
use crate::record::PatientRecord;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

/// A patient's row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PatientRow {
    /// The patient.
    pub id: PatientId,
    /// The unit that registered them.
    pub unit: UnitId,
    /// What is shown.
    pub record: PatientRecord,
    /// What the server has; none while the registration waits.
    pub accepted: Option<PatientRecord>,
    /// The version of `accepted` (`ETag`); 0 while the registration waits.
    pub version: u64,
    /// Per field, who set the shown value and which refused values wait for a decision; canonical JSON kept by
    /// the `patients` state machine.
    #[serde(skip)]
    pub field_writers: String,
    /// See `field_writers`.
    #[serde(skip)]
    pub refused: String,
    /// Every item of the stream up to here is in `accepted` (after a snapshot).
    #[serde(skip)]
    pub as_of: u64,
}

const COLUMNS: &str = "id, unit, record, accepted, version, field_writers, refused, as_of";

fn read(row: &Row<'_>) -> rusqlite::Result<PatientRow> {
    let record: String = row.get(2)?;
    let accepted: Option<String> = row.get(3)?;
    Ok(PatientRow {
        id: id_column(row, 0)?,
        unit: id_column(row, 1)?,
        record: serde_json::from_str(&record).unwrap_or_default(),
        accepted: accepted.and_then(|accepted| serde_json::from_str(&accepted).ok()),
        version: row.get::<_, i64>(4)? as u64,
        field_writers: row.get(5)?,
        refused: row.get(6)?,
        as_of: row.get::<_, i64>(7)? as u64,
    })
}

/// Writes a patient, with the name `fold`ed for lists and the keys by which duplicates are found.
pub fn put(
    connection: &Connection,
    patient: &PatientRow,
    fold: &str,
    keys: &[String],
) -> Result<(), StoreError> {
    let json = |record: &PatientRecord| serde_json::to_string(record).map_err(|_| StoreError::Row("patient"));
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO patient (id, unit, fold, record, accepted, version, field_writers, refused, as_of)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            patient.id,
            patient.unit,
            fold,
            json(&patient.record)?,
            patient.accepted.as_ref().map(json).transpose()?,
            patient.version as i64,
            patient.field_writers,
            patient.refused,
            patient.as_of as i64,
        ])?;
    connection
        .prepare_cached("DELETE FROM patient_key WHERE patient = ?1")?
        .execute([patient.id])?;
    for key in keys {
        connection
            .prepare_cached("INSERT OR IGNORE INTO patient_key (key, patient) VALUES (?1, ?2)")?
            .execute(params![key, patient.id])?;
    }
    Ok(())
}

/// Takes a patient away (the registration was refused).
pub fn remove(connection: &Connection, patient: &PatientId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM patient_key WHERE patient = ?1")?
        .execute([patient])?;
    connection
        .prepare_cached("DELETE FROM patient WHERE id = ?1")?
        .execute([patient])?;
    forget_again(connection, patient)
}

/// A patient.
pub fn get(connection: &Connection, patient: &PatientId) -> Result<Option<PatientRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM patient WHERE id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([patient], read)
        .optional()?)
}

/// The unit that registered a patient.
pub fn unit(connection: &Connection, patient: &PatientId) -> Result<Option<UnitId>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT unit FROM patient WHERE id = ?1")?
        .query_row([patient], |row| id_column(row, 0))
        .optional()?)
}

/// Whether the patient is here.
pub fn exists(connection: &Connection, patient: &PatientId) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM patient WHERE id = ?1")?
        .exists([patient])?)
}

/// Patients whose name holds all the (folded) words as prefixes, by name, after a place.
pub fn page(
    connection: &Connection,
    words: &[String],
    after: Option<&(String, PatientId)>,
    limit: usize,
) -> Result<Vec<(PatientRow, String)>, StoreError> {
    // A leading space lets one pattern match the beginning of any word.
    let patterns: Vec<String> = words
        .iter()
        .map(|word| {
            format!(
                "% {}%",
                word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
            )
        })
        .collect();
    let mut sql = format!("SELECT {COLUMNS}, fold FROM patient WHERE 1");
    for index in 0..patterns.len() {
        sql.push_str(&format!(" AND ' ' || fold LIKE ?{} ESCAPE '\\'", index + 1));
    }
    if after.is_some() {
        sql.push_str(&format!(
            " AND (fold, id) > (?{}, ?{})",
            patterns.len() + 1,
            patterns.len() + 2
        ));
    }
    sql.push_str(&format!(" ORDER BY fold, id LIMIT {limit}"));
    let mut values: Vec<&dyn rusqlite::ToSql> = patterns.iter().map(|pattern| pattern as _).collect();
    if let Some((fold, id)) = after {
        values.push(fold);
        values.push(id);
    }
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(values.as_slice(), |row| Ok((read(row)?, row.get(8)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Patients who share a key with these.
pub fn sharing_keys(connection: &Connection, keys: &[String]) -> Result<Vec<PatientId>, StoreError> {
    let mut found = std::collections::BTreeSet::new();
    for key in keys {
        let mut statement =
            connection.prepare_cached("SELECT patient FROM patient_key WHERE key = ?1 LIMIT 100")?;
        for id in statement.query_map([key], |row| id_column::<PatientId>(row, 0))? {
            found.insert(id?);
        }
    }
    Ok(found.into_iter().collect())
}

/// How many there are.
pub fn count(connection: &Connection) -> Result<u64, StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM patient", [], |row| row.get::<_, i64>(0))? as u64)
}

/// Every patient, in order.
pub fn dump(connection: &Connection) -> Result<Vec<PatientRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM patient ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a snapshot brought anybody of a unit as of a place of its log or a later one.
pub fn any_as_of_from(connection: &Connection, unit: &UnitId, seq: u64) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM patient WHERE unit = ?1 AND as_of >= ?2")?
        .exists(params![unit, seq as i64])?)
}

/// Records of an identity stream that hold more of its log than up to `seq` hold no more than that, as far as is
/// known: at most `limit`. Returns how many.
pub fn cap_as_of(
    connection: &Connection,
    stream: &crate::record::Stream,
    seq: u64,
    limit: usize,
) -> Result<usize, StoreError> {
    if stream.compartment != crate::record::Compartment::Identity {
        return Ok(0);
    }
    Ok(connection
        .prepare_cached(
            "UPDATE patient SET as_of = ?2 WHERE id IN (SELECT id FROM patient
             WHERE unit = ?1 AND as_of > ?2 LIMIT ?3)",
        )?
        .execute(params![stream.unit, seq as i64, limit as i64])?)
}

/// Keeps a record as it comes out while its log is read again.
pub fn put_again(
    connection: &Connection,
    patient: &PatientId,
    unit: &UnitId,
    row: &[u8],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO record_again (patient, unit, row) VALUES (?1, ?2, ?3)")?
        .execute(params![patient, unit, row])?;
    Ok(())
}

/// A record as it came out so far.
pub fn again(connection: &Connection, patient: &PatientId) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT row FROM record_again WHERE patient = ?1")?;
    Ok(statement.query_row([patient], |row| row.get(0)).optional()?)
}

/// Records as they came out, up to `limit`.
pub fn list_again(connection: &Connection, limit: usize) -> Result<Vec<(PatientId, Vec<u8>)>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT patient, row FROM record_again LIMIT ?1")?;
    let rows = statement.query_map([limit as i64], |row| Ok((id_column(row, 0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets a record that came out.
pub fn forget_again(connection: &Connection, patient: &PatientId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM record_again WHERE patient = ?1")?
        .execute([patient])?;
    Ok(())
}

/// Forgets what came out so far.
pub fn forget_all_again(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM record_again")?
        .execute([])?;
    Ok(())
}

/// Forgets what came out of patients who are not here.
pub fn forget_strangers_again(connection: &Connection) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM record_again WHERE patient NOT IN (SELECT id FROM patient)")?
        .execute([])?;
    Ok(())
}
