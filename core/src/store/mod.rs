//! The device's store: one encrypted SQLite file. One file of code for each group of tables; no rule of the
//! business lives here.

pub mod audit;
pub mod chart;
mod check;
pub mod conflicts;
mod connection;
pub mod counted;
pub mod cursors;
pub mod departed;
pub mod digest;
pub mod documents;
pub mod drawer;
pub mod entries;
pub mod entry_counts;
mod error;
pub mod first_sync;
pub mod held;
pub mod links;
pub mod meta;
mod migrations;
pub mod outbox;
pub mod patients;
pub mod places;
pub mod reached;
pub mod receipts;
pub mod reference;
mod rows;
pub mod stretch;
pub mod tail;
pub mod tenant_reference;
pub mod unread;

pub use check::is_file_whole;
pub use connection::{Location, Store, StoreKey, prepare_sqlite};
pub use error::StoreError;
pub(crate) use rows::{blob16, id_column, optional_id_column};
