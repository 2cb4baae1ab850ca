//! The chart as it is read.

use super::{StoreError, id_column};
use crate::id::{ChartItemId, PatientId, UserId};
use crate::record::Compartment;
use crate::redact::Sensitive;
use crate::time::Zoned;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A chart item: the winning value of each field. Other values set at once are open conflicts.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChartRow {
    /// The item.
    pub id: ChartItemId,
    /// Whose.
    pub patient: PatientId,
    /// Who may read it.
    pub compartment: Compartment,
    /// Its kind.
    pub kind: String,
    /// Its fields.
    pub fields: BTreeMap<String, Sensitive<String>>,
    /// Who changed it last.
    pub author: UserId,
    /// When, by their device's clock.
    pub recorded_at: Zoned,
    /// Where else the same stands, of linked records.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<ChartSource>,
}

/// Another item that says the same.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ChartSource {
    /// The item.
    pub id: ChartItemId,
    /// Whose.
    pub patient: PatientId,
    /// Who may read it.
    pub compartment: Compartment,
    /// Who changed it last.
    pub author: UserId,
    /// When, by their device's clock.
    pub recorded_at: Zoned,
}

const COLUMNS: &str = "id, patient, compartment, kind, fields, author, recorded_ms, recorded_offset";

fn read(row: &Row<'_>) -> rusqlite::Result<ChartRow> {
    let fields: String = row.get(4)?;
    Ok(ChartRow {
        id: id_column(row, 0)?,
        patient: id_column(row, 1)?,
        compartment: Compartment::from_code(row.get(2)?).unwrap_or(Compartment::Clinical),
        kind: row.get(3)?,
        fields: serde_json::from_str(&fields).unwrap_or_default(),
        author: id_column(row, 5)?,
        recorded_at: Zoned {
            utc_ms: row.get(6)?,
            offset_minutes: row.get(7)?,
        },
        also: Vec::new(),
    })
}

/// Writes an item.
pub fn put(connection: &Connection, item: &ChartRow) -> Result<(), StoreError> {
    let fields = serde_json::to_string(&item.fields).map_err(|_| StoreError::Row("chart_item"))?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO chart_item (id, patient, compartment, kind, fields, author, recorded_ms,
             recorded_offset) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            item.id,
            item.patient,
            item.compartment.code(),
            item.kind,
            fields,
            item.author,
            item.recorded_at.utc_ms,
            item.recorded_at.offset_minutes,
        ])?;
    Ok(())
}

/// Takes an item away.
pub fn remove(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
    item: &ChartItemId,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM chart_item WHERE patient = ?1 AND compartment = ?2 AND id = ?3")?
        .execute(params![patient, compartment.code(), item])?;
    Ok(())
}

/// An item. Another compartment's chart may have one of the same id: it is another item.
pub fn get(
    connection: &Connection,
    patient: &PatientId,
    compartment: Compartment,
    item: &ChartItemId,
) -> Result<Option<ChartRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM chart_item WHERE patient = ?1 AND compartment = ?2 AND id = ?3");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row(params![patient, compartment.code(), item], read)
        .optional()?)
}

/// A patient's chart.
pub fn list(connection: &Connection, patient: &PatientId) -> Result<Vec<ChartRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM chart_item WHERE patient = ?1 ORDER BY kind, id, compartment");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([patient], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The charts of a person's records as one, by kind and id. Of items of different records that say the same, the first
/// record's shows and names the others; nothing of one record is left out for another item of the same.
pub fn of_person(connection: &Connection, patients: &[PatientId]) -> Result<Vec<ChartRow>, StoreError> {
    let mut shown: Vec<ChartRow> = Vec::new();
    for patient in patients {
        for item in list(connection, patient)? {
            let same = |row: &&mut ChartRow| {
                let sources = row.also.iter().map(|source| source.patient);
                row.kind == item.kind
                    && row.fields == item.fields
                    && std::iter::once(row.patient)
                        .chain(sources)
                        .all(|source| source != item.patient)
            };
            match shown.iter_mut().find(same) {
                Some(row) => row.also.push(ChartSource {
                    id: item.id,
                    patient: item.patient,
                    compartment: item.compartment,
                    author: item.author,
                    recorded_at: item.recorded_at,
                }),
                None => shown.push(item),
            }
        }
    }
    shown.sort_by(|a, b| (&a.kind, a.id, a.compartment).cmp(&(&b.kind, b.id, b.compartment)));
    Ok(shown)
}

/// Every item, in order.
pub fn dump(connection: &Connection) -> Result<Vec<ChartRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM chart_item ORDER BY patient, id, compartment");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
