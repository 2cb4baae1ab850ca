//! What a digest is computed from: patients in their order, records by version, the outbox by number.

use super::{StoreError, optional_id_column};
use crate::id::{PatientId, UnitId};
use rusqlite::{Connection, OptionalExtension, params};

/// What the server accepted of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AcceptedRecord {
    /// Its version.
    pub version: u64,
    /// The unit whose stream orders it.
    pub unit: UnitId,
    /// Every item of the stream up to here is in it (after a snapshot).
    pub as_of: u64,
}

/// The patient behind another one, by id, of those with a record or a document here.
pub fn next_patient(
    connection: &Connection,
    after: Option<&PatientId>,
) -> Result<Option<PatientId>, StoreError> {
    let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    Ok(connection
        .prepare_cached(
            "SELECT min(next) FROM (SELECT min(patient) AS next FROM document WHERE patient > ?1
             UNION ALL SELECT min(id) FROM patient WHERE id > ?1)",
        )?
        .query_row([after], |row| optional_id_column(row, 0))?)
}

/// What the server accepted of a patient's record; none where nothing is.
pub fn accepted_record(
    connection: &Connection,
    patient: &PatientId,
) -> Result<Option<AcceptedRecord>, StoreError> {
    Ok(connection
        .prepare_cached("SELECT version, unit, as_of FROM patient WHERE id = ?1 AND accepted IS NOT NULL")?
        .query_row([patient], |row| {
            Ok(AcceptedRecord {
                version: row.get::<_, i64>(0)? as u64,
                unit: super::id_column(row, 1)?,
                as_of: row.get::<_, i64>(2)? as u64,
            })
        })
        .optional()?)
}

/// Whether own accepted writes are here that no cursor has passed.
pub fn has_own(connection: &Connection) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM own LIMIT 1")?
        .exists([])?)
}

/// A write of the outbox, as it was saved.
#[derive(Clone, Debug)]
pub struct SavedWrite {
    /// Its number.
    pub n: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The hash they had.
    pub hash: Vec<u8>,
}

/// Writes of the outbox behind a number.
pub fn outbox_after(
    connection: &Connection,
    after: u64,
    limit: usize,
) -> Result<Vec<SavedWrite>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT n, bytes, hash FROM outbox WHERE n > ?1 ORDER BY n LIMIT ?2")?;
    let rows = statement.query_map(params![after as i64, limit as i64], |row| {
        Ok(SavedWrite {
            n: row.get::<_, i64>(0)? as u64,
            bytes: row.get(1)?,
            hash: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
