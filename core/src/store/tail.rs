//! The tail: log items as they came, in stretches read without a break, with the server's signatures over them.

use super::{StoreError, id_column};
use crate::id::{Incarnation, PatientId, StoreId};
use crate::record::{Compartment, Stream};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A stretch of a stream's log that was read without a break.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    /// The stream.
    pub stream: Stream,
    /// Rises when the stream is read again from an earlier place.
    pub history: u32,
    /// The place before the first item kept.
    pub base_seq: u64,
    /// The running hash there.
    pub base_chain: [u8; 32],
    /// Bytes kept.
    pub bytes: u64,
    /// Bytes kept since it began, those that went included.
    pub total: u64,
}

/// An item of the tail.
#[derive(Clone, PartialEq, Debug)]
pub struct TailRow {
    /// Its place.
    pub seq: u64,
    /// Whose it is.
    pub origin: Incarnation,
    /// When the server received it.
    pub received_ms: i64,
    /// The running hash after it.
    pub chain: [u8; 32],
    /// Whom it names; nobody once it holds nothing but hashes.
    pub patients: (Option<PatientId>, Option<PatientId>),
    /// The item of the page, encoded; the index of its origin means nothing.
    pub item: Vec<u8>,
}

/// What a row takes beside its item.
const ROW_BYTES: u64 = 96;

impl TailRow {
    /// What it takes.
    pub fn bytes(&self) -> u64 {
        self.item.len() as u64 + ROW_BYTES
    }
}

/// Items that went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forgotten {
    /// The last one's place.
    pub seq: u64,
    /// The running hash there.
    pub chain: [u8; 32],
    /// What they took.
    pub bytes: u64,
    /// How many.
    pub rows: usize,
}

/// The server's signature over a place.
#[derive(Clone, PartialEq, Debug)]
pub struct ProofRow {
    /// The place.
    pub seq: u64,
    /// The stretch's total there.
    pub total: u64,
    /// The signed heads, encoded.
    pub heads: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
}

const STRETCH: &str = "unit, compartment, history, base_seq, base_chain, bytes, total";

fn read_stretch(row: &Row<'_>) -> rusqlite::Result<Stretch> {
    let compartment = Compartment::from_code(row.get(1)?).unwrap_or(Compartment::Clinical);
    Ok(Stretch {
        stream: Stream::new(id_column(row, 0)?, compartment),
        history: row.get(2)?,
        base_seq: row.get::<_, i64>(3)? as u64,
        base_chain: row.get(4)?,
        bytes: row.get::<_, i64>(5)? as u64,
        total: row.get::<_, i64>(6)? as u64,
    })
}

/// The stretches of a stream, the oldest first; the last one is where reading goes on.
pub fn stretches(connection: &Connection, stream: &Stream) -> Result<Vec<Stretch>, StoreError> {
    let sql = format!("SELECT {STRETCH} FROM tail_log WHERE unit = ?1 AND compartment = ?2 ORDER BY history");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![stream.unit, stream.compartment.code()], read_stretch)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Every stretch.
pub fn list(connection: &Connection) -> Result<Vec<Stretch>, StoreError> {
    let sql = format!("SELECT {STRETCH} FROM tail_log ORDER BY unit, compartment, history");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read_stretch)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Bytes kept in all.
pub fn bytes(connection: &Connection) -> Result<u64, StoreError> {
    let sum: i64 = connection
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM tail_log")?
        .query_row([], |row| row.get(0))?;
    Ok(sum as u64)
}

/// Writes a stretch.
pub fn put_stretch(connection: &Connection, stretch: &Stretch) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tail_log (unit, compartment, history, base_seq, base_chain, bytes, total)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history,
            stretch.base_seq as i64,
            stretch.base_chain.as_slice(),
            stretch.bytes as i64,
            stretch.total as i64,
        ])?;
    Ok(())
}

/// Removes a stretch that holds nothing any more.
pub fn remove_stretch(connection: &Connection, stretch: &Stretch) -> Result<(), StoreError> {
    let place = params![
        stretch.stream.unit,
        stretch.stream.compartment.code(),
        stretch.history
    ];
    for table in ["tail_log", "tail_proof"] {
        connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE unit = ?1 AND compartment = ?2 AND history = ?3"
            ))?
            .execute(place)?;
    }
    Ok(())
}

/// Keeps an item.
pub fn put_item(connection: &Connection, stretch: &Stretch, row: &TailRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tail_item
             (unit, compartment, history, seq, store, incarnation, received_ms, chain, item, patient, other)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history,
            row.seq as i64,
            row.origin.store,
            row.origin.number as i64,
            row.received_ms,
            row.chain.as_slice(),
            row.item,
            row.patients.0,
            row.patients.1,
        ])?;
    Ok(())
}

/// Items of a stretch behind a place, up to `limit`.
pub fn items(
    connection: &Connection,
    stretch: &Stretch,
    after: u64,
    limit: usize,
) -> Result<Vec<TailRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, store, incarnation, received_ms, chain, item FROM tail_item
         WHERE unit = ?1 AND compartment = ?2 AND history = ?3 AND seq > ?4 ORDER BY seq LIMIT ?5",
    )?;
    let rows = statement.query_map(
        params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history,
            after as i64,
            limit as i64
        ],
        |row| {
            Ok(TailRow {
                seq: row.get::<_, i64>(0)? as u64,
                origin: Incarnation {
                    store: id_column::<StoreId>(row, 1)?,
                    number: row.get::<_, i64>(2)? as u64,
                },
                received_ms: row.get(3)?,
                chain: row.get(4)?,
                patients: (None, None),
                item: row.get(5)?,
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The running hash at a place of a stretch, if it is known there.
pub fn chain_at(
    connection: &Connection,
    stretch: &Stretch,
    seq: u64,
) -> Result<Option<[u8; 32]>, StoreError> {
    if seq == stretch.base_seq {
        return Ok(Some(stretch.base_chain));
    }
    let mut statement = connection.prepare_cached(
        "SELECT chain FROM tail_item WHERE unit = ?1 AND compartment = ?2 AND history = ?3 AND seq = ?4",
    )?;
    let found = statement.query_row(
        params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history,
            seq as i64
        ],
        |row| row.get(0),
    );
    Ok(found.optional()?)
}

/// The last item's place; the base's when there is none.
pub fn last_seq(connection: &Connection, stretch: &Stretch) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT max(seq) FROM tail_item WHERE unit = ?1 AND compartment = ?2 AND history = ?3",
    )?;
    let last: Option<i64> = statement.query_row(
        params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history
        ],
        |row| row.get(0),
    )?;
    Ok(last.map_or(stretch.base_seq, |last| last as u64))
}

/// Forgets the items of a stretch up to a place, at most `limit`, with the signatures over them.
pub fn forget_items(
    connection: &Connection,
    stretch: &Stretch,
    up_to: u64,
    limit: usize,
) -> Result<Option<Forgotten>, StoreError> {
    let gone: Vec<TailRow> = items(connection, stretch, stretch.base_seq, limit)?
        .into_iter()
        .take_while(|row| row.seq <= up_to)
        .collect();
    let Some(last) = gone.last() else { return Ok(None) };
    for table in ["tail_item", "tail_proof"] {
        connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE unit = ?1 AND compartment = ?2 AND history = ?3 AND seq <= ?4"
            ))?
            .execute(params![
                stretch.stream.unit,
                stretch.stream.compartment.code(),
                stretch.history,
                last.seq as i64
            ])?;
    }
    Ok(Some(Forgotten {
        seq: last.seq,
        chain: last.chain,
        bytes: gone.iter().map(TailRow::bytes).sum(),
        rows: gone.len(),
    }))
}

/// The last two signed places of a stretch with the totals there, the last first.
pub fn last_places(connection: &Connection, stretch: &Stretch) -> Result<Vec<(u64, u64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, total FROM tail_proof WHERE unit = ?1 AND compartment = ?2 AND history = ?3
         ORDER BY seq DESC LIMIT 2",
    )?;
    let rows = statement.query_map(
        params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history
        ],
        |row| Ok((row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64)),
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps a signature.
pub fn put_proof(connection: &Connection, stretch: &Stretch, proof: &ProofRow) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tail_proof (unit, compartment, history, seq, total, heads, signature)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history,
            proof.seq as i64,
            proof.total as i64,
            proof.heads,
            proof.signature.as_slice(),
        ])?;
    Ok(())
}

/// Forgets a signature.
pub fn forget_proof(connection: &Connection, stretch: &Stretch, seq: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM tail_proof WHERE unit = ?1 AND compartment = ?2 AND history = ?3 AND seq = ?4",
        )?
        .execute(params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history,
            seq as i64
        ])?;
    Ok(())
}

/// The signatures of a stretch behind a place and up to another, in order.
pub fn proofs(
    connection: &Connection,
    stretch: &Stretch,
    after: u64,
    up_to: u64,
) -> Result<Vec<ProofRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, total, heads, signature FROM tail_proof
         WHERE unit = ?1 AND compartment = ?2 AND history = ?3 AND seq > ?4 AND seq <= ?5 ORDER BY seq",
    )?;
    let rows = statement.query_map(
        params![
            stretch.stream.unit,
            stretch.stream.compartment.code(),
            stretch.history,
            after as i64,
            i64::try_from(up_to).unwrap_or(i64::MAX)
        ],
        |row| {
            Ok(ProofRow {
                seq: row.get::<_, i64>(0)? as u64,
                total: row.get::<_, i64>(1)? as u64,
                heads: row.get(2)?,
                signature: row.get(3)?,
            })
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// An item and where it lies: unit, history, seq, the item.
pub type PlacedItem = (Vec<u8>, u32, i64, Vec<u8>);

/// Items of a compartment that name a patient, up to `limit`.
pub fn items_about(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
    limit: usize,
) -> Result<Vec<PlacedItem>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT unit, history, seq, item FROM tail_item WHERE (patient = ?1 OR other = ?1) AND compartment = ?2
         LIMIT ?3",
    )?;
    let rows = statement.query_map(params![patient, compartment.code(), limit as i64], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Puts what the running hash needs of an item in its place.
pub fn blank_item(
    connection: &Connection,
    compartment: Compartment,
    (unit, history, seq): (&[u8], u32, i64),
    item: &[u8],
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE tail_item SET item = ?5, patient = NULL, other = NULL
             WHERE unit = ?1 AND compartment = ?2 AND history = ?3 AND seq = ?4",
        )?
        .execute(params![unit, compartment.code(), history, seq, item])?;
    Ok(())
}
