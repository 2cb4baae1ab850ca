//! The device's audit as it lies in the store.

use super::StoreError;
use rusqlite::{Connection, OptionalExtension, params};

/// A record of the chain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRow {
    /// Its place, from 1.
    pub k: u64,
    /// The canonical record.
    pub record: Vec<u8>,
    /// The chain's head after it.
    pub head: [u8; 32],
}

/// Appends a record.
pub fn append(connection: &Connection, row: &AuditRow) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO audit (k, record, head) VALUES (?1, ?2, ?3)")?
        .execute(params![row.k as i64, row.record, row.head.as_slice()])?;
    Ok(())
}

/// Records after a place, in order.
pub fn after(connection: &Connection, k: u64, limit: usize) -> Result<Vec<AuditRow>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT k, record, head FROM audit WHERE k > ?1 ORDER BY k LIMIT ?2")?;
    let rows = statement.query_map(params![k as i64, limit as i64], |row| {
        Ok(AuditRow {
            k: row.get::<_, i64>(0)? as u64,
            record: row.get(1)?,
            head: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The last record.
pub fn last(connection: &Connection) -> Result<Option<AuditRow>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT k, record, head FROM audit ORDER BY k DESC LIMIT 1")?;
    let found = statement.query_row([], |row| {
        Ok(AuditRow {
            k: row.get::<_, i64>(0)? as u64,
            record: row.get(1)?,
            head: row.get(2)?,
        })
    });
    Ok(found.optional()?)
}

/// Purges records up to a place the server gave a receipt for.
pub fn purge(connection: &Connection, up_to: u64) -> Result<usize, StoreError> {
    Ok(connection
        .prepare_cached("DELETE FROM audit WHERE k <= ?1")?
        .execute([up_to as i64])?)
}
