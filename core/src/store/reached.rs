//! How far logs stand that are read again: further than the cursors do, which were put back. The server is shown these
//! places with every request, so that one which was restored meanwhile is found out.

use super::cursors::CursorRow;
use super::{StoreError, meta};
use crate::bytes::ByteArray;
use crate::protocol::{Cursor, chain_tag};
use crate::record::Stream;
use rusqlite::Connection;

const REACHED: &str = "reached";

/// All of them, at most one of a stream.
pub fn list(connection: &Connection) -> Result<Vec<Cursor>, StoreError> {
    Ok(meta::get(connection, REACHED)?.unwrap_or_default())
}

/// The place of a stream's.
pub fn get(connection: &Connection, stream: &Stream) -> Result<Option<Cursor>, StoreError> {
    let mut all = list(connection)?.into_iter();
    Ok(all.find(|place| place.stream == *stream))
}

/// A cursor is about to be put back. What is further already stays.
pub fn note(connection: &Connection, cursor: &CursorRow) -> Result<(), StoreError> {
    let is_further = get(connection, &cursor.stream)?.is_some_and(|place| place.seq >= cursor.seq);
    if is_further || cursor.seq == 0 {
        return Ok(());
    }
    put(
        connection,
        &cursor.stream,
        Some((cursor.seq, chain_tag(&cursor.chain))),
    )
}

/// The place of a stream's, whatever it was; none: the cursor says all.
pub fn put(
    connection: &Connection,
    stream: &Stream,
    place: Option<(u64, ByteArray<8>)>,
) -> Result<(), StoreError> {
    let before = list(connection)?;
    let mut all = before.clone();
    all.retain(|known| known.stream != *stream);
    all.extend(place.map(|(seq, chain)| Cursor {
        stream: *stream,
        seq,
        chain,
    }));
    match all.is_empty() {
        _ if all == before => Ok(()),
        true => meta::remove(connection, REACHED),
        false => meta::set(connection, REACHED, &all),
    }
}
