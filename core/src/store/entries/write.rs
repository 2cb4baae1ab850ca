//! Writing and removing rows, and what follows from it for the entries they speak of and for the counts.

use super::find::find;
use super::{EntryRow, EntryStatus, RelationRow, get};
use crate::id::{EntryId, PatientId, UnitId};
use crate::store::entry_counts::CountChanges;
use crate::store::{StoreError, id_column, receipts};
use crate::time::Zoned;
use rusqlite::{CachedStatement, Connection, params};

/// Writes an entry's row in the place of the one it had, and what follows from it for the entry it speaks of.
pub fn put(connection: &Connection, entry: &EntryRow, counts: &mut CountChanges) -> Result<(), StoreError> {
    // The time of occurrence is in the key: a row whose time changed would stay behind.
    if let Some(before) = RowBefore::find(connection, &entry.patient, &entry.id)? {
        receipts::keep_of_row(connection, (&before.place.0, &before.place.2))?;
        before.remove(connection, counts)?;
    }
    RowWriter::prepare(connection)?.write(entry, None, counts)?;
    refresh_related(connection, entry, counts)
}

/// Writes the rows of entries that are new here, each with its receipt (seq, received).
pub fn put_all_new(
    connection: &Connection,
    rows: &[(EntryRow, (u64, i64))],
    counts: &mut CountChanges,
) -> Result<(), StoreError> {
    let mut writer = RowWriter::prepare(connection)?;
    for (entry, receipt) in rows {
        writer.write(entry, Some(*receipt), counts)?;
    }
    for (entry, _) in rows {
        refresh_related(connection, entry, counts)?;
    }
    Ok(())
}

/// The statements that write a row, for as many as there are.
struct RowWriter<'connection> {
    insert: CachedStatement<'connection>,
    spoken_of: CachedStatement<'connection>,
}

impl<'connection> RowWriter<'connection> {
    fn prepare(connection: &'connection Connection) -> Result<Self, StoreError> {
        Ok(Self {
            insert: connection.prepare_cached(
                "INSERT OR IGNORE INTO entry (id, patient, occurred_ms, occurred_offset, kind, status, text, body,
                 author, unit, compartment, recorded_ms, recorded_offset, year, part, marks, relation, related_entry,
                 related_patient, origin_resource, origin_performer, origin_digest, write_id, headers, late_edit,
                 draft_digest, seq, received_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
                 ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28)",
            )?,
            spoken_of: spoken_of_statement(connection)?,
        })
    }

    fn write(
        &mut self,
        entry: &EntryRow,
        receipt: Option<(u64, i64)>,
        counts: &mut CountChanges,
    ) -> Result<(), StoreError> {
        let (relation, related, related_patient) = match &entry.relation {
            Some(RelationRow::Amends(entry)) => (1, Some(entry), None),
            Some(RelationRow::Retracts(entry)) => (2, Some(entry), None),
            Some(RelationRow::MovedFrom(patient, entry)) => (3, Some(entry), Some(patient)),
            None => (0, None, None),
        };
        let status = match entry.status {
            EntryStatus::Draft => EntryStatus::Draft,
            // A row that was not there may have been spoken of before it came.
            _ => spoken_of(&mut self.spoken_of, &entry.patient, &entry.id)?,
        };
        let written = self.insert.execute(params![
            entry.id,
            entry.patient,
            entry.occurred_at.utc_ms,
            entry.occurred_at.offset_minutes,
            entry.kind,
            status as u8,
            entry.text.0,
            entry.body.as_ref().map(|body| &body.0),
            entry.author,
            entry.unit,
            entry.compartment.code(),
            entry.recorded_at.utc_ms,
            entry.recorded_at.offset_minutes,
            entry.chapter.0,
            entry.chapter.1,
            u8::from(entry.time_inferred) | u8::from(entry.time_uncertain) << 1,
            relation,
            related,
            related_patient,
            entry.origin,
            entry.performer.as_ref().map(|performer| &performer.0),
            entry.origin_digest,
            entry.write,
            entry.headers,
            entry.late_edit.as_ref().map(|text| &text.0),
            entry.draft_digest.as_ref().map(|digest| digest.as_slice()),
            receipt.map(|(seq, _)| seq as i64),
            receipt.map(|(_, received_ms)| received_ms),
        ])?;
        // A row of this very place is here: it stays.
        if written == 1 {
            let what = (entry.unit, entry.kind.as_str(), entry.occurred_at);
            counts.note(what, (status, relation), 1);
        }
        Ok(())
    }
}

fn refresh_related(
    connection: &Connection,
    entry: &EntryRow,
    counts: &mut CountChanges,
) -> Result<(), StoreError> {
    match &entry.relation {
        Some(RelationRow::Amends(related) | RelationRow::Retracts(related)) => {
            refresh_status(connection, &entry.patient, related, counts)
        }
        _ => Ok(()),
    }
}

/// Takes an entry's row away (its write was refused and it was never anybody else's).
pub fn remove(
    connection: &Connection,
    patient: &PatientId,
    id: &EntryId,
    counts: &mut CountChanges,
) -> Result<(), StoreError> {
    let Some(row) = get(connection, patient, id)? else {
        return Ok(());
    };
    if let Some(before) = RowBefore::find(connection, patient, id)? {
        before.remove(connection, counts)?;
    }
    refresh_related(connection, &row, counts)
}

/// Where a row lies in the table.
type RowPlace = (PatientId, i64, EntryId);

/// A row that another one takes the place of, as much of it as is counted.
struct RowBefore {
    place: RowPlace,
    occurred_at: Zoned,
    unit: UnitId,
    kind: String,
    status: EntryStatus,
    relation: u8,
}

impl RowBefore {
    const COLUMNS: &str = "patient, occurred_ms, id, occurred_offset, unit, kind, status, relation";

    fn find(connection: &Connection, patient: &PatientId, id: &EntryId) -> Result<Option<Self>, StoreError> {
        find(connection, Self::COLUMNS, patient, id, |row| {
            let utc_ms = row.get(1)?;
            Ok(Self {
                place: (id_column(row, 0)?, utc_ms, id_column(row, 2)?),
                occurred_at: Zoned {
                    utc_ms,
                    offset_minutes: row.get(3)?,
                },
                unit: id_column(row, 4)?,
                kind: row.get(5)?,
                status: EntryStatus::from_code(row.get(6)?),
                relation: row.get(7)?,
            })
        })
    }

    fn note(&self, status: EntryStatus, rows: i64, counts: &mut CountChanges) {
        let what = (self.unit, self.kind.as_str(), self.occurred_at);
        counts.note(what, (status, self.relation), rows);
    }

    fn remove(&self, connection: &Connection, counts: &mut CountChanges) -> Result<(), StoreError> {
        let (patient, occurred_ms, id) = &self.place;
        self.note(self.status, -1, counts);
        connection
            .prepare_cached("DELETE FROM entry WHERE patient = ?1 AND occurred_ms = ?2 AND id = ?3")?
            .execute(params![patient, occurred_ms, id])?;
        Ok(())
    }
}

fn spoken_of_statement(connection: &Connection) -> Result<CachedStatement<'_>, StoreError> {
    Ok(connection.prepare_cached(
        "SELECT max(relation) FROM entry WHERE related_entry = ?1 AND relation IN (1, 2) AND patient = ?2",
    )?)
}

fn spoken_of(
    statement: &mut CachedStatement<'_>,
    patient: &PatientId,
    id: &EntryId,
) -> Result<EntryStatus, StoreError> {
    let strongest: Option<u8> = statement.query_row(params![id, patient], |row| row.get(0))?;
    Ok(match strongest {
        Some(1) => EntryStatus::Amended,
        Some(2) => EntryStatus::EnteredInError,
        _ => EntryStatus::Final,
    })
}

fn refresh_status(
    connection: &Connection,
    patient: &PatientId,
    id: &EntryId,
    counts: &mut CountChanges,
) -> Result<(), StoreError> {
    let Some(row) = RowBefore::find(connection, patient, id)? else {
        return Ok(());
    };
    let status = spoken_of(&mut spoken_of_statement(connection)?, &row.place.0, id)?;
    if row.status == EntryStatus::Draft || row.status == status {
        return Ok(());
    }
    row.note(row.status, -1, counts);
    row.note(status, 1, counts);
    let (patient, occurred_ms, id) = row.place;
    connection
        .prepare_cached("UPDATE entry SET status = ?4 WHERE patient = ?1 AND occurred_ms = ?2 AND id = ?3")?
        .execute(params![patient, occurred_ms, id, status as u8])?;
    Ok(())
}
