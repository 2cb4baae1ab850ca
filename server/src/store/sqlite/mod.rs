//! The embedded store: one SQLCipher file (`docs/design/pragmas.md`).

mod audit;
mod check;
mod copy;
mod device;
mod digest;
mod directory;
mod document;
mod drawer;
mod identifier;
mod log;
mod migration;
mod outcome;
mod patient_key;
mod person;
mod quarantine;
mod record;
mod reference;
mod scope;
mod seal;
mod segment;
mod share;

pub use directory::Directory;

use super::*;
use crate::entropy::SeededEntropy;
use identifier::IdentifierKey;
use rusqlite::Connection;
use seal::SealingKey;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a transaction waits for another process (an administrator's command, a backup).
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// A store in a file.
pub struct SqliteStore {
    connection: Connection,
    master: SealingKey,
    identifiers: IdentifierKey,
    /// Patients' keys, unwrapped. Dropped whenever something is undone: one of them may have been new.
    keys: HashMap<(TenantId, PatientId), Arc<SealingKey>>,
    entropy: SeededEntropy,
    depth: u32,
    data_version: i64,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens or creates the file. `epoch` becomes the number of its history if it is new.
    ///
    /// # Errors
    /// `Locked` where the key does not open it, `TooNew` where a newer version wrote it.
    pub fn open(path: &Path, store_key: &[u8; 32], master_key: &[u8; 32], epoch: u64) -> StoreResult<Self> {
        let mut connection = connect(path, store_key)?;
        migration::migrate(&mut connection, epoch)?;
        let mut store = Self {
            connection,
            master: SealingKey::new(master_key)?,
            identifiers: IdentifierKey::of(master_key),
            keys: HashMap::new(),
            entropy: SeededEntropy::new([0; 32]),
            depth: 0,
            data_version: 0,
        };
        store.fill_identifiers()?;
        Ok(store)
    }
}

fn keyed(path: &Path, store_key: &[u8; 32]) -> StoreResult<Connection> {
    vereda_core::store::prepare_sqlite();
    let connection = Connection::open(path)?;
    // SQLCipher would write to standard error by itself; its errors come back as results all the same.
    connection.execute_batch("pragma cipher_log_level = none")?;
    // A raw key: a passphrase would be stretched anew at each opening.
    connection.execute_batch(&format!("pragma key = \"x'{}'\"", hex::encode(store_key)))?;
    Ok(connection)
}

pub(super) fn connect(path: &Path, store_key: &[u8; 32]) -> StoreResult<Connection> {
    let connection = keyed(path, store_key)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The first read tells whether the key fits.
    connection.query_row("select count(*) from sqlite_schema", [], |_| Ok(()))?;
    connection.execute_batch(
        "pragma journal_mode = wal;
         pragma synchronous = full;
         pragma fullfsync = on;
         pragma checkpoint_fullfsync = on;
         pragma foreign_keys = on;
         pragma secure_delete = on;
         pragma temp_store = memory;
         pragma cache_size = -16384;
         pragma wal_autocheckpoint = 1000;
         pragma trusted_schema = off;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// SQLite's integers are signed; ids of 64 bits keep their bits.
fn signed(number: u64) -> i64 {
    number as i64
}

fn unsigned(number: i64) -> u64 {
    number as u64
}

fn array<const N: usize>(table: &'static str, bytes: &[u8]) -> StoreResult<[u8; N]> {
    bytes.try_into().map_err(|_| StoreError::Damaged(table))
}

fn id<T>(table: &'static str, bytes: &[u8], make: fn(&[u8]) -> Option<T>) -> StoreResult<T> {
    make(bytes).ok_or(StoreError::Damaged(table))
}

/// Hands each call of the trait to the file that holds its table.
impl ServerStore for SqliteStore {
    fn begin(&mut self, seed: [u8; 32]) -> StoreResult<bool> {
        self.entropy = SeededEntropy::new(seed);
        if !self.connection.is_autocommit() {
            // Whoever began it never came to its end.
            self.rollback();
        }
        self.connection.execute_batch("begin immediate")?;
        self.depth = 0;
        let version = self
            .connection
            .prepare_cached("pragma data_version")?
            .query_row([], |row| row.get(0))?;
        let elsewhere = version != self.data_version;
        self.data_version = version;
        if elsewhere {
            self.keys.clear();
        }
        Ok(elsewhere)
    }

    fn commit(&mut self) -> StoreResult<()> {
        Ok(self.connection.execute_batch("commit")?)
    }

    fn rollback(&mut self) {
        self.keys.clear();
        self.depth = 0;
        // It fails only where there is no transaction left to drop.
        let _ = self.connection.execute_batch("rollback");
    }

    fn savepoint(&mut self) -> StoreResult<()> {
        self.depth += 1;
        let statement = format!("savepoint s{}", self.depth);
        self.connection.prepare_cached(&statement)?.execute([])?;
        Ok(())
    }

    fn release(&mut self) -> StoreResult<()> {
        let statement = format!("release s{}", self.depth);
        self.connection.prepare_cached(&statement)?.execute([])?;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    fn revert(&mut self) -> StoreResult<()> {
        self.keys.clear();
        let depth = self.depth;
        self.depth = depth.saturating_sub(1);
        let statement = format!("rollback to s{depth}; release s{depth}");
        Ok(self.connection.execute_batch(&statement)?)
    }

    fn epoch(&mut self) -> StoreResult<u64> {
        self.meta("epoch")
    }

    fn set_epoch(&mut self, epoch: u64, now_ms: EpochMs) -> StoreResult<()> {
        self.set_meta("epoch", epoch)?;
        self.set_meta("epoch_began_ms", unsigned(now_ms))
    }

    fn epoch_began_ms(&mut self) -> StoreResult<Option<EpochMs>> {
        Ok(self.find_meta("epoch_began_ms")?.map(signed))
    }

    fn enrolment(&mut self, secret_hash: &[u8; 32]) -> StoreResult<Option<EnrolmentRow>> {
        self.read_enrolment(secret_hash)
    }

    fn use_enrolment(&mut self, secret_hash: &[u8; 32], store: StoreId) -> StoreResult<()> {
        self.mark_enrolment(secret_hash, store)
    }

    fn device(&mut self, short: u32) -> StoreResult<Option<DeviceRow>> {
        self.read_device("short = ?1", short)
    }

    fn device_of_store(&mut self, store: StoreId) -> StoreResult<Option<DeviceRow>> {
        self.read_device("store = ?1", store.as_bytes())
    }

    fn save_device(&mut self, device: &DeviceRow) -> StoreResult<u32> {
        self.write_device(device)
    }

    fn member(&mut self, user: UserId) -> StoreResult<Option<MemberRow>> {
        self.read_member(user)
    }

    fn colleagues(&mut self, user: UserId) -> StoreResult<Vec<Person>> {
        self.read_colleagues(user)
    }

    fn reference_version(&mut self, tenant: TenantId) -> StoreResult<u32> {
        self.read_reference_version(tenant)
    }

    fn reference(&mut self, tenant: TenantId, from: u32) -> StoreResult<ReferencePage> {
        self.read_reference(tenant, from)
    }

    fn outcome(&mut self, incarnation: &Incarnation, n: u64) -> StoreResult<Option<OutcomeRow>> {
        self.read_outcome(incarnation, n)
    }

    fn highest_outcome(&mut self, incarnation: &Incarnation) -> StoreResult<Option<(u64, [u8; 32])>> {
        self.read_highest_outcome(incarnation)
    }

    fn save_outcome(&mut self, incarnation: &Incarnation, n: u64, outcome: &OutcomeRow) -> StoreResult<()> {
        self.write_outcome(incarnation, n, outcome)
    }

    fn head(&mut self, stream: &Stream) -> StoreResult<Head> {
        self.read_head(stream)
    }

    fn append(&mut self, tenant: TenantId, stream: &Stream, item: &LogRow) -> StoreResult<()> {
        self.write_log(tenant, stream, item)
    }

    fn log(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        after: u64,
        bytes: usize,
    ) -> StoreResult<Vec<LogRow>> {
        self.read_log(tenant, stream, after, bytes)
    }

    fn log_of_patient(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> StoreResult<Vec<LogRow>> {
        self.read_log_of_patient(tenant, stream, patient)
    }

    fn chain_at(&mut self, stream: &Stream, seq: u64) -> StoreResult<Option<ChainHash>> {
        self.read_chain(stream, seq)
    }

    fn durable(&mut self) -> StoreResult<BTreeMap<Stream, u64>> {
        self.read_durable()
    }

    fn document(&mut self, tenant: TenantId, document: DocumentId) -> StoreResult<Option<DocumentRow>> {
        self.read_document(tenant, document)
    }

    fn documents_of(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Vec<DocumentRow>> {
        self.read_documents_of(tenant, patient)
    }

    fn log_bytes(&mut self, stream: &Stream) -> StoreResult<u64> {
        self.read_log_bytes(stream)
    }

    fn guests(
        &mut self,
        tenant: TenantId,
        unit: UnitId,
        first: PatientId,
        last: PatientId,
    ) -> StoreResult<Vec<PatientId>> {
        self.read_guests(tenant, unit, first, last)
    }

    fn next_patient(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        after: Option<PatientId>,
    ) -> StoreResult<Option<PatientId>> {
        self.read_next_patient(tenant, stream, after)
    }

    fn nth_document(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        compartment: Compartment,
        n: usize,
    ) -> StoreResult<Option<DocumentRow>> {
        self.read_nth_document(tenant, patient, compartment, n)
    }

    fn places(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        patient: PatientId,
    ) -> StoreResult<Vec<vereda_core::document::segment::Place>> {
        self.read_places(tenant, stream, patient)
    }

    fn fill_digest(&mut self, tenant: TenantId, stream: &Stream, limit: usize) -> StoreResult<bool> {
        self.fill_stream(tenant, stream, limit)
    }

    fn digest_sums(&mut self, stream: &Stream) -> StoreResult<Vec<u64>> {
        self.read_sums(stream)
    }

    fn digest_leaves(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        places: Range<u32>,
        limit: usize,
    ) -> StoreResult<Vec<DigestLeaf>> {
        self.read_leaves(tenant, stream, places, limit)
    }

    fn digest_guests(
        &mut self,
        tenant: TenantId,
        stream: &Stream,
        now_ms: EpochMs,
    ) -> StoreResult<Vec<DigestLeaf>> {
        self.read_guest_leaves(tenant, stream, now_ms)
    }

    fn append_change(
        &mut self,
        tenant: TenantId,
        home: &Stream,
        key: &vereda_core::document::DocumentKey,
        change: &[u8],
        leaf: u64,
    ) -> StoreResult<u64> {
        self.write_change(tenant, home, key, change, leaf)
    }

    fn compact(
        &mut self,
        tenant: TenantId,
        key: &vereda_core::document::DocumentKey,
        saved: &[u8],
    ) -> StoreResult<()> {
        self.write_compacted(tenant, key, saved)
    }

    fn record(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Option<RecordRow>> {
        self.read_record(tenant, patient)
    }

    fn save_record(&mut self, tenant: TenantId, patient: PatientId, record: &RecordRow) -> StoreResult<()> {
        self.write_record(tenant, patient, record)
    }

    fn home(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Option<UnitId>> {
        self.read_home(tenant, patient)
    }

    fn rehome(
        &mut self,
        tenant: TenantId,
        patient: PatientId,
        unit: UnitId,
        received_ms: EpochMs,
    ) -> StoreResult<()> {
        self.write_home(tenant, patient, unit, received_ms)
    }

    fn identified(&mut self, tenant: TenantId, identifier: &Identifier) -> StoreResult<Vec<PatientId>> {
        self.read_identified(tenant, identifier)
    }

    fn identifier_hash(&mut self, tenant: TenantId, identifier: &Identifier) -> StoreResult<[u8; 16]> {
        self.hash_identifier(tenant, identifier)
    }

    fn was_in_unit(&mut self, user: UserId, unit: UnitId) -> StoreResult<bool> {
        self.knows_past_membership(user, unit)
    }

    fn has_unit(&mut self, tenant: TenantId, unit: UnitId) -> StoreResult<bool> {
        self.knows_unit(tenant, unit)
    }

    fn shares(&mut self, tenant: TenantId, patient: PatientId) -> StoreResult<Vec<ShareRow>> {
        self.read_shares(tenant, patient)
    }

    fn save_share(&mut self, tenant: TenantId, share: &ShareRow) -> StoreResult<()> {
        self.write_share(tenant, share)
    }

    fn entered(&mut self, stream: &Stream, patient: PatientId) -> StoreResult<u64> {
        self.read_entered(stream, patient)
    }

    fn save_entered(&mut self, stream: &Stream, patient: PatientId, seq: u64) -> StoreResult<()> {
        self.write_entered(stream, patient, seq)
    }

    fn quarantined(&mut self, incarnation: &Incarnation, n: u64) -> StoreResult<Option<QuarantineRow>> {
        self.read_quarantined(incarnation, n)
    }

    fn save_quarantined(&mut self, row: &QuarantineRow) -> StoreResult<()> {
        self.write_quarantined(row)
    }

    fn quarantine(&mut self, tenant: TenantId) -> StoreResult<Vec<QuarantineRow>> {
        self.read_quarantine(tenant)
    }

    fn audit_anchor(&mut self, incarnation: &Incarnation) -> StoreResult<(u64, ChainHash)> {
        self.read_audit_anchor(incarnation)
    }

    fn audit_chain_at(&mut self, incarnation: &Incarnation, k: u64) -> StoreResult<Option<ChainHash>> {
        self.read_audit_chain(incarnation, k)
    }

    fn audit_durable(&mut self, incarnation: &Incarnation) -> StoreResult<Option<u64>> {
        self.read_audit_durable(incarnation)
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
        self.write_audit(tenant, incarnation, k, chain, record, received_ms)
    }
}
