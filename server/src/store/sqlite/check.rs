//! What a check of the whole store reads: every log, every document.

use super::{SqliteStore, array, id, unsigned};
use crate::store::{Head, StoreError, StoreResult};
use vereda_core::id::{DocumentId, PatientId, TenantId, UnitId};
use vereda_core::record::{Compartment, Stream};

/// What is kept of a record for digests.
pub(crate) struct RecordLeaf {
    pub(crate) patient: PatientId,
    pub(crate) unit: UnitId,
    pub(crate) version: u64,
    pub(crate) kept: Option<u64>,
}

impl SqliteStore {
    /// The end of every log, with whose it is.
    pub(crate) fn logs(&mut self) -> StoreResult<Vec<(TenantId, Stream, Head)>> {
        let mut statement = self.connection.prepare(
            "select h.unit, h.compartment, h.seq, h.chain, l.tenant from stream_head h
             join log l on l.unit = h.unit and l.compartment = h.compartment and l.seq = h.seq
             order by h.unit, h.compartment",
        )?;
        let mut rows = statement.query([])?;
        let mut logs = Vec::new();
        while let Some(row) = rows.next()? {
            let blob = |column| -> StoreResult<Vec<u8>> { Ok(row.get(column)?) };
            let compartment =
                Compartment::from_code(row.get(1)?).ok_or(StoreError::Damaged("stream_head"))?;
            let head = Head {
                seq: unsigned(row.get(2)?),
                chain: array("stream_head", &blob(3)?)?,
            };
            let unit = id("stream_head", &blob(0)?, UnitId::from_slice)?;
            let tenant = id("log", &blob(4)?, TenantId::from_slice)?;
            logs.push((tenant, Stream::new(unit, compartment), head));
        }
        Ok(logs)
    }

    /// How many rows: ends of logs, items of logs, accepted outcomes.
    pub(crate) fn counts(&mut self) -> StoreResult<(u64, u64, u64)> {
        let counts = self.connection.query_row(
            "select (select count(*) from stream_head), (select count(*) from log),
                    (select count(*) from outcome where seq is not null)",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let (heads, items, accepted): (i64, i64, i64) = counts;
        Ok((unsigned(heads), unsigned(items), unsigned(accepted)))
    }

    /// The leaf that is kept of a document, where one is.
    pub(crate) fn kept_leaf(&mut self, tenant: TenantId, document: DocumentId) -> StoreResult<Option<u64>> {
        let leaf: Option<i64> = self
            .connection
            .prepare_cached("select leaf from document where tenant = ?1 and id = ?2")?
            .query_row([tenant.as_bytes().as_slice(), document.as_bytes()], |row| {
                row.get(0)
            })?;
        Ok(leaf.map(unsigned))
    }

    /// Every record: whose it is, the unit, the version and the leaf that is kept.
    pub(crate) fn record_leaves(&mut self) -> StoreResult<Vec<RecordLeaf>> {
        let mut statement = self
            .connection
            .prepare("select patient, unit, version, leaf from record order by tenant, patient")?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (patient, unit): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            found.push(RecordLeaf {
                patient: id("record", &patient, PatientId::from_slice)?,
                unit: id("record", &unit, UnitId::from_slice)?,
                version: unsigned(row.get(2)?),
                kept: row.get::<_, Option<i64>>(3)?.map(unsigned),
            });
        }
        Ok(found)
    }

    /// The streams that have sums.
    pub(crate) fn summed_streams(&mut self) -> StoreResult<Vec<Stream>> {
        let mut statement = self
            .connection
            .prepare("select distinct unit, compartment from digest order by unit, compartment")?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let unit: Vec<u8> = row.get(0)?;
            let compartment = Compartment::from_code(row.get(1)?).ok_or(StoreError::Damaged("digest"))?;
            found.push(Stream::new(id("digest", &unit, UnitId::from_slice)?, compartment));
        }
        Ok(found)
    }

    /// Every document's id.
    pub(crate) fn document_ids(&mut self) -> StoreResult<Vec<(TenantId, DocumentId)>> {
        let mut statement = self
            .connection
            .prepare("select tenant, id from document order by tenant, id")?;
        let mut rows = statement.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let (tenant, document): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
            found.push((
                id("document", &tenant, TenantId::from_slice)?,
                id("document", &document, DocumentId::from_slice)?,
            ));
        }
        Ok(found)
    }
}
