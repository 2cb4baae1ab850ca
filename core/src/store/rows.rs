//! Ids as columns.

use rusqlite::Row;
use rusqlite::types::Type;

/// A 16-byte column.
pub(crate) fn blob16(row: &Row<'_>, index: usize) -> rusqlite::Result<[u8; 16]> {
    row.get_ref(index)?
        .as_blob()
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| rusqlite::Error::InvalidColumnType(index, "16 bytes".into(), Type::Blob))
}

macro_rules! id_columns {
    ($($id:ident),*) => {$(
        impl From<[u8; 16]> for crate::id::$id {
            fn from(bytes: [u8; 16]) -> Self { Self::from_bytes(bytes) }
        }
        impl rusqlite::ToSql for crate::id::$id {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.as_bytes().as_slice().into())
            }
        }
    )*};
}
id_columns!(
    PatientId,
    EntryId,
    ChartItemId,
    DocumentId,
    WriteId,
    StoreId,
    UserId,
    UnitId,
    ConflictId
);

/// An id.
pub(crate) fn id_column<T: From<[u8; 16]>>(row: &Row<'_>, index: usize) -> rusqlite::Result<T> {
    blob16(row, index).map(T::from)
}

/// An id, or none.
pub(crate) fn optional_id_column<T: From<[u8; 16]>>(
    row: &Row<'_>,
    index: usize,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(index)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => id_column(row, index).map(Some),
    }
}
