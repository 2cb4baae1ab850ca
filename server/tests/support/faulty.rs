//! A store that fails: at a chosen call it returns an error or panics, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use vereda_core::document::DocumentKey;
use vereda_core::id::{DocumentId, Incarnation, PatientId, StoreId, TenantId, UnitId, UserId};
use vereda_core::protocol::{ChainHash, Person, ReferencePage};
use vereda_core::record::{Compartment, Identifier, Stream};
use vereda_core::time::EpochMs;
use vereda_server::store::sqlite::SqliteStore;
use vereda_server::store::{
    DeviceRow, DocumentRow, EnrolmentRow, Head, LogRow, MemberRow, OutcomeRow, QuarantineRow, RecordRow,
    ServerStore, ShareRow, StoreError, StoreResult,
};

/// When the store fails.
#[derive(Clone, Default)]
pub struct Faults {
    /// Calls until the fault; below zero there is none.
    pub countdown: Arc<AtomicI64>,
    /// Whether it panics.
    pub panics: Arc<AtomicBool>,
}

pub struct FaultyStore {
    pub inner: SqliteStore,
    pub faults: Faults,
}

impl FaultyStore {
    fn fault(&self) -> StoreResult<()> {
        let failed = self.fault_without_panic();
        if failed.is_err() && self.faults.panics.load(Ordering::SeqCst) {
            panic!("a planted panic");
        }
        failed
    }

    /// Calls outside of any job: only errors come out of them.
    fn fault_without_panic(&self) -> StoreResult<()> {
        match self.faults.countdown.fetch_sub(1, Ordering::SeqCst) {
            0 => Err(StoreError::Full),
            _ => Ok(()),
        }
    }
}

impl ServerStore for FaultyStore {
    fn begin(&mut self, seed: [u8; 32]) -> StoreResult<bool> {
        self.fault_without_panic()?;
        self.inner.begin(seed)
    }

    fn commit(&mut self) -> StoreResult<()> {
        self.fault_without_panic()?;
        self.inner.commit()
    }

    fn rollback(&mut self) {
        self.inner.rollback();
    }

    fn savepoint(&mut self) -> StoreResult<()> {
        self.fault_without_panic()?;
        self.inner.savepoint()
    }

    fn release(&mut self) -> StoreResult<()> {
        self.fault_without_panic()?;
        self.inner.release()
    }

    fn revert(&mut self) -> StoreResult<()> {
        self.fault_without_panic()?;
        self.inner.revert()
    }

    fn epoch(&mut self) -> StoreResult<u64> {
        self.fault()?;
        self.inner.epoch()
    }

    fn set_epoch(&mut self, epoch: u64, now_ms: EpochMs) -> StoreResult<()> {
        self.fault()?;
        self.inner.set_epoch(epoch, now_ms)
    }

    fn epoch_began_ms(&mut self) -> StoreResult<Option<EpochMs>> {
        self.fault()?;
        self.inner.epoch_began_ms()
    }

    fn enrolment(&mut self, secret_hash: &[u8; 32]) -> StoreResult<Option<EnrolmentRow>> {
        self.fault()?;
        self.inner.enrolment(secret_hash)
    }

    fn use_enrolment(&mut self, secret_hash: &[u8; 32], store: StoreId) -> StoreResult<()> {
        self.fault()?;
        self.inner.use_enrolment(secret_hash, store)
    }

    fn device(&mut self, short: u32) -> StoreResult<Option<DeviceRow>> {
        self.fault()?;
        self.inner.device(short)
    }

    fn device_of_store(&mut self, store: StoreId) -> StoreResult<Option<DeviceRow>> {
        self.fault()?;
        self.inner.device_of_store(store)
    }

    fn save_device(&mut self, device: &DeviceRow) -> StoreResult<u32> {
        self.fault()?;
        self.inner.save_device(device)
    }

    fn member(&mut self, user: UserId) -> StoreResult<Option<MemberRow>> {
        self.fault()?;
        self.inner.member(user)
    }

    fn colleagues(&mut self, user: UserId) -> StoreResult<Vec<Person>> {
        self.fault()?;
        self.inner.colleagues(user)
    }

    fn reference_version(&mut self, tenant: TenantId) -> StoreResult<u32> {
        self.fault()?;
        self.inner.reference_version(tenant)
    }

    fn reference(&mut self, tenant: TenantId, from: u32) -> StoreResult<ReferencePage> {
        self.fault()?;
        self.inner.reference(tenant, from)
    }

    fn outcome(&mut self, incarnation: &Incarnation, n: u64) -> StoreResult<Option<OutcomeRow>> {
        self.fault()?;
        self.inner.outcome(incarnation, n)
    }

    fn highest_outcome(&mut self, incarnation: &Incarnation) -> StoreResult<Option<(u64, [u8; 32])>> {
        self.fault()?;
        self.inner.highest_outcome(incarnation)
    }

    fn save_outcome(&mut self, incarnation: &Incarnation, n: u64, outcome: &OutcomeRow) -> StoreResult<()> {
        self.fault()?;
        self.inner.save_outcome(incarnation, n, outcome)
    }

    fn head(&mut self, stream: &Stream) -> StoreResult<Head> {
        self.fault()?;
        self.inner.head(stream)
    }

    fn append(&mut self, tenant: TenantId, stream: &Stream, item: &LogRow) -> StoreResult<()> {
        self.fault()?;
        self.inner.append(tenant, stream, item)
    }

    fn log(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        after: u64,
        bytes: usize,
    ) -> StoreResult<Vec<LogRow>> {
        self.fault()?;
        self.inner.log(tenant, stream, after, bytes)
    }

    fn chain_at(&mut self, stream: &Stream, seq: u64) -> StoreResult<Option<ChainHash>> {
        self.fault()?;
        self.inner.chain_at(stream, seq)
    }

    fn durable(&mut self) -> StoreResult<BTreeMap<Stream, u64>> {
        self.fault()?;
        self.inner.durable()
    }

    fn document(&mut self, tenant: TenantId, id: DocumentId) -> StoreResult<Option<DocumentRow>> {
        self.fault()?;
        self.inner.document(tenant, id)
    }

    fn documents_of(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Vec<DocumentRow>> {
        self.fault()?;
        self.inner.documents_of(tenant, patient)
    }

    fn log_bytes(&mut self, stream: &Stream) -> StoreResult<u64> {
        self.fault()?;
        self.inner.log_bytes(stream)
    }

    fn guests(
        &mut self,
        tenant: TenantId,
        unit: UnitId,
        first: PatientId,
        last: PatientId,
    ) -> StoreResult<Vec<PatientId>> {
        self.fault()?;
        self.inner.guests(tenant, unit, first, last)
    }

    fn next_patient(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        after: Option<PatientId>,
    ) -> StoreResult<Option<PatientId>> {
        self.fault()?;
        self.inner.next_patient(tenant, stream, after)
    }

    fn nth_document(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        compartment: Compartment,
        n: usize,
    ) -> StoreResult<Option<DocumentRow>> {
        self.fault()?;
        self.inner.nth_document(tenant, patient, compartment, n)
    }

    fn places(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> StoreResult<Vec<vereda_core::document::segment::Place>> {
        self.fault()?;
        self.inner.places(tenant, stream, patient)
    }

    fn append_change(
        &mut self,
        tenant: TenantId,
        home: &Stream,
        key: &DocumentKey,
        change: &[u8],
        leaf: u64,
    ) -> StoreResult<u64> {
        self.fault()?;
        self.inner.append_change(tenant, home, key, change, leaf)
    }

    fn fill_digest(&mut self, tenant: TenantId, stream: &Stream, limit: usize) -> StoreResult<bool> {
        self.fault()?;
        self.inner.fill_digest(tenant, stream, limit)
    }

    fn digest_sums(&mut self, stream: &Stream) -> StoreResult<Vec<u64>> {
        self.fault()?;
        self.inner.digest_sums(stream)
    }

    fn digest_leaves(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        places: std::ops::Range<u32>,
        limit: usize,
    ) -> StoreResult<Vec<vereda_core::document::digest::DigestLeaf>> {
        self.fault()?;
        self.inner.digest_leaves(tenant, stream, places, limit)
    }

    fn digest_guests(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        now_ms: i64,
    ) -> StoreResult<Vec<vereda_core::document::digest::DigestLeaf>> {
        self.fault()?;
        self.inner.digest_guests(tenant, stream, now_ms)
    }

    fn compact(&mut self, tenant: TenantId, key: &DocumentKey, saved: &[u8]) -> StoreResult<()> {
        self.fault()?;
        self.inner.compact(tenant, key, saved)
    }

    fn record(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Option<RecordRow>> {
        self.fault()?;
        self.inner.record(tenant, patient)
    }

    fn save_record(&mut self, tenant: TenantId, patient: PatientId, record: &RecordRow) -> StoreResult<()> {
        self.fault()?;
        self.inner.save_record(tenant, patient, record)
    }

    fn log_of_patient(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> StoreResult<Vec<LogRow>> {
        self.fault()?;
        self.inner.log_of_patient(tenant, stream, patient)
    }

    fn home(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Option<UnitId>> {
        self.fault()?;
        self.inner.home(tenant, patient)
    }

    fn rehome(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        unit: UnitId,
        received_ms: EpochMs,
    ) -> StoreResult<()> {
        self.fault()?;
        self.inner.rehome(tenant, patient, unit, received_ms)
    }

    fn entered(&mut self, stream: &Stream, patient: PatientId) -> StoreResult<u64> {
        self.fault()?;
        self.inner.entered(stream, patient)
    }

    fn save_entered(&mut self, stream: &Stream, patient: PatientId, seq: u64) -> StoreResult<()> {
        self.fault()?;
        self.inner.save_entered(stream, patient, seq)
    }

    fn identified(&mut self, tenant: TenantId, identifier: &Identifier) -> StoreResult<Vec<PatientId>> {
        self.fault()?;
        self.inner.identified(tenant, identifier)
    }

    fn identifier_hash(&mut self, tenant: TenantId, identifier: &Identifier) -> StoreResult<[u8; 16]> {
        self.fault()?;
        self.inner.identifier_hash(tenant, identifier)
    }

    fn was_in_unit(&mut self, user: UserId, unit: UnitId) -> StoreResult<bool> {
        self.fault()?;
        self.inner.was_in_unit(user, unit)
    }

    fn has_unit(&mut self, tenant: TenantId, unit: UnitId) -> StoreResult<bool> {
        self.fault()?;
        self.inner.has_unit(tenant, unit)
    }

    fn shares(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Vec<ShareRow>> {
        self.fault()?;
        self.inner.shares(tenant, patient)
    }

    fn save_share(&mut self, tenant: TenantId, share: &ShareRow) -> StoreResult<()> {
        self.fault()?;
        self.inner.save_share(tenant, share)
    }

    fn quarantined(&mut self, incarnation: &Incarnation, n: u64) -> StoreResult<Option<QuarantineRow>> {
        self.fault()?;
        self.inner.quarantined(incarnation, n)
    }

    fn save_quarantined(&mut self, row: &QuarantineRow) -> StoreResult<()> {
        self.fault()?;
        self.inner.save_quarantined(row)
    }

    fn quarantine(&mut self, tenant: TenantId) -> StoreResult<Vec<QuarantineRow>> {
        self.fault()?;
        self.inner.quarantine(tenant)
    }

    fn audit_anchor(&mut self, incarnation: &Incarnation) -> StoreResult<(u64, ChainHash)> {
        self.fault()?;
        self.inner.audit_anchor(incarnation)
    }

    fn audit_chain_at(&mut self, incarnation: &Incarnation, k: u64) -> StoreResult<Option<ChainHash>> {
        self.fault()?;
        self.inner.audit_chain_at(incarnation, k)
    }

    fn audit_durable(&mut self, incarnation: &Incarnation) -> StoreResult<Option<u64>> {
        self.fault()?;
        self.inner.audit_durable(incarnation)
    }

    fn append_audit(
        &mut self,
        tenant: TenantId,
        incarnation: &Incarnation,
        k: u64,
        chain: &ChainHash,
        record: &[u8],
        received_ms: EpochMs,
    ) -> StoreResult<()> {
        self.fault()?;
        self.inner
            .append_audit(tenant, incarnation, k, chain, record, received_ms)
    }
}
