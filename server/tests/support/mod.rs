//! A clinic with a server in this process, and devices that speak the protocol and nothing else.
#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::result_large_err,
    reason = "each test file uses a part of it, and a test may end where something is not as it must be"
)]

mod device;
mod faulty;

pub use device::{Device, at, code, codes, unfold};
pub use faulty::{Faults, FaultyStore};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use vereda_core::entropy::Entropy;
use vereda_core::id::{TenantId, UnitId, UserId};
use vereda_core::protocol::{Encoding, EnrolmentCode, Problem, decode, decode_body, encode_body};
use vereda_server::admin::{Administration, open_store};
use vereda_server::{HttpRequest, HttpResponse, Role, Server, ServerKeys, ServerNow, ServerOptions};

/// 2026-01-01.
pub const START_MS: i64 = 1_767_225_600_000;

/// Randomness out of a seed.
pub struct TestEntropy(pub u64);

impl Entropy for TestEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..chunk.len()]);
        }
    }
}

/// With the embedded store the server never pends: one poll is the whole answer.
pub fn poll_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the server pended"),
    }
}

/// The tenant the tests are about; beside it there is always a neighbour whose unit and people are called the same.
pub const TENANT: Option<&str> = Some("Clinica");
/// The neighbour.
pub const NEIGHBOUR: Option<&str> = Some("Vizinha");

/// Two tenants with a unit each, and a server on a file.
pub struct Clinic {
    pub folder: tempfile::TempDir,
    pub keys: ServerKeys,
    pub server: Server,
    pub now_ms: i64,
    pub entropy: Mutex<TestEntropy>,
    pub tenant: TenantId,
    pub unit: UnitId,
}

impl Clinic {
    pub fn new() -> Self {
        Self::with(ServerOptions::default())
    }

    pub fn with(options: ServerOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut entropy = TestEntropy(1);
        let keys = ServerKeys::generate(&mut entropy);
        let path = folder.path().join("clinic.db");
        let mut admin = Administration::open(&path, &keys, &mut entropy).unwrap();
        let tenant = admin.create_tenant(&mut entropy, "Clinica").unwrap();
        let unit = admin.create_unit(&mut entropy, TENANT, "Norte").unwrap();
        admin.create_tenant(&mut entropy, "Vizinha").unwrap();
        admin.create_unit(&mut entropy, NEIGHBOUR, "Norte").unwrap();
        let store = open_store(&path, &keys, &mut entropy).unwrap();
        Self {
            server: Server::new(Box::new(store), &keys, options),
            folder,
            keys,
            now_ms: START_MS,
            entropy: Mutex::new(entropy),
            tenant,
            unit,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("clinic.db")
    }

    /// The same file under a store that fails when told to.
    pub fn with_faults(&mut self) -> Faults {
        let inner = open_store(&self.path(), &self.keys, &mut *self.entropy.lock().unwrap()).unwrap();
        let faults = Faults::default();
        faults.countdown.store(-1, std::sync::atomic::Ordering::SeqCst);
        let store = FaultyStore {
            inner,
            faults: faults.clone(),
        };
        self.server = Server::new(Box::new(store), &self.keys, ServerOptions::default());
        faults
    }

    /// The same file under a new server: what a restart leaves.
    pub fn restart(&mut self) {
        let store = open_store(&self.path(), &self.keys, &mut *self.entropy.lock().unwrap()).unwrap();
        self.server = Server::new(Box::new(store), &self.keys, ServerOptions::default());
    }

    /// Closes the server, puts another file in its place and opens it again.
    pub fn restore(&mut self, copy: &std::path::Path) {
        let elsewhere = self.folder.path().join("elsewhere.db");
        let parked = open_store(&elsewhere, &self.keys, &mut TestEntropy(99)).unwrap();
        self.server = Server::new(Box::new(parked), &self.keys, ServerOptions::default());
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{suffix}", self.path().display()));
        }
        std::fs::copy(copy, self.path()).unwrap();
        self.restart();
    }

    /// A copy of the file as it stands.
    pub fn copy(&self, name: &str) -> PathBuf {
        let copy = self.folder.path().join(name);
        let store = open_store(&self.path(), &self.keys, &mut TestEntropy(98)).unwrap();
        store.copy_to(&copy, &self.keys.store).unwrap();
        copy
    }

    pub fn admin(&self) -> Administration {
        Administration::open(&self.path(), &self.keys, &mut TestEntropy(97)).unwrap()
    }

    pub fn user(&self, name: &str, role: Role, units: &[&str]) -> UserId {
        let mut entropy = self.entropy.lock().unwrap();
        self.admin()
            .put_user(&mut *entropy, TENANT, name, role, units)
            .unwrap()
    }

    pub fn code(&self, user: &str) -> EnrolmentCode {
        self.code_of(TENANT, user)
    }

    fn code_of(&self, tenant: Option<&str>, user: &str) -> EnrolmentCode {
        use base64::Engine;
        let mut entropy = self.entropy.lock().unwrap();
        let text = self
            .admin()
            .enrolment_code(&mut *entropy, tenant, user, self.now_ms + 1000, None)
            .unwrap();
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(text)
            .unwrap();
        decode(&bytes).unwrap()
    }

    /// A clinician of the unit with a device.
    pub fn device(&self, user: &str) -> Device {
        self.user(user, Role::Clinician, &["Norte"]);
        let number = self.entropy.lock().unwrap().next_u64();
        Device::enrol(self, user, number)
    }

    /// A clinician of the neighbour's unit with a device.
    pub fn neighbour(&self, user: &str) -> Device {
        let number = {
            let mut entropy = self.entropy.lock().unwrap();
            self.admin()
                .put_user(&mut *entropy, NEIGHBOUR, user, Role::Clinician, &["Norte"])
                .unwrap();
            entropy.next_u64()
        };
        Device::enrol_with(self, &self.code_of(NEIGHBOUR, user), number)
    }

    /// Sends a request of bytes.
    pub fn send(&self, request: HttpRequest) -> HttpResponse {
        let seed = self.entropy.lock().unwrap().next_u64();
        let now = ServerNow { ms: self.now_ms };
        poll_once(self.server.handle(now, &mut TestEntropy(seed >> 1), request))
    }

    /// Posts a message.
    pub fn post<T: Serialize>(&self, path: &str, authorization: Option<String>, message: &T) -> HttpResponse {
        let body = encode_body(message, Encoding::Vereda);
        self.send(HttpRequest {
            method: "POST".into(),
            path: path.into(),
            authorization,
            content_type: Some("application/vereda".into()),
            content_length: Some(body.len() as u64),
            body,
            ..HttpRequest::default()
        })
    }
}

/// The message of an answer, or its problem.
pub fn read<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, Problem> {
    if response.status == 200 {
        Ok(decode_body(&response.body, Encoding::Vereda).unwrap())
    } else {
        assert_eq!(response.content_type, Problem::MEDIA_TYPE);
        Err(serde_json::from_slice(&response.body).unwrap())
    }
}
