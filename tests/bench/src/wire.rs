//! Bytes on the wire: the real server over loopback HTTP, counted by a relay between it and the devices, heads and
//! bodies, both directions.

use crate::clinic::{KEY, Time, fill};
use crate::figure::Figure;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vereda_core::client::SyncEnd;
use vereda_core::platform::native::{HttpTransport, OpenOptions, OpenStore, SystemEntropy, open};
use vereda_data::PatientEntry;
use vereda_server::admin::Administration;
use vereda_server::net::{ServeConfig, Transport, serve};
use vereda_server::{Limits, Role, ServerKeys, ServerOptions};

/// What went through the relay.
#[derive(Default)]
struct Counted {
    up: AtomicU64,
    down: AtomicU64,
    requests: AtomicU64,
}

impl Counted {
    fn take(&self) -> (u64, u64, u64) {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::SeqCst);
        (take(&self.up), take(&self.down), take(&self.requests))
    }
}

async fn relay(to: std::net::SocketAddr, counted: Arc<Counted>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.expect("the server");
            let (near_in, near_out) = near.into_split();
            let (far_in, far_out) = far.into_split();
            tokio::spawn(pump(near_in, far_out, counted.clone(), true));
            tokio::spawn(pump(far_in, near_out, counted.clone(), false));
        }
    });
    address
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    counted: Arc<Counted>,
    up: bool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        if up {
            counted.up.fetch_add(count as u64, Ordering::SeqCst);
            if buffer[..count].starts_with(b"POST ") {
                counted.requests.fetch_add(1, Ordering::SeqCst);
            }
        } else {
            counted.down.fetch_add(count as u64, Ordering::SeqCst);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

async fn sync(store: &OpenStore) {
    let end = store.sync_once(600_000).await.expect("a round");
    assert_eq!(end, SyncEnd::Done);
}

/// Imports, single writes, and a round with nothing new.
pub(crate) async fn run(writes: u32, imported: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = ServerKeys::generate(&mut SystemEntropy);
    let path = folder.path().join("server.db");
    let mut admin = Administration::open(&path, &keys, &mut SystemEntropy).expect("a store");
    admin
        .create_tenant(&mut SystemEntropy, "bench")
        .expect("a tenant");
    admin
        .create_unit(&mut SystemEntropy, None, "unit")
        .expect("a unit");
    admin
        .put_user(&mut SystemEntropy, None, "user", Role::Clinician, &["unit"])
        .expect("a user");
    let code = admin
        .enrolment_code(&mut SystemEntropy, None, "user", i64::MAX >> 1, None)
        .expect("a code");
    let most = (u32::MAX, u32::MAX);
    let options = ServerOptions {
        limits: Limits {
            device: most,
            user: most,
            address: most,
        },
        ..ServerOptions::default()
    };
    let listen = "127.0.0.1:0".parse().expect("an address");
    let config = ServeConfig {
        store: path,
        keys,
        listen,
        transport: Transport::Plain,
        backup_to: None,
        options,
    };
    let server = serve(config).await.expect("the server runs");
    let counted = Arc::new(Counted::default());
    let address = relay(server.address, counted.clone()).await;
    let time = Time(Arc::new(AtomicI64::new(0)));
    let transport = Arc::new(HttpTransport::default());
    let device = OpenOptions::file(folder.path().join("device.db"), KEY)
        .transport(transport)
        .clock(Arc::new(time.clone()));
    let store = open(device).expect("the store opens");
    store
        .enrol(&format!("http://{address}"), &code, "bench")
        .await
        .expect("it enrols");

    fill(store.client(), 1, imported).await;
    counted.take();
    sync(&store).await;
    let (up, down, requests) = counted.take();
    println!(
        "{}",
        serde_json::json!({"imports": imported, "bytes_up": up, "bytes_down": down, "requests": requests})
    );
    Figure {
        name: "push of imports, bytes on the wire per entry",
        value: (up + down) as f64 / f64::from(imported),
        unit: "bytes",
        goal: Some(("<=", 60.0)),
        floor: None,
    }
    .print();

    for (patient, record) in vereda_data::patients(2, writes.div_ceil(100)) {
        store
            .patients()
            .register_as(Some(patient), record)
            .await
            .expect("a patient");
    }
    sync(&store).await;
    for PatientEntry { patient, entry, .. } in
        vereda_data::entries(2, writes.div_ceil(100), 100).take(writes as usize)
    {
        store.timeline().add(patient, entry).await.expect("a write");
    }
    counted.take();
    sync(&store).await;
    let (up, down, requests) = counted.take();
    println!(
        "{}",
        serde_json::json!({"writes": writes, "bytes_up": up, "bytes_down": down, "requests": requests})
    );
    Figure {
        name: "push of single writes, bytes on the wire per entry",
        value: (up + down) as f64 / f64::from(writes),
        unit: "bytes",
        goal: Some(("<=", 80.0)),
        floor: None,
    }
    .print();

    sync(&store).await;
    for (name, added) in [
        ("round with nothing new", 0),
        ("round with nothing new, access token at its end", 20 * 60_000),
    ] {
        counted.take();
        time.0.fetch_add(added, Ordering::Relaxed);
        sync(&store).await;
        let (up, down, requests) = counted.take();
        println!(
            "{}",
            serde_json::json!({"round": name, "bytes_up": up, "bytes_down": down})
        );
        let label = format!("{name}, bytes");
        Figure {
            name: &label,
            value: (up + down) as f64,
            unit: "bytes",
            goal: Some(("<=", 500.0)),
            floor: None,
        }
        .print();
        let label = format!("{name}, requests");
        Figure {
            name: &label,
            value: requests as f64,
            unit: "requests",
            goal: Some(("<=", 1.0)),
            floor: None,
        }
        .print();
    }
    drop(store);
    server.shutdown().await;
}
