//! Which units have a patient, as the log says.

use super::{StoreError, id_column};
use crate::id::{PatientId, UnitId, UserId, WriteId};
use crate::record::Compartment;
use crate::redact::Sensitive;
use crate::time::EpochMs;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use std::collections::BTreeSet;

/// How a unit came to have a patient.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlaceKind {
    /// Their own unit shares them: a referral, a second unit.
    Shared,
    /// The unit claimed them, by an exact identifier.
    Claimed,
    /// They moved there.
    Moved,
    /// They moved away from there; the unit keeps them for a while, for what its devices still have to send.
    Kept,
}

impl PlaceKind {
    const ALL: [Self; 4] = [Self::Shared, Self::Claimed, Self::Moved, Self::Kept];
}

/// A unit that has, or had, a patient.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PlaceRow {
    /// The patient.
    pub patient: PatientId,
    /// The write that made it so; a share is ended by this id.
    pub write: WriteId,
    /// The unit.
    pub unit: UnitId,
    /// How.
    pub kind: PlaceKind,
    /// The unit that wrote it.
    pub from: UnitId,
    /// What of the patient.
    pub compartments: BTreeSet<Compartment>,
    /// When it ends by itself, in server time.
    pub until_ms: Option<EpochMs>,
    /// Whether it ended.
    pub ended: bool,
    /// When the server received the write.
    pub received_ms: EpochMs,
    /// Who wrote it.
    pub author: UserId,
    /// Why.
    pub reason: Sensitive<String>,
}

const COLUMNS: &str =
    "patient, write_id, unit, kind, from_unit, compartments, until_ms, ended, received_ms, author, reason";

fn read(row: &Row<'_>) -> rusqlite::Result<PlaceRow> {
    let bits: u8 = row.get(5)?;
    let kind: u8 = row.get(3)?;
    Ok(PlaceRow {
        patient: id_column(row, 0)?,
        write: id_column(row, 1)?,
        unit: id_column(row, 2)?,
        kind: *PlaceKind::ALL
            .get(usize::from(kind))
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(3, i64::from(kind)))?,
        from: id_column(row, 4)?,
        compartments: Compartment::ALL
            .into_iter()
            .filter(|compartment| bits >> compartment.code() & 1 == 1)
            .collect(),
        until_ms: row.get(6)?,
        ended: row.get(7)?,
        received_ms: row.get(8)?,
        author: id_column(row, 9)?,
        reason: Sensitive(row.get(10)?),
    })
}

/// Notes a place; the same write read again changes nothing.
pub fn put(connection: &Connection, place: &PlaceRow) -> Result<bool, StoreError> {
    let bits = place
        .compartments
        .iter()
        .fold(0_u8, |bits, compartment| bits | 1 << compartment.code());
    let count = connection
        .prepare_cached(&format!(
            "INSERT INTO place ({COLUMNS}, ordinal)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, coalesce(max(ordinal), 0) + 1 FROM place WHERE true
             ON CONFLICT (patient, write_id, unit) DO NOTHING"
        ))?
        .execute(params![
            place.patient,
            place.write,
            place.unit,
            place.kind as u8,
            place.from,
            bits,
            place.until_ms,
            place.ended,
            place.received_ms,
            place.author,
            place.reason.0,
        ])?;
    Ok(count > 0)
}

/// The places of a patient, in the order in which the server received them.
pub fn of(connection: &Connection, patient: &PatientId) -> Result<Vec<PlaceRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM place WHERE patient = ?1 ORDER BY received_ms, ordinal"
    ))?;
    let rows = statement.query_map([patient], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The shares that have not ended: whose, and the writes that made them.
pub fn open(connection: &Connection) -> Result<Vec<(PatientId, WriteId)>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT patient, write_id FROM place WHERE ended = 0 AND kind <> 2")?;
    let rows = statement.query_map([], |row| Ok((id_column(row, 0)?, id_column(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Somebody ended what a write made; of a patient who moved, what the old unit kept.
pub fn end(connection: &Connection, patient: &PatientId, write: &WriteId) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE place SET ended = 1 WHERE patient = ?1 AND write_id = ?2 AND kind <> 2")?
        .execute(params![patient, write])?;
    Ok(())
}

/// Ends what has come to its end by itself; says whether anything did.
pub fn end_due(connection: &Connection, server_ms: EpochMs) -> Result<bool, StoreError> {
    let due: Option<EpochMs> = connection
        .prepare_cached("SELECT min(until_ms) FROM place WHERE until_ms IS NOT NULL AND ended = 0")?
        .query_row([], |row| row.get(0))
        .optional()?
        .flatten();
    if due.is_none_or(|due| server_ms < due) {
        return Ok(false);
    }
    let count = connection
        .prepare_cached(
            "UPDATE place SET ended = 1 WHERE until_ms IS NOT NULL AND ended = 0 AND until_ms <= ?1",
        )?
        .execute([server_ms])?;
    Ok(count > 0)
}

/// Forgets the places of a patient who is no longer here.
pub fn remove(connection: &Connection, patient: &PatientId) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM place WHERE patient = ?1")?
        .execute([patient])?;
    Ok(())
}
