//! What lies in the stores, read past the engine: rows, documents, and whole files.

use crate::World;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::path::Path;
use vereda_core::audit::AuditVerification;
use vereda_core::client::Client;
use vereda_core::device::Enrolment;
use vereda_core::document::LoadedDocument;
use vereda_core::id::{DocumentId, EntryId};
use vereda_core::store::chart::{self, ChartRow};
use vereda_core::store::conflicts::{self, ConflictRow};
use vereda_core::store::entries::{self, EntryRow};
use vereda_core::store::receipts::{self, Receipt};
use vereda_core::store::{documents, meta, patients};

/// Opens an encrypted file with its key, as any program that knows SQLite and the key can.
pub fn open_file(path: &Path, key: &[u8; 32]) -> Connection {
    let connection = Connection::open(path).expect("the file opens");
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    connection
        .execute_batch(&format!("PRAGMA key = \"x'{hex}'\"; PRAGMA busy_timeout = 5000;"))
        .expect("the key is taken");
    connection
}

/// What a device reads of everything: two devices with equal heads have equal ones.
#[derive(Clone, PartialEq, Debug)]
pub struct Rows {
    /// The timelines.
    pub entries: Vec<EntryRow>,
    /// The charts.
    pub chart: Vec<ChartRow>,
    /// The open conflicts.
    pub conflicts: Vec<ConflictRow>,
    /// The records, as the screen has them.
    pub patients: Vec<serde_json::Value>,
}

impl Rows {
    /// Reads the rows of a store.
    pub fn read(connection: &Connection) -> Self {
        let mut conflicts = conflicts::list(connection, None).expect("conflicts");
        conflicts.sort_by_key(|conflict| conflict.id);
        let patients = patients::dump(connection).expect("patients");
        Self {
            entries: entries::dump(connection).expect("entries"),
            chart: chart::dump(connection).expect("chart items"),
            conflicts,
            patients: patients
                .iter()
                .map(|patient| serde_json::to_value(patient).expect("JSON"))
                .collect(),
        }
    }

    /// Panics where two differ, and says in what; the rows are a test's, so it may show them.
    pub fn assert_same(&self, other: &Self, what: &str) {
        assert_eq!(show(&self.entries), show(&other.entries), "{what}: entries");
        assert_eq!(show(&self.chart), show(&other.chart), "{what}: chart");
        assert_eq!(show(&self.conflicts), show(&other.conflicts), "{what}: conflicts");
        assert_eq!(self.patients, other.patients, "{what}: patients");
        assert!(self == other, "{what}: something the JSON does not show");
    }
}

fn show<T: serde::Serialize>(rows: &[T]) -> Vec<String> {
    rows.iter()
        .map(|row| serde_json::to_string_pretty(row).expect("JSON"))
        .collect()
}

impl World {
    /// A second connection to a device's file.
    pub fn device_file(&self, device: usize) -> Connection {
        open_file(&self.device_path(device), &[device as u8 + 1; 32])
    }

    /// A second connection to the server's file.
    pub fn server_file(&self) -> Connection {
        open_file(&self.server_path(), &self.server_key())
    }

    /// What a device reads of everything.
    pub fn rows(&self, device: usize) -> Rows {
        Rows::read(&self.device_file(device))
    }

    /// The one open conflict of a device.
    pub fn the_conflict(&self, device: usize) -> ConflictRow {
        let conflicts = self.rows(device).conflicts;
        let [conflict] = conflicts.as_slice() else {
            panic!("one conflict, not {}", conflicts.len())
        };
        conflict.clone()
    }

    /// The receipts of a device's entries, as their details show them.
    pub fn receipts(&self, device: usize) -> Vec<(EntryId, Option<Receipt>)> {
        let connection = self.device_file(device);
        let rows = self.rows(device).entries.into_iter();
        rows.map(|row| {
            let receipt =
                receipts::of_entry(&connection, (&row.patient, &row.id), &row.write).expect("a read");
            (row.id, receipt)
        })
        .collect()
    }

    /// What enrolment gave a device.
    pub fn enrolment(&self, device: usize) -> Enrolment {
        let found = meta::get(&self.device_file(device), "enrolment").expect("the store reads");
        found.expect("the device is enrolled")
    }

    /// Every document of a device, loaded from its chunks.
    pub fn documents(&self, device: usize) -> BTreeMap<DocumentId, LoadedDocument> {
        let connection = self.device_file(device);
        let rows = documents::list(&connection, None).expect("documents");
        rows.iter()
            .map(|row| {
                let id = row.key.id();
                let chunks = documents::chunks(&connection, &id, false).expect("chunks");
                let loaded = LoadedDocument::load(chunks.iter().map(Vec::as_slice));
                (id, loaded.expect("its chunks load"))
            })
            .collect()
    }

    /// The audit of a device, verified.
    pub fn verify_audit(&mut self, device: usize) -> AuditVerification {
        self.run(
            device,
            |client: Client| async move { client.audit().verify().await },
        )
        .expect("the audit reads")
    }

    /// INVARIANTS C1: devices of one scope that are in sync show the same.
    pub fn assert_same_rows(&self) {
        let first = self.rows(0);
        for device in 1..self.devices.len() {
            first.assert_same(&self.rows(device), &format!("devices 0 and {device}"));
        }
    }

    /// INVARIANTS C5: a device's read model follows from its documents. It is emptied and written again.
    pub fn assert_rows_follow_from_documents(&mut self, device: usize) {
        let live = self.rows(device);
        self.device_file(device)
            .execute_batch(
                "DELETE FROM entry; DELETE FROM chart_item;
                 DELETE FROM conflict WHERE subject_kind <> 'patient';",
            )
            .expect("the rows go");
        self.run(device, |client| async move { client.rebuild_read_model().await })
            .expect("the read model is written again");
        live.assert_same(&self.rows(device), &format!("device {device}, rebuilt"));
    }

    /// INVARIANTS C4: a (document, actor, seq) names one change on all devices.
    pub fn assert_places_name_one_change(&self) {
        let mut known = BTreeMap::new();
        for device in 0..self.devices.len() {
            for (document, loaded) in self.documents(device) {
                for (actor, seq, hash) in loaded.change_places() {
                    let before = *known.entry((document, actor, seq)).or_insert(hash);
                    assert_eq!(before, hash, "device {device}, document {document}, seq {seq}");
                }
            }
        }
    }

    /// The heads of a device's documents.
    pub fn heads(&self, device: usize) -> BTreeMap<DocumentId, Vec<[u8; 32]>> {
        let documents = self.documents(device);
        documents
            .into_iter()
            .map(|(id, document)| (id, document.heads().to_vec()))
            .collect()
    }
}

/// A place of the server's log: stream, seq, running hash, author's number, and the place the outcome names.
pub type LogPlace = (Vec<u8>, u8, i64, Vec<u8>, i64, i64);

impl World {
    /// The server's log, place by place.
    pub fn server_log(&self) -> Vec<LogPlace> {
        let connection = self.server_file();
        let mut statement = connection
            .prepare(
                "select log.unit, log.compartment, log.seq, log.chain, log.n, outcome.seq from log
                 join outcome using (store, incarnation, n) order by 1, 2, 3",
            )
            .expect("a log");
        let rows = statement.query_map([], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        });
        rows.and_then(Iterator::collect).expect("rows")
    }
}
