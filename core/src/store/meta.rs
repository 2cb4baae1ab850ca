//! Single values: who the device is, where its clocks and counters stand.

use super::StoreError;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Serialize, de::DeserializeOwned};

/// Reads a value.
pub fn get<T: DeserializeOwned>(connection: &Connection, name: &str) -> Result<Option<T>, StoreError> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    bytes
        .map(|bytes| crate::protocol::decode(&bytes).map_err(|_| StoreError::Row("meta")))
        .transpose()
}

/// Writes a value.
pub fn set<T: Serialize>(connection: &Connection, name: &str, value: &T) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        )?
        .execute(params![name, crate::protocol::encode(value)])?;
    Ok(())
}

/// Removes a value.
pub fn remove(connection: &Connection, name: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM meta WHERE name = ?1")?
        .execute([name])?;
    Ok(())
}
