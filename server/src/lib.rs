//! The server Vereda devices reconcile with.
//!
//! [`Server::handle`] is the whole protocol as a function of time, randomness and a request: no sockets, no clock.
//! Tests and the simulation link it; `net` puts hyper and TLS in front of it.
//!
//! One writer drains the waiting requests into one transaction of the [`store::ServerStore`], with a savepoint and
//! a caught panic for each request and each write in it (`writer`). A write's way: `access` says who asks and what
//! they may see, `sync::push` settles each write (scope, dedupe, lane, judgement, effect, log, outcome),
//! `sync::pull` answers from the logs.
#![cfg_attr(not(test), warn(clippy::expect_used))]

mod access;
pub mod admin;
pub mod backup;
mod cache;
mod digest;
mod documents;
mod enrol;
mod entropy;
mod exchange;
mod find;
mod in_use;
mod key_file;
pub mod net;
mod places;
mod refusal;
pub mod restore;
mod role;
mod segments;
mod server;
mod snapshot;
pub mod store;
mod sync;
mod throttle;
mod token;
pub mod verify;
mod writer;

pub use exchange::{HttpRequest, HttpResponse, ServerNow};
pub use key_file::{KeyFileError, ServerKeys};
pub use net::{RunningServer, ServeConfig, ServeError, Transport, serve};
pub use role::{Activity, Duty, Rights, Role};
pub use server::{Poke, Server, ServerOptions};
pub use throttle::Limits;
