//! Patients' records.

use super::{SqliteStore, id, signed, unsigned};
use crate::store::{RecordRow, StoreError, StoreResult};
use rusqlite::{OptionalExtension, params};
use vereda_core::id::{PatientId, TenantId, UnitId};
use vereda_core::protocol::{decode, encode};

/// unit, version, registered_seq, has_conflict, sealed.
type Columns = (Vec<u8>, i64, i64, bool, Vec<u8>);

impl SqliteStore {
    pub(super) fn read_record(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
    ) -> StoreResult<Option<RecordRow>> {
        let row: Option<Columns> = self
            .connection
            .prepare_cached(
                "select unit, version, registered_seq, has_conflict, sealed from record
                 where tenant = ?1 and patient = ?2",
            )?
            .query_row(params![tenant.as_bytes(), patient.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
            .optional()?;
        let Some((unit, version, registered_seq, has_conflict, sealed)) = row else {
            return Ok(None);
        };
        let place: [&[u8]; 3] = [b"record", tenant.as_bytes(), patient.as_bytes()];
        let plain = self.unseal("record", tenant, patient, &place, sealed)?;
        Ok(Some(RecordRow {
            unit: id("record", &unit, UnitId::from_slice)?,
            version: unsigned(version),
            registered_seq: unsigned(registered_seq),
            has_conflict,
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
                "insert into record (tenant, patient, unit, version, registered_seq, has_conflict, sealed)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict (tenant, patient) do update set version = excluded.version,
                     has_conflict = excluded.has_conflict, sealed = excluded.sealed",
            )?
            .execute(params![
                tenant.as_bytes(),
                patient.as_bytes(),
                row.unit.as_bytes(),
                signed(row.version),
                signed(row.registered_seq),
                row.has_conflict,
                sealed
            ])?;
        Ok(())
    }
}
