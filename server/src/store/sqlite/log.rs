//! The streams' logs.

use super::{SqliteStore, array, id, signed, unsigned};
use crate::store::{Head, LogRow, StoreError, StoreResult, StoredChange};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vereda_core::bytes::ByteBuf;
use vereda_core::id::{Incarnation, PatientId, StoreId, TenantId, UnitId};
use vereda_core::protocol::{ChainHash, decode, encode};
use vereda_core::record::{Compartment, Stream};

/// What of an item is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    write: ByteBuf,
    changes: Vec<StoredChange>,
}

fn place<'a>(unit: &'a [u8], compartment: &'a [u8; 1], seq: &'a [u8; 8]) -> [&'a [u8]; 4] {
    [b"log", unit, compartment, seq]
}

const COLUMNS: &str = "select seq, chain, received_ms, store, incarnation, n, generation, patient, other, is_copy, sealed from log";

/// A row without what is sealed, and that.
fn item(row: &Row<'_>) -> StoreResult<(LogRow, Vec<u8>)> {
    let blob = |column| -> StoreResult<Vec<u8>> { Ok(row.get(column)?) };
    let other: Option<Vec<u8>> = row.get(8)?;
    let item = LogRow {
        seq: unsigned(row.get(0)?),
        chain: array("log", &blob(1)?)?,
        received_ms: row.get(2)?,
        incarnation: Incarnation {
            store: id("log", &blob(3)?, StoreId::from_slice)?,
            number: unsigned(row.get(4)?),
        },
        n: unsigned(row.get(5)?),
        generation: row.get(6)?,
        patient: id("log", &blob(7)?, PatientId::from_slice)?,
        other: other
            .map(|other| id("log", &other, PatientId::from_slice))
            .transpose()?,
        is_copy: row.get(9)?,
        write: Vec::new(),
        changes: Vec::new(),
    };
    Ok((item, blob(10)?))
}

impl SqliteStore {
    pub(super) fn read_head(&mut self, stream: &Stream) -> StoreResult<Head> {
        let row: Option<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached("select seq, chain from stream_head where unit = ?1 and compartment = ?2")?
            .query_row(
                params![stream.unit.as_bytes(), stream.compartment.code()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        Ok(match row {
            Some((seq, chain)) => Head {
                seq: unsigned(seq),
                chain: array("stream_head", &chain)?,
            },
            None => Head {
                seq: 0,
                chain: [0; 32],
            },
        })
    }

    pub(super) fn write_log(&mut self, tenant: TenantId, stream: &Stream, item: &LogRow) -> StoreResult<()> {
        let plain = encode(&Sealed {
            write: ByteBuf::from(item.write.clone()),
            changes: item.changes.clone(),
        });
        let code = [stream.compartment.code()];
        let seq = item.seq.to_be_bytes();
        let place = place(stream.unit.as_bytes(), &code, &seq);
        let sealed = self.seal(tenant, item.patient, &place, &plain)?;
        let bytes = sealed.len() as i64;
        self.connection
            .prepare_cached(
                "insert into log (unit, compartment, seq, chain, received_ms, store, incarnation, n, generation,
                     tenant, patient, sealed, other, is_copy)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?
            .execute(params![
                stream.unit.as_bytes(),
                stream.compartment.code(),
                signed(item.seq),
                item.chain,
                item.received_ms,
                item.incarnation.store.as_bytes(),
                signed(item.incarnation.number),
                signed(item.n),
                item.generation,
                tenant.as_bytes(),
                item.patient.as_bytes(),
                sealed,
                item.other.map(|other| *other.as_bytes()),
                item.is_copy
            ])?;
        self.connection
            .prepare_cached(
                "insert into stream_head (unit, compartment, seq, chain, bytes) values (?1, ?2, ?3, ?4, ?5)
                 on conflict (unit, compartment) do update set
                   seq = excluded.seq, chain = excluded.chain, bytes = bytes + excluded.bytes",
            )?
            .execute(params![
                stream.unit.as_bytes(),
                stream.compartment.code(),
                signed(item.seq),
                item.chain,
                bytes
            ])?;
        Ok(())
    }

    pub(super) fn read_log_bytes(&mut self, stream: &Stream) -> StoreResult<u64> {
        let bytes: Option<i64> = self
            .connection
            .prepare_cached("select bytes from stream_head where unit = ?1 and compartment = ?2")?
            .query_row(
                params![stream.unit.as_bytes(), stream.compartment.code()],
                |row| row.get(0),
            )
            .optional()?;
        Ok(unsigned(bytes.unwrap_or_default()))
    }

    pub(super) fn read_log(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        after: u64,
        bytes: usize,
    ) -> StoreResult<Vec<LogRow>> {
        let sql = format!(
            "{COLUMNS} where unit = ?1 and compartment = ?2 and tenant = ?3 and seq > ?4 order by seq"
        );
        self.read_items(&sql, tenant, stream, &signed(after), bytes)
    }

    pub(super) fn read_log_of_patient(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> StoreResult<Vec<LogRow>> {
        let written = format!(
            "{COLUMNS} indexed by log_by_patient
             where unit = ?1 and compartment = ?2 and tenant = ?3 and patient = ?4"
        );
        let naming = format!(
            "{COLUMNS} indexed by log_by_other
             where unit = ?1 and compartment = ?2 and tenant = ?3 and other = ?4"
        );
        let patient = patient.as_bytes().as_slice();
        let mut items = self.read_items(&written, tenant, stream, &patient, usize::MAX)?;
        items.extend(self.read_items(&naming, tenant, stream, &patient, usize::MAX)?);
        items.sort_by_key(|item| item.seq);
        Ok(items)
    }

    /// Items of a stream by a condition on its fourth parameter, until they have `bytes` bytes.
    fn read_items(
        &mut self,
        sql: &str,
        tenant: TenantId,
        stream: &Stream,
        wanted: &dyn ToSql,
        bytes: usize,
    ) -> StoreResult<Vec<LogRow>> {
        let mut found: Vec<(LogRow, Vec<u8>)> = Vec::new();
        {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![
                stream.unit.as_bytes(),
                stream.compartment.code(),
                tenant.as_bytes(),
                wanted
            ])?;
            let mut taken = 0;
            while taken < bytes
                && let Some(row) = rows.next()?
            {
                let item = item(row)?;
                taken += item.1.len();
                found.push(item);
            }
        }
        let code = [stream.compartment.code()];
        let mut items = Vec::with_capacity(found.len());
        for (mut item, sealed) in found {
            let seq = item.seq.to_be_bytes();
            let place = place(stream.unit.as_bytes(), &code, &seq);
            let plain = self.unseal("log", tenant, item.patient, &place, sealed)?;
            let opened: Sealed = decode(&plain).map_err(|_| StoreError::Damaged("log"))?;
            item.write = opened.write.into_vec();
            item.changes = opened.changes;
            items.push(item);
        }
        Ok(items)
    }

    pub(super) fn read_chain(&mut self, stream: &Stream, seq: u64) -> StoreResult<Option<ChainHash>> {
        if seq == 0 {
            return Ok(Some([0; 32]));
        }
        let chain: Option<Vec<u8>> = self
            .connection
            .prepare_cached("select chain from log where unit = ?1 and compartment = ?2 and seq = ?3")?
            .query_row(
                params![stream.unit.as_bytes(), stream.compartment.code(), signed(seq)],
                |row| row.get(0),
            )
            .optional()?;
        chain.map(|chain| array("log", &chain)).transpose()
    }

    pub(super) fn read_durable(&mut self) -> StoreResult<BTreeMap<Stream, u64>> {
        let mut statement = self
            .connection
            .prepare_cached("select unit, compartment, durable from stream_head where durable > 0")?;
        let mut rows = statement.query([])?;
        let mut durable = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let unit: Vec<u8> = row.get(0)?;
            let unit = id("stream_head", &unit, UnitId::from_slice)?;
            let compartment =
                Compartment::from_code(row.get(1)?).ok_or(StoreError::Damaged("stream_head"))?;
            durable.insert(Stream::new(unit, compartment), unsigned(row.get(2)?));
        }
        Ok(durable)
    }
}
