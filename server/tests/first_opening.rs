//! In a process of its own: what happens the first time SQLite is used in one.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::sync::{Arc, Barrier};
use support::TestEntropy;
use vereda_core::store::{Location, Store, StoreKey};
use vereda_server::ServerKeys;
use vereda_server::admin::open_store;

/// SQLite tells other threads that it is ready before SQLCipher is, and their keys were then refused.
#[test]
fn stores_that_are_opened_at_once_in_a_fresh_process_all_open() {
    let folder = tempfile::tempdir().unwrap();
    let start = Arc::new(Barrier::new(24));
    let threads: Vec<_> = (0..24_u8)
        .map(|k| {
            let path = folder.path().join(format!("{k}.db"));
            let start = Arc::clone(&start);
            std::thread::spawn(move || {
                let keys = ServerKeys::derive(&[k; 32]);
                start.wait();
                if k % 2 == 0 {
                    open_store(&path, &keys, &mut TestEntropy(1))
                        .map(drop)
                        .map_err(|e| format!("{e:?}"))
                } else {
                    Store::open(&Location::File(path), &StoreKey::new([k; 32]))
                        .map(drop)
                        .map_err(|e| format!("{e:?}"))
                }
            })
        })
        .collect();
    for thread in threads {
        assert_eq!(thread.join().unwrap(), Ok(()));
    }
}
