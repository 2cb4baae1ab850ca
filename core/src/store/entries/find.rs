//! Finding an entry by its id. Those that came in a segment are indexed by patient and id, in the order they came;
//! all others by their id alone.

use super::{COLUMNS, EntryRow, read};
use crate::id::{EntryId, PatientId};
use crate::store::{StoreError, id_column};
use rusqlite::{Connection, OptionalExtension, Row, params};

/// A patient's entry, or where its id derives from a source the entry that is shown under it.
pub fn get(
    connection: &Connection,
    patient: &PatientId,
    id: &EntryId,
) -> Result<Option<EntryRow>, StoreError> {
    find(connection, COLUMNS, patient, id, read)
}

/// The entry of an id, where its patient is not known. One that came in a segment is looked for patient by patient.
pub fn anybodys(connection: &Connection, id: &EntryId) -> Result<Option<EntryRow>, StoreError> {
    if let Some(found) = find_of_log(connection, COLUMNS, id, read)? {
        return Ok(Some(found));
    }
    let sql = format!(
        "WITH RECURSIVE person (patient) AS (
           SELECT min(patient) FROM entry WHERE seq IS NOT NULL
           UNION ALL
           SELECT (SELECT min(patient) FROM entry WHERE seq IS NOT NULL AND patient > person.patient)
           FROM person WHERE person.patient IS NOT NULL)
         SELECT {COLUMNS} FROM entry WHERE seq IS NOT NULL AND (patient, id) =
           (SELECT found.patient, found.id FROM person CROSS JOIN entry AS found
            ON found.patient = person.patient AND found.id = ?1 AND found.seq IS NOT NULL LIMIT 1)"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([id], read).optional()?)
}

/// A patient's entry. Of an id that derives from a source the entry may be shown for another patient: then that one.
pub(super) fn find<T>(
    connection: &Connection,
    columns: &str,
    patient: &PatientId,
    id: &EntryId,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let of_segment =
        format!("SELECT {columns} FROM entry WHERE patient = ?1 AND id = ?2 AND seq IS NOT NULL");
    let mut statement = connection.prepare_cached(&of_segment)?;
    if let Some(found) = statement.query_row(params![patient, id], &read).optional()? {
        return Ok(Some(found));
    }
    find_of_log(connection, columns, id, read)
}

/// An entry that did not come in a segment, whoever's it is.
fn find_of_log<T>(
    connection: &Connection,
    columns: &str,
    id: &EntryId,
    read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let of_log = format!("SELECT {columns} FROM entry WHERE id = ?1 AND seq IS NULL");
    Ok(connection
        .prepare_cached(&of_log)?
        .query_row([id], read)
        .optional()?)
}

/// The last imported amendment of an imported entry, or the entry itself, with the digest of its source's content.
pub fn last_imported(connection: &Connection, id: &EntryId) -> Result<Option<(EntryId, String)>, StoreError> {
    let digest = "coalesce(origin_digest, '')";
    let mut found = find_of_log(connection, digest, id, |row| row.get(0))?.map(|digest| (*id, digest));
    // Amendments form a chain; the bound is against one that was made a ring.
    for _ in 0..1_000 {
        let Some((last, _)) = &found else { break };
        let mut statement = connection.prepare_cached(
            "SELECT id, origin_digest FROM entry
             WHERE related_entry = ?1 AND relation IN (1, 2) AND origin_digest IS NOT NULL
             ORDER BY recorded_ms DESC, id DESC LIMIT 1",
        )?;
        let next = statement.query_row([last], |row| Ok((id_column(row, 0)?, row.get(1)?)));
        match next.optional()? {
            Some(next) => found = Some(next),
            None => break,
        }
    }
    Ok(found)
}
