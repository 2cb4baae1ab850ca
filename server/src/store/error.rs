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
    /// The administration asked for what cannot be.
    #[error("{0}")]
    Rule(#[from] Rule),
    /// The database failed. Its own text names tables and codes, never values.
    #[error("the database failed")]
    Database(#[source] rusqlite::Error),
    /// The file system failed.
    #[error("the file system failed")]
    File(#[from] std::io::Error),
}

/// What the administration asked for and cannot be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rule {
    /// A name is empty.
    #[error("the name is empty")]
    NameEmpty,
    /// No tenant is called so, or there is none at all.
    #[error("there is no such tenant")]
    TenantUnknown,
    /// There are several tenants and none was named.
    #[error("there are several tenants: name one")]
    TenantUnnamed,
    /// A tenant is called so already.
    #[error("a tenant of this name is there already")]
    TenantThere,
    /// No unit of the tenant is called so.
    #[error("there is no such unit")]
    UnitUnknown,
    /// A unit of the tenant is called so already.
    #[error("a unit of this name is there already")]
    UnitThere,
    /// The name has another id, or the id another name.
    #[error("this name has another id, or the id another name")]
    IdTaken,
    /// No user of the tenant is called so.
    #[error("there is no such user")]
    UserUnknown,
    /// The user does not work in the unit.
    #[error("the user does not work in this unit")]
    NotInUnit,
    /// The user's role is never granted this compartment.
    #[error("this role is never granted this compartment")]
    ScopeNotForRole,
    /// Nothing of the kind is granted.
    #[error("there is no such grant")]
    ScopeUnknown,
    /// The user's role does not look after this.
    #[error("this is not the duty of the user's role")]
    NotTheirDuty,
    /// No such row of reference data, or it is retired.
    #[error("there is no such row of reference data")]
    ReferenceUnknown,
    /// A row of reference data with an empty or overlong text.
    #[error("a text of this row is empty or too long")]
    ReferenceInvalid,
    /// No definition of a kind, or not one that may be added.
    #[error("this is no definition of a kind x-org.name, or an older one")]
    KindInvalid,
    /// There is no such write in quarantine.
    #[error("no such write is in quarantine")]
    QuarantineUnknown,
    /// No device has this number.
    #[error("there is no such device")]
    DeviceUnknown,
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
