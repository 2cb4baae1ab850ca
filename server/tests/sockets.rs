//! The same server behind real sockets: small heads, TLS under an authority of its own, pokes, limits.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use support::{Clinic, Device, poll_once};
use vereda_core::protocol::{Encoding, SyncAnswer, decode_body, encode_body};
use vereda_server::{RunningServer, ServeConfig, ServeError, ServerOptions, Transport, serve};

/// What the server answers to real devices needs its real time: tokens are issued by it.
fn serve_clinic(clinic: &mut Clinic, transport: Transport) -> (tokio::runtime::Runtime, RunningServer) {
    clinic.now_ms = vereda_server::net::server_now().ms;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let config = ServeConfig {
        store: clinic.path(),
        keys: clinic.keys.clone(),
        listen: "127.0.0.1:0".parse().unwrap(),
        transport,
        backup_to: None,
        options: ServerOptions::default(),
    };
    let running = runtime.block_on(serve(config)).unwrap();
    (runtime, running)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// One answer off a connection: head and body.
fn read_answer(stream: &mut impl Read) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map(str::to_owned)
        })
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, body)
}

fn sync_request(device: &Device, address: SocketAddr) -> Vec<u8> {
    let body = encode_body(&device.request(vec![]), Encoding::Vereda);
    // Where the refresh token travels, the access token need not.
    let authorization = if device.send_refresh {
        String::new()
    } else {
        format!("authorization: {}\r\n", device.authorization().unwrap())
    };
    let mut bytes = format!(
        "POST /v1/sync HTTP/1.1\r\n{authorization}content-type: application/vereda\r\naccept: */*\r\nhost: {address}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend(body);
    bytes
}

#[test]
fn an_idle_sync_with_expired_tokens_fits_into_500_bytes_both_ways_together() {
    let mut clinic = Clinic::new();
    let (runtime, running) = serve_clinic(&mut clinic, Transport::Plain);
    let mut device = clinic.device("ana");
    device.push_many(&clinic, 3);
    let mut stream = connect(running.address);
    for refresh in [false, true] {
        device.send_refresh = refresh;
        let request = sync_request(&device, running.address);
        stream.write_all(&request).unwrap();
        let (head, body) = read_answer(&mut stream);
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let answer: SyncAnswer = decode_body(&body, Encoding::Vereda).unwrap();
        assert_eq!(answer.tokens.is_some(), refresh);
        let (up, down) = (request.len(), head.len() + body.len());
        println!("idle, refresh {refresh}: {up} up, {down} down");
        assert!(up + down <= 500, "{up} up, {down} down");
    }
    runtime.block_on(running.shutdown());
}

#[test]
fn plain_http_beyond_loopback_is_not_served() {
    let clinic = Clinic::new();
    let config = ServeConfig {
        store: clinic.path(),
        keys: clinic.keys.clone(),
        listen: "0.0.0.0:0".parse().unwrap(),
        transport: Transport::Plain,
        backup_to: None,
        options: ServerOptions::default(),
    };
    let refused = poll_once(serve(config));
    assert!(matches!(refused, Err(ServeError::PlainBeyondLoopback)));
}

#[test]
fn a_body_over_the_limit_and_a_path_that_is_not_there_are_problems() {
    let mut clinic = Clinic::new();
    let (runtime, running) = serve_clinic(&mut clinic, Transport::Plain);
    let ask = |text: &str| {
        let mut stream = connect(running.address);
        stream.write_all(text.as_bytes()).unwrap();
        let (head, body) = read_answer(&mut stream);
        assert!(head.contains("application/problem+json"), "{head}");
        let problem: vereda_core::protocol::Problem = serde_json::from_slice(&body).unwrap();
        (problem.status, problem.code)
    };
    let large = "POST /v1/sync HTTP/1.1\r\nhost: x\r\ncontent-type: application/vereda\r\ncontent-length: 99999999\r\n\r\n";
    assert_eq!(ask(large), (413, "too_large".into()));
    assert_eq!(
        ask("GET /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n"),
        (404, "not_found".into())
    );
    assert_eq!(
        ask("GET /v1/live HTTP/1.1\r\nhost: x\r\n\r\n"),
        (401, "unauthenticated".into())
    );
    runtime.block_on(running.shutdown());
}

#[test]
fn a_listener_is_poked_when_a_stream_of_its_scope_grows() {
    let mut clinic = Clinic::new();
    let (runtime, running) = serve_clinic(&mut clinic, Transport::Plain);
    let (mut ana, bia) = (clinic.device("ana"), clinic.device("bia"));
    let mut listener = connect(running.address);
    let ask = format!(
        "GET /v1/live HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\n\r\n",
        bia.authorization().unwrap()
    );
    listener.write_all(ask.as_bytes()).unwrap();
    let mut heard = String::new();
    let mut listen_for = |wanted: &str| {
        let mut bytes = [0; 1024];
        while !heard.contains(wanted) {
            let count = listener.read(&mut bytes).unwrap();
            assert!(count > 0, "closed: {heard}");
            heard.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    };
    listen_for(": listening");
    let register = ana.register("Maria");
    let push = ana.encode(&[register]);
    let body = encode_body(&ana.request(push), Encoding::Vereda);
    let mut stream = connect(running.address);
    let head = format!(
        "POST /v1/sync HTTP/1.1\r\nhost: x\r\nauthorization: {}\r\ncontent-type: application/vereda\r\ncontent-length: {}\r\n\r\n",
        ana.authorization().unwrap(),
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    assert!(read_answer(&mut stream).0.starts_with("HTTP/1.1 200"));
    listen_for("\"compartment\":\"identity\"},\"seq\":1}");
    runtime.block_on(running.shutdown());
}

#[test]
fn tls_under_our_own_authority_is_trusted_by_its_fingerprint() {
    use sha2::Digest;
    use std::sync::Arc;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
    let mut clinic = Clinic::new();
    let folder = clinic.folder.path().join("tls");
    let fingerprint = vereda_server::net::tls::make_authority(&folder).unwrap();
    let transport = Transport::TlsSelf {
        folder: folder.clone(),
        names: vec![],
    };
    let (runtime, running) = serve_clinic(&mut clinic, transport);
    assert_eq!(
        vereda_server::net::tls::authority_fingerprint(&folder),
        Some(fingerprint)
    );
    let authority = std::fs::read(folder.join("authority.der")).unwrap();
    assert_eq!(<[u8; 32]>::from(sha2::Sha256::digest(&authority)), fingerprint);
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(authority)).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = connect(running.address);
    let mut stream = Stream::new(&mut session, &mut socket);
    stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    let (head, body) = read_answer(&mut stream);
    assert!(head.starts_with("HTTP/1.1 200"));
    assert_eq!(body, b"{\"status\":\"ready\",\"backup\":\"no_backup\"}\n");
    let chain = session.peer_certificates().unwrap();
    assert!(
        chain
            .iter()
            .any(|der| <[u8; 32]>::from(sha2::Sha256::digest(der)) == fingerprint)
    );
    runtime.block_on(running.shutdown());
}
