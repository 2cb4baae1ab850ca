//! The drawer: what the server refused. It never expires.

use super::{StoreError, id_column, optional_id_column};
use crate::id::WriteId;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A refused write.
#[derive(Clone, PartialEq, Debug)]
pub struct DrawerRow {
    /// The write.
    pub id: WriteId,
    /// The refused write that this one belongs to; itself, or the one it depends on.
    pub case: WriteId,
    /// The incarnation it was written in.
    pub incarnation: u64,
    /// Its frozen bytes.
    pub bytes: Vec<u8>,
    /// Why, as a stable code.
    pub code: String,
    /// More, safe to log.
    pub detail: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was saved.
    pub saved_ms: i64,
    /// When it was refused.
    pub refused_ms: i64,
    /// The write that took its place.
    pub resent_as: Option<WriteId>,
}

const COLUMNS: &str =
    "id, case_id, incarnation, bytes, code, detail, attempts, saved_ms, refused_ms, resent_as";

fn read(row: &Row<'_>) -> rusqlite::Result<DrawerRow> {
    Ok(DrawerRow {
        id: id_column(row, 0)?,
        case: id_column(row, 1)?,
        incarnation: row.get::<_, i64>(2)? as u64,
        bytes: row.get(3)?,
        code: row.get(4)?,
        detail: row.get(5)?,
        attempts: row.get(6)?,
        saved_ms: row.get(7)?,
        refused_ms: row.get(8)?,
        resent_as: optional_id_column(row, 9)?,
    })
}

/// Puts a refused write in.
pub fn insert(connection: &Connection, row: &DrawerRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO drawer (id, case_id, incarnation, bytes, code, detail, attempts, saved_ms, refused_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            row.id,
            row.case,
            row.incarnation as i64,
            row.bytes,
            row.code,
            row.detail,
            row.attempts,
            row.saved_ms,
            row.refused_ms,
        ])?;
    Ok(())
}

/// A refused write.
pub fn get(connection: &Connection, id: &WriteId) -> Result<Option<DrawerRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM drawer WHERE id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id], read)
        .optional()?)
}

/// All that wait for a person, by case.
pub fn list(connection: &Connection) -> Result<Vec<DrawerRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM drawer ORDER BY refused_ms, case_id, saved_ms, id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many wait for a person.
pub fn count(connection: &Connection) -> Result<u64, StoreError> {
    Ok(
        connection.query_row("SELECT count(*) FROM drawer WHERE resent_as IS NULL", [], |row| {
            row.get::<_, i64>(0)
        })? as u64,
    )
}

/// The write was edited and sent again.
pub fn set_resent(connection: &Connection, id: &WriteId, resent_as: &WriteId) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE drawer SET resent_as = ?2 WHERE id = ?1",
        params![id, resent_as],
    )?;
    Ok(())
}

/// A person discarded it, or its successor was accepted.
pub fn remove(connection: &Connection, id: &WriteId) -> Result<(), StoreError> {
    connection.execute("DELETE FROM drawer WHERE id = ?1", [id])?;
    Ok(())
}
