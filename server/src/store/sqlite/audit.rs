//! Devices' audits, a chain for each incarnation. The records name patients and reasons, so they are sealed under a key of the
//! tenant's: an erased patient must not break the chain.

use super::{SqliteStore, array, id, signed, unsigned};
use crate::store::{AuditPlace, AuditRow, StoreError, StoreResult};
use rusqlite::{OptionalExtension, params};
use vereda_core::id::{Incarnation, PatientId, StoreId, TenantId};
use vereda_core::protocol::{ChainHash, decode};
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

    pub(super) fn read_audit_durable(&mut self, incarnation: &Incarnation) -> StoreResult<Option<u64>> {
        let k: Option<i64> = self
            .connection
            .prepare_cached("select k from audit_durable where store = ?1 and incarnation = ?2")?
            .query_row(
                params![incarnation.store.as_bytes(), signed(incarnation.number)],
                |row| row.get(0),
            )
            .optional()?;
        Ok(k.map(unsigned))
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
        let sealed = self.seal(tenant, NOBODY, &place_of(incarnation, k).each(), record)?;
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

    /// A page of a tenant's audit behind a place, by chain and place.
    pub(crate) fn audit_page(
        &mut self,
        tenant: TenantId,
        after: Option<&AuditPlace>,
        limit: usize,
    ) -> StoreResult<Vec<AuditRow>> {
        let after = after.map_or((StoreId(uuid::Uuid::nil()), 0, 0), |place| {
            (place.incarnation.store, place.incarnation.number, place.k)
        });
        let sealed: Vec<SealedRecord> = self
            .connection
            .prepare_cached(
                "select audit.store, incarnation, k, chain, received_ms, sealed, device.short, person.name
                 from audit left join device on device.store = audit.store
                 left join person on person.id = device.person
                 where (audit.store, incarnation, k) > (?2, ?3, ?4)
                   and (device.tenant = ?1 or audit.store = ?1)
                 order by audit.store, incarnation, k limit ?5",
            )?
            .query_map(
                params![
                    tenant.as_bytes(),
                    after.0.as_bytes(),
                    signed(after.1),
                    signed(after.2),
                    i64::try_from(limit).unwrap_or(i64::MAX)
                ],
                SealedRecord::read,
            )?
            .collect::<Result<_, _>>()?;
        sealed
            .into_iter()
            .map(|row| self.open_record(tenant, row))
            .collect()
    }

    fn open_record(&mut self, tenant: TenantId, row: SealedRecord) -> StoreResult<AuditRow> {
        let incarnation = Incarnation {
            store: id("audit", &row.store, StoreId::from_slice)?,
            number: unsigned(row.incarnation),
        };
        let k = unsigned(row.k);
        let place = place_of(&incarnation, k);
        let plain = self.unseal("audit", tenant, NOBODY, &place.each(), row.sealed)?;
        Ok(AuditRow {
            place: AuditPlace { incarnation, k },
            device: row.device.zip(row.user),
            received_ms: row.received_ms,
            record: decode(&plain).map_err(|_| StoreError::Damaged("audit"))?,
            head: array("audit", &row.chain)?,
        })
    }
}

struct SealedRecord {
    store: Vec<u8>,
    incarnation: i64,
    k: i64,
    chain: Vec<u8>,
    received_ms: EpochMs,
    sealed: Vec<u8>,
    device: Option<u32>,
    user: Option<String>,
}

impl SealedRecord {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            store: row.get(0)?,
            incarnation: row.get(1)?,
            k: row.get(2)?,
            chain: row.get(3)?,
            received_ms: row.get(4)?,
            sealed: row.get(5)?,
            device: row.get(6)?,
            user: row.get(7)?,
        })
    }
}

/// Where a record lies: it opens nowhere else.
struct SealedPlace {
    store: [u8; 16],
    number: [u8; 8],
    k: [u8; 8],
}

fn place_of(incarnation: &Incarnation, k: u64) -> SealedPlace {
    SealedPlace {
        store: *incarnation.store.as_bytes(),
        number: incarnation.number.to_be_bytes(),
        k: k.to_be_bytes(),
    }
}

impl SealedPlace {
    fn each(&self) -> [&[u8]; 4] {
        [b"audit", &self.store, &self.number, &self.k]
    }
}
