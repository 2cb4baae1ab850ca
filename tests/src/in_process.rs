//! A server in the process of whoever asks it: for examples and tests of the native host, without a socket.

use crate::world::{BEGIN_MS, serve};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;
use vereda_core::client::{Transport, TransportFuture};
use vereda_core::engine::HttpRequest;
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
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("server.db");
        let mut entropy = SeededEntropy::new(1);
        let keys = ServerKeys::generate(&mut entropy);
        let mut admin = Administration::open(&path, &keys, &mut entropy).expect("a store");
        admin.create_tenant(&mut entropy, "north").expect("a tenant");
        admin.create_unit(&mut entropy, None, "village").expect("a unit");
        admin
            .put_user(&mut entropy, None, "ana", Role::Clinician, &["village"])
            .expect("a user");
        let code = admin
            .enrolment_code(&mut entropy, None, "ana", BEGIN_MS + 86_400_000, None)
            .expect("a code");
        drop(admin);
        let store = open_store(&path, &keys, &mut entropy).expect("the store opens");
        let server = Self {
            server: Server::new(Box::new(store), &keys, ServerOptions::default()),
            clock: TestClock::at(BEGIN_MS),
            entropy: Mutex::new(entropy),
            _folder: folder,
        };
        (Arc::new(server), code)
    }
}

impl Transport for InProcessServer {
    fn send(&self, request: HttpRequest) -> TransportFuture {
        let mut entropy = self.entropy.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = serve(Some(&self.server), &self.clock, &mut entropy, &request);
        Box::pin(std::future::ready(Ok(reply)))
    }
}
