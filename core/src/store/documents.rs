//! Documents and their chunks.

use super::{StoreError, id_column};
use crate::document::DocumentKey;
use crate::id::{DocumentId, PatientId, UnitId};
use crate::record::{Compartment, Stream};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Whether a document can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DocumentHealth {
    /// It can.
    Whole,
    /// Bytes from outside are being opened for it. Nothing of them is stored yet.
    Loading,
    /// Set aside; the rest works.
    Quarantined,
    /// It can, from the log: bytes from outside that were being opened when the process died are not opened again.
    FromLogOnly,
    /// Only its rows are here, from a segment, and chunks of own writes since.
    RowsOnly,
    /// The same, and bytes from outside are being opened for it.
    RowsOnlyLoading,
}

impl DocumentHealth {
    fn code(self) -> u8 {
        match self {
            Self::Whole => 0,
            Self::Loading => 1,
            Self::Quarantined => 2,
            Self::FromLogOnly => 3,
            Self::RowsOnly => 4,
            Self::RowsOnlyLoading => 6,
        }
    }

    /// Whether only its rows are here.
    pub fn is_rows_only(self) -> bool {
        matches!(self, Self::RowsOnly | Self::RowsOnlyLoading)
    }
}

/// What is known of a document without opening it.
#[derive(Clone, Debug)]
pub struct DocumentRow {
    /// Which.
    pub key: DocumentKey,
    /// The unit whose stream orders it.
    pub unit: UnitId,
    /// Entries and drafts in it.
    pub entries: u64,
    /// Bytes of its chunks.
    pub bytes: u64,
    /// Its chunks.
    pub chunks: u64,
    /// Every item of its stream up to here is in it (after a snapshot).
    pub as_of: u64,
    /// Whether it can be used.
    pub health: DocumentHealth,
    /// What stands for its state in the segment its rows came in (SPEC 11.7); later states are its chunks'.
    pub leaf: Option<u64>,
}

const COLUMNS: &str =
    "kind, patient, compartment, year, part, unit, entries, bytes, chunks, as_of, state, leaf";

fn read(row: &Row<'_>) -> rusqlite::Result<DocumentRow> {
    let kind: String = row.get(0)?;
    let compartment = Compartment::from_code(row.get(2)?).unwrap_or(Compartment::Clinical);
    let key = DocumentKey::from_parts(&kind, id_column(row, 1)?, compartment, (row.get(3)?, row.get(4)?));
    Ok(DocumentRow {
        key: key.ok_or(rusqlite::Error::InvalidQuery)?,
        unit: id_column(row, 5)?,
        entries: row.get::<_, i64>(6)? as u64,
        bytes: row.get::<_, i64>(7)? as u64,
        chunks: row.get::<_, i64>(8)? as u64,
        as_of: row.get::<_, i64>(9)? as u64,
        health: match row.get(10)? {
            0 => DocumentHealth::Whole,
            1 => DocumentHealth::Loading,
            3 => DocumentHealth::FromLogOnly,
            4 | 5 => DocumentHealth::RowsOnly,
            6 | 7 => DocumentHealth::RowsOnlyLoading,
            _ => DocumentHealth::Quarantined,
        },
        leaf: row.get::<_, Option<i64>>(11)?.map(|leaf| leaf as u64),
    })
}

/// A document's row.
pub fn get(connection: &Connection, id: &DocumentId) -> Result<Option<DocumentRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM document WHERE id = ?1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([id], read)
        .optional()?)
}

/// The documents of a patient, or all.
pub fn list(connection: &Connection, patient: Option<&PatientId>) -> Result<Vec<DocumentRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM document WHERE ?1 IS NULL OR patient = ?1 ORDER BY id");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([patient], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The streams by which documents of a patient's compartment came.
pub fn streams_of(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
) -> Result<Vec<Stream>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT unit FROM document WHERE patient = ?1 AND compartment = ?2")?;
    let rows = statement.query_map(params![patient, compartment.code()], |row| {
        Ok(Stream::new(id_column(row, 0)?, compartment))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The document behind another one, by id.
pub fn next(connection: &Connection, after: Option<&DocumentId>) -> Result<Option<DocumentRow>, StoreError> {
    let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    let sql = format!("SELECT {COLUMNS} FROM document WHERE id > ?1 ORDER BY id LIMIT 1");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row([after], read)
        .optional()?)
}

/// The chapter of a year that a writer puts new entries into: (part, entries and bytes in it).
pub fn last_part(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
    year: i32,
) -> Result<Option<(u32, u64, u64)>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT part, entries, bytes FROM document
         WHERE patient = ?1 AND kind = 'chapter' AND compartment = ?2 AND year = ?3 AND state <> 2
         ORDER BY part DESC LIMIT 1",
    )?;
    let found = statement.query_row(params![patient, compartment.code(), year], |row| {
        Ok((
            row.get(0)?,
            row.get::<_, i64>(1)? as u64,
            row.get::<_, i64>(2)? as u64,
        ))
    });
    Ok(found.optional()?)
}

/// Makes the document's row where there is none.
pub fn ensure(connection: &Connection, key: &DocumentKey, unit: &UnitId) -> Result<(), StoreError> {
    let (year, part) = key.chapter_numbers();
    connection
        .prepare_cached(
            "INSERT INTO document (id, kind, patient, compartment, unit, year, part) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![key.id(), key.kind_name(), key.patient, key.compartment.code(), unit, year, part])?;
    Ok(())
}

/// Appends a chunk: a change, of a pending write of ours or of anybody's accepted one.
pub fn append_chunk(
    connection: &Connection,
    document: &DocumentId,
    write_n: Option<u64>,
    bytes: &[u8],
    entries: usize,
) -> Result<(), StoreError> {
    let k: i64 = connection
        .prepare_cached(
            "UPDATE document SET next_chunk = next_chunk + 1, chunks = chunks + 1, bytes = bytes + ?2, entries = ?3
             WHERE id = ?1 RETURNING next_chunk",
        )?
        .query_row(params![document, bytes.len() as i64, entries as i64], |row| row.get(0))?;
    connection
        .prepare_cached("INSERT INTO chunk (document, k, write_n, bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![document, k, write_n.map(|n| n as i64), bytes])?;
    Ok(())
}

/// The chunks: all, or only what the server accepted.
pub fn chunks(
    connection: &Connection,
    document: &DocumentId,
    accepted_only: bool,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT bytes FROM chunk WHERE document = ?1 AND (?2 = 0 OR write_n IS NULL) ORDER BY k",
    )?;
    let rows = statement.query_map(params![document, accepted_only], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether changes of pending writes lie in the document.
pub fn has_pending(connection: &Connection, document: &DocumentId) -> Result<bool, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM chunk WHERE document = ?1 AND write_n IS NOT NULL LIMIT 1")?;
    Ok(statement.exists([document])?)
}

/// The server accepted the write: its change is everybody's now.
pub fn settle_chunks(connection: &Connection, document: &DocumentId, write_n: u64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE chunk SET write_n = NULL WHERE document = ?1 AND write_n = ?2")?
        .execute(params![document, write_n as i64])?;
    Ok(())
}

/// The write waits again: its change is its own again, where it still lies apart.
pub fn unsettle_chunk(
    connection: &Connection,
    document: &DocumentId,
    change: &[u8],
    write_n: u64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE chunk SET write_n = ?3 WHERE document = ?1 AND write_n IS NULL AND bytes = ?2",
        )?
        .execute(params![document, change, write_n as i64])?;
    Ok(())
}

/// Takes pending changes out, before the pending writes are encoded again.
pub fn drop_pending_chunks(connection: &Connection, document: &DocumentId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM chunk WHERE document = ?1 AND write_n IS NOT NULL")?
        .execute([document])?;
    recount(connection, document)
}

/// Puts one chunk in the place of all accepted ones.
pub fn replace_accepted(
    connection: &Connection,
    document: &DocumentId,
    saved: &[u8],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM chunk WHERE document = ?1 AND write_n IS NULL")?
        .execute([document])?;
    connection
        .prepare_cached("INSERT INTO chunk (document, k, write_n, bytes) VALUES (?1, 0, NULL, ?2)")?
        .execute(params![document, saved])?;
    recount(connection, document)
}

fn recount(connection: &Connection, document: &DocumentId) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE document SET (chunks, bytes) = (SELECT count(*), coalesce(sum(length(bytes)), 0) FROM chunk
             WHERE document = ?1) WHERE id = ?1",
        )?
        .execute([document])?;
    Ok(())
}

/// Sets whether the document can be used.
pub fn set_health(
    connection: &Connection,
    document: &DocumentId,
    health: DocumentHealth,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE document SET state = ?2 WHERE id = ?1")?
        .execute(params![document, health.code()])?;
    Ok(())
}

/// Sets how many entries it holds.
pub fn set_entries(connection: &Connection, document: &DocumentId, entries: usize) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE document SET entries = ?2 WHERE id = ?1")?
        .execute(params![document, entries as i64])?;
    Ok(())
}

/// Sets how many entries it holds and up to where a unit's stream is in it. Of a patient of several units it says so
/// of the stream it came by last.
pub fn set_as_of(
    connection: &Connection,
    document: &DocumentId,
    entries: usize,
    unit: &UnitId,
    as_of: u64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE document SET entries = ?2, unit = ?3, as_of = CASE unit WHEN ?3 THEN max(as_of, ?4) ELSE ?4 END
             WHERE id = ?1",
        )?
        .execute(params![document, entries as i64, unit, as_of as i64])?;
    Ok(())
}

/// Documents for which bytes from outside were being opened when the process died. Whether the bytes killed it or a
/// battery, what is stored is as whole as before; what they would have brought comes with the log.
pub fn note_interrupted_loads(connection: &Connection) -> Result<usize, StoreError> {
    // One that has its rows only cannot do without the bytes: they are opened once more, then it is set aside.
    connection.execute(
        "UPDATE document SET state = CASE state WHEN 6 THEN 5 ELSE 2 END WHERE state IN (6, 7)",
        [],
    )?;
    Ok(connection.execute("UPDATE document SET state = 3 WHERE state = 1", [])?)
}

/// Bytes from outside are about to be opened for a document of which only the rows are here.
pub fn set_rows_only_loading(connection: &Connection, document: &DocumentId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE document SET state = state + 2 WHERE id = ?1 AND state IN (4, 5)")?
        .execute([document])?;
    Ok(())
}

/// Makes the row of a document of which only rows are here. `bytes`, `entries`: how full it is, for writers.
pub fn put_rows_only(
    connection: &Connection,
    key: &DocumentKey,
    unit: &UnitId,
    (entries, bytes): (usize, u64),
    leaf: u64,
    as_of: u64,
) -> Result<(), StoreError> {
    let (year, part) = key.chapter_numbers();
    connection
        .prepare_cached(
            "INSERT INTO document (id, kind, patient, compartment, unit, year, part, entries, bytes, as_of, leaf, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 4)
             ON CONFLICT (id) DO UPDATE SET state = 4, leaf = excluded.leaf, unit = excluded.unit,
               as_of = CASE unit WHEN excluded.unit THEN max(as_of, excluded.as_of) ELSE excluded.as_of END",
        )?
        .execute(params![
            key.id(),
            key.kind_name(),
            key.patient,
            key.compartment.code(),
            unit,
            year,
            part,
            entries as i64,
            bytes as i64,
            as_of as i64,
            leaf as i64
        ])?;
    Ok(())
}

/// The next documents by id are to be fetched again, those of them of which anything was accepted or that were set
/// aside. Returns the last one looked at; none where there are no more.
pub fn await_again(
    connection: &Connection,
    after: Option<&DocumentId>,
    limit: usize,
) -> Result<Option<DocumentId>, StoreError> {
    let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    let last: Option<DocumentId> = connection
        .prepare_cached(
            "SELECT max(id) FROM (SELECT id FROM document WHERE id > ?1 ORDER BY id LIMIT ?2) HAVING max(id) NOT NULL",
        )?
        .query_row(params![after, limit as i64], |row| id_column(row, 0))
        .optional()?;
    if let Some(last) = &last {
        connection
            .prepare_cached(
                "UPDATE document SET state = 4 WHERE id > ?1 AND id <= ?2 AND (state IN (2, 3) OR (state = 0
                   AND EXISTS (SELECT 1 FROM chunk WHERE document = document.id AND write_n IS NULL)))",
            )?
            .execute(params![after, last])?;
    }
    Ok(last)
}

/// Documents of which only the rows are here, after one, by id.
pub fn rows_only(
    connection: &Connection,
    after: Option<&DocumentId>,
    limit: usize,
) -> Result<Vec<DocumentId>, StoreError> {
    let after = after.map_or(Vec::new(), |id| id.as_bytes().to_vec());
    let mut statement = connection
        .prepare_cached("SELECT id FROM document WHERE state >= 4 AND id > ?1 ORDER BY id LIMIT ?2")?;
    let rows = statement.query_map(params![after, limit as i64], |row| id_column(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many documents are set aside.
pub fn quarantined(connection: &Connection) -> Result<u64, StoreError> {
    Ok(
        connection.query_row("SELECT count(*) FROM document WHERE state = 2", [], |row| {
            row.get::<_, i64>(0)
        })? as u64,
    )
}

/// The change of a pending write.
pub fn pending_chunk(
    connection: &Connection,
    document: &DocumentId,
    write_n: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT bytes FROM chunk WHERE document = ?1 AND write_n = ?2")?;
    Ok(statement
        .query_row(params![document, write_n as i64], |row| row.get(0))
        .optional()?)
}

/// Documents of a stream that hold more of its log than up to `seq` hold no more than that, as far as is known: at
/// most `limit`. Returns how many.
pub fn cap_as_of(
    connection: &Connection,
    stream: &Stream,
    seq: u64,
    limit: usize,
) -> Result<usize, StoreError> {
    Ok(connection
        .prepare_cached(
            "UPDATE document SET as_of = ?3 WHERE id IN (SELECT id FROM document
             WHERE unit = ?1 AND compartment = ?2 AND as_of > ?3 LIMIT ?4)",
        )?
        .execute(params![
            stream.unit,
            stream.compartment.code(),
            seq as i64,
            limit as i64
        ])?)
}
