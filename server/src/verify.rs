//! `admin verify`: whether a store says everywhere the same. SQLite's own check of the file; every log's running hash
//! computed again from what the items hold; every document loaded, and its changes those of its log; every accepted
//! outcome at its place in a log and the other way round; the sums devices compare, over the leaves found so.

use crate::backup::remove;
use crate::key_file::ServerKeys;
use crate::store::sqlite::SqliteStore;
use crate::store::{Decision, LogRow, ServerStore, StoreError, StoreResult};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use vereda_core::document::digest::{DigestNode, record_leaf};
use vereda_core::document::{LoadedDocument, digest_leaf};
use vereda_core::id::{DocumentId, TenantId};
use vereda_core::protocol::advance_chain;
use vereda_core::record::{Compartment, Stream, Write};
use vereda_core::time::EpochMs;

/// Bytes of a log read at a time.
const LOG_BYTES: usize = 1024 * 1024;

/// Faults told; there may be more.
const FAULTS_MAX: usize = 100;

/// Something that does not fit. Names places, never what lies there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StoreFault {
    /// What: `file`, `log`, `head`, `outcome`, `document`, `digest`.
    pub what: &'static str,
    /// Where.
    pub place: String,
}

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct StoreReport {
    /// Streams.
    pub streams: u64,
    /// Items of their logs.
    pub items: u64,
    /// Accepted outcomes.
    pub outcomes: u64,
    /// Documents.
    pub documents: u64,
    /// When the newest item was received; none in an empty store.
    pub newest_ms: Option<EpochMs>,
    /// What does not fit; nothing where the store is whole.
    pub faults: Vec<StoreFault>,
}

impl StoreReport {
    fn fault(&mut self, what: &'static str, place: impl Into<String>) {
        if self.faults.len() < FAULTS_MAX {
            let place = place.into();
            self.faults.push(StoreFault { what, place });
        }
    }

    /// Whether everything fits.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

/// The first of what does not fit.
impl fmt::Display for StoreReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.first() {
            Some(fault) => write!(formatter, "{} {}", fault.what, fault.place),
            None => formatter.write_str("everything fits"),
        }
    }
}

/// The changes of a document, whatever their order: how many, and their hashes added up bit by bit.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Changes {
    count: u64,
    sum: [u8; 32],
}

impl Changes {
    fn add(&mut self, hash: &[u8; 32]) {
        self.count += 1;
        for (sum, byte) in self.sum.iter_mut().zip(hash) {
            *sum ^= byte;
        }
    }
}

/// Checks the store in a file.
///
/// # Errors
/// Where there is no such file, or it does not open. What is wrong inside is in the report.
pub fn verify(path: &Path, keys: &ServerKeys) -> StoreResult<StoreReport> {
    std::fs::metadata(path)?;
    let mut store = SqliteStore::open(path, &keys.store, &keys.master, 0)?;
    check(&mut store)
}

/// Checks a copy, whatever version wrote it: what is opened and brought to this version's schema is a copy of that, which
/// lies beside it meanwhile. Nothing is written to the copy itself.
///
/// # Errors
/// Where there is no such file, it does not open, or there is no room beside it.
pub fn verify_copy(path: &Path, keys: &ServerKeys) -> StoreResult<StoreReport> {
    std::fs::metadata(path)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".verifying");
    let aside = PathBuf::from(name);
    remove(&aside)?;
    let checked = SqliteStore::copy_file(path, &aside, &keys.store).and_then(|()| verify(&aside, keys));
    remove(&aside)?;
    checked
}

pub(crate) fn check(store: &mut SqliteStore) -> StoreResult<StoreReport> {
    let mut report = StoreReport::default();
    if !store.is_whole()? {
        report.fault("file", "SQLite's integrity check");
        return Ok(report);
    }
    let mut changes = HashMap::new();
    let mut at_home = 0;
    let logs = store.logs()?;
    for (tenant, stream, head) in &logs {
        let mut seq = 0;
        let mut chain = [0; 32];
        loop {
            let rows = match store.log(*tenant, stream, seq, LOG_BYTES) {
                Ok(rows) => rows,
                Err(StoreError::Damaged(_)) => {
                    report.fault("log", place(stream, seq + 1));
                    break;
                }
                Err(error) => return Err(error),
            };
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let hashes: Vec<[u8; 32]> = row.changes.iter().map(|change| *change.hash).collect();
                let hash = Write::hash(&row.write);
                chain = advance_chain(&chain, &row.incarnation, &hash, &hashes, row.received_ms);
                if row.seq != seq + 1 || row.chain != chain {
                    report.fault("log", place(stream, row.seq));
                    // One fault at its place: what follows is held against what stands there.
                    chain = row.chain;
                }
                seq = row.seq;
                report.items += 1;
                report.newest_ms = report.newest_ms.max(Some(row.received_ms));
                if !row.is_copy {
                    at_home += 1;
                    check_outcome(store, stream, row, hash, &mut report)?;
                    for change in &row.changes {
                        let known: &mut Changes = changes.entry((*tenant, change.document)).or_default();
                        known.add(&change.hash);
                    }
                }
            }
        }
        if (seq, chain) != (head.seq, head.chain) {
            report.fault("head", place(stream, head.seq));
        }
    }
    let (heads, items, accepted) = store.counts()?;
    report.streams = heads;
    report.outcomes = accepted;
    if heads != logs.len() as u64 || items != report.items {
        report.fault("head", "a log without its end");
    }
    if accepted != at_home {
        report.fault("outcome", format!("{accepted} accepted, {at_home} in the logs"));
    }
    let mut sums = Sums::default();
    check_documents(store, changes, &mut sums, &mut report)?;
    check_sums(store, sums, &mut report)?;
    Ok(report)
}

/// The sums of each stream's buckets, from what was read.
type Sums = BTreeMap<Stream, Vec<u64>>;

fn add(sums: &mut Sums, stream: Stream, id: &[u8; 16], leaf: u64) {
    let buckets = sums.entry(stream).or_insert_with(|| vec![0; DigestNode::BUCKETS]);
    if let Some(sum) = buckets.get_mut(DigestNode::bucket_of(id)) {
        *sum ^= leaf;
    }
}

/// The sums that are kept are those of the leaves. What was stored before any was kept is in none yet.
fn check_sums(store: &mut SqliteStore, mut sums: Sums, report: &mut StoreReport) -> StoreResult<()> {
    for record in store.record_leaves()? {
        let leaf = record_leaf(&record.patient, record.version);
        let Some(kept) = record.kept else { continue };
        let stream = Stream::new(record.unit, Compartment::Identity);
        add(&mut sums, stream, record.patient.as_bytes(), leaf);
        if kept != leaf {
            report.fault("digest", record.patient.to_string());
        }
    }
    for stream in store.summed_streams()? {
        let found = sums
            .remove(&stream)
            .unwrap_or_else(|| vec![0; DigestNode::BUCKETS]);
        if store.digest_sums(&stream)? != found {
            report.fault("digest", format!("{}/{}", stream.unit, stream.compartment.name()));
        }
    }
    for (stream, sums) in sums {
        if sums.iter().any(|sum| *sum != 0) {
            report.fault("digest", format!("{}/{}", stream.unit, stream.compartment.name()));
        }
    }
    Ok(())
}

fn check_outcome(
    store: &mut SqliteStore,
    stream: &Stream,
    row: &LogRow,
    hash: [u8; 32],
    report: &mut StoreReport,
) -> StoreResult<()> {
    let outcome = store.outcome(&row.incarnation, row.n)?;
    let expected = Decision::Accepted {
        seq: row.seq,
        received_ms: row.received_ms,
    };
    if outcome.is_none_or(|outcome| outcome.hash != hash || outcome.decision != expected) {
        report.fault("outcome", place(stream, row.seq));
    }
    Ok(())
}

fn check_documents(
    store: &mut SqliteStore,
    mut changes: HashMap<(TenantId, DocumentId), Changes>,
    sums: &mut Sums,
    report: &mut StoreReport,
) -> StoreResult<()> {
    for (tenant, document) in store.document_ids()? {
        report.documents += 1;
        let expected = changes.remove(&(tenant, document)).unwrap_or_default();
        let row = match store.document(tenant, document) {
            Ok(row) => row,
            Err(StoreError::Damaged(_)) => None,
            Err(error) => return Err(error),
        };
        let home = row.as_ref().map(|row| row.home);
        let loaded = row.and_then(|row| LoadedDocument::load(row.chunks.iter().map(Vec::as_slice)).ok());
        if let (Some(kept), Some(home)) = (store.kept_leaf(tenant, document)?, home) {
            let leaf = loaded
                .as_ref()
                .map(|loaded| digest_leaf(&document, loaded.heads()));
            add(sums, home, document.as_bytes(), leaf.unwrap_or(kept));
            if leaf.is_some_and(|leaf| leaf != kept) {
                report.fault("digest", document.to_string());
            }
        }
        let mut found = Changes::default();
        for hash in loaded.iter().flat_map(LoadedDocument::change_hashes) {
            if hash != LoadedDocument::genesis_hash() {
                found.add(&hash);
            }
        }
        if loaded.is_none() || found != expected {
            report.fault("document", document.to_string());
        }
    }
    for (_, document) in changes.into_keys() {
        report.fault("document", format!("{document} is not there"));
    }
    Ok(())
}

fn place(stream: &Stream, seq: u64) -> String {
    format!("{}/{}/{seq}", stream.unit, stream.compartment.name())
}
