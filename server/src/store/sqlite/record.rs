//! Patients' records.

use super::{SqliteStore, id, signed, unsigned};
use crate::store::{RecordRow, StoreError, StoreResult};
use rusqlite::{OptionalExtension, params};
use vereda_core::document::digest::{DigestNode, record_leaf};
use vereda_core::id::{PatientId, TenantId, UnitId};
use vereda_core::protocol::{decode, encode};
use vereda_core::record::{Compartment, Stream};
use vereda_core::time::EpochMs;

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
        let known = self.read_record_leaf(tenant, patient)?;
        let is_new = known.is_none();
        let (before, home) = known.unwrap_or((None, row.unit));
        let leaf = record_leaf(&patient, row.version);
        let stream = Stream::new(home, Compartment::Identity);
        self.change_sum(&stream, patient.as_bytes(), before.unwrap_or(0) ^ leaf)?;
        self.connection
            .prepare_cached(
                "insert into record (tenant, patient, unit, version, sealed, leaf, place)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 on conflict (tenant, patient) do update
                 set version = excluded.version, sealed = excluded.sealed, leaf = excluded.leaf,
                     place = excluded.place",
            )?
            .execute(params![
                tenant.as_bytes(),
                patient.as_bytes(),
                row.unit.as_bytes(),
                signed(row.version),
                sealed,
                signed(leaf),
                DigestNode::place_of(patient.as_bytes())
            ])?;
        if is_new {
            // Items given back to a restored server may come before the registration they are about.
            self.move_documents(tenant, patient, row.unit)?;
        }
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
        received_ms: EpochMs,
    ) -> StoreResult<()> {
        let is_last = self
            .connection
            .prepare_cached(
                "insert into moved (tenant, patient, received_ms) values (?1, ?2, ?3)
                 on conflict do update set received_ms = excluded.received_ms
                 where excluded.received_ms >= moved.received_ms",
            )?
            .execute(params![tenant.as_bytes(), patient.as_bytes(), received_ms])?;
        if is_last == 0 {
            return Ok(());
        }
        if let Some((Some(leaf), from)) = self.read_record_leaf(tenant, patient)? {
            for unit in [from, unit] {
                let stream = Stream::new(unit, Compartment::Identity);
                self.change_sum(&stream, patient.as_bytes(), leaf)?;
            }
        }
        self.connection
            .prepare_cached("update record set unit = ?3 where tenant = ?1 and patient = ?2")?
            .execute(params![tenant.as_bytes(), patient.as_bytes(), unit.as_bytes()])?;
        self.move_documents(tenant, patient, unit)
    }
}
