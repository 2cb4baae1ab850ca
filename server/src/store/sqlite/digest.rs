//! Leaves and sums: kept in the transaction that changes a document or record, so that comparing costs no walk.

use super::{SqliteStore, array, id, signed, unsigned};
use crate::store::{StoreError, StoreResult};
use rusqlite::{OptionalExtension, params};
use std::collections::BTreeSet;
use std::ops::Range;
use vereda_core::document::digest::{DigestLeaf, DigestNode, record_leaf};
use vereda_core::document::{digest_leaf, heads_of_chunks};
use vereda_core::id::{DocumentId, PatientId, TenantId, UnitId};
use vereda_core::record::{Compartment, Stream};
use vereda_core::time::EpochMs;

/// The leaf of a document that does not open: no device has it, so everyone who compares tells.
const DAMAGED: u64 = 0;

impl SqliteStore {
    /// Takes a leaf's change into the sums of its stream.
    pub(super) fn change_sum(&mut self, stream: &Stream, id: &[u8; 16], change: u64) -> StoreResult<()> {
        self.connection
            .prepare_cached(
                "insert into digest (unit, compartment, bucket, sum) values (?1, ?2, ?3, ?4)
                 on conflict (unit, compartment, bucket)
                 do update set sum = (sum | excluded.sum) & ~(sum & excluded.sum)",
            )?
            .execute(params![
                stream.unit.as_bytes(),
                stream.compartment.code(),
                DigestNode::bucket_of(id) as i64,
                signed(change)
            ])?;
        Ok(())
    }

    /// Finds the leaf of a document that has none yet.
    fn fill_document(&mut self, tenant: TenantId, document: DocumentId) -> StoreResult<u64> {
        let home: (Vec<u8>, u8) = self.connection.query_row(
            "select unit, compartment from document where tenant = ?1 and id = ?2",
            params![tenant.as_bytes(), document.as_bytes()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let unit = id("document", &home.0, UnitId::from_slice)?;
        let compartment = Compartment::from_code(home.1).ok_or(StoreError::Damaged("document"))?;
        let heads = match self.read_document(tenant, document) {
            Ok(row) => row.and_then(|row| heads_of_chunks(row.chunks.iter().map(Vec::as_slice)).ok()),
            Err(StoreError::Damaged(_)) => None,
            Err(error) => return Err(error),
        };
        let leaf = heads.map_or(DAMAGED, |heads| digest_leaf(&document, &heads));
        let bytes = document.as_bytes();
        self.connection
            .prepare_cached("update document set leaf = ?3, place = ?4 where tenant = ?1 and id = ?2")?
            .execute(params![
                tenant.as_bytes(),
                bytes,
                signed(leaf),
                DigestNode::place_of(bytes)
            ])?;
        self.change_sum(&Stream::new(unit, compartment), bytes, leaf)?;
        Ok(leaf)
    }

    fn fill_record(
        &mut self,
        tenant: TenantId,
        unit: UnitId,
        patient: PatientId,
        version: u64,
    ) -> StoreResult<u64> {
        let (leaf, bytes) = (record_leaf(&patient, version), patient.as_bytes());
        self.connection
            .prepare_cached("update record set leaf = ?3, place = ?4 where tenant = ?1 and patient = ?2")?
            .execute(params![
                tenant.as_bytes(),
                bytes,
                signed(leaf),
                DigestNode::place_of(bytes)
            ])?;
        self.change_sum(&Stream::new(unit, Compartment::Identity), bytes, leaf)?;
        Ok(leaf)
    }

    pub(super) fn fill_stream(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        limit: usize,
    ) -> StoreResult<bool> {
        let documents: Vec<Vec<u8>> = self
            .connection
            .prepare_cached(
                "select id from document where tenant = ?1 and unit = ?2 and compartment = ?3 and leaf is null
                 limit ?4",
            )?
            .query_map(
                params![
                    tenant.as_bytes(),
                    stream.unit.as_bytes(),
                    stream.compartment.code(),
                    limit as i64
                ],
                |row| row.get(0),
            )?
            .collect::<Result<_, _>>()?;
        for document in &documents {
            self.fill_document(tenant, id("document", document, DocumentId::from_slice)?)?;
        }
        let mut filled = documents.len();
        if stream.compartment == Compartment::Identity {
            let records: Vec<(Vec<u8>, i64)> = self
                .connection
                .prepare_cached(
                    "select patient, version from record where tenant = ?1 and unit = ?2 and leaf is null limit ?3",
                )?
                .query_map(
                    params![tenant.as_bytes(), stream.unit.as_bytes(), limit as i64],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?
                .collect::<Result<_, _>>()?;
            for (patient, version) in &records {
                let patient = id("record", patient, PatientId::from_slice)?;
                self.fill_record(tenant, stream.unit, patient, unsigned(*version))?;
            }
            filled = filled.max(records.len());
        }
        Ok(filled < limit)
    }

    pub(super) fn read_sums(&mut self, stream: &Stream) -> StoreResult<Vec<u64>> {
        let mut sums = vec![0; DigestNode::BUCKETS];
        let mut statement = self
            .connection
            .prepare_cached("select bucket, sum from digest where unit = ?1 and compartment = ?2")?;
        let mut rows = statement.query(params![stream.unit.as_bytes(), stream.compartment.code()])?;
        while let Some(row) = rows.next()? {
            let bucket: u32 = row.get(0)?;
            *sums
                .get_mut(bucket as usize)
                .ok_or(StoreError::Damaged("digest"))? = unsigned(row.get(1)?);
        }
        Ok(sums)
    }

    pub(super) fn read_leaves(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        places: Range<u32>,
        limit: usize,
    ) -> StoreResult<Vec<DigestLeaf>> {
        let sql = "select id, leaf from document indexed by document_by_place
                   where tenant = ?1 and unit = ?2 and compartment = ?3 and place >= ?4 and place < ?5
                   and leaf is not null order by place, id limit ?6";
        let of_records = "select patient, leaf from record indexed by record_by_place
                   where tenant = ?1 and unit = ?2 and ?3 >= 0 and place >= ?4 and place < ?5
                   and leaf is not null order by place, patient limit ?6";
        let sqls = match stream.compartment {
            Compartment::Identity => vec![sql, of_records],
            _ => vec![sql],
        };
        let mut leaves = Vec::new();
        for sql in sqls {
            let mut statement = self.connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![
                tenant.as_bytes(),
                stream.unit.as_bytes(),
                stream.compartment.code(),
                places.start,
                places.end,
                limit as i64
            ])?;
            while let Some(row) = rows.next()? {
                leaves.push(leaf(&row.get::<_, Vec<u8>>(0)?, row.get(1)?)?);
            }
        }
        Ok(leaves)
    }

    /// The leaves of patients at home elsewhere whom an open share brings into a stream.
    pub(super) fn read_guest_leaves(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        now_ms: EpochMs,
    ) -> StoreResult<Vec<DigestLeaf>> {
        let patients: BTreeSet<Vec<u8>> = self
            .connection
            .prepare_cached(
                "select patient from share
                 where tenant = ?1 and unit = ?2 and ended_ms is null
                 and (until_ms is null or until_ms > ?4) and compartments >> ?3 & 1 = 1",
            )?
            .query_map(
                params![
                    tenant.as_bytes(),
                    stream.unit.as_bytes(),
                    stream.compartment.code(),
                    now_ms
                ],
                |row| row.get(0),
            )?
            .collect::<Result<_, _>>()?;
        let mut leaves = Vec::new();
        for patient in patients {
            let patient = id("share", &patient, PatientId::from_slice)?;
            let home = self.read_home(tenant, patient)?;
            // Who belongs to the unit is in its sums.
            if home.is_some_and(|home| home != stream.unit) {
                self.read_leaves_of(tenant, patient, stream.compartment, &mut leaves)?;
            }
        }
        Ok(leaves)
    }

    fn read_leaves_of(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        compartment: Compartment,
        leaves: &mut Vec<DigestLeaf>,
    ) -> StoreResult<()> {
        let documents: Vec<(Vec<u8>, Option<i64>)> = self
            .connection
            .prepare_cached(
                "select id, leaf from document where tenant = ?1 and patient = ?2 and compartment = ?3",
            )?
            .query_map(
                params![tenant.as_bytes(), patient.as_bytes(), compartment.code()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?
            .collect::<Result<_, _>>()?;
        for (bytes, stored) in documents {
            let stored = match stored {
                Some(stored) => stored,
                None => signed(self.fill_document(tenant, id("document", &bytes, DocumentId::from_slice)?)?),
            };
            leaves.push(leaf(&bytes, stored)?);
        }
        if compartment != Compartment::Identity {
            return Ok(());
        }
        let record: Option<(Vec<u8>, i64, Option<i64>)> = self
            .connection
            .prepare_cached("select unit, version, leaf from record where tenant = ?1 and patient = ?2")?
            .query_row(params![tenant.as_bytes(), patient.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        if let Some((unit, version, stored)) = record {
            let stored = match stored {
                Some(stored) => stored,
                None => {
                    let unit = id("record", &unit, UnitId::from_slice)?;
                    signed(self.fill_record(tenant, unit, patient, unsigned(version))?)
                }
            };
            leaves.push(leaf(patient.as_bytes(), stored)?);
        }
        Ok(())
    }

    /// The leaf of a record, where it has one, and the unit whose sums it is in.
    pub(super) fn read_record_leaf(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
    ) -> StoreResult<Option<(Option<u64>, UnitId)>> {
        let known: Option<(Option<i64>, Vec<u8>)> = self
            .connection
            .prepare_cached("select leaf, unit from record where tenant = ?1 and patient = ?2")?
            .query_row(params![tenant.as_bytes(), patient.as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .optional()?;
        known
            .map(|(leaf, unit)| Ok((leaf.map(unsigned), id("record", &unit, UnitId::from_slice)?)))
            .transpose()
    }

    /// Moves a patient's documents to another unit, and their leaves to its sums.
    pub(super) fn move_documents(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        to: UnitId,
    ) -> StoreResult<()> {
        type Moving = (Vec<u8>, Vec<u8>, u8, Option<i64>);
        let documents: Vec<Moving> = self
            .connection
            .prepare_cached(
                "select id, unit, compartment, leaf from document
                 where tenant = ?1 and patient = ?2 and unit <> ?3",
            )?
            .query_map(
                params![tenant.as_bytes(), patient.as_bytes(), to.as_bytes()],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
            )?
            .collect::<Result<_, _>>()?;
        for (document, unit, compartment, stored) in documents {
            let from = id("document", &unit, UnitId::from_slice)?;
            let compartment = Compartment::from_code(compartment).ok_or(StoreError::Damaged("document"))?;
            self.connection
                .prepare_cached("update document set unit = ?3 where tenant = ?1 and id = ?2")?
                .execute(params![tenant.as_bytes(), document, to.as_bytes()])?;
            if let Some(stored) = stored {
                let leaf = leaf(&document, stored)?;
                self.change_sum(&Stream::new(from, compartment), &leaf.id, leaf.leaf)?;
                self.change_sum(&Stream::new(to, compartment), &leaf.id, leaf.leaf)?;
            }
        }
        Ok(())
    }
}

fn leaf(bytes: &[u8], stored: i64) -> StoreResult<DigestLeaf> {
    Ok(DigestLeaf {
        id: array("document", bytes)?,
        leaf: unsigned(stored),
    })
}
