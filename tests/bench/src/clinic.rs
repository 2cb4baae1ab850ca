//! A server in this process, and devices enrolled with it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use vereda_core::client::{Client, Clock, Transport, TransportFuture};
use vereda_core::engine::HttpRequest;
use vereda_core::id::PatientId;
use vereda_core::platform::native::{OpenOptions, OpenStore, SystemClock, SystemEntropy, open};
use vereda_core::record::NewEntry;
use vereda_core::sync::{Reply, TransportError};
use vereda_core::time::Now;
use vereda_data::PatientEntry;
use vereda_server::admin::{Administration, open_store};
use vereda_server::{Limits, Role, Server, ServerKeys, ServerNow, ServerOptions};

pub(crate) const KEY: [u8; 32] = [42; 32];

/// The clock of everybody: the system's, and what was added to it.
#[derive(Clone, Default)]
pub(crate) struct Time(pub(crate) Arc<AtomicI64>);

impl Clock for Time {
    fn now(&self) -> Now {
        let added = self.0.load(Ordering::Relaxed);
        let now = SystemClock.now();
        Now {
            wall_ms: now.wall_ms + added,
            boot_ms: now.boot_ms + added as u64,
            ..now
        }
    }
}

/// The server, called without sockets.
#[derive(Clone)]
pub(crate) struct Clinic {
    pub(crate) server: Arc<Server>,
    pub(crate) time: Time,
    pub(crate) keys: Arc<ServerKeys>,
    pub(crate) path: std::path::PathBuf,
}

impl Transport for Clinic {
    fn send(&self, request: HttpRequest) -> TransportFuture {
        let clinic = self.clone();
        Box::pin(async move {
            tokio::task::spawn_blocking(move || clinic.handle(&request))
                .await
                .map_err(|_| TransportError::Cut)
        })
    }
}

impl Clinic {
    /// A server over a file in `folder`.
    pub(crate) fn start(folder: &Path) -> (Self, impl FnMut(&str) -> String) {
        let keys = ServerKeys::generate(&mut SystemEntropy);
        let path = folder.join("server.db");
        let mut admin = Administration::open(&path, &keys, &mut SystemEntropy).expect("a store");
        admin
            .create_tenant(&mut SystemEntropy, "bench")
            .expect("a tenant");
        admin
            .create_unit(&mut SystemEntropy, None, "unit")
            .expect("a unit");
        let store = open_store(&path, &keys, &mut SystemEntropy).expect("a store");
        let most = (u32::MAX, u32::MAX);
        let limits = Limits {
            device: most,
            user: most,
            address: most,
        };
        let server = Arc::new(Server::new(
            Box::new(store),
            &keys,
            ServerOptions {
                limits,
                // An import puts hundreds of entries into one item.
                segments_from_bytes: 1,
            },
        ));
        let code = move |user: &str| {
            admin
                .put_user(&mut SystemEntropy, None, user, Role::Clinician, &["unit"])
                .expect("a user");
            admin
                .enrolment_code(&mut SystemEntropy, None, user, i64::MAX >> 1, None)
                .expect("a code")
        };
        (
            Self {
                server,
                time: Time::default(),
                keys: Arc::new(keys),
                path,
            },
            code,
        )
    }

    pub(crate) fn handle(&self, request: &HttpRequest) -> Reply {
        let bearer = request
            .bearer
            .as_ref()
            .map(|bearer| format!("Bearer {}", BASE64_URL_SAFE_NO_PAD.encode(&bearer.0)));
        let request = vereda_server::HttpRequest {
            method: request.method.to_owned(),
            path: request.path.to_owned(),
            authorization: bearer,
            content_type: Some(request.content_type.to_owned()),
            accept: Some(request.content_type.to_owned()),
            content_length: Some(request.body.len() as u64),
            address: None,
            body: request.body.clone(),
        };
        let now = ServerNow {
            ms: self.time.now().wall_ms,
        };
        let answer =
            tokio::runtime::Handle::current().block_on(self.server.handle(now, &mut SystemEntropy, request));
        Reply {
            status: answer.status,
            content_type: answer.content_type.to_owned(),
            retry_after: answer.retry_after.map(|seconds| seconds.to_string()),
            body: answer.body,
        }
    }

    /// A device in a file, enrolled.
    pub(crate) async fn device(
        &self,
        path: &Path,
        code: &str,
        server: &str,
        transport: Arc<dyn Transport>,
    ) -> OpenStore {
        let options = OpenOptions::file(path, KEY)
            .transport(transport)
            .clock(Arc::new(self.time.clone()));
        let store = open(options).expect("the store opens");
        store
            .enrol(server, code, "bench")
            .await
            .expect("the device enrols");
        store
    }
}

/// A store of `entries` generated entries, one patient for each hundred, by imports; and the seconds they took.
pub(crate) async fn fill(client: &Client, seed: u64, entries: u32) -> (Vec<PatientId>, f64) {
    let patients = entries.div_ceil(100);
    let mut ids = Vec::new();
    let mut batches: Vec<(PatientId, Vec<NewEntry>)> = Vec::new();
    for ((patient, record), number) in vereda_data::patients(seed, patients).zip(0..patients) {
        assert_eq!(patient, vereda_data::patient_id(seed, number));
        client
            .patients()
            .register_as(Some(patient), record)
            .await
            .expect("a patient");
        ids.push(patient);
    }
    for PatientEntry { patient, entry, .. } in vereda_data::entries(seed, patients, 100) {
        match batches.last_mut() {
            Some((last, batch)) if *last == patient => batch.push(entry),
            _ => batches.push((patient, vec![entry])),
        }
    }
    let started = crate::measure::seconds();
    // As an importer goes through its files: some patients at a time.
    let mut batches = batches.into_iter();
    loop {
        let next: Vec<_> = batches.by_ref().take(20).collect();
        if next.is_empty() {
            break;
        }
        client.imports().add_all(next).await.expect("an import");
    }
    (ids, crate::measure::seconds() - started)
}
