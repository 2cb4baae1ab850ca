//! Rows that many records name.

use super::StoreError;
use crate::record::ReferenceRow;
use crate::redact::Sensitive;
use rusqlite::{Connection, params};
use uuid::Uuid;

/// Writes a row.
pub fn put(connection: &Connection, row: &ReferenceRow) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO reference (kind, id, name, details) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            row.kind,
            row.id.as_bytes().as_slice(),
            row.name.0,
            row.details.0
        ])?;
    Ok(())
}

/// The rows of a kind, by name.
pub fn list(connection: &Connection, kind: &str) -> Result<Vec<ReferenceRow>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, name, details FROM reference WHERE kind = ?1 ORDER BY name, id")?;
    let rows = statement.query_map([kind], |row| {
        Ok(ReferenceRow {
            kind: kind.to_owned(),
            id: Uuid::from_bytes(super::blob16(row, 0)?),
            name: Sensitive(row.get(1)?),
            details: Sensitive(row.get(2)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A row.
pub fn get(connection: &Connection, kind: &str, id: &Uuid) -> Result<Option<ReferenceRow>, StoreError> {
    use rusqlite::OptionalExtension;
    let mut statement =
        connection.prepare_cached("SELECT name, details FROM reference WHERE kind = ?1 AND id = ?2")?;
    let found = statement.query_row(params![kind, id.as_bytes().as_slice()], |row| {
        let (name, details) = (Sensitive(row.get(0)?), Sensitive(row.get(1)?));
        Ok(ReferenceRow {
            kind: kind.to_owned(),
            id: *id,
            name,
            details,
        })
    });
    Ok(found.optional()?)
}
