//! Devices' audits, a chain for each incarnation. The records name patients and reasons, so they are sealed under a key of the
//! tenant's: an erased patient must not break the chain.

use super::{SqliteStore, array, signed, unsigned};
use crate::store::StoreResult;
use rusqlite::{OptionalExtension, params};
use vereda_core::id::{Incarnation, PatientId, TenantId};
use vereda_core::protocol::ChainHash;
use vereda_core::time::EpochMs;

/// Under this id, which no patient has, lies a tenant's own key.
const NOBODY: PatientId = PatientId(uuid::Uuid::nil());

impl SqliteStore {
    pub(super) fn read_audit_anchor(&mut self, incarnation: &Incarnation) -> StoreResult<(u64, ChainHash)> {
        let row: Option<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached(
                "select k, chain from audit where store = ?1 and incarnation = ?2 order by k desc limit 1",
            )?
            .query_row(
                params![incarnation.store.as_bytes(), signed(incarnation.number)],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        match row {
            Some((k, chain)) => Ok((unsigned(k), array("audit", &chain)?)),
            None => Ok((0, [0; 32])),
        }
    }

    pub(super) fn read_audit_chain(
        &mut self,
        incarnation: &Incarnation,
        k: u64,
    ) -> StoreResult<Option<ChainHash>> {
        if k == 0 {
            return Ok(Some([0; 32]));
        }
        let chain: Option<Vec<u8>> = self
            .connection
            .prepare_cached("select chain from audit where store = ?1 and incarnation = ?2 and k = ?3")?
            .query_row(
                params![
                    incarnation.store.as_bytes(),
                    signed(incarnation.number),
                    signed(k)
                ],
                |row| row.get(0),
            )
            .optional()?;
        chain.map(|chain| array("audit", &chain)).transpose()
    }

    pub(super) fn write_audit(
        &mut self,
        tenant: TenantId,
        incarnation: &Incarnation,
        k: u64,
        chain: &ChainHash,
        record: &[u8],
        received_ms: EpochMs,
    ) -> StoreResult<()> {
        let number = incarnation.number.to_be_bytes();
        let place: [&[u8]; 4] = [b"audit", incarnation.store.as_bytes(), &number, &k.to_be_bytes()];
        let sealed = self.seal(tenant, NOBODY, &place, record)?;
        self.connection
            .prepare_cached(
                "insert into audit (store, incarnation, k, chain, received_ms, sealed)
                 values (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                incarnation.store.as_bytes(),
                signed(incarnation.number),
                signed(k),
                chain,
                received_ms,
                sealed
            ])?;
        Ok(())
    }
}
