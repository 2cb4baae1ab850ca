//! Patients by identifier: only a keyed hash of each lies in the store, so that a copy without the master key cannot
//! even be asked whether a number is in it.

use super::{SqliteStore, id};
use crate::store::{StoreError, StoreResult};
use hmac::{Hmac, Mac};
use rusqlite::params;
use sha2::Sha256;
use vereda_core::id::{PatientId, TenantId};
use vereda_core::record::{Identifier, PatientRecord};

/// The key of the hashes, derived from the master key.
pub(super) struct IdentifierKey([u8; 32]);

impl IdentifierKey {
    pub(super) fn of(master: &[u8; 32]) -> Self {
        // A key of 32 bytes is always taken (RFC 2104 §2).
        let derived = Hmac::<Sha256>::new_from_slice(master).map(|mut mac| {
            mac.update(b"vereda identifier index v1");
            mac.finalize().into_bytes().into()
        });
        Self(derived.unwrap_or(*master))
    }

    fn digest(&self, tenant: TenantId, identifier: &Identifier) -> StoreResult<[u8; 32]> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| StoreError::Damaged("identifier"))?;
        mac.update(tenant.as_bytes());
        mac.update(&(identifier.system.0.len() as u64).to_be_bytes());
        mac.update(identifier.system.0.as_bytes());
        mac.update(identifier.value.0.as_bytes());
        Ok(mac.finalize().into_bytes().into())
    }
}

impl SqliteStore {
    pub(super) fn read_identified(
        &mut self,
        tenant: TenantId,
        identifier: &Identifier,
    ) -> StoreResult<Vec<PatientId>> {
        let digest = self.identifiers.digest(tenant, identifier)?;
        let found: Vec<Vec<u8>> = self
            .connection
            .prepare_cached("select patient from identifier where tenant = ?1 and digest = ?2")?
            .query_map(params![tenant.as_bytes(), digest], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        found
            .iter()
            .map(|patient| id("identifier", patient, PatientId::from_slice))
            .collect()
    }

    pub(super) fn hash_identifier(
        &mut self,
        tenant: TenantId,
        identifier: &Identifier,
    ) -> StoreResult<[u8; 16]> {
        let digest = self.identifiers.digest(tenant, identifier)?;
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Ok(first)
    }

    /// The index of records that were here before there was one; done once.
    pub(super) fn fill_identifiers(&mut self) -> StoreResult<()> {
        let is_filled = self.connection.query_row(
            "select count(*) from meta where name = 'identifiers_to_fill'",
            [],
            |row| row.get::<_, i64>(0),
        )? == 0;
        if is_filled {
            return Ok(());
        }
        self.within(|store| {
            let all: Vec<(Vec<u8>, Vec<u8>)> = store
                .connection
                .prepare("select tenant, patient from record")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (tenant, patient) in all {
                let tenant = id("record", &tenant, TenantId::from_slice)?;
                let patient = id("record", &patient, PatientId::from_slice)?;
                if let Some(row) = store.read_record(tenant, patient)? {
                    store.write_identifiers(tenant, patient, &row.record)?;
                }
            }
            store
                .connection
                .execute("delete from meta where name = 'identifiers_to_fill'", [])?;
            Ok(())
        })
    }

    pub(super) fn write_identifiers(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        record: &PatientRecord,
    ) -> StoreResult<()> {
        self.connection
            .prepare_cached("delete from identifier where tenant = ?1 and patient = ?2")?
            .execute(params![tenant.as_bytes(), patient.as_bytes()])?;
        for identifier in &record.identifiers {
            let digest = self.identifiers.digest(tenant, identifier)?;
            self.connection
                .prepare_cached(
                    "insert or ignore into identifier (tenant, digest, patient) values (?1, ?2, ?3)",
                )?
                .execute(params![tenant.as_bytes(), digest, patient.as_bytes()])?;
        }
        Ok(())
    }
}
