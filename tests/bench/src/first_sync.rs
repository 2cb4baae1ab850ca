//! First sync of a new device: until the timeline can be queried, and until the documents are here; its bytes, and what
//! interruptions add to them.

use crate::clinic::{Clinic, KEY, fill};
use crate::figure::Figure;
use crate::measure::{processor_seconds, seconds};
use crate::{floor, measure};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use vereda_core::client::{Transport, TransportFuture};
use vereda_core::engine::HttpRequest;
use vereda_core::id::PatientId;
use vereda_core::platform::native::{HttpTransport, OpenOptions, open};
use vereda_server::net::{RunningServer, ServeConfig};
use vereda_server::{Limits, ServerKeys, ServerOptions};

/// When every row was here.
#[derive(Clone, Copy)]
struct RowsIn {
    at: f64,
    processor_at: f64,
    bytes: u64,
}

/// Counts bodies and notes when the first document is asked for: then every row is here and the log is read.
struct Watched<T> {
    inner: T,
    bytes: AtomicU64,
    requests: AtomicU64,
    rows_in: Mutex<Option<RowsIn>>,
    /// Replies with bytes of segments that are still to be cut in their middle.
    cuts: AtomicU64,
}

impl<T> Watched<T> {
    fn new(inner: T, cuts: u64) -> Arc<Self> {
        Arc::new(Self {
            inner,
            bytes: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            rows_in: Mutex::new(None),
            cuts: AtomicU64::new(cuts),
        })
    }
}

struct Shared<T>(Arc<Watched<T>>);

impl<T: Transport + 'static> Transport for Shared<T> {
    fn send(&self, request: HttpRequest) -> TransportFuture {
        let watched = self.0.clone();
        let is_piece = request.path == "/v1/segment";
        if request.path == "/v1/documents" {
            let mut rows_in = watched.rows_in.lock().expect("no panic");
            if rows_in.is_none() {
                *rows_in = Some(RowsIn {
                    at: seconds(),
                    processor_at: processor_seconds(),
                    bytes: watched.bytes.load(Ordering::SeqCst),
                });
            }
        }
        watched.requests.fetch_add(1, Ordering::SeqCst);
        watched
            .bytes
            .fetch_add(request.body.len() as u64, Ordering::SeqCst);
        let sent = watched.inner.send(request);
        Box::pin(async move {
            let mut reply = sent.await?;
            let take = |left: u64| left.checked_sub(1);
            if is_piece
                && reply.body.len() > 4_096
                && watched
                    .cuts
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, take)
                    .is_ok()
            {
                let half = reply.body.len() / 2;
                reply.body.truncate(half);
            }
            watched.bytes.fetch_add(reply.body.len() as u64, Ordering::SeqCst);
            Ok(reply)
        })
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Round {
    rows_seconds: f64,
    /// Of the process the device is in.
    rows_processor_seconds: f64,
    rows_bytes: u64,
    all_seconds: f64,
    all_bytes: u64,
    requests: u64,
    /// Of the process that is the device, where it is one.
    peak_megabytes: f64,
}

async fn first_sync<T: Transport + 'static>(
    path: &Path,
    code: &str,
    address: &str,
    transport: T,
    cuts: u64,
) -> Round {
    let watched = Watched::new(transport, cuts);
    let options = OpenOptions::file(path, KEY).transport(Arc::new(Shared(watched.clone())));
    let device = open(options).expect("the store opens");
    device
        .enrol(address, code, "bench")
        .await
        .expect("the device enrols");
    watched.bytes.store(0, Ordering::SeqCst);
    let (started, processor_started) = (seconds(), processor_seconds());
    let end = device.sync_once(3_600_000).await.expect("a round");
    assert_eq!(end, vereda_core::client::SyncEnd::Done);
    let rows_in = watched
        .rows_in
        .lock()
        .expect("no panic")
        .expect("documents were asked for");
    Round {
        rows_seconds: rows_in.at - started,
        rows_processor_seconds: rows_in.processor_at - processor_started,
        rows_bytes: rows_in.bytes,
        all_seconds: seconds() - started,
        all_bytes: watched.bytes.load(Ordering::SeqCst),
        requests: watched.requests.load(Ordering::SeqCst),
        peak_megabytes: measure::peak_megabytes(),
    }
}

/// First syncs at a size, in process or over loopback HTTP.
pub(crate) async fn run(entries: u32, http: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let (clinic, mut code) = Clinic::start(folder.path());
    let filler = clinic
        .device(
            &folder.path().join("filler.db"),
            &code("filler"),
            "http://localhost",
            Arc::new(clinic.clone()),
        )
        .await;
    let (patients, _) = fill(filler.client(), 7, entries).await;
    filler.sync_once(3_600_000).await.expect("a round");
    drop(filler);
    let running = if http {
        Some(serve_http(&clinic).await)
    } else {
        None
    };
    let rate = |round: &Round| f64::from(entries) / round.rows_seconds;
    let place = if http { "over loopback HTTP" } else { "in process" };
    let goal = f64::from(if http { 50_000 } else { 100_000 }) * if entries >= 1_000_000 { 0.7 } else { 1.0 };
    let mut rounds = Vec::new();
    for (name, cuts) in [("cold", 0), ("warm", 0), ("cut", 20)] {
        let path = folder.path().join(format!("{name}.db"));
        let code = code(name);
        rounds.push(match &running {
            Some(running) => in_a_process(&path, &running.url, &code, cuts).await,
            None => first_sync(&path, &code, "http://localhost", clinic.clone(), cuts).await,
        });
    }
    let [cold, warm, cut] = rounds.as_slice() else {
        return;
    };
    let floor = floor::in_order(&folder.path().join("warm.db"), &folder.path().join("floor.db"));
    let figure = |name: String, value: f64, unit: &str, goal: Option<(&str, f64)>, floor: Option<f64>| {
        Figure {
            name: &name,
            value,
            unit,
            goal,
            floor,
        }
        .print();
    };
    let per_second = f64::from(entries) / floor.seconds;
    let what = format!("first sync of {entries} entries {place}");
    figure(
        format!("{what}, entries/s"),
        rate(warm),
        "entries/s",
        Some((">=", goal)),
        Some(per_second),
    );
    figure(
        format!("{what}, the server has built nothing"),
        rate(cold),
        "entries/s",
        None,
        Some(per_second),
    );
    let each = |bytes: u64| bytes as f64 / f64::from(entries);
    figure(
        format!("{what}, bytes per entry"),
        each(warm.rows_bytes),
        "bytes",
        Some(("<=", 60.0)),
        None,
    );
    let behind = warm.all_bytes - warm.rows_bytes;
    figure(
        format!("{what}, documents behind, bytes per entry"),
        each(behind),
        "bytes",
        Some(("<=", 90.0)),
        None,
    );
    figure(
        format!("{what}, until all documents are here"),
        warm.all_seconds,
        "s",
        None,
        None,
    );
    figure(
        format!("{what}, requests"),
        warm.requests as f64,
        "requests",
        None,
        None,
    );
    let more = 100.0 * (cut.rows_bytes as f64 / warm.rows_bytes as f64 - 1.0);
    figure(
        format!("{what}, cut 20 times, more bytes"),
        more,
        "%",
        Some(("<=", 5.0)),
        None,
    );
    today(&clinic, folder.path(), &code("today"), patients).await;
    if http {
        let goal = Some(("<=", 100.0));
        let each = |seconds: f64| seconds * 1e6 / f64::from(entries);
        figure(
            format!("{what}, processor time of the device for each"),
            each(warm.rows_processor_seconds),
            "µs",
            None,
            Some(each(floor.processor_seconds)),
        );
        figure(
            format!("{what}, peak memory"),
            warm.peak_megabytes,
            "MB",
            goal,
            None,
        );
    }
    if let Some(running) = running {
        running.shutdown().await;
    }
}

async fn serve_http(clinic: &Clinic) -> RunningServer {
    let most = (u32::MAX, u32::MAX);
    let limits = Limits {
        device: most,
        user: most,
        address: most,
    };
    let config = ServeConfig {
        store: clinic.path.clone(),
        keys: ServerKeys::clone(&clinic.keys),
        listen: "127.0.0.1:0".parse().expect("an address"),
        transport: vereda_server::net::Transport::Plain,
        backup_to: None,
        options: ServerOptions {
            limits,
            segments_from_bytes: 1,
        },
    };
    vereda_server::net::serve(config).await.expect("the server runs")
}

async fn in_a_process(store: &Path, server: &str, code: &str, cuts: u64) -> Round {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("first-sync-device").arg("--store").arg(store);
    command.args(["--server", server, "--code", code, "--cuts", &cuts.to_string()]);
    let output = tokio::task::spawn_blocking(move || command.output().expect("it runs"))
        .await
        .expect("it ends");
    serde_json::from_slice(&output.stdout).expect("its figures")
}

/// A first sync over HTTP, and its figures as JSON.
pub(crate) async fn device(store: &Path, server: &str, code: &str, cuts: u64) {
    let round = first_sync(store, code, server, HttpTransport::default(), cuts).await;
    println!("{}", serde_json::to_string(&round).expect("JSON"));
}

/// The patients of a day, named by a device that has nothing yet.
async fn today(clinic: &Clinic, folder: &Path, code: &str, patients: Vec<PatientId>) {
    let device = clinic
        .device(
            &folder.join("today.db"),
            code,
            "http://localhost",
            Arc::new(clinic.clone()),
        )
        .await;
    let started = seconds();
    let named = patients.into_iter().take(50).collect();
    device.snapshot(named).await.expect("a snapshot");
    Figure {
        name: "50 named patients usable",
        value: seconds() - started,
        unit: "s",
        goal: Some(("<=", 1.0)),
        floor: None,
    }
    .print();
}
