//! What a test may look at and do to a world besides using it: counts, queues, files, rows.

use crate::World;
use std::path::{Path, PathBuf};
use vereda_core::client::{Clock, OutboxItem, SyncEnd};
use vereda_core::engine::Status;
use vereda_core::id::PatientId;
use vereda_core::outbox::DrawerItem;
use vereda_core::record::Write;
use vereda_core::store::{Location, Store, StoreKey, meta, outbox};
use vereda_core::sync::Schedule;

impl World {
    /// How a device stands.
    pub fn status(&mut self, device: usize) -> Status {
        self.run(device, |client| async move { client.status().await })
            .expect("a status")
    }

    /// The writes on their way.
    pub fn outbox(&mut self, device: usize) -> Vec<OutboxItem> {
        self.run(device, |client| async move { client.queue().outbox().await })
            .expect("the outbox")
    }

    /// What was refused.
    pub fn drawer(&mut self, device: usize) -> Vec<DrawerItem> {
        self.run(device, |client| async move { client.queue().drawer().await })
            .expect("the drawer")
    }

    /// A device of a user, in a role and in units of a tenant; enrolled.
    pub fn join(&mut self, tenant: &str, user: &str, units: &[&str], role: vereda_server::Role) -> usize {
        let device = self.add_unenrolled_device();
        let mut entropy = vereda_core::testing::SeededEntropy::new(1_000 + device as u64);
        let expires_ms = self.server_clock_ms() + 86_400_000;
        let mut admin = self.administration();
        admin
            .put_user(&mut entropy, Some(tenant), user, role, units)
            .expect("a user");
        let code = admin
            .enrolment_code(&mut entropy, Some(tenant), user, expires_ms, None)
            .expect("a code");
        drop(admin);
        self.run(device, |client| async move {
            client.enrol("http://localhost", &code, "a tablet").await
        })
        .expect("it enrols");
        device
    }

    /// One round of synchronising, and how many exchanges it took.
    pub fn counted_sync(&mut self, device: usize) -> (SyncEnd, u64) {
        let before = self.network.exchanges;
        let end = self.sync(device);
        (end, self.network.exchanges - before)
    }

    /// The server is stopped and started on its file.
    pub fn restart_server(&mut self) {
        self.stop_server();
        self.start_server();
    }

    /// Closes a device's file, lets the test work on its rows, and opens it again.
    pub fn edit_store<T>(&mut self, device: usize, work: impl FnOnce(&mut Store) -> T) -> T {
        self.devices[device].close();
        let location = Location::File(self.device_path(device));
        let key = StoreKey::new([device as u8 + 1; 32]);
        let mut store = Store::open(&location, &key).expect("the store opens");
        let made = work(&mut store);
        drop(store);
        self.devices[device].reopen().expect("the store opens again");
        made
    }

    /// Changes the bytes of a waiting write behind the engine's back, as a hostile or damaged device would.
    pub fn forge_write(&mut self, device: usize, n: u64, change: impl FnOnce(&mut Write)) {
        self.edit_store(device, |store| {
            let row = outbox::get(store.connection(), n)
                .expect("rows")
                .expect("the write waits");
            let mut write = Write::from_bytes(&row.bytes).expect("a write");
            change(&mut write);
            let bytes = write.to_bytes();
            store
                .connection()
                .execute(
                    "UPDATE outbox SET hash = ?2, bytes = ?3 WHERE n = ?1",
                    rusqlite::params![n as i64, Write::hash(&bytes).as_slice(), bytes],
                )
                .expect("a changed row");
        });
    }

    /// The same for the write saved last.
    pub fn forge_last_write(&mut self, device: usize, change: impl FnOnce(&mut Write)) {
        let n = self
            .outbox(device)
            .iter()
            .map(|item| item.n)
            .max()
            .expect("a write waits");
        self.forge_write(device, n, change);
    }

    /// How many writes the next push takes.
    pub fn set_batch_limit(&mut self, device: usize, limit: usize) {
        let now = self.devices[device].clock.now();
        self.edit_store(device, |store| {
            let stored = meta::get(store.connection(), "schedule").expect("meta");
            let mut schedule: Schedule = stored.unwrap_or_else(|| Schedule::new(&now));
            schedule.batch_limit = limit;
            meta::set(store.connection(), "schedule", &schedule).expect("meta");
        });
    }

    /// Makes one waiting write due only in 30 seconds, whatever stands behind it.
    pub fn hold_back(&mut self, device: usize, index: usize) {
        let waiting = self.outbox(device);
        let n = waiting[index % waiting.len()].n;
        let due_ms = self.devices[device].clock.now().boot_ms as i64 + 30_000;
        self.edit_store(device, |store| {
            outbox::set_retry(store.connection(), n, 1, due_ms, "internal").expect("held back");
        });
    }

    /// Makes all waiting writes due only in four minutes.
    pub fn hold_back_all(&mut self, device: usize) {
        let waiting = self.outbox(device);
        let due_ms = self.devices[device].clock.now().boot_ms as i64 + 240_000;
        self.edit_store(device, |store| {
            for write in &waiting {
                outbox::set_retry(store.connection(), write.n, 1, due_ms, "internal").expect("held back");
            }
        });
    }

    /// Parks the oldest waiting write.
    pub fn forge_park(&mut self, device: usize, reason: &str) {
        let n = self.outbox(device).first().expect("a write waits").n;
        self.edit_store(device, |store| {
            outbox::set_state(store.connection(), n, outbox::WriteState::Parked, Some(reason))
                .expect("parked");
        });
    }

    /// The device synchronises by itself from now on.
    pub fn make_automatic(&mut self, device: usize) {
        self.devices[device]
            .reopen_automatic()
            .expect("the store opens again");
    }

    /// Copies a device's file aside.
    pub fn copy_file(&mut self, device: usize, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        self.devices[device].close();
        copy_database(&self.device_path(device), &copy);
        self.devices[device].reopen().expect("the store opens again");
        copy
    }

    /// Puts an older file in the place of a device's.
    pub fn restore_file(&mut self, device: usize, copy: &Path) {
        self.devices[device].close();
        copy_database(copy, &self.device_path(device));
        self.devices[device].reopen().expect("the store opens again");
    }

    /// Puts a copy of the server's file aside.
    pub fn copy_server(&mut self, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        self.stop_server();
        copy_database(&self.server_path(), &copy);
        self.start_server();
        copy
    }

    /// Makes a verified copy of the server's store while it runs; returns where it lies.
    pub fn back_up_server(&self) -> PathBuf {
        let folder = self.folder.path().join("copies");
        vereda_server::backup::run(&self.server_path(), self.keys(), &folder).expect("a copy")
    }

    /// Puts an older file in the place of the server's.
    pub fn restore_server(&mut self, copy: &Path) {
        self.stop_server();
        copy_database(copy, &self.server_path());
        self.start_server();
    }

    /// Everything a new colleague's device reads of a patient, oldest first: what the server has, once.
    pub fn texts_at_server(&mut self, patient: PatientId) -> Vec<String> {
        let name = format!("reader-{}", self.devices.len());
        let reader = self.add_device("north", &name, vereda_server::Role::Clinician);
        for _ in 0..50 {
            if self.sync(reader) == SyncEnd::Done {
                break;
            }
            self.advance(300_000);
        }
        self.texts(reader, patient)
    }
}

/// Copies a database with its log; what is not there at the source is not there afterwards.
fn copy_database(from: &Path, to: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        let (from, to) = (with(from), with(to));
        if from.exists() {
            std::fs::copy(from, to).expect("a copy");
        } else if to.exists() {
            std::fs::remove_file(to).expect("a removal");
        }
    }
}
