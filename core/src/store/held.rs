//! Own writes the server holds for a supervisor: they came from outside the scope, and what they said is no longer
//! here.

use super::{StoreError, id_column, meta};
use crate::id::{DocumentId, WriteId};
use crate::time::EpochMs;
use rusqlite::{Connection, params};
use serde::Serialize;
use std::collections::BTreeSet;

/// What became of a held write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldState {
    /// A supervisor has not decided.
    Waiting,
    /// It went in.
    Released,
    /// It did not.
    Discarded,
}

/// A held write.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct HeldRow {
    /// The write.
    pub write: WriteId,
    /// Its number.
    pub n: u64,
    /// What was asked, by its name.
    pub intent: String,
    /// When it was saved here.
    pub saved_ms: EpochMs,
    /// When the server said that it holds it.
    pub held_ms: EpochMs,
    /// What became of it.
    pub state: HeldState,
}

/// Notes that the server holds a write.
pub fn put(connection: &Connection, incarnation: u64, row: &HeldRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO held (write_id, incarnation, n, intent, saved_ms, held_ms, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            row.write,
            incarnation as i64,
            row.n as i64,
            row.intent,
            row.saved_ms,
            row.held_ms,
            row.state as u8,
        ])?;
    Ok(())
}

/// How many a supervisor has not decided about, or has and nobody looked at it.
pub fn count(connection: &Connection, decided: bool) -> Result<u64, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT count(*) FROM held WHERE state < 3 AND (state > 0) = ?1")?;
    Ok(statement.query_row([decided], |row| row.get::<_, i64>(0))? as u64)
}

/// What is held, or was and has not been looked at since; oldest first.
pub fn list(connection: &Connection) -> Result<Vec<HeldRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT write_id, n, intent, saved_ms, held_ms, state FROM held WHERE state < 3 ORDER BY held_ms, n",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(HeldRow {
            write: id_column(row, 0)?,
            n: row.get::<_, i64>(1)? as u64,
            intent: row.get(2)?,
            saved_ms: row.get(3)?,
            held_ms: row.get(4)?,
            state: match row.get(5)? {
                0 => HeldState::Waiting,
                1 => HeldState::Released,
                _ => HeldState::Discarded,
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The numbers of an incarnation's writes that wait for a supervisor, from behind a number on, and then from the first
/// one on again.
pub fn waiting(
    connection: &Connection,
    incarnation: u64,
    after: u64,
    limit: usize,
) -> Result<Vec<u64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT n FROM held WHERE state = 0 AND incarnation = ?1 ORDER BY n <= ?2, n LIMIT ?3",
    )?;
    let rows = statement.query_map(params![incarnation as i64, after as i64, limit as i64], |row| {
        row.get::<_, i64>(0).map(|n| n as u64)
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const DOCUMENTS: &str = "held_documents";

/// Documents that may still hold changes of held writes.
pub fn documents(connection: &Connection) -> Result<BTreeSet<DocumentId>, StoreError> {
    Ok(meta::get(connection, DOCUMENTS)?.unwrap_or_default())
}

/// Notes which are left.
pub fn set_documents(connection: &Connection, left: &BTreeSet<DocumentId>) -> Result<(), StoreError> {
    if left.is_empty() {
        meta::remove(connection, DOCUMENTS)
    } else {
        meta::set(connection, DOCUMENTS, left)
    }
}

/// A supervisor decided.
pub fn decide(connection: &Connection, incarnation: u64, n: u64, state: HeldState) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE held SET state = ?3 WHERE incarnation = ?1 AND n = ?2 AND state = 0")?
        .execute(params![incarnation as i64, n as i64, state as u8])?;
    Ok(())
}

/// A person has seen what became of a write; says whether it was decided.
pub fn tick(connection: &Connection, write: &WriteId) -> Result<bool, StoreError> {
    let count = connection
        .prepare_cached("UPDATE held SET state = 3 WHERE write_id = ?1 AND state IN (1, 2)")?
        .execute([write])?;
    Ok(count > 0)
}
