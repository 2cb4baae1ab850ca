//! What a check of the whole store reads: every log, every document.

use super::{SqliteStore, array, id, unsigned};
use crate::store::{Head, StoreError, StoreResult};
use vereda_core::id::{DocumentId, TenantId, UnitId};
use vereda_core::record::{Compartment, Stream};

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
