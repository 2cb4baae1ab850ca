//! What comes from the log and not from the documents: each accepted write's place, and our own writes the cursor
//! has not passed.

use super::{StoreError, id_column};
use crate::id::{EntryId, PatientId, WriteId};
use crate::record::{Compartment, Stream};
use rusqlite::{Connection, OptionalExtension, params};

/// A write's place in a stream's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receipt {
    /// The stream.
    pub stream: Stream,
    /// Its place.
    pub seq: u64,
    /// When the server received it.
    pub received_ms: i64,
}

/// Keeps a receipt. A write that stands in the logs of several units keeps the same one of them on every device that
/// reads them all: what depends on who came first is decided inside one log.
pub fn put(connection: &Connection, write: &WriteId, receipt: &Receipt) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO receipt (write_id, unit, compartment, seq, received_ms) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (write_id) DO UPDATE SET
               unit = excluded.unit, compartment = excluded.compartment, seq = excluded.seq,
               received_ms = excluded.received_ms
             WHERE excluded.unit <= unit",
        )?
        .execute(params![
            write,
            receipt.stream.unit,
            receipt.stream.compartment.code(),
            receipt.seq as i64,
            receipt.received_ms
        ])?;
    Ok(())
}

/// The receipt of a write.
pub fn get(connection: &Connection, write: &WriteId) -> Result<Option<Receipt>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT unit, compartment, seq, received_ms FROM receipt WHERE write_id = ?1")?;
    Ok(statement.query_row([write], read).optional()?)
}

/// Keeps apart the receipt an entry's row carries, before the row is written anew.
pub(super) fn keep_of_row(
    connection: &Connection,
    (patient, entry): (&PatientId, &EntryId),
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO receipt (write_id, unit, compartment, seq, received_ms)
             SELECT write_id, unit, compartment, seq, received_ms FROM entry
             WHERE patient = ?1 AND id = ?2 AND seq IS NOT NULL",
        )?
        .execute(params![patient, entry])?;
    Ok(())
}

/// Keeps the receipt of an entry's write beside the one its row may carry.
pub fn put_of_entry(
    connection: &Connection,
    entry: (&PatientId, &EntryId),
    write: &WriteId,
    receipt: &Receipt,
) -> Result<(), StoreError> {
    keep_of_row(connection, entry)?;
    put(connection, write, receipt)
}

/// The receipt of an entry's write: its row carries it, where it came in a segment.
pub fn of_entry(
    connection: &Connection,
    (patient, entry): (&PatientId, &EntryId),
    write: &WriteId,
) -> Result<Option<Receipt>, StoreError> {
    if let Some(found) = get(connection, write)? {
        return Ok(Some(found));
    }
    let mut statement = connection.prepare_cached(
        "SELECT unit, compartment, seq, received_ms FROM entry
         WHERE patient = ?1 AND id = ?2 AND write_id = ?3 AND seq IS NOT NULL",
    )?;
    let found = statement.query_row(params![patient, entry, write], read);
    Ok(found.optional()?)
}

/// Own writes the segments hold up to `as_of`: no item of theirs comes any more.
pub fn forget_own_up_to(
    connection: &Connection,
    incarnation: &crate::id::Incarnation,
    stream: &Stream,
    as_of: u64,
) -> Result<(), StoreError> {
    let own: Vec<i64> = connection
        .prepare_cached("SELECT n FROM own")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for n in own {
        let receipt = get(connection, &WriteId::derive(incarnation, n as u64))?;
        if receipt.is_some_and(|receipt| receipt.stream == *stream && receipt.seq <= as_of) {
            forget_own(connection, n as u64)?;
        }
    }
    Ok(())
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Receipt> {
    let compartment = Compartment::from_code(row.get(1)?).unwrap_or(Compartment::Clinical);
    Ok(Receipt {
        stream: Stream::new(id_column(row, 0)?, compartment),
        seq: row.get::<_, i64>(2)? as u64,
        received_ms: row.get(3)?,
    })
}

/// Forgets a receipt: the server that gave it was restored.
pub fn forget(connection: &Connection, write: &WriteId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM receipt WHERE write_id = ?1")?
        .execute([write])?;
    Ok(())
}

/// An own accepted write that the cursor has not passed, as an item of the log.
#[derive(Clone, PartialEq, Debug)]
pub struct OwnItem {
    /// The number of the incarnation it was written in.
    pub incarnation: u64,
    /// The item, encoded.
    pub item: Vec<u8>,
}

/// Keeps what the running hash needs of an own accepted write, the write as an item of the log, and of a record's
/// write all of it.
pub fn put_own(
    connection: &Connection,
    n: u64,
    hash: &[u8; 32],
    changes: &[[u8; 32]],
    record: Option<(&PatientId, &[u8])>,
    own: &OwnItem,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO own (n, hash, changes, patient, record, incarnation, item)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            n as i64,
            hash.as_slice(),
            changes.concat(),
            record.map(|(patient, _)| patient),
            record.map(|(_, bytes)| bytes),
            own.incarnation as i64,
            own.item
        ])?;
    Ok(())
}

fn read_own_item(row: &rusqlite::Row<'_>) -> rusqlite::Result<OwnItem> {
    Ok(OwnItem {
        incarnation: row.get::<_, i64>(0)? as u64,
        item: row.get(1)?,
    })
}

/// An own accepted write as an item of the log.
pub fn own_item(connection: &Connection, n: u64) -> Result<Option<OwnItem>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT incarnation, item FROM own WHERE n = ?1 AND item IS NOT NULL")?;
    Ok(statement.query_row([n as i64], read_own_item).optional()?)
}

/// The own accepted writes that the cursor has not passed.
pub fn list_own(connection: &Connection) -> Result<Vec<OwnItem>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT incarnation, item FROM own WHERE item IS NOT NULL ORDER BY n")?;
    let rows = statement.query_map([], read_own_item)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The last own write of an incarnation that was accepted and that the cursor has not passed.
pub fn last_own(connection: &Connection, incarnation: u64) -> Result<Option<u64>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT max(n) FROM own WHERE incarnation = ?1")?;
    let last: Option<i64> = statement.query_row([incarnation as i64], |row| row.get(0))?;
    Ok(last.map(|last| last as u64))
}

/// The own accepted write of a record, if it is one.
pub fn own_record(connection: &Connection, n: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT record FROM own WHERE n = ?1")?;
    Ok(statement
        .query_row([n as i64], |row| row.get(0))
        .optional()?
        .flatten())
}

/// A patient's own accepted record writes that the cursor has not passed, in order.
pub fn own_records(connection: &Connection, patient: &PatientId) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT record FROM own WHERE patient = ?1 AND record IS NOT NULL ORDER BY n")?;
    let rows = statement.query_map([patient], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What the running hash needs of a write: its hash and its changes'.
pub type OwnHashes = ([u8; 32], Vec<[u8; 32]>);

/// An own accepted write's hashes.
pub fn own(connection: &Connection, n: u64) -> Result<Option<OwnHashes>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT hash, changes FROM own WHERE n = ?1")?;
    let found = statement.query_row([n as i64], |row| {
        let changes: Vec<u8> = row.get(1)?;
        Ok((
            row.get(0)?,
            changes
                .chunks_exact(32)
                .filter_map(|hash| hash.try_into().ok())
                .collect(),
        ))
    });
    Ok(found.optional()?)
}

/// The cursor passed an own write.
pub fn forget_own(connection: &Connection, n: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM own WHERE n = ?1")?
        .execute([n as i64])?;
    Ok(())
}
