//! Taking away what is no longer in scope, some rows at a time.

use super::entry_counts::CountChanges;
use super::{StoreError, id_column};
use crate::id::{DocumentId, PatientId};
use crate::record::{Compartment, Stream};
use rusqlite::{Connection, params};

/// The next patients by id, for a walk over all of them, and over those of whom only documents are here.
pub fn patients_after(
    connection: &Connection,
    after: Option<&PatientId>,
    limit: usize,
) -> Result<Vec<PatientId>, StoreError> {
    let after = after.map_or(Vec::new(), |patient| patient.as_bytes().to_vec());
    let mut statement = connection.prepare_cached(
        "SELECT id FROM (SELECT id FROM patient WHERE id > ?1 ORDER BY id LIMIT ?2)
         UNION
         SELECT patient FROM (SELECT DISTINCT patient FROM document WHERE patient > ?1 ORDER BY patient LIMIT ?2)
         ORDER BY 1 LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after, limit as i64], |row| id_column(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether writes about a patient still wait to be sent from a compartment.
pub fn has_waiting(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
) -> Result<bool, StoreError> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM outbox WHERE lane = ?1 AND compartment = ?2")?
        .exists(params![patient, compartment.code()])?)
}

/// The documents of a patient's compartment.
pub fn documents(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
) -> Result<Vec<DocumentId>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM document WHERE patient = ?1 AND compartment = ?2 ORDER BY id")?;
    let rows = statement.query_map(params![patient, compartment.code()], |row| id_column(row, 0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Takes away up to `limit` entries of a patient's compartment, with their receipts. Returns how many.
pub fn remove_entries(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
    limit: usize,
    counts: &mut CountChanges,
) -> Result<usize, StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM receipt WHERE write_id IN
               (SELECT write_id FROM entry WHERE patient = ?1 AND compartment = ?2 ORDER BY occurred_ms, id LIMIT ?3)",
        )?
        .execute(params![patient, compartment.code(), limit as i64])?;
    counts.note_leaving(connection, patient, compartment, limit)?;
    Ok(connection
        .prepare_cached(
            "DELETE FROM entry WHERE (patient, occurred_ms, id) IN
               (SELECT patient, occurred_ms, id FROM entry WHERE patient = ?1 AND compartment = ?2
                ORDER BY occurred_ms, id LIMIT ?3)",
        )?
        .execute(params![patient, compartment.code(), limit as i64])?)
}

/// Takes away a document with its chunks and what could not be applied to it. Returns how many chunks it had.
pub fn remove_document(connection: &Connection, document: &DocumentId) -> Result<usize, StoreError> {
    super::unread::forget(connection, document)?;
    let chunks = connection
        .prepare_cached("DELETE FROM chunk WHERE document = ?1")?
        .execute([document])?;
    connection
        .prepare_cached("DELETE FROM document WHERE id = ?1")?
        .execute([document])?;
    Ok(chunks)
}

/// Takes away the chart items and conflicts of a patient's compartment.
pub fn remove_chart(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
) -> Result<(), StoreError> {
    for table in ["chart_item", "conflict"] {
        connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE patient = ?1 AND compartment = ?2"
            ))?
            .execute(params![patient, compartment.code()])?;
    }
    Ok(())
}

/// Takes away the links of a patient, from either side.
pub fn remove_links(connection: &Connection, patient: &PatientId) -> Result<(), StoreError> {
    for condition in [
        "link_event WHERE a = ?1",
        "link_event WHERE b = ?1",
        "link WHERE patient = ?1",
        "link WHERE other = ?1",
    ] {
        connection
            .prepare_cached(&format!("DELETE FROM {condition}"))?
            .execute([patient])?;
    }
    Ok(())
}

/// Takes away what the running hash needed of a patient's own records: their content.
pub fn remove_own_records(connection: &Connection, patient: &PatientId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE own SET record = NULL, patient = NULL WHERE patient = ?1")?
        .execute([patient])?;
    Ok(())
}

/// Forgets how far a stream was read, what of it could not be read, and its tail: should it come back, it is read
/// anew.
pub fn remove_stream(connection: &Connection, stream: &Stream) -> Result<(), StoreError> {
    super::first_sync::forget(connection, stream)?;
    if stream.compartment == Compartment::Identity {
        super::patients::forget_strangers_again(connection)?;
    }
    super::reached::put(connection, stream, None)?;
    connection
        .prepare_cached("UPDATE own SET item = NULL WHERE item IS NOT NULL")?
        .execute([])?;
    for table in [
        "cursor",
        "unread",
        "unapplied",
        "first_sync",
        "tail_log",
        "tail_item",
        "tail_proof",
    ] {
        connection
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE unit = ?1 AND compartment = ?2"
            ))?
            .execute(params![stream.unit, stream.compartment.code()])?;
    }
    Ok(())
}

/// The waiting writes of a stream are due, whatever held them up: the server shall hold them.
pub fn hurry(connection: &Connection, stream: &Stream) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE outbox SET state = 0, due_ms = 0, attempts = 0, reason = NULL
             WHERE unit = ?1 AND compartment = ?2",
        )?
        .execute(params![stream.unit, stream.compartment.code()])?;
    Ok(())
}

/// Bytes of a page that a large value fills: 4,096 without SQLCipher's 80 and the 4 of the next page's number.
const PAGE_CONTENT: i64 = 4_012;

/// Fills up to `limit` free pages with zeros. Returns whether free pages are left.
pub fn fill_free_pages(connection: &Connection, limit: i64) -> Result<bool, StoreError> {
    let free = |connection: &Connection| {
        connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0))
    };
    let count = free(connection)?.min(limit);
    if count > 0 {
        connection
            .prepare_cached("INSERT INTO blank (zeros) VALUES (zeroblob(?1))")?
            .execute([count * PAGE_CONTENT])?;
    }
    Ok(free(connection)? > 0)
}

/// Gives one of the fillings back to the free pages. Returns whether there are more.
pub fn free_filled_page(connection: &Connection) -> Result<bool, StoreError> {
    connection
        .prepare_cached("DELETE FROM blank WHERE k = (SELECT max(k) FROM blank)")?
        .execute([])?;
    Ok(connection
        .prepare_cached("SELECT 1 FROM blank LIMIT 1")?
        .exists([])?)
}

/// Whether deleted content is overwritten with zeros also where its page is not written anyway.
pub fn overwrite_deleted(connection: &Connection, whole_pages: bool) -> Result<(), StoreError> {
    let mode = if whole_pages { "ON" } else { "FAST" };
    connection.pragma_update_and_check(None, "secure_delete", mode, |_| Ok(()))?;
    Ok(())
}

/// Writes the log into the file and empties it: no older page is left in either. False where another process reads
/// from it now.
pub fn empty_log(connection: &Connection) -> Result<bool, StoreError> {
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(busy == 0)
}
