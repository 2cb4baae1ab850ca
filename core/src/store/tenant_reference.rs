//! What the tenant keeps for all its devices, row by row, as the server gave it.

use super::StoreError;
use crate::protocol::ReferenceItem;
use crate::redact::Sensitive;
use crate::time::EpochMs;
use rusqlite::{Connection, params};

/// A row, with the server's time at which it came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredReference {
    /// The row.
    pub item: ReferenceItem,
    /// When it came.
    pub fetched_ms: EpochMs,
}

/// Writes a row in the place of the one before.
pub fn put(connection: &Connection, item: &ReferenceItem, fetched_ms: EpochMs) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tenant_reference (kind, id, content, retired, fetched_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            item.kind,
            item.id,
            item.content.0,
            item.retired,
            fetched_ms
        ])?;
    Ok(())
}

/// Removes every row.
pub fn clear(connection: &Connection) -> Result<(), StoreError> {
    connection.execute("DELETE FROM tenant_reference", [])?;
    Ok(())
}

/// The rows of a kind, by id.
pub fn list(connection: &Connection, kind: &str) -> Result<Vec<StoredReference>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, content, retired, fetched_ms FROM tenant_reference WHERE kind = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([kind], |row| {
        Ok(StoredReference {
            item: ReferenceItem {
                kind: kind.to_owned(),
                id: row.get(0)?,
                content: Sensitive(row.get(1)?),
                retired: row.get(2)?,
            },
            fetched_ms: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
