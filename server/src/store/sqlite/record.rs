//! Patients' records.

use super::{SqliteStore, id, signed, unsigned};
use crate::store::{RecordRow, StoreError, StoreResult};
use rusqlite::{OptionalExtension, params};
use vereda_core::id::{PatientId, TenantId, UnitId};
use vereda_core::protocol::{decode, encode};

impl SqliteStore {
    pub(super) fn read_record(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
    ) -> StoreResult<Option<RecordRow>> {
        let row: Option<(Vec<u8>, i64, Vec<u8>)> = self
            .connection
            .prepare_cached("select unit, version, sealed from record where tenant = ?1 and patient = ?2")?
            .query_row(params![tenant.as_bytes(), patient.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        let Some((unit, version, sealed)) = row else {
            return Ok(None);
        };
        let place: [&[u8]; 3] = [b"record", tenant.as_bytes(), patient.as_bytes()];
        let plain = self.unseal("record", tenant, patient, &place, sealed)?;
        Ok(Some(RecordRow {
            unit: id("record", &unit, UnitId::from_slice)?,
            version: unsigned(version),
            record: decode(&plain).map_err(|_| StoreError::Damaged("record"))?,
        }))
    }

    pub(super) fn write_record(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        row: &RecordRow,
    ) -> StoreResult<()> {
        let place: [&[u8]; 3] = [b"record", tenant.as_bytes(), patient.as_bytes()];
        let sealed = self.seal(tenant, patient, &place, &encode(&row.record))?;
        self.connection
            .prepare_cached(
                "insert into record (tenant, patient, unit, version, sealed) values (?1, ?2, ?3, ?4, ?5)
                 on conflict (tenant, patient) do update set version = excluded.version, sealed = excluded.sealed",
            )?
            .execute(params![
                tenant.as_bytes(),
                patient.as_bytes(),
                row.unit.as_bytes(),
                signed(row.version),
                sealed
            ])?;
        self.write_identifiers(tenant, patient, &row.record)
    }

    pub(super) fn read_home(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Option<UnitId>> {
        let unit: Option<Vec<u8>> = self
            .connection
            .prepare_cached("select unit from record where tenant = ?1 and patient = ?2")?
            .query_row(params![tenant.as_bytes(), patient.as_bytes()], |row| row.get(0))
            .optional()?;
        unit.map(|unit| id("record", &unit, UnitId::from_slice))
            .transpose()
    }

    pub(super) fn write_home(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        unit: UnitId,
    ) -> StoreResult<()> {
        for table in ["record", "document"] {
            self.connection
                .prepare_cached(&format!(
                    "update {table} set unit = ?3 where tenant = ?1 and patient = ?2"
                ))?
                .execute(params![tenant.as_bytes(), patient.as_bytes(), unit.as_bytes()])?;
        }
        Ok(())
    }
}
