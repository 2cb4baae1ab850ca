//! How far each stream was read, with the running hash there.

use super::{StoreError, id_column};
use crate::record::{Compartment, Stream};
use rusqlite::{Connection, OptionalExtension, params};

/// Where the device stands in a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CursorRow {
    /// The stream.
    pub stream: Stream,
    /// The last item read.
    pub seq: u64,
    /// The running hash there.
    pub chain: [u8; 32],
    /// Up to here the log lies in a verified copy.
    pub durable_seq: u64,
    /// Whether the last answer said that nothing more was there.
    pub caught_up: bool,
}

/// The stream's cursor; at the beginning when it was never read.
pub fn get(connection: &Connection, stream: &Stream) -> Result<CursorRow, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, chain, durable_seq, caught_up FROM cursor WHERE unit = ?1 AND compartment = ?2",
    )?;
    let found = statement
        .query_row(params![stream.unit, stream.compartment.code()], |row| {
            Ok(CursorRow {
                stream: *stream,
                seq: row.get::<_, i64>(0)? as u64,
                chain: row.get(1)?,
                durable_seq: row.get::<_, i64>(2)? as u64,
                caught_up: row.get(3)?,
            })
        })
        .optional()?;
    Ok(found.unwrap_or(CursorRow {
        stream: *stream,
        seq: 0,
        chain: [0; 32],
        durable_seq: 0,
        caught_up: false,
    }))
}

/// Moves a cursor.
pub fn put(connection: &Connection, cursor: &CursorRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO cursor (unit, compartment, seq, chain, durable_seq, caught_up)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            cursor.stream.unit,
            cursor.stream.compartment.code(),
            cursor.seq as i64,
            cursor.chain.as_slice(),
            cursor.durable_seq as i64,
            cursor.caught_up,
        ])?;
    Ok(())
}

/// Whether the streams were read to the end the server had at the last contact. Of none, and of one that was never
/// asked for, not.
pub fn all_caught_up(connection: &Connection, streams: &[Stream]) -> Result<bool, StoreError> {
    for stream in streams {
        if !get(connection, stream)?.caught_up {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Every cursor.
pub fn list(connection: &Connection) -> Result<Vec<CursorRow>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT unit, compartment FROM cursor ORDER BY unit, compartment")?;
    let streams: Vec<Stream> = statement
        .query_map([], |row| {
            let compartment = Compartment::from_code(row.get(1)?).unwrap_or(Compartment::Clinical);
            Ok(Stream::new(id_column(row, 0)?, compartment))
        })?
        .collect::<Result<_, _>>()?;
    streams.iter().map(|stream| get(connection, stream)).collect()
}
