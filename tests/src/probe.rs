//! What a test may look at and do to a world besides using it: counts, queues, files, rows.

use crate::World;
use std::path::{Path, PathBuf};
use vereda_core::client::{OutboxItem, SyncEnd};
use vereda_core::engine::Status;
use vereda_core::id::PatientId;
use vereda_core::outbox::DrawerItem;
use vereda_core::store::{Location, Store, StoreKey};

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
