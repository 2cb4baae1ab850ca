//! Offline-first sync for clinical timelines.
//!
//! A device keeps its records in an encrypted SQLite store, queues what people write, and reconciles with a
//! server when there is a network. `ARCHITECTURE.md` draws the floors; a floor uses only floors below it.
#![cfg_attr(not(test), warn(clippy::expect_used))]

// Floor 0: words everything else is written in.
pub mod bytes;
pub mod entropy;
pub mod error;
pub mod id;
pub mod redact;
pub mod time;

// Floor 1: values and messages.
pub mod limits;
pub mod protocol;
pub mod record;

// Floor 2: documents and slots.
pub mod document;

// Floor 3: the encrypted file.
pub mod store;

// Floor 4: state machines over the store.
pub mod audit;
pub mod device;
pub mod outbox;
pub mod reference;
pub mod replica;
pub mod step;
pub mod sync;

// Floor 5: the one place that composes the floor below.
pub mod engine;

// Floor 6: what apps call.
pub mod client;

// Floor 7: the hosts.
pub mod platform;
#[cfg(feature = "testing")]
pub mod testing;
