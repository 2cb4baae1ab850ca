//! Numbered migrations, each in one transaction. A file that shipped is never edited.

use crate::store::{StoreError, StoreResult};
use rusqlite::{Connection, TransactionBehavior};

/// The migrations; the file's `user_version` says how many of them it has seen.
const MIGRATIONS: &[&str] = &[
    include_str!("001_first.sql"),
    include_str!("002_scopes.sql"),
    include_str!("003_reference.sql"),
    include_str!("004_places.sql"),
    include_str!("005_segments.sql"),
    include_str!("006_durable_audit.sql"),
    include_str!("007_log_bytes.sql"),
    include_str!("008_digest.sql"),
    include_str!("009_entered.sql"),
];

/// Brings a file to this version's schema, or leaves it as it is.
pub(super) fn migrate(connection: &mut Connection, epoch: u64) -> StoreResult<()> {
    let version = |connection: &Connection| -> StoreResult<usize> {
        let version: i64 = connection.query_row("pragma user_version", [], |row| row.get(0))?;
        usize::try_from(version).map_err(|_| StoreError::Damaged("user_version"))
    };
    match version(connection)? {
        done if done == MIGRATIONS.len() => return Ok(()),
        done if done > MIGRATIONS.len() => return Err(StoreError::TooNew),
        _ => {}
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let done = version(&transaction)?;
    for migration in MIGRATIONS.get(done..).ok_or(StoreError::TooNew)? {
        transaction.execute_batch(migration)?;
    }
    if done == 0 {
        transaction.execute(
            "insert into meta (name, value) values ('epoch', ?1)",
            [super::signed(epoch)],
        )?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64)?;
    transaction.commit()?;
    Ok(())
}
