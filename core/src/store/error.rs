//! What the store can fail with. SQLite's own messages may quote values, so they go no further than this.

use crate::error::{Code, SyncError};

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite said no.
    #[error("SQLite error {0:?}")]
    Sqlite(rusqlite::ErrorCode),
    /// SQLite said no, outside its codes.
    #[error("a statement does not fit the store: {0}")]
    Statement(&'static str),
    /// A newer version wrote the file.
    #[error("the store has schema {found}, this version knows {known}")]
    TooNew {
        /// The file's.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A row holds what no version of ours wrote.
    #[error("a row of {0} cannot be read")]
    Row(&'static str),
}

impl StoreError {
    /// Whether SQLite found the file damaged.
    pub(super) fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode;
        matches!(
            self,
            Self::Sqlite(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, _) => Self::Sqlite(failure.code),
            rusqlite::Error::QueryReturnedNoRows => Self::Statement("no row"),
            rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::FromSqlConversionFailure(..) => {
                Self::Statement("column type")
            }
            _ => Self::Statement("other"),
        }
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        use rusqlite::ErrorCode;
        let code = match &error {
            StoreError::Sqlite(ErrorCode::DiskFull) => Code::DiskFull,
            StoreError::Sqlite(ErrorCode::NotADatabase) => Code::StoreLocked,
            StoreError::Sqlite(ErrorCode::DatabaseCorrupt) | StoreError::Row(_) => Code::StoreDamaged,
            StoreError::Sqlite(_) => Code::StoreUnavailable,
            StoreError::TooNew { .. } => Code::StoreTooNew,
            StoreError::Statement(_) => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

impl From<rusqlite::Error> for SyncError {
    fn from(error: rusqlite::Error) -> Self {
        StoreError::from(error).into()
    }
}
