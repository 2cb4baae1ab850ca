//! Full text: accents folded, words as prefixes, one patient's or everybody's. The index holds no text
//! (FTS5 `content=''`); a patient is one more word of their entries.

use super::StoreError;
use super::entries::EntryRow;
use crate::id::PatientId;
use rusqlite::{Connection, params};

/// The word that marks a patient's entries: letters and digits no clinical word has.
fn patient_word(patient: &PatientId) -> String {
    format!("zq{}", patient.0.simple())
}

/// The FTS5 query of what a person typed; `None` when no word is in it. Operators are taken as words.
pub fn query(words: &str, patient: Option<&PatientId>) -> Option<String> {
    let terms: Vec<String> = words
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(16)
        .map(|word| format!("\"{word}\"*"))
        .collect();
    if terms.is_empty() {
        return None;
    }
    let patient = patient
        .map(|patient| format!("\"{}\" AND ", patient_word(patient)))
        .unwrap_or_default();
    Some(format!("{patient}{}", terms.join(" AND ")))
}

pub(super) fn add(connection: &Connection, k: Option<i64>, entry: &EntryRow) -> Result<i64, StoreError> {
    let k = match k {
        Some(k) => {
            connection
                .prepare_cached("UPDATE entry_search SET occurred_ms = ?2 WHERE k = ?1")?
                .execute(params![k, entry.occurred_at.utc_ms])?;
            k
        }
        None => {
            connection
                .prepare_cached("INSERT INTO entry_search (patient, occurred_ms, id) VALUES (?1, ?2, ?3)")?
                .execute(params![entry.patient, entry.occurred_at.utc_ms, entry.id])?;
            connection.last_insert_rowid()
        }
    };
    connection
        .prepare_cached("INSERT INTO entry_text (rowid, text) VALUES (?1, ?2)")?
        .execute(params![
            k,
            format!("{} {}", entry.text.0, patient_word(&entry.patient))
        ])?;
    Ok(k)
}

pub(super) fn remove(connection: &Connection, k: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM entry_text WHERE rowid = ?1")?
        .execute([k])?;
    Ok(())
}

pub(super) fn forget(connection: &Connection, k: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM entry_search WHERE k = ?1")?
        .execute([k])?;
    Ok(())
}

/// Entries of any patient that hold all words, the newest rows first.
pub fn across_patients(
    connection: &Connection,
    words: &str,
    limit: usize,
) -> Result<Vec<(PatientId, crate::id::EntryId)>, StoreError> {
    let Some(query) = query(words, None) else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT s.patient, s.id FROM entry_text t JOIN entry_search s ON s.k = t.rowid
         WHERE entry_text MATCH ?1 ORDER BY t.rowid DESC LIMIT ?2",
    )?;
    let rows = statement.query_map(params![query, limit as i64], |row| {
        Ok((super::id_column(row, 0)?, super::id_column(row, 1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
