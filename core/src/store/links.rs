//! Records of one person: what each stream's log said last of a pair, and which pairs are shown as linked.

use super::{StoreError, id_column};
use crate::id::{NAMESPACE, PatientId, UnitId, UserId, WriteId};
use crate::limits::LINKED_PATIENTS_MAX;
use crate::redact::Sensitive;
use crate::time::Zoned;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Two records, the lesser id first: who names whom makes no difference.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pair(pub PatientId, pub PatientId);

impl Pair {
    /// The pair of two patients.
    pub fn of(one: PatientId, other: PatientId) -> Self {
        Self(one.min(other), one.max(other))
    }

    /// Names what two writes about the pair are both about (UUIDv5 of both ids).
    pub fn subject(self) -> Uuid {
        Uuid::new_v5(&NAMESPACE, format!("link/{}/{}", self.0, self.1).as_bytes())
    }
}

/// A link as it is shown from one side.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LinkRow {
    /// The patient.
    pub patient: PatientId,
    /// The other record.
    pub other: PatientId,
    /// The unit in whose stream it was said.
    pub unit: UnitId,
    /// Who linked them.
    pub author: UserId,
    /// When, by their device's clock.
    pub recorded_at: Zoned,
    /// Why.
    pub reason: Sensitive<String>,
    /// The write that says so.
    pub write: WriteId,
    /// Whether it is in the log; until then it waits on this device.
    pub accepted: bool,
}

/// What a stream's log said last of a pair.
#[derive(Clone, PartialEq, Debug)]
pub struct LinkEvent {
    /// Whether they are linked.
    pub linked: bool,
    /// Its place in the stream.
    pub seq: u64,
    /// When the server received it.
    pub received_ms: i64,
    /// Who, when and why; of an `unlink` too.
    pub said: LinkRow,
}

fn row(row: &Row<'_>) -> rusqlite::Result<LinkRow> {
    Ok(LinkRow {
        patient: id_column(row, 0)?,
        other: id_column(row, 1)?,
        unit: id_column(row, 2)?,
        author: id_column(row, 3)?,
        recorded_at: Zoned {
            utc_ms: row.get(4)?,
            offset_minutes: row.get(5)?,
        },
        reason: Sensitive(row.get(6)?),
        write: id_column(row, 7)?,
        accepted: row.get(8)?,
    })
}

/// Keeps an event in the place of the one its stream had of the pair, unless that was received later: a log that is
/// read again says first what it said first.
pub fn put_event(connection: &Connection, pair: Pair, event: &LinkEvent) -> Result<(), StoreError> {
    let said = &event.said;
    connection
        .prepare_cached(
            "INSERT INTO link_event (a, b, unit, seq, received_ms, linked, author, recorded_ms,
             recorded_offset, reason, write_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT DO UPDATE SET (seq, received_ms, linked, author, recorded_ms, recorded_offset, reason, write_id)
             = (excluded.seq, excluded.received_ms, excluded.linked, excluded.author, excluded.recorded_ms,
             excluded.recorded_offset, excluded.reason, excluded.write_id)
             WHERE excluded.received_ms >= link_event.received_ms",
        )?
        .execute(params![
            pair.0,
            pair.1,
            said.unit,
            event.seq as i64,
            event.received_ms,
            event.linked,
            said.author,
            said.recorded_at.utc_ms,
            said.recorded_at.offset_minutes,
            said.reason.0,
            said.write,
        ])?;
    Ok(())
}

/// The last word of all streams on a pair. Between streams, which have no common order, the one the server received
/// last: whoever reads the same streams finds the same.
pub fn last_event(connection: &Connection, pair: Pair) -> Result<Option<LinkEvent>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT a, b, unit, author, recorded_ms, recorded_offset, reason, write_id, 1, linked, seq, received_ms
         FROM link_event WHERE a = ?1 AND b = ?2 ORDER BY received_ms DESC, unit DESC LIMIT 1",
    )?;
    let mut rows = statement.query_map(params![pair.0, pair.1], |found| {
        Ok(LinkEvent {
            said: row(found)?,
            linked: found.get(9)?,
            seq: found.get::<_, i64>(10)? as u64,
            received_ms: found.get(11)?,
        })
    })?;
    Ok(rows.next().transpose()?)
}

/// Every pair of a patient of which a log says anything or that is shown as linked.
pub fn pairs_of(connection: &Connection, patient: &PatientId) -> Result<BTreeSet<Pair>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT b FROM link_event WHERE a = ?1 UNION SELECT a FROM link_event WHERE b = ?1
         UNION SELECT other FROM link WHERE patient = ?1",
    )?;
    let others = statement.query_map([patient], |row| id_column::<PatientId>(row, 0))?;
    Ok(others
        .map(|other| other.map(|other| Pair::of(*patient, other)))
        .collect::<Result<_, _>>()?)
}

/// Shows a pair as linked, from both sides; `None` shows it as not linked.
pub fn show(connection: &Connection, pair: Pair, said: Option<&LinkRow>) -> Result<(), StoreError> {
    for (patient, other) in [(pair.0, pair.1), (pair.1, pair.0)] {
        let Some(said) = said else {
            connection
                .prepare_cached("DELETE FROM link WHERE patient = ?1 AND other = ?2")?
                .execute(params![patient, other])?;
            continue;
        };
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO link (patient, other, unit, author, recorded_ms, recorded_offset, reason,
                 write_id, accepted) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                patient,
                other,
                said.unit,
                said.author,
                said.recorded_at.utc_ms,
                said.recorded_at.offset_minutes,
                said.reason.0,
                said.write,
                said.accepted,
            ])?;
    }
    Ok(())
}

const COLUMNS: &str =
    "patient, other, unit, author, recorded_ms, recorded_offset, reason, write_id, accepted";

/// The links of a patient, by the other's id.
pub fn of(connection: &Connection, patient: &PatientId) -> Result<Vec<LinkRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM link WHERE patient = ?1 ORDER BY other");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([patient], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A patient and everybody linked to them, directly or through others: one person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The patient first, then the others as they are found from there.
    pub patients: Vec<PatientId>,
    /// Whether there are more than [`LINKED_PATIENTS_MAX`].
    pub cut: bool,
}

/// The person a patient's record is of, the nearest records first.
pub fn person(connection: &Connection, patient: &PatientId) -> Result<Person, StoreError> {
    let mut person = Person {
        patients: vec![*patient],
        cut: false,
    };
    let mut known = BTreeSet::from([*patient]);
    let mut next = 0;
    let mut statement =
        connection.prepare_cached("SELECT other FROM link WHERE patient = ?1 ORDER BY other")?;
    while let Some(patient) = person.patients.get(next).copied() {
        next += 1;
        for other in statement.query_map([patient], |row| id_column::<PatientId>(row, 0))? {
            let other = other?;
            if !known.insert(other) {
                continue;
            }
            if person.patients.len() >= LINKED_PATIENTS_MAX {
                person.cut = true;
                return Ok(person);
            }
            person.patients.push(other);
        }
    }
    Ok(person)
}

/// Every link from either side, in order.
pub fn dump(connection: &Connection) -> Result<Vec<LinkRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM link ORDER BY patient, other");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
