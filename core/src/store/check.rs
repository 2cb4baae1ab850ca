//! Whether the file itself is in order, seen past the owner: the whole of it is read, on a connection of its own.

use super::connection::{Location, StoreKey, open_keyed};
use super::{StoreError, migrations};
use rusqlite::{Connection, OpenFlags};

/// Whether SQLCipher finds every page as it was sealed, and SQLite every table and index in order. A store in memory is.
/// Nothing is written.
///
/// # Errors
/// Where the file does not open: it is not there, the key does not fit, its first page is damaged.
pub fn is_file_whole(location: &Location, key: &StoreKey) -> Result<bool, StoreError> {
    if matches!(location, Location::Memory) {
        return Ok(true);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = open_keyed(location, key, flags)?;
    migrations::refuse_newer(&connection)?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cell_size_check = ON;")?;
    let sealed = lines(&connection, "PRAGMA cipher_integrity_check").map(|found| found.is_empty());
    let ordered = lines(&connection, "PRAGMA integrity_check(1)").map(|found| found == ["ok"]);
    Ok(or_damaged(sealed)? && or_damaged(ordered)?)
}

/// A check that stumbles over the damage has found it.
fn or_damaged(checked: Result<bool, StoreError>) -> Result<bool, StoreError> {
    match checked {
        Err(error) if error.is_damage() => Ok(false),
        checked => checked,
    }
}

fn lines(connection: &Connection, pragma: &str) -> Result<Vec<String>, StoreError> {
    let mut statement = connection.prepare(pragma)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
