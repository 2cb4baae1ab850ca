//! A clinic in one process: the real server over its real store, and devices with real engines over real files.

use crate::network::Faults;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use tempfile::TempDir;
use vereda_core::client::{Client, Clock, PageRequest, SyncEnd};
use vereda_core::engine::{EngineOptions, HttpRequest};
use vereda_core::id::PatientId;
use vereda_core::record::{KindRegistry, NewEntry, PatientRecord};
use vereda_core::store::entries::{EntryFilter, EntryRow};
use vereda_core::store::{Location, StoreKey};
use vereda_core::sync::Reply;
use vereda_core::testing::{Crashed, SeededEntropy, TestClock, TestDevice};
use vereda_core::time::Zoned;
use vereda_server::admin::{Administration, open_store};
use vereda_server::{Role, Server, ServerKeys, ServerNow, ServerOptions};

/// 2026-05-04T13:30:00Z, when every world begins.
pub const BEGIN_MS: i64 = 1_777_901_400_000;

/// An instant: minutes after the world's beginning.
pub fn at(minutes: i64) -> Zoned {
    Zoned {
        utc_ms: BEGIN_MS + minutes * 60_000,
        offset_minutes: -180,
    }
}

/// A note of a minute.
pub fn note(minutes: i64, text: &str) -> NewEntry {
    NewEntry::note(at(minutes), text)
}

/// A clinic.
pub struct World {
    /// The devices.
    pub devices: Vec<TestDevice>,
    /// The network.
    pub network: Faults,
    /// The server's clock.
    pub server_clock: TestClock,
    /// Where everything lies.
    pub folder: TempDir,
    /// Bytes of a log from which on the server offers it as segments, from its next start; 0 for its own bound.
    pub segments_from_bytes: u64,
    server: Option<Server>,
    keys: ServerKeys,
    entropy: SeededEntropy,
    seed: u64,
}

impl World {
    /// A server with two tenants of a unit each, and `devices` of clinicians of the first; the users are `user-0`,
    /// `user-1` … Enrolled and in sync.
    pub fn new(seed: u64, devices: usize) -> Self {
        println!("seed {seed}");
        let folder = tempfile::Builder::new()
            .prefix("vereda-")
            .tempdir_in(fast_folder())
            .expect("a folder");
        let mut entropy = SeededEntropy::new(seed);
        let keys = ServerKeys::generate(&mut entropy);
        let mut world = Self {
            devices: Vec::new(),
            network: Faults::default(),
            server_clock: TestClock::at(BEGIN_MS),
            folder,
            segments_from_bytes: 0,
            server: None,
            keys,
            entropy,
            seed,
        };
        let mut admin = world.administration();
        for tenant in ["north", "south"] {
            admin.create_tenant(&mut world.entropy, tenant).expect("a tenant");
            admin
                .create_unit(&mut world.entropy, Some(tenant), &format!("unit-{tenant}"))
                .expect("a unit");
        }
        drop(admin);
        world.start_server();
        for index in 0..devices {
            world.add_device("north", &format!("user-{index}"), Role::Clinician);
        }
        world
    }

    /// The server's store file.
    pub fn server_path(&self) -> PathBuf {
        self.folder.path().join("server.db")
    }

    /// A device's store file.
    pub fn device_path(&self, device: usize) -> PathBuf {
        self.folder.path().join(format!("device-{device}.db"))
    }

    /// The administrator's hold on the server's store.
    pub fn administration(&mut self) -> Administration {
        let path = self.server_path();
        Administration::open(&path, &self.keys, &mut self.entropy).expect("the server's store opens")
    }

    /// Starts the server, or starts it again: nothing of it but its file is left.
    pub fn start_server(&mut self) {
        self.server = None;
        let store =
            open_store(&self.server_path(), &self.keys, &mut self.entropy).expect("the server's store");
        let unlimited = vereda_server::Limits {
            device: (u32::MAX, u32::MAX),
            user: (u32::MAX, u32::MAX),
            address: (u32::MAX, u32::MAX),
        };
        self.server = Some(Server::new(
            Box::new(store),
            &self.keys,
            ServerOptions {
                limits: unlimited,
                segments_from_bytes: self.segments_from_bytes,
            },
        ));
    }

    /// The server signs with another key from now on; called twice, with its own again.
    pub fn replace_signing_key(&mut self) {
        self.keys.signing.reverse();
        self.start_server();
    }

    /// Stops the server: its file may be looked at or replaced.
    pub fn stop_server(&mut self) {
        self.server = None;
    }

    /// Makes an enrolment code for a user in a role, in the unit of a tenant.
    pub fn code(&mut self, tenant: &str, user: &str, role: Role) -> String {
        let mut admin = self.administration();
        let unit = format!("unit-{tenant}");
        admin
            .put_user(&mut self.entropy, Some(tenant), user, role, &[&unit])
            .expect("a user");
        let expires_ms = self.server_clock.now().wall_ms + 86_400_000;
        admin
            .enrolment_code(&mut self.entropy, Some(tenant), user, expires_ms, None)
            .expect("a code")
    }

    /// Adds a device of a user, enrolled.
    pub fn add_device(&mut self, tenant: &str, user: &str, role: Role) -> usize {
        let index = self.add_unenrolled_device();
        let code = self.code(tenant, user, role);
        self.run(index, |client| async move {
            client.enrol("http://localhost", &code, "a tablet").await
        })
        .expect("the device enrols");
        index
    }

    /// Adds a device that nobody enrolled.
    pub fn add_unenrolled_device(&mut self) -> usize {
        let index = self.devices.len();
        self.open_device(StoreKey::new([index as u8 + 1; 32]))
    }

    /// Adds a device on a copy of another one's file: a cloned tablet.
    pub fn add_clone(&mut self, of: usize, copy: &Path) -> usize {
        std::fs::copy(copy, self.device_path(self.devices.len())).expect("a copy");
        self.open_device(StoreKey::new([of as u8 + 1; 32]))
    }

    /// Opens a device's file a second time, as another process on the same store does.
    pub fn open_again(&mut self, of: usize) -> usize {
        self.open_file(self.device_path(of), StoreKey::new([of as u8 + 1; 32]))
    }

    fn open_device(&mut self, key: StoreKey) -> usize {
        self.open_file(self.device_path(self.devices.len()), key)
    }

    fn open_file(&mut self, path: PathBuf, key: StoreKey) -> usize {
        let index = self.devices.len();
        let options = EngineOptions {
            location: Location::File(path),
            key,
            kinds: KindRegistry::standard(),
            automatic: false,
        };
        let clock = TestClock::at(BEGIN_MS);
        let device = TestDevice::open(options, clock, self.seed * 1_000 + index as u64).expect("a store");
        self.devices.push(device);
        index
    }

    /// Runs calls of a device's façade to their end; a crash set on the device is a failure of the test.
    pub fn run<T, W: Future<Output = T>>(&mut self, device: usize, work: impl FnOnce(Client) -> W) -> T {
        self.try_run(device, work).expect("the device did not crash")
    }

    /// The same, where a crash is expected.
    pub fn try_run<T, W: Future<Output = T>>(
        &mut self,
        device: usize,
        work: impl FnOnce(Client) -> W,
    ) -> Result<T, Crashed> {
        let Self {
            devices,
            network,
            server,
            server_clock,
            entropy,
            ..
        } = self;
        let clock = devices[device].clock.clone();
        let mut exchange = |request: &HttpRequest| {
            clock.advance(network.exchange_ms);
            server_clock.advance(network.exchange_ms);
            network.exchange(request, |request| {
                serve(server.as_ref(), server_clock, entropy, request)
            })
        };
        devices[device].run(&mut exchange, work)
    }

    /// What the server answers to a request, past the network and its faults.
    pub fn ask_server(&mut self, request: &HttpRequest) -> Reply {
        serve(
            self.server.as_ref(),
            &self.server_clock,
            &mut self.entropy,
            request,
        )
    }

    /// The server's last copy went well, or did not.
    pub fn note_backup(&self, went_well: bool) {
        self.server.as_ref().expect("it runs").note_backup(went_well);
    }

    /// The server's keys, for a server of one's own on its file.
    pub fn server_keys(&self) -> ServerKeys {
        self.keys.clone()
    }

    /// The key of the server's store.
    pub fn server_key(&self) -> [u8; 32] {
        self.keys.store
    }

    /// The server's keys.
    pub(crate) fn keys(&self) -> &ServerKeys {
        &self.keys
    }

    /// The server's time.
    pub fn server_clock_ms(&self) -> i64 {
        self.server_clock.now().wall_ms
    }

    /// Time passes, for everybody.
    pub fn advance(&mut self, ms: u64) {
        self.server_clock.advance(ms);
        for device in &self.devices {
            device.clock.advance(ms);
        }
    }

    /// Time passes for a device that synchronises by itself: each wake comes when it asked for it.
    pub fn live(&mut self, device: usize, ms: u64) {
        let end = self.devices[device].clock.now().boot_ms + ms;
        loop {
            let Self {
                devices,
                network,
                server,
                server_clock,
                entropy,
                ..
            } = self;
            let mut exchange = |request: &HttpRequest| {
                network.exchange(request, |request| {
                    serve(server.as_ref(), server_clock, entropy, request)
                })
            };
            devices[device].wake(&mut exchange).expect("no crash");
            let now = devices[device].clock.now().boot_ms;
            let wake_ms = devices[device].wake_at.take().unwrap_or(end);
            if wake_ms.max(now + 1) > end {
                return;
            }
            self.advance(wake_ms.saturating_sub(now).max(1));
        }
    }

    /// One round of synchronising of a device.
    pub fn sync(&mut self, device: usize) -> SyncEnd {
        self.run(device, |client| async move { client.sync_once(60_000).await })
            .expect("a round ends")
    }

    /// Synchronises everybody until nothing is left to do, within a bound of rounds (INVARIANTS C6).
    pub fn converge(&mut self) {
        for _ in 0..40 {
            let ends: Vec<SyncEnd> = (0..self.devices.len()).map(|device| self.sync(device)).collect();
            let waits = ends.iter().any(|end| matches!(end, SyncEnd::AgainLater { .. }));
            if !waits {
                for device in 0..self.devices.len() {
                    self.sync(device);
                }
                return;
            }
            self.advance(5 * 60_000);
        }
        let statuses: Vec<_> = (0..self.devices.len())
            .map(|device| self.run(device, |client| async move { client.status().await }))
            .collect();
        for device in 0..self.devices.len() {
            println!(
                "{:?}\n{:?}",
                self.outbox(device),
                self.devices[device]
                    .log
                    .iter()
                    .rev()
                    .take(20)
                    .rev()
                    .collect::<Vec<_>>()
            );
        }
        panic!("not converged after 40 rounds: {statuses:?}");
    }

    /// Registers a patient on a device.
    pub fn patient(&mut self, device: usize, name: &str) -> PatientId {
        let record = PatientRecord::named(name);
        self.run(device, |client| async move {
            client.patients().register(record).await
        })
        .expect("a patient")
        .patient
    }

    /// Adds a note on a device.
    pub fn add(
        &mut self,
        device: usize,
        patient: PatientId,
        minutes: i64,
        text: &str,
    ) -> vereda_core::id::EntryId {
        let entry = note(minutes, text);
        let saved = self.run(device, |client| async move {
            client.timeline().add(patient, entry).await
        });
        saved.expect("a note").entry.expect("an entry")
    }

    /// A patient's whole timeline on a device.
    pub fn timeline(&mut self, device: usize, patient: PatientId) -> Vec<EntryRow> {
        self.run(device, |client| async move {
            let view = client.open_patient(patient, "test").await?;
            let (mut rows, mut after) = (Vec::new(), None);
            loop {
                let request = PageRequest {
                    limit: Some(500),
                    after,
                };
                let page = view.timeline(EntryFilter::default(), request).await?;
                rows.extend(page.rows);
                after = page.next;
                if after.is_none() {
                    return Ok::<_, vereda_core::error::SyncError>(rows);
                }
            }
        })
        .expect("a timeline")
    }

    /// The texts of a patient's timeline, oldest first.
    pub fn texts(&mut self, device: usize, patient: PatientId) -> Vec<String> {
        let mut texts: Vec<String> = self
            .timeline(device, patient)
            .into_iter()
            .map(|row| row.text.0)
            .collect();
        texts.reverse();
        texts
    }
}

pub(crate) fn serve(
    server: Option<&Server>,
    clock: &TestClock,
    entropy: &mut SeededEntropy,
    request: &HttpRequest,
) -> Reply {
    let Some(server) = server else {
        return Reply {
            status: 502,
            ..Reply::default()
        };
    };
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
        ms: clock.now().wall_ms,
    };
    let mut answer = pin!(server.handle(now, entropy, request));
    // With the embedded store the server never pends.
    let Poll::Ready(answer) = answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("the server pends");
    };
    Reply {
        status: answer.status,
        content_type: answer.content_type.to_owned(),
        retry_after: answer.retry_after.map(|seconds| seconds.to_string()),
        body: answer.body,
    }
}

/// Memory where there is a file system of it: the tests do many commits.
fn fast_folder() -> PathBuf {
    let shared_memory = Path::new("/dev/shm");
    if shared_memory.is_dir() {
        shared_memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}
