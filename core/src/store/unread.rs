//! Log items that are kept and passed over: of a newer version, or such that could not be applied here.

use super::{StoreError, id_column};
use crate::id::DocumentId;
use crate::record::Stream;
use rusqlite::{Connection, params};

/// How many items are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UnreadCounts {
    /// Of a newer version.
    pub newer: u64,
    /// Read, but not to be applied on what is here.
    pub unapplied: u64,
}

/// Keeps a log item this version cannot read.
pub fn keep(connection: &Connection, stream: &Stream, seq: u64, item: &[u8]) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO unread (unit, compartment, seq, item) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![stream.unit, stream.compartment.code(), seq as i64, item])?;
    Ok(())
}

/// Keeps a log item that cannot be applied: the documents it changes, and the first four bytes of each change's hash.
pub fn keep_unapplied(
    connection: &Connection,
    stream: &Stream,
    seq: u64,
    item: &[u8],
    changes: &[(DocumentId, u32)],
) -> Result<(), StoreError> {
    keep(connection, stream, seq, item)?;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO unapplied (document, unit, compartment, seq, hash_check) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (document, check) in changes {
        statement.execute(params![
            document,
            stream.unit,
            stream.compartment.code(),
            seq as i64,
            check
        ])?;
    }
    Ok(())
}

/// How many are kept.
pub fn counts(connection: &Connection) -> Result<UnreadCounts, StoreError> {
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let places = "SELECT DISTINCT unit, compartment, seq FROM unapplied";
    let newer = format!("SELECT count(*) FROM unread WHERE (unit, compartment, seq) NOT IN ({places})");
    Ok(UnreadCounts {
        newer: count(&newer)? as u64,
        unapplied: count(&format!("SELECT count(*) FROM ({places})"))? as u64,
    })
}

/// Documents that lack what is kept.
pub fn documents(connection: &Connection, limit: usize) -> Result<Vec<DocumentId>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT DISTINCT document FROM unapplied ORDER BY document LIMIT ?1")?;
    let rows = statement.query_map([limit as i64], |row| id_column(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Forgets of a document what is in it by now.
pub fn settle(
    connection: &Connection,
    document: &DocumentId,
    is_in: impl Fn(u32) -> bool,
) -> Result<(), StoreError> {
    let mut checks =
        connection.prepare_cached("SELECT DISTINCT hash_check FROM unapplied WHERE document = ?1")?;
    let checks: Vec<u32> = checks
        .query_map([document], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for check in checks.into_iter().filter(|check| is_in(*check)) {
        let place = "SELECT unit, compartment, seq FROM unapplied";
        let others = format!("{place} WHERE document <> ?1 OR hash_check <> ?2");
        let these = format!("{place} WHERE document = ?1 AND hash_check = ?2");
        let sql = format!(
            "DELETE FROM unread WHERE (unit, compartment, seq) IN ({these})
             AND (unit, compartment, seq) NOT IN ({others})"
        );
        connection
            .prepare_cached(&sql)?
            .execute(params![document, check])?;
        connection
            .prepare_cached("DELETE FROM unapplied WHERE document = ?1 AND hash_check = ?2")?
            .execute(params![document, check])?;
    }
    Ok(())
}

/// Forgets what is kept about a document: it goes, and nothing of it may stay.
pub fn forget(connection: &Connection, document: &DocumentId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM unread WHERE (unit, compartment, seq) IN
               (SELECT unit, compartment, seq FROM unapplied WHERE document = ?1)",
        )?
        .execute([document])?;
    connection
        .prepare_cached("DELETE FROM unapplied WHERE document = ?1")?
        .execute([document])?;
    Ok(())
}
