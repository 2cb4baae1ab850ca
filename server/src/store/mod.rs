//! What the server asks of a database: rows in and out inside one transaction that the writer begins and ends.
//! Everything a call takes and gives is plain; an implementation seals what bears patients' data.

mod error;
mod rows;
pub mod sqlite;

pub use error::{Rule, StoreError, StoreResult};
pub use rows::{
    AuditPlace, AuditRow, Decision, DeviceRow, DocumentRow, EnrolmentRow, Head, LogRow, MemberRow,
    OutcomeRow, PersonRow, QuarantineDecision, QuarantineRow, RecordRow, RefusedPlace, RefusedRow, ScopeRow,
    ShareRow, StoredChange,
};

use std::collections::BTreeMap;
use std::ops::Range;
use vereda_core::document::digest::DigestLeaf;
use vereda_core::id::{DocumentId, Incarnation, PatientId, StoreId, TenantId, UnitId, UserId};
use vereda_core::protocol::{ChainHash, Person, ReferencePage};
use vereda_core::record::{Compartment, Identifier, Stream};
use vereda_core::time::EpochMs;

/// A database behind the server. One transaction is open at a time; calls outside of one fail.
pub trait ServerStore: Send {
    /// Begins a transaction that may write. `seed` feeds what has to be random in it. Says whether somebody else
    /// wrote to the database since the last one, so that caches must go.
    fn begin(&mut self, seed: [u8; 32]) -> StoreResult<bool>;
    /// Makes everything since `begin` durable.
    fn commit(&mut self) -> StoreResult<()>;
    /// Drops everything since `begin`.
    fn rollback(&mut self);
    /// Opens a savepoint inside the transaction; they nest.
    fn savepoint(&mut self) -> StoreResult<()>;
    /// Keeps what was done since the last savepoint.
    fn release(&mut self) -> StoreResult<()>;
    /// Undoes what was done since the last savepoint, and closes it.
    fn revert(&mut self) -> StoreResult<()>;

    /// The number of this history: another one after a restore.
    fn epoch(&mut self) -> StoreResult<u64>;
    /// Begins another history.
    fn set_epoch(&mut self, epoch: u64, now_ms: EpochMs) -> StoreResult<()>;
    /// When this history began, if it is not the first one.
    fn epoch_began_ms(&mut self) -> StoreResult<Option<EpochMs>>;

    /// The code whose secret has this hash.
    fn enrolment(&mut self, secret_hash: &[u8; 32]) -> StoreResult<Option<EnrolmentRow>>;
    /// Notes which store used a code.
    fn use_enrolment(&mut self, secret_hash: &[u8; 32], store: StoreId) -> StoreResult<()>;
    /// The device of a short number.
    fn device(&mut self, short: u32) -> StoreResult<Option<DeviceRow>>;
    /// The device of a store.
    fn device_of_store(&mut self, store: StoreId) -> StoreResult<Option<DeviceRow>>;
    /// Writes a device; a `short` of 0 takes the next free number, which is returned.
    fn save_device(&mut self, device: &DeviceRow) -> StoreResult<u32>;
    /// A user with the units they work in.
    fn member(&mut self, user: UserId) -> StoreResult<Option<MemberRow>>;
    /// The people who work in any unit of this user's.
    fn colleagues(&mut self, user: UserId) -> StoreResult<Vec<Person>>;
    /// The newest version of a tenant's reference data.
    fn reference_version(&mut self, tenant: TenantId) -> StoreResult<u32>;
    /// The reference data that changed behind a version, bounded; all of it where no such version was reached.
    fn reference(&mut self, tenant: TenantId, from: u32) -> StoreResult<ReferencePage>;

    /// What became of a write.
    fn outcome(&mut self, incarnation: &Incarnation, n: u64) -> StoreResult<Option<OutcomeRow>>;
    /// The highest write of an incarnation with an outcome, and its hash.
    fn highest_outcome(&mut self, incarnation: &Incarnation) -> StoreResult<Option<(u64, [u8; 32])>>;
    /// Stores an outcome, for ever.
    fn save_outcome(&mut self, incarnation: &Incarnation, n: u64, outcome: &OutcomeRow) -> StoreResult<()>;

    /// The end of a stream's log; seq 0 and the zero chain before its first item.
    fn head(&mut self, stream: &Stream) -> StoreResult<Head>;
    /// Puts an item behind the head.
    fn append(&mut self, tenant: TenantId, stream: &Stream, item: &LogRow) -> StoreResult<()>;
    /// Items behind `after`, until they have `bytes` bytes (at least one if there is one).
    fn log(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        after: u64,
        bytes: usize,
    ) -> StoreResult<Vec<LogRow>>;
    /// The items of a patient in a stream, in its order: those written about them, and those that name them.
    fn log_of_patient(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> StoreResult<Vec<LogRow>>;
    /// The running hash after an item.
    fn chain_at(&mut self, stream: &Stream, seq: u64) -> StoreResult<Option<ChainHash>>;
    /// How far each stream lies in a verified copy.
    fn durable(&mut self) -> StoreResult<BTreeMap<Stream, u64>>;

    /// A document with its chunks.
    fn document(&mut self, tenant: TenantId, id: DocumentId) -> StoreResult<Option<DocumentRow>>;
    /// The documents of a patient, with their chunks.
    fn documents_of(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Vec<DocumentRow>>;
    /// Bytes of a stream's log, as it is stored.
    fn log_bytes(&mut self, stream: &Stream) -> StoreResult<u64>;
    /// Patients between two ids, both included, whom a share names for a unit, whether it ended or not.
    fn guests(
        &mut self,
        tenant: TenantId,
        unit: UnitId,
        first: PatientId,
        last: PatientId,
    ) -> StoreResult<Vec<PatientId>>;
    /// The patient behind another one, by id, among those with documents at home in a stream and those whom a share
    /// names for its unit, whether it ended or not.
    fn next_patient(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        after: Option<PatientId>,
    ) -> StoreResult<Option<PatientId>>;
    /// The `n`-th of the documents of a patient's compartment, from 0, by year and part.
    fn nth_document(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        compartment: Compartment,
        n: usize,
    ) -> StoreResult<Option<DocumentRow>>;
    /// The places of a patient's writes in a stream's log.
    fn places(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> StoreResult<Vec<vereda_core::document::segment::Place>>;
    /// Finds leaves of what was stored in a stream before any was kept, about `limit` of them; says whether all are
    /// there now.
    fn fill_digest(&mut self, tenant: TenantId, stream: &Stream, limit: usize) -> StoreResult<bool>;
    /// The sums of a stream's buckets, over what is at home in it.
    fn digest_sums(&mut self, stream: &Stream) -> StoreResult<Vec<u64>>;
    /// The leaves at home in a stream whose place is one of these, in their order.
    fn digest_leaves(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        places: Range<u32>,
        limit: usize,
    ) -> StoreResult<Vec<DigestLeaf>>;
    /// The leaves that shares which hold now bring into a stream.
    fn digest_guests(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        now_ms: EpochMs,
    ) -> StoreResult<Vec<DigestLeaf>>;
    /// Adds a change to a document, which is created if it is new and has this leaf from now on; says how many chunks
    /// it has now.
    fn append_change(
        &mut self,
        tenant: TenantId,
        home: &Stream,
        key: &vereda_core::document::DocumentKey,
        change: &[u8],
        leaf: u64,
    ) -> StoreResult<u64>;
    /// Puts one saved document in the place of all chunks.
    fn compact(
        &mut self,
        tenant: TenantId,
        key: &vereda_core::document::DocumentKey,
        saved: &[u8],
    ) -> StoreResult<()>;

    /// A patient's record.
    fn record(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Option<RecordRow>>;
    /// Writes a patient's record.
    fn save_record(&mut self, tenant: TenantId, patient: PatientId, record: &RecordRow) -> StoreResult<()>;

    /// The unit a patient belongs to.
    fn home(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Option<UnitId>>;
    /// Moves a patient and their documents to another unit, unless a move received later did.
    fn rehome(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        unit: UnitId,
        received_ms: EpochMs,
    ) -> StoreResult<()>;
    /// The patients of a tenant that carry an identifier.
    fn identified(&mut self, tenant: TenantId, identifier: &Identifier) -> StoreResult<Vec<PatientId>>;
    /// The first bytes of an identifier's keyed hash: who holds the server's key can tell whether it is a given one's.
    fn identifier_hash(&mut self, tenant: TenantId, identifier: &Identifier) -> StoreResult<[u8; 16]>;
    /// Whether a user worked in a unit they left.
    fn was_in_unit(&mut self, user: UserId, unit: UnitId) -> StoreResult<bool>;
    /// Whether the tenant has the unit.
    fn has_unit(&mut self, tenant: TenantId, unit: UnitId) -> StoreResult<bool>;

    /// Every share of a patient there ever was, by id.
    fn shares(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Vec<ShareRow>>;
    /// Writes a share.
    fn save_share(&mut self, tenant: TenantId, share: &ShareRow) -> StoreResult<()>;

    /// The place in a stream from which on it has all items of a patient; 0 where they never entered it anew.
    fn entered(&mut self, stream: &Stream, patient: PatientId) -> StoreResult<u64>;
    /// Notes that a patient entered a stream.
    fn save_entered(&mut self, stream: &Stream, patient: PatientId, seq: u64) -> StoreResult<()>;

    /// A write held in quarantine, with its hash.
    fn quarantined(&mut self, incarnation: &Incarnation, n: u64) -> StoreResult<Option<QuarantineRow>>;
    /// Holds a write in quarantine, or notes what became of it.
    fn save_quarantined(&mut self, row: &QuarantineRow) -> StoreResult<()>;
    /// What is held in quarantine in a tenant and waits for a decision, oldest first.
    fn quarantine(&mut self, tenant: TenantId) -> StoreResult<Vec<QuarantineRow>>;

    /// The last record of an incarnation's audit and the chain's head there.
    fn audit_anchor(&mut self, incarnation: &Incarnation) -> StoreResult<(u64, ChainHash)>;
    /// The chain's head after a record of an incarnation's audit.
    fn audit_chain_at(&mut self, incarnation: &Incarnation, k: u64) -> StoreResult<Option<ChainHash>>;
    /// How far an incarnation's audit lies in a verified copy.
    fn audit_durable(&mut self, incarnation: &Incarnation) -> StoreResult<Option<u64>>;
    /// Adds a record to an incarnation's audit.
    fn append_audit(
        &mut self,
        tenant: TenantId,
        incarnation: &Incarnation,
        k: u64,
        chain: &ChainHash,
        record: &[u8],
        received_ms: EpochMs,
    ) -> StoreResult<()>;
}
