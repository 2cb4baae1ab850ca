//! The schema's versions. A file in this table is never edited after it shipped; the next change is a new file.

use super::StoreError;
use rusqlite::{Connection, TransactionBehavior};

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_trail.sql"),
    include_str!("migrations/0002_reading.sql"),
    include_str!("migrations/0003_people.sql"),
    include_str!("migrations/0004_places.sql"),
    include_str!("migrations/0005_statistics.sql"),
    include_str!("migrations/0006_first_sync.sql"),
    include_str!("migrations/0007_tail.sql"),
    include_str!("migrations/0008_chart_without_unit.sql"),
    include_str!("migrations/0009_bulk_rows.sql"),
    include_str!("migrations/0010_digest.sql"),
    include_str!("migrations/0011_unapplied.sql"),
];

/// The schema this version writes.
pub(super) const KNOWN: i64 = MIGRATIONS.len() as i64;

fn version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// A file that a newer version wrote is not touched.
pub(super) fn refuse_newer(connection: &Connection) -> Result<(), StoreError> {
    // `user_version` alone may be answered before the key is tried; counting the schema reads the first page.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    match version(connection)? {
        found if found > KNOWN => Err(StoreError::TooNew { found, known: KNOWN }),
        _ => Ok(()),
    }
}

/// Brings the schema to [`KNOWN`], each version in one transaction: a kill leaves the old or the new schema.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    while version(connection)? < KNOWN {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have migrated while this one waited for the lock.
        let from = version(&transaction)?;
        if let Some(sql) = MIGRATIONS.get(from as usize) {
            transaction.execute_batch(sql)?;
            transaction.pragma_update(None, "user_version", from + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}
