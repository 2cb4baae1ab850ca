//! Patients' keys.

use super::{SealingKey, SqliteStore, array};
use crate::store::StoreResult;
use rusqlite::{OptionalExtension, params};
use std::sync::Arc;
use vereda_core::entropy::Entropy;
use vereda_core::id::{PatientId, TenantId};

/// Unwrapped keys kept; past it all go.
const KEYS_KEPT_MAX: usize = 4_096;

impl SqliteStore {
    /// The key of a patient, made if there is none.
    fn key(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Arc<SealingKey>> {
        if let Some(key) = self.keys.get(&(tenant, patient)) {
            return Ok(Arc::clone(key));
        }
        let place: [&[u8]; 3] = [b"patient_key", tenant.as_bytes(), patient.as_bytes()];
        let wrapped: Option<Vec<u8>> = self
            .connection
            .prepare_cached("select wrapped from patient_key where tenant = ?1 and patient = ?2")?
            .query_row(params![tenant.as_bytes(), patient.as_bytes()], |row| row.get(0))
            .optional()?;
        let bytes: [u8; 32] = match wrapped {
            Some(wrapped) => array("patient_key", &self.master.open("patient_key", &place, wrapped)?)?,
            None => {
                let bytes = self.entropy.next_32();
                let wrapped = self.master.seal(&mut self.entropy, &place, &bytes)?;
                self.connection
                    .prepare_cached("insert into patient_key (tenant, patient, wrapped) values (?1, ?2, ?3)")?
                    .execute(params![tenant.as_bytes(), patient.as_bytes(), wrapped])?;
                bytes
            }
        };
        let key = Arc::new(SealingKey::new(&bytes)?);
        if self.keys.len() >= KEYS_KEPT_MAX {
            self.keys.clear();
        }
        self.keys.insert((tenant, patient), Arc::clone(&key));
        Ok(key)
    }

    pub(super) fn seal(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        place: &[&[u8]],
        plain: &[u8],
    ) -> StoreResult<Vec<u8>> {
        let key = self.key(tenant, patient)?;
        key.seal(&mut self.entropy, place, plain)
    }

    pub(super) fn unseal(
        &mut self,
        table: &'static str,
        tenant: TenantId,
        patient: PatientId,
        place: &[&[u8]],
        sealed: Vec<u8>,
    ) -> StoreResult<Vec<u8>> {
        self.key(tenant, patient)?.open(table, place, sealed)
    }
}
