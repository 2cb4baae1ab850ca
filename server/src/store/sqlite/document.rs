//! Documents as chunks: a saved document, then changes behind it until they are compacted.

use super::{SqliteStore, id, signed, unsigned};
use crate::store::{DocumentRow, StoreError, StoreResult};
use rusqlite::{OptionalExtension, Row, params};
use vereda_core::document::DocumentKey;
use vereda_core::document::digest::DigestNode;
use vereda_core::id::{DocumentId, PatientId, TenantId, UnitId};
use vereda_core::record::{Compartment, Stream};

fn place<'a>(tenant: &'a TenantId, document: &'a DocumentId, k: &'a [u8; 8]) -> [&'a [u8]; 4] {
    [b"chunk", tenant.as_bytes(), document.as_bytes(), k]
}

fn key_and_home(row: &Row<'_>) -> StoreResult<(DocumentKey, Stream)> {
    let damaged = StoreError::Damaged("document");
    let kind: String = row.get(0)?;
    let patient: Vec<u8> = row.get(1)?;
    let unit: Vec<u8> = row.get(5)?;
    let Some(compartment) = Compartment::from_code(row.get(2)?) else {
        return Err(damaged);
    };
    let patient = id("document", &patient, PatientId::from_slice)?;
    let key =
        DocumentKey::from_parts(&kind, patient, compartment, (row.get(3)?, row.get(4)?)).ok_or(damaged)?;
    let unit = id("document", &unit, UnitId::from_slice)?;
    Ok((key, Stream::new(unit, compartment)))
}

impl SqliteStore {
    pub(super) fn read_document(
        &mut self,
        tenant: TenantId,
        document: DocumentId,
    ) -> StoreResult<Option<DocumentRow>> {
        let found = {
            let mut statement = self.connection.prepare_cached(
                "select kind, patient, compartment, year, part, unit from document
                 where tenant = ?1 and id = ?2",
            )?;
            let mut rows = statement.query(params![tenant.as_bytes(), document.as_bytes()])?;
            match rows.next()? {
                Some(row) => key_and_home(row)?,
                None => return Ok(None),
            }
        };
        self.with_chunks(tenant, found).map(Some)
    }

    pub(super) fn read_documents_of(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
    ) -> StoreResult<Vec<DocumentRow>> {
        let mut found = Vec::new();
        {
            let mut statement = self.connection.prepare_cached(
                "select kind, patient, compartment, year, part, unit from document
                 where tenant = ?1 and patient = ?2 order by year desc, part desc, id",
            )?;
            let mut rows = statement.query(params![tenant.as_bytes(), patient.as_bytes()])?;
            while let Some(row) = rows.next()? {
                found.push(key_and_home(row)?);
            }
        }
        found
            .into_iter()
            .map(|document| self.with_chunks(tenant, document))
            .collect()
    }

    fn with_chunks(
        &mut self,
        tenant: TenantId,
        (key, home): (DocumentKey, Stream),
    ) -> StoreResult<DocumentRow> {
        let document = key.id();
        let sealed: Vec<(i64, Vec<u8>)> = self
            .connection
            .prepare_cached("select k, sealed from chunk where tenant = ?1 and document = ?2 order by k")?
            .query_map(params![tenant.as_bytes(), document.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?
            .collect::<Result<_, _>>()?;
        let mut chunks = Vec::with_capacity(sealed.len());
        for (k, sealed) in sealed {
            let k = k.to_be_bytes();
            let place = place(&tenant, &document, &k);
            chunks.push(self.unseal("chunk", tenant, key.patient, &place, sealed)?);
        }
        Ok(DocumentRow { key, home, chunks })
    }

    pub(super) fn write_change(
        &mut self,
        tenant: TenantId,
        home: &Stream,
        key: &DocumentKey,
        change: &[u8],
        leaf: u64,
    ) -> StoreResult<u64> {
        let document = key.id();
        let known: Option<(Option<i64>, Vec<u8>)> = self
            .connection
            .prepare_cached("select leaf, unit from document where tenant = ?1 and id = ?2")?
            .query_row(params![tenant.as_bytes(), document.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        let place = DigestNode::place_of(document.as_bytes());
        let count = match known {
            Some((before, unit)) => {
                let stream = Stream::new(id("document", &unit, UnitId::from_slice)?, key.compartment);
                let before = before.map_or(0, unsigned);
                self.change_sum(&stream, document.as_bytes(), before ^ leaf)?;
                let count: i64 = self
                    .connection
                    .prepare_cached(
                        "update document set chunks = chunks + 1, leaf = ?3, place = ?4
                         where tenant = ?1 and id = ?2 returning chunks",
                    )?
                    .query_row(
                        params![tenant.as_bytes(), document.as_bytes(), signed(leaf), place],
                        |row| row.get(0),
                    )?;
                unsigned(count)
            }
            None => {
                self.change_sum(home, document.as_bytes(), leaf)?;
                let (year, part) = key.chapter_numbers();
                self.connection
                    .prepare_cached(
                        "insert into document (tenant, id, kind, patient, compartment, year, part, unit, chunks, leaf, place)
                         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?10)",
                    )?
                    .execute(params![
                        tenant.as_bytes(),
                        document.as_bytes(),
                        key.kind_name(),
                        key.patient.as_bytes(),
                        key.compartment.code(),
                        year,
                        part,
                        home.unit.as_bytes(),
                        signed(leaf),
                        place
                    ])?;
                1
            }
        };
        self.write_chunk(tenant, key, count, change)?;
        Ok(count)
    }

    pub(super) fn write_compacted(
        &mut self,
        tenant: TenantId,
        key: &DocumentKey,
        saved: &[u8],
    ) -> StoreResult<()> {
        let document = key.id();
        self.connection
            .prepare_cached("delete from chunk where tenant = ?1 and document = ?2")?
            .execute(params![tenant.as_bytes(), document.as_bytes()])?;
        self.connection
            .prepare_cached("update document set chunks = 1 where tenant = ?1 and id = ?2")?
            .execute(params![tenant.as_bytes(), document.as_bytes()])?;
        self.write_chunk(tenant, key, 1, saved)
    }

    fn write_chunk(&mut self, tenant: TenantId, key: &DocumentKey, k: u64, bytes: &[u8]) -> StoreResult<()> {
        let document = key.id();
        let sealed = self.seal(
            tenant,
            key.patient,
            &place(&tenant, &document, &k.to_be_bytes()),
            bytes,
        )?;
        self.connection
            .prepare_cached("insert into chunk (tenant, document, k, sealed) values (?1, ?2, ?3, ?4)")?
            .execute(params![tenant.as_bytes(), document.as_bytes(), signed(k), sealed])?;
        Ok(())
    }
}
