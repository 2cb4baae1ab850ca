//! A server in the process of whoever asks it: for examples and tests of the native host, without a socket.

use crate::world::{BEGIN_MS, serve};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use vereda_core::client::{Transport, TransportFuture};
use vereda_core::engine::HttpRequest;
use vereda_core::error::Result;
use vereda_core::platform::native::{OpenOptions, OpenStore, open};
use vereda_core::record::KindRegistry;
use vereda_core::testing::{SeededEntropy, TestClock};
use vereda_server::admin::{Administration, open_store};
use vereda_server::{Role, Server, ServerKeys, ServerOptions};

/// A server of one unit and one clinician. Its clock stands at the beginning of every world; its store goes with it.
pub struct InProcessServer {
    server: Server,
    clock: TestClock,
    entropy: Mutex<SeededEntropy>,
    _folder: TempDir,
}

impl std::fmt::Debug for InProcessServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcessServer").finish_non_exhaustive()
    }
}

impl InProcessServer {
    /// Starts it: what carries requests to it, and a code that enrols a device of its clinician.
    pub fn start() -> (Arc<dyn Transport>, String) {
        let (server, mut codes) = Self::of(&[("ana", "village")]);
        (server, codes.remove(0))
    }

    /// A server of these clinicians, each in their unit, and a code for each.
    fn of(people: &[(&str, &str)]) -> (Arc<dyn Transport>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("server.db");
        let mut entropy = SeededEntropy::new(1);
        let keys = ServerKeys::generate(&mut entropy);
        let mut admin = Administration::open(&path, &keys, &mut entropy).expect("a store");
        admin.create_tenant(&mut entropy, "north").expect("a tenant");
        let units: BTreeSet<&str> = people.iter().map(|(_, unit)| *unit).collect();
        for unit in units {
            admin.create_unit(&mut entropy, None, unit).expect("a unit");
        }
        let codes = people.iter().map(|(user, unit)| {
            admin
                .put_user(&mut entropy, None, user, Role::Clinician, &[unit])
                .expect("a user");
            admin
                .enrolment_code(&mut entropy, None, user, BEGIN_MS + 86_400_000, None)
                .expect("a code")
        });
        let codes = codes.collect();
        drop(admin);
        let store = open_store(&path, &keys, &mut entropy).expect("the store opens");
        let server = Self {
            server: Server::new(Box::new(store), &keys, ServerOptions::default()),
            clock: TestClock::at(BEGIN_MS),
            entropy: Mutex::new(entropy),
            _folder: folder,
        };
        (Arc::new(server), codes)
    }
}

/// Enrolled devices of clinicians named ana, bia and caio, each in the unit named for them, with one server.
///
/// # Errors
/// What opening a store and enrolling it answer.
pub async fn devices<const N: usize>(units: [&str; N]) -> Result<[OpenStore; N]> {
    devices_with(KindRegistry::standard(), units).await
}

/// The same, of an app that brings these kinds.
///
/// # Errors
/// As [`devices`].
pub async fn devices_with<const N: usize>(kinds: KindRegistry, units: [&str; N]) -> Result<[OpenStore; N]> {
    let people: Vec<(&str, &str)> = ["ana", "bia", "caio"].into_iter().zip(units).collect();
    let (server, codes) = InProcessServer::of(&people);
    let mut stores = Vec::with_capacity(N);
    for code in codes {
        let store = open(
            OpenOptions::memory()
                .kinds(kinds.clone())
                .transport(server.clone()),
        )?;
        store.enrol("http://localhost", &code, "a tablet").await?;
        stores.push(store);
    }
    Ok(stores.try_into().expect("three at most"))
}

impl Transport for InProcessServer {
    fn send(&self, request: HttpRequest) -> TransportFuture {
        let mut entropy = self.entropy.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = serve(Some(&self.server), &self.clock, &mut entropy, &request);
        Box::pin(std::future::ready(Ok(reply)))
    }
}
