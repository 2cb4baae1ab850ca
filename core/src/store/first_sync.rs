//! How far a stream's first read from segments has come.

use super::{StoreError, id_column};
use crate::protocol::SegmentName;
use crate::record::{Compartment, Stream};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Segments of a list that is asked for anew have places from here on, until it is known which of them it names.
const ASIDE: i64 = 1 << 32;

/// Whether a stream is read from segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FirstSyncState {
    /// It is, and not all rows are here.
    UnderWay,
    /// The rows are here; the log goes on.
    Done,
    /// The server offers none: it is read from the log.
    NotOffered,
}

/// A stream's first read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FirstSyncRow {
    /// The stream.
    pub stream: Stream,
    /// See there.
    pub state: FirstSyncState,
    /// Up to where the segments are; 0 before the list was asked for.
    pub seq: u64,
    /// The running hash there.
    pub chain: [u8; 32],
    /// Whether the list is whole.
    pub listed: bool,
    /// Up to where the list is that is known; above `seq` where the server made it anew.
    pub list_seq: u64,
}

/// A segment of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SegmentRow {
    /// The stream.
    pub stream: Stream,
    /// Its place in the list.
    pub k: u32,
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// How many they are.
    pub bytes: u32,
    /// How many of them are here.
    pub got: u32,
}

fn stream(row: &Row<'_>) -> rusqlite::Result<Stream> {
    let compartment = Compartment::from_code(row.get(1)?).unwrap_or(Compartment::Clinical);
    Ok(Stream::new(id_column(row, 0)?, compartment))
}

/// Every stream that is or was read from segments.
pub fn list(connection: &Connection) -> Result<Vec<FirstSyncRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT unit, compartment, state, seq, chain, listed, list_seq FROM first_sync ORDER BY unit, compartment",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(FirstSyncRow {
            stream: stream(row)?,
            state: match row.get(2)? {
                0 => FirstSyncState::UnderWay,
                1 => FirstSyncState::Done,
                _ => FirstSyncState::NotOffered,
            },
            seq: row.get::<_, i64>(3)? as u64,
            chain: row.get::<_, Vec<u8>>(4)?.try_into().unwrap_or([0; 32]),
            listed: row.get(5)?,
            list_seq: row.get::<_, i64>(6)? as u64,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether any stream's rows are on their way.
pub fn is_under_way(connection: &Connection) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM first_sync WHERE state = 0")?;
    Ok(statement.exists([])?)
}

/// Writes a stream's first read.
pub fn put(connection: &Connection, row: &FirstSyncRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO first_sync (unit, compartment, state, seq, chain, listed, list_seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            row.stream.unit,
            row.stream.compartment.code(),
            row.state as u8,
            row.seq as i64,
            row.chain.as_slice(),
            row.listed,
            row.list_seq as i64
        ])?;
    Ok(())
}

/// A stream is to be read from segments.
pub fn begin(connection: &Connection, stream: &Stream) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO first_sync (unit, compartment) VALUES (?1, ?2)
             ON CONFLICT (unit, compartment) DO UPDATE SET state = 0, seq = 0, chain = x'', listed = 0, list_seq = 0",
        )?
        .execute(params![stream.unit, stream.compartment.code()])?;
    Ok(())
}

/// A stream is read as if it never had been from segments.
pub fn remove(connection: &Connection, stream: &Stream) -> Result<(), StoreError> {
    forget(connection, stream)?;
    connection
        .prepare_cached("DELETE FROM first_sync WHERE unit = ?1 AND compartment = ?2")?
        .execute(params![stream.unit, stream.compartment.code()])?;
    Ok(())
}

/// How many segments of the list are known.
pub fn known(connection: &Connection, stream: &Stream) -> Result<u32, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT count(*) FROM segment WHERE unit = ?1 AND compartment = ?2 AND k < ?3")?;
    Ok(
        statement.query_row(params![stream.unit, stream.compartment.code(), ASIDE], |row| {
            row.get(0)
        })?,
    )
}

/// Adds segments to the list, from place `first` on.
pub fn add(
    connection: &Connection,
    stream: &Stream,
    first: u32,
    names: &[SegmentName],
) -> Result<(), StoreError> {
    let mut again = connection.prepare_cached(
        "UPDATE segment SET k = ?3 WHERE unit = ?1 AND compartment = ?2 AND k =
           (SELECT min(k) FROM segment WHERE unit = ?1 AND compartment = ?2 AND k >= ?4 AND hash = ?5)",
    )?;
    let mut statement = connection.prepare_cached(
        "INSERT OR IGNORE INTO segment (unit, compartment, k, hash, bytes, rows) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (name, k) in names.iter().zip(first..) {
        let code = stream.compartment.code();
        if again.execute(params![stream.unit, code, k, ASIDE, name.hash.as_slice()])? > 0 {
            continue;
        }
        statement.execute(params![
            stream.unit,
            code,
            k,
            name.hash.as_slice(),
            name.bytes,
            name.rows
        ])?;
    }
    Ok(())
}

/// A stream's list is asked for anew: what of its segments is here counts again where that names them.
pub fn set_aside(connection: &Connection, stream: &Stream) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE segment SET k = k + max(?3, (SELECT max(k) + 1 FROM segment WHERE unit = ?1 AND compartment = ?2))
             WHERE unit = ?1 AND compartment = ?2 AND k < ?3",
        )?
        .execute(params![stream.unit, stream.compartment.code(), ASIDE])?;
    Ok(())
}

/// The list is whole: what was set aside and is not in it goes.
pub fn forget_aside(connection: &Connection, stream: &Stream) -> Result<(), StoreError> {
    forget_from(connection, stream, ASIDE)
}

/// Forgets a stream's list and the bytes of it.
pub fn forget(connection: &Connection, stream: &Stream) -> Result<(), StoreError> {
    forget_from(connection, stream, 0)
}

fn forget_from(connection: &Connection, stream: &Stream, k: i64) -> Result<(), StoreError> {
    let from = params![stream.unit, stream.compartment.code(), k];
    connection.execute(
        "DELETE FROM segment_piece WHERE hash IN
           (SELECT hash FROM segment WHERE unit = ?1 AND compartment = ?2 AND k >= ?3)",
        from,
    )?;
    connection.execute(
        "DELETE FROM segment WHERE unit = ?1 AND compartment = ?2 AND k >= ?3",
        from,
    )?;
    Ok(())
}

fn read_segment(row: &Row<'_>) -> rusqlite::Result<SegmentRow> {
    Ok(SegmentRow {
        stream: stream(row)?,
        k: row.get(2)?,
        hash: row.get(3)?,
        bytes: row.get(4)?,
        got: row.get(5)?,
    })
}

const SEGMENT_COLUMNS: &str = "unit, compartment, k, hash, bytes, got";

/// The next segment of which bytes are missing, unless `ahead` whole ones wait to be written already.
pub fn next_to_fetch(connection: &Connection, ahead: u32) -> Result<Option<SegmentRow>, StoreError> {
    let waiting: u32 = connection
        .prepare_cached("SELECT count(*) FROM segment WHERE applied = 0 AND got = bytes AND k < ?1")?
        .query_row([ASIDE], |row| row.get(0))?;
    if waiting >= ahead {
        return Ok(None);
    }
    let sql = format!(
        "SELECT {SEGMENT_COLUMNS} FROM segment WHERE applied = 0 AND got < bytes AND k < ?1
         ORDER BY unit, compartment, k LIMIT 1"
    );
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([ASIDE], read_segment)
        .optional()?)
}

/// The segments whose bytes are here and whose rows are not written: a few.
pub fn to_apply(connection: &Connection) -> Result<Vec<SegmentRow>, StoreError> {
    let sql = format!(
        "SELECT {SEGMENT_COLUMNS} FROM segment WHERE applied = 0 AND got = bytes AND k < ?1
         ORDER BY unit, compartment, k"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([ASIDE], read_segment)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps bytes of a segment, behind those that are here.
pub fn add_piece(connection: &Connection, segment: &SegmentRow, bytes: &[u8]) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT INTO segment_piece (hash, start, bytes) VALUES (?1, ?2, ?3)")?
        .execute(params![segment.hash.as_slice(), segment.got, bytes])?;
    connection
        .prepare_cached("UPDATE segment SET got = got + ?2 WHERE hash = ?1")?
        .execute(params![segment.hash.as_slice(), bytes.len() as i64])?;
    Ok(())
}

/// The bytes of a segment that are here.
pub fn pieces(connection: &Connection, hash: &[u8; 32]) -> Result<Vec<u8>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT bytes FROM segment_piece WHERE hash = ?1 ORDER BY start")?;
    let mut rows = statement.query([hash.as_slice()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend_from_slice(row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?);
    }
    Ok(found)
}

/// The bytes are not what the hash says: they are fetched again.
pub fn drop_pieces(connection: &Connection, hash: &[u8; 32]) -> Result<(), StoreError> {
    connection.execute("DELETE FROM segment_piece WHERE hash = ?1", [hash.as_slice()])?;
    connection.execute("UPDATE segment SET got = 0 WHERE hash = ?1", [hash.as_slice()])?;
    Ok(())
}

/// A segment's rows are written.
pub fn note_applied(connection: &Connection, hash: &[u8; 32]) -> Result<(), StoreError> {
    connection.execute("DELETE FROM segment_piece WHERE hash = ?1", [hash.as_slice()])?;
    connection.execute(
        "UPDATE segment SET applied = 1 WHERE hash = ?1",
        [hash.as_slice()],
    )?;
    Ok(())
}

/// Whether rows of a stream's segments are still to be written.
pub fn has_open(connection: &Connection, stream: &Stream) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM segment WHERE unit = ?1 AND compartment = ?2 AND applied = 0 AND k < ?3",
    )?;
    Ok(statement.exists(params![stream.unit, stream.compartment.code(), ASIDE])?)
}

/// Bytes and rows of the segments listed, and how many of each are here and written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct FirstSyncProgress {
    /// Bytes fetched.
    pub bytes: u64,
    /// Bytes of all segments listed so far.
    pub bytes_total: u64,
    /// Rows written.
    pub rows: u64,
    /// Rows of all segments listed so far.
    pub rows_total: u64,
}

/// The progress of all streams under way; none where there are none.
pub fn progress(connection: &Connection) -> Result<Option<FirstSyncProgress>, StoreError> {
    if !is_under_way(connection)? {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(
        "SELECT coalesce(sum(got), 0), coalesce(sum(bytes), 0), coalesce(sum(rows * applied), 0), coalesce(sum(rows), 0)
         FROM segment NATURAL JOIN (SELECT unit, compartment FROM first_sync WHERE state = 0) WHERE k < ?1",
    )?;
    let found = statement.query_row([ASIDE], |row| {
        Ok(FirstSyncProgress {
            bytes: row.get::<_, i64>(0)? as u64,
            bytes_total: row.get::<_, i64>(1)? as u64,
            rows: row.get::<_, i64>(2)? as u64,
            rows_total: row.get::<_, i64>(3)? as u64,
        })
    })?;
    Ok(Some(found))
}
