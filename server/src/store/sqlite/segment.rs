//! What row segments are built from.

use super::{SqliteStore, id, unsigned};
use crate::store::{DocumentRow, StoreError, StoreResult};
use rusqlite::{OptionalExtension, params};
use vereda_core::document::segment::Place;
use vereda_core::id::{Incarnation, PatientId, StoreId, TenantId, UnitId};
use vereda_core::record::{Compartment, Stream};

impl SqliteStore {
    pub(super) fn read_guests(
        &mut self,
        tenant: TenantId,
        unit: UnitId,
        first: PatientId,
        last: PatientId,
    ) -> StoreResult<Vec<PatientId>> {
        let mut statement = self.connection.prepare_cached(
            "select distinct patient from share
             where tenant = ?1 and unit = ?2 and patient between ?3 and ?4",
        )?;
        let mut rows = statement.query(params![
            tenant.as_bytes(),
            unit.as_bytes(),
            first.as_bytes(),
            last.as_bytes()
        ])?;
        let mut guests = Vec::new();
        while let Some(row) = rows.next()? {
            let patient: Vec<u8> = row.get(0)?;
            guests.push(id("share", &patient, PatientId::from_slice)?);
        }
        Ok(guests)
    }

    pub(super) fn read_next_patient(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        after: Option<PatientId>,
    ) -> StoreResult<Option<PatientId>> {
        let found: Option<Option<Vec<u8>>> = self
            .connection
            .prepare_cached(
                "select min(patient) from (
                   select min(patient) as patient from document
                   where tenant = ?1 and unit = ?2 and compartment = ?3 and patient > ?4
                   union all
                   select min(patient) from share where tenant = ?1 and unit = ?2 and patient > ?4)",
            )?
            .query_row(
                params![
                    tenant.as_bytes(),
                    stream.unit.as_bytes(),
                    stream.compartment.code(),
                    after.map_or(Vec::new(), |patient| patient.as_bytes().to_vec())
                ],
                |row| row.get(0),
            )
            .optional()?;
        found
            .flatten()
            .map(|patient| id("document", &patient, PatientId::from_slice))
            .transpose()
    }

    pub(super) fn read_nth_document(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        compartment: Compartment,
        n: usize,
    ) -> StoreResult<Option<DocumentRow>> {
        let found: Option<(String, i32, u32)> = self
            .connection
            .prepare_cached(
                "select kind, year, part from document
                 where tenant = ?1 and patient = ?2 and compartment = ?3
                 order by year, part, id limit 1 offset ?4",
            )?
            .query_row(
                params![
                    tenant.as_bytes(),
                    patient.as_bytes(),
                    compartment.code(),
                    n as i64
                ],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        let Some((kind, year, part)) = found else {
            return Ok(None);
        };
        let key = vereda_core::document::DocumentKey::from_parts(&kind, patient, compartment, (year, part))
            .ok_or(StoreError::Damaged("document"))?;
        self.read_document(tenant, key.id())
    }

    pub(super) fn read_places(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> StoreResult<Vec<Place>> {
        let mut statement = self.connection.prepare_cached(
            "select store, incarnation, n, seq, received_ms from log
             where tenant = ?4 and patient = ?3 and unit = ?1 and compartment = ?2 order by seq",
        )?;
        let mut rows = statement.query(params![
            stream.unit.as_bytes(),
            stream.compartment.code(),
            patient.as_bytes(),
            tenant.as_bytes()
        ])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let store: Vec<u8> = row.get(0)?;
            found.push(Place {
                origin: Incarnation {
                    store: id("log", &store, StoreId::from_slice)?,
                    number: unsigned(row.get(1)?),
                },
                n: unsigned(row.get(2)?),
                seq: unsigned(row.get(3)?),
                received_ms: row.get(4)?,
            });
        }
        Ok(found)
    }
}
