//! Why the database failed. Holds no values.

/// Why the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The key does not open the file, or the file is no store.
    #[error("the key does not open this store")]
    Locked,
    /// A newer version wrote the file.
    #[error("a newer version wrote this store")]
    TooNew,
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// Another process holds the file for too long.
    #[error("another process holds the store")]
    Busy,
    /// A row is not what this version wrote, or was moved or altered.
    #[error("a row of `{0}` is damaged")]
    Damaged(&'static str),
    /// A name or id that must exist, or must not.
    #[error("{0}")]
    Rule(&'static str),
    /// The database failed. Its own text names tables and codes, never values.
    #[error("the database failed")]
    Database(#[source] rusqlite::Error),
    /// The file system failed.
    #[error("the file system failed")]
    File(#[from] std::io::Error),
}

/// The result of a call.
pub type StoreResult<T> = Result<T, StoreError>;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Locked,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Database(error),
        }
    }
}
