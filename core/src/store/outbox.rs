//! Writes on their way to the server, and the changes each is encoded as.

use super::{StoreError, id_column};
use crate::id::{DocumentId, PatientId, UnitId, WriteId};
use crate::record::{Class, Compartment, Stream};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Where a write is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WriteState {
    /// Waits to be sent.
    Pending,
    /// In the request that is under way; found so at start it is pending again, with the same id.
    InFlight,
    /// Waits for a person or an update.
    Parked,
}

/// A write on its way.
#[derive(Clone, PartialEq, Debug)]
pub struct OutboxRow {
    /// Its number; the order within a lane.
    pub n: u64,
    /// The incarnation it was written in.
    pub incarnation: u64,
    /// Its id.
    pub id: WriteId,
    /// The patient whose lane it goes in.
    pub lane: PatientId,
    /// The class it is sent in.
    pub class: Class,
    /// The stream it goes to.
    pub stream: Stream,
    /// Its frozen bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub hash: [u8; 32],
    /// Where it is.
    pub state: WriteState,
    /// Why it waits.
    pub reason: Option<String>,
    /// Failed attempts.
    pub attempts: u32,
    /// Not before.
    pub due_ms: i64,
    /// When it was saved.
    pub saved_ms: i64,
    /// The generation of the actor it is encoded under.
    pub generation: u32,
    /// The server computes another change: the change travels too.
    pub raw: bool,
}

/// One change a write is encoded as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EncodingRow {
    /// The document.
    pub document: DocumentId,
    /// The change.
    pub hash: [u8; 32],
    /// What it builds on.
    pub dependencies: Vec<[u8; 32]>,
}

const COLUMNS: &str = "n, id, lane, class, unit, compartment, bytes, hash, state, reason, attempts, due_ms, saved_ms, generation, raw, incarnation";

fn read(row: &Row<'_>) -> rusqlite::Result<OutboxRow> {
    let compartment = Compartment::from_code(row.get(5)?).unwrap_or(Compartment::Clinical);
    Ok(OutboxRow {
        n: row.get::<_, i64>(0)? as u64,
        id: id_column(row, 1)?,
        lane: id_column(row, 2)?,
        class: match row.get(3)? {
            0 => Class::Registration,
            1 => Class::Booking,
            _ => Class::Note,
        },
        stream: Stream::new(id_column::<UnitId>(row, 4)?, compartment),
        bytes: row.get(6)?,
        hash: row.get(7)?,
        state: match row.get(8)? {
            0 => WriteState::Pending,
            1 => WriteState::InFlight,
            _ => WriteState::Parked,
        },
        reason: row.get(9)?,
        attempts: row.get(10)?,
        due_ms: row.get(11)?,
        saved_ms: row.get(12)?,
        generation: row.get(13)?,
        raw: row.get(14)?,
        incarnation: row.get::<_, i64>(15)? as u64,
    })
}

/// Queues a write.
pub fn insert(connection: &Connection, row: &OutboxRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO outbox (n, id, lane, class, unit, compartment, bytes, hash, saved_ms, generation,
             incarnation) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            row.n as i64,
            row.id,
            row.lane,
            row.class as u8,
            row.stream.unit,
            row.stream.compartment.code(),
            row.bytes,
            row.hash.as_slice(),
            row.saved_ms,
            row.generation,
            row.incarnation as i64,
        ])?;
    Ok(())
}

/// A write by its number.
pub fn get(connection: &Connection, n: u64) -> Result<Option<OutboxRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE n = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([n as i64], read)
        .optional()?)
}

/// A write by its id.
pub fn by_id(connection: &Connection, id: &WriteId) -> Result<Option<OutboxRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id], read)
        .optional()?)
}

/// Every write, in order.
pub fn list(connection: &Connection) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM outbox ORDER BY n");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The writes of a lane, in order.
pub fn lane(connection: &Connection, lane: &PatientId) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM outbox WHERE lane = ?1 ORDER BY n");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([lane], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Failures after which a write travels alone, so that what fails with it is nobody else's.
pub const ALONE_ATTEMPTS: u32 = 3;

/// The next writes to send, of one incarnation: due, none before an earlier one of its lane that is not, in the
/// order of classes; up to `limit`. A write that failed too often comes alone, once nothing else is due.
pub fn due(connection: &Connection, now_ms: i64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
    let together = format!("w.attempts < {ALONE_ATTEMPTS}");
    let first = due_where(connection, &together, None, now_ms, 1)?;
    if let Some(first) = first.first() {
        return match limit {
            0 | 1 => Ok(vec![first.clone()]),
            _ => due_where(connection, &together, Some(first.incarnation), now_ms, limit),
        };
    }
    let alone = format!("w.attempts >= {ALONE_ATTEMPTS}");
    due_where(connection, &alone, None, now_ms, 1)
}

fn due_where(
    connection: &Connection,
    condition: &str,
    incarnation: Option<u64>,
    now_ms: i64,
    limit: usize,
) -> Result<Vec<OutboxRow>, StoreError> {
    let sql = format!(
        "WITH held AS (SELECT lane, min(n) AS n FROM outbox WHERE (state <> 0 OR due_ms > 0)
                       AND (state <> 0 OR due_ms > ?1 OR attempts >= {ALONE_ATTEMPTS}) GROUP BY lane)
         SELECT {COLUMNS} FROM outbox AS w WHERE {condition} AND state = 0 AND due_ms <= ?1
         AND (?3 IS NULL OR incarnation = ?3)
         AND NOT EXISTS (SELECT 1 FROM held WHERE held.lane = w.lane AND held.n < w.n)
         ORDER BY class, n LIMIT ?2"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let incarnation = incarnation.map(|number| number as i64);
    let rows = statement.query_map(params![now_ms, limit as i64, incarnation], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a write's turn to be sent for the first time is near: nothing before it in its lane was sent in vain or is
/// parked.
pub fn is_next(connection: &Connection, n: u64) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM outbox AS w WHERE n = ?1 AND state = 0 AND attempts = 0 AND NOT EXISTS (
           SELECT 1 FROM outbox AS held WHERE held.lane = w.lane AND held.n < w.n
           AND (held.state <> 0 OR held.due_ms > 0) AND (held.state = 2 OR held.attempts > 0)))",
    )?;
    Ok(statement.query_row([n as i64], |row| row.get(0))?)
}

/// The earliest instant after `now_ms` at which a pending write becomes due.
pub fn next_due_ms(connection: &Connection, now_ms: i64) -> Result<Option<i64>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT min(due_ms) FROM outbox WHERE (state <> 0 OR due_ms > 0) AND state = 0 AND due_ms > ?1",
    )?;
    Ok(statement.query_row([now_ms], |row| row.get(0))?)
}

/// Marks a write's state and reason.
pub fn set_state(
    connection: &Connection,
    n: u64,
    state: WriteState,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET state = ?2, reason = ?3 WHERE n = ?1")?
        .execute(params![n as i64, state as u8, reason])?;
    Ok(())
}

/// The write is in the request under way; why it waited before is still known.
pub fn mark_in_flight(connection: &Connection, n: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET state = 1 WHERE n = ?1")?
        .execute([n as i64])?;
    Ok(())
}

/// A failed attempt: pending again, not before `due_ms`.
pub fn set_retry(
    connection: &Connection,
    n: u64,
    attempts: u32,
    due_ms: i64,
    reason: &str,
) -> Result<(), StoreError> {
    // A write that travels alone holds up its lane, and is found by that.
    let due_ms = if attempts >= ALONE_ATTEMPTS {
        due_ms.max(1)
    } else {
        due_ms
    };
    connection
        .prepare_cached("UPDATE outbox SET state = 0, attempts = ?2, due_ms = ?3, reason = ?4 WHERE n = ?1")?
        .execute(params![n as i64, attempts, due_ms, reason])?;
    Ok(())
}

/// The change travels with the write from now on.
pub fn set_raw(connection: &Connection, n: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET raw = 1 WHERE n = ?1")?
        .execute([n as i64])?;
    Ok(())
}

/// The write was encoded again under another actor. What its old encoding lacked is no reason to wait any more.
pub fn set_generation(connection: &Connection, n: u64, generation: u32) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET generation = ?2,
             due_ms = CASE WHEN reason = 'missing_dependency' AND attempts < 3 THEN 0 ELSE due_ms END WHERE n = ?1",
        )?
        .execute(params![n as i64, generation])?;
    Ok(())
}

/// What was in flight is pending again.
pub fn recall_in_flight(connection: &Connection) -> Result<usize, StoreError> {
    Ok(connection
        .prepare_cached("UPDATE outbox SET state = 0 WHERE (state <> 0 OR due_ms > 0) AND state = 1")?
        .execute([])?)
}

/// All pending writes are due no later than `due_ms` (a clock that went back must not make them wait longer).
pub fn cap_due(connection: &Connection, due_ms: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE outbox SET due_ms = ?1 WHERE (state <> 0 OR due_ms > 0) AND due_ms > ?1")?
        .execute([due_ms])?;
    Ok(())
}

/// Parked writes are tried again (after an update, a new scope, a person's word).
pub fn unpark(connection: &Connection) -> Result<usize, StoreError> {
    Ok(connection.execute(
        "UPDATE outbox SET state = 0, due_ms = 0, attempts = 0, reason = NULL WHERE state = 2",
        [],
    )?)
}

/// Every parked write, in order.
pub fn parked(connection: &Connection) -> Result<Vec<OutboxRow>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM outbox WHERE (state <> 0 OR due_ms > 0) AND state = 2 ORDER BY n");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Why the first parked write is parked.
pub fn first_parked_reason(connection: &Connection) -> Result<Option<String>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT reason FROM outbox WHERE (state <> 0 OR due_ms > 0) AND state = 2 ORDER BY n LIMIT 1",
    )?;
    Ok(statement.query_row([], |row| row.get(0)).optional()?.flatten())
}

/// Writes parked because their stream was out of scope are tried again where it is in scope now.
pub fn unpark_in_scope(connection: &Connection, streams: &[Stream]) -> Result<(), StoreError> {
    for stream in streams {
        connection
            .prepare_cached(
                "UPDATE outbox SET state = 0, due_ms = 0, attempts = 0, reason = NULL
                 WHERE state = 2 AND reason = 'out_of_scope' AND unit = ?1 AND compartment = ?2",
            )?
            .execute(params![stream.unit, stream.compartment.code()])?;
    }
    Ok(())
}

/// Takes a write out, with its encodings.
pub fn remove(connection: &Connection, n: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM encoding WHERE n = ?1")?
        .execute([n as i64])?;
    connection
        .prepare_cached("DELETE FROM outbox WHERE n = ?1")?
        .execute([n as i64])?;
    Ok(())
}

/// How many people's writes wait, how many bytes, since when, and how many are parked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OutboxSize {
    /// Writes.
    pub writes: u64,
    /// Bytes.
    pub bytes: u64,
    /// When the oldest was saved.
    pub oldest_ms: Option<i64>,
    /// In flight.
    pub in_flight: u64,
    /// Parked.
    pub parked: u64,
    /// Failed so often that a person should know.
    pub stuck: u64,
}

/// See [`OutboxSize`]. Scans the queue: for status, not for each write.
pub fn size(
    connection: &Connection,
    stuck_attempts: u32,
    stuck_before_ms: i64,
) -> Result<OutboxSize, StoreError> {
    Ok(connection.query_row(
        "SELECT count(*), coalesce(sum(length(bytes)), 0), min(saved_ms), coalesce(sum(state = 1), 0),
         coalesce(sum(state = 2), 0), coalesce(sum(attempts >= ?1 OR (attempts > 0 AND saved_ms < ?2)), 0) FROM outbox",
        params![stuck_attempts, stuck_before_ms],
        |row| {
            Ok(OutboxSize {
                writes: row.get::<_, i64>(0)? as u64,
                bytes: row.get::<_, i64>(1)? as u64,
                oldest_ms: row.get(2)?,
                in_flight: row.get::<_, i64>(3)? as u64,
                parked: row.get::<_, i64>(4)? as u64,
                stuck: row.get::<_, i64>(5)? as u64,
            })
        },
    )?)
}

/// Whether anything waits.
pub fn is_empty(connection: &Connection) -> Result<bool, StoreError> {
    Ok(!connection
        .prepare_cached("SELECT 1 FROM outbox LIMIT 1")?
        .exists([])?)
}

/// Writes the changes a write is encoded as.
pub fn put_encoding(
    connection: &Connection,
    n: u64,
    ordinal: usize,
    row: &EncodingRow,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO encoding (n, ordinal, document, hash, dependencies) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            n as i64,
            ordinal as i64,
            row.document,
            row.hash.as_slice(),
            row.dependencies.concat(),
        ])?;
    Ok(())
}

/// The changes a write is encoded as.
pub fn encodings(connection: &Connection, n: u64) -> Result<Vec<EncodingRow>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT document, hash, dependencies FROM encoding WHERE n = ?1 ORDER BY ordinal")?;
    let rows = statement.query_map([n as i64], |row| {
        let dependencies: Vec<u8> = row.get(2)?;
        Ok(EncodingRow {
            document: id_column(row, 0)?,
            hash: row.get(1)?,
            dependencies: dependencies
                .chunks_exact(32)
                .filter_map(|hash| hash.try_into().ok())
                .collect(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The pending writes that have a change in a document, in order.
pub fn writes_in(connection: &Connection, document: &DocumentId) -> Result<Vec<u64>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT DISTINCT n FROM encoding WHERE document = ?1 ORDER BY n")?;
    let rows = statement.query_map([document], |row| row.get::<_, i64>(0))?;
    Ok(rows.map(|n| n.map(|n| n as u64)).collect::<Result<_, _>>()?)
}
