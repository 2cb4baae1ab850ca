//! Units beside a patient's own that have them.

use super::{SqliteStore, id, signed, unsigned};
use crate::store::{ShareRow, StoreResult};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;
use vereda_core::id::{PatientId, TenantId, UnitId, UserId, WriteId};
use vereda_core::record::{Compartment, Stream};

/// A set of compartments as a bitmap of their codes.
fn bitmap(compartments: &BTreeSet<Compartment>) -> i64 {
    compartments
        .iter()
        .fold(0, |bits, compartment| bits | 1 << compartment.code())
}

fn compartments(bitmap: i64) -> BTreeSet<Compartment> {
    Compartment::ALL
        .into_iter()
        .filter(|compartment| bitmap >> compartment.code() & 1 == 1)
        .collect()
}

impl SqliteStore {
    pub(super) fn read_shares(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Vec<ShareRow>> {
        let mut statement = self.connection.prepare_cached(
            "select id, unit, compartments, until_ms, ended_ms from share
             where tenant = ?1 and patient = ?2 order by id",
        )?;
        let mut rows = statement.query(params![tenant.as_bytes(), patient.as_bytes()])?;
        let mut shares = Vec::new();
        while let Some(row) = rows.next()? {
            let (write, unit): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            shares.push(ShareRow {
                id: id("share", &write, WriteId::from_slice)?,
                patient,
                unit: id("share", &unit, UnitId::from_slice)?,
                compartments: compartments(row.get(2)?),
                until_ms: row.get(3)?,
                ended_ms: row.get(4)?,
            });
        }
        Ok(shares)
    }

    pub(super) fn write_share(&mut self, tenant: TenantId, share: &ShareRow) -> StoreResult<()> {
        self.connection
            .prepare_cached(
                "insert into share (tenant, patient, id, unit, compartments, until_ms, ended_ms)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict (tenant, patient, id) do update set ended_ms = excluded.ended_ms",
            )?
            .execute(params![
                tenant.as_bytes(),
                share.patient.as_bytes(),
                share.id.as_bytes(),
                share.unit.as_bytes(),
                bitmap(&share.compartments),
                share.until_ms,
                share.ended_ms
            ])?;
        Ok(())
    }

    pub(super) fn read_entered(&mut self, stream: &Stream, patient: PatientId) -> StoreResult<u64> {
        let mut statement = self.connection.prepare_cached(
            "select seq from entered where unit = ?1 and compartment = ?2 and patient = ?3",
        )?;
        let place = params![
            stream.unit.as_bytes(),
            stream.compartment.code(),
            patient.as_bytes()
        ];
        let found: Option<i64> = statement.query_row(place, |row| row.get(0)).optional()?;
        Ok(found.map_or(0, unsigned))
    }

    pub(super) fn write_entered(&mut self, stream: &Stream, patient: PatientId, seq: u64) -> StoreResult<()> {
        self.connection
            .prepare_cached(
                "insert into entered (unit, compartment, patient, seq) values (?1, ?2, ?3, ?4)
                 on conflict do update set seq = excluded.seq",
            )?
            .execute(params![
                stream.unit.as_bytes(),
                stream.compartment.code(),
                patient.as_bytes(),
                signed(seq)
            ])?;
        Ok(())
    }

    pub(super) fn knows_past_membership(&mut self, user: UserId, unit: UnitId) -> StoreResult<bool> {
        Ok(self
            .connection
            .prepare_cached("select 1 from past_membership where person = ?1 and unit = ?2")?
            .exists(params![user.as_bytes(), unit.as_bytes()])?)
    }

    pub(super) fn knows_unit(&mut self, tenant: TenantId, unit: UnitId) -> StoreResult<bool> {
        Ok(self
            .connection
            .prepare_cached("select 1 from unit where tenant = ?1 and id = ?2")?
            .exists(params![tenant.as_bytes(), unit.as_bytes()])?)
    }
}
