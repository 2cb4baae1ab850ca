//! Opening the store. Every pragma is set explicitly, because the native and the web build of SQLite differ in
//! their defaults; `docs/design/pragmas.md` says why each.

use super::{StoreError, migrations};
use rusqlite::{Connection, OpenFlags};
use std::path::PathBuf;
use std::sync::Once;
use zeroize::Zeroizing;

/// Where a store lies.
#[derive(Clone, Debug)]
pub enum Location {
    /// A file.
    File(PathBuf),
    /// Memory; gone with the last connection. For tests and trials.
    Memory,
}

/// A store's key: 32 random bytes, never a passphrase.
#[derive(Clone)]
pub struct StoreKey(pub Zeroizing<[u8; 32]>);

impl std::fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("‹key›")
    }
}

impl StoreKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// Lets the first use of SQLite in this process be alone: SQLite tells other threads that it is ready before SQLCipher
/// is (`SQLITE_EXTRA_INIT` runs last), and a key given in between is refused. Whoever opens a connection calls it first.
pub fn prepare_sqlite() {
    static READY: Once = Once::new();
    // Should it fail, the opening that follows says why.
    READY.call_once(|| drop(Connection::open_in_memory()));
}

/// A connection with the key, and no pragma yet.
pub(super) fn open_keyed(
    location: &Location,
    key: &StoreKey,
    flags: OpenFlags,
) -> Result<Connection, StoreError> {
    prepare_sqlite();
    let connection = match location {
        Location::File(path) => Connection::open_with_flags(path, flags)?,
        Location::Memory => Connection::open_in_memory_with_flags(flags)?,
    };
    // SQLCipher would tell stderr of a wrong key in its own words; the error says it.
    connection.execute_batch("PRAGMA cipher_log_level = NONE;")?;
    let pragma = Zeroizing::new(format!(
        "PRAGMA key = \"x'{}'\";",
        Zeroizing::new(hex::encode(*key.0)).as_str()
    ));
    connection.execute_batch(&pragma)?;
    Ok(connection)
}

/// An open store.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

impl Store {
    /// Opens or creates a store.
    ///
    /// # Errors
    /// `Sqlite(NotADatabase)` when the key does not fit; `TooNew` when a newer version wrote it, with no byte changed.
    pub fn open(location: &Location, key: &StoreKey) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = open_keyed(location, key, flags)?;
        // Read before anything is written: a wrong key or a newer file is found here, and left as it is.
        migrations::refuse_newer(&connection)?;
        connection.busy_timeout(std::time::Duration::from_secs(20))?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON;
             PRAGMA foreign_keys = ON;
             PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -8192;
             PRAGMA wal_autocheckpoint = 2000;
             PRAGMA journal_size_limit = 16777216;
             PRAGMA secure_delete = FAST;
             PRAGMA trusted_schema = OFF;
             PRAGMA cell_size_check = ON;",
        )?;
        connection.set_prepared_statement_cache_capacity(128);
        migrations::migrate(&mut connection)?;
        Ok(Self { connection })
    }

    /// The connection, for one step's transaction.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Changes whenever another process committed to the file.
    pub fn data_version(&self) -> Result<i64, StoreError> {
        Ok(self
            .connection
            .query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }
}
