//! What lies between device and server: certificates from files, an authority of the server's own, a proxy.

mod support;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use support::{Clinic, Device};

/// A certificate for this machine under an authority that nobody knows, in files.
struct Files {
    chain: String,
    key: String,
}

fn write(path: PathBuf, content: &str) -> String {
    std::fs::write(&path, content).expect("a file");
    path.display().to_string()
}

fn certificate(folder: &Path, name: &str) -> Files {
    let names = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        CertificateParams::new(names).expect("names")
    };
    let authority_key = KeyPair::generate().expect("a key");
    let mut parameters = names(&[]);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).expect("an authority");
    let issuer = Issuer::new(parameters, authority_key);
    let key = KeyPair::generate().expect("a key");
    let leaf = names(&["localhost", "127.0.0.1"])
        .signed_by(&key, &issuer)
        .expect("a certificate");
    Files {
        chain: write(
            folder.join(format!("{name}.pem")),
            &format!("{}{}", leaf.pem(), authority.pem()),
        ),
        key: write(folder.join(format!("{name}.key")), &key.serialize_pem()),
    }
}

/// What one device writes the other one reads.
fn assert_in_touch(one: &Device<'_>, other: &Device<'_>) {
    let patient = one.patient("José da Silva");
    one.ask(&["event", "add", "--patient", &patient, "--text", "por https"]);
    one.ask(&["sync"]);
    other.ask(&["sync"]);
    assert_eq!(one.entries(&patient), other.entries(&patient));
    assert_eq!(other.entries(&patient).len(), 1);
}

const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];

#[test]
fn devices_enrol_and_synchronise_under_a_certificate_from_files() {
    let clinic = Clinic::new();
    let files = certificate(clinic.path(), "clinic");
    let tls = ["--tls-cert", &files.chain, "--tls-key", &files.key];
    let server = clinic.serve_with(&[&ANY_PORT[..], &tls].concat());
    assert!(server.url.starts_with("https://127.0.0.1:"));
    let pinned = ["--tls-authority", &*files.chain];
    let ana = clinic.enrolled_with(&server.url, "ana", "Ana", &pinned);
    let bruno = clinic.enrolled_with(&server.url, "bruno", "Bruno", &pinned);
    assert_in_touch(&ana, &bruno);
    // Without the authority in its code a device trusts the public ones alone.
    let stranger = clinic.device("stranger");
    let code = clinic.code("Ana", &[]);
    let refused = stranger.refused(&["enrol", "--server", &server.url, "--code", &code]);
    assert_eq!(refused, (1, "server_key_mismatch".to_owned()));
    // Under another authority of the same name neither side goes on.
    let other = certificate(clinic.path(), "other");
    let listen = server.url.strip_prefix("https://").expect("https").to_owned();
    drop(server);
    let tls = [
        "--listen",
        &listen,
        "--tls-cert",
        &other.chain,
        "--tls-key",
        &other.key,
    ];
    let _impostor = clinic.serve_with(&tls);
    let output = ana.run(&["sync"]);
    assert_eq!(
        output.status.code(),
        Some(4),
        "no contact with the server it knows"
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("server_key_mismatch"));
}

#[test]
fn devices_enrol_and_synchronise_under_the_servers_own_authority() {
    let clinic = Clinic::new();
    let server = clinic.serve_with(&[&ANY_PORT[..], &["--tls-self", "--tls-name", "server.clinic"]].concat());
    assert!(server.url.starts_with("https://"));
    let ana = clinic.enrolled_with(&server.url, "ana", "Ana", &["--tls-self"]);
    let bruno = clinic.enrolled_with(&server.url, "bruno", "Bruno", &["--tls-self"]);
    assert_in_touch(&ana, &bruno);
    // A new leaf at each start, under the authority that was pinned.
    let listen = server.url.strip_prefix("https://").expect("https").to_owned();
    drop(server);
    let _again = clinic.serve_with(&["--listen", &listen, "--tls-self"]);
    assert_in_touch(&bruno, &ana);
}

/// One answer to a request as a proxy passes it on.
fn proxied(address: &str, forwarded_for: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let head = format!(
        "GET /health/live HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {forwarded_for}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn behind_a_proxy_the_server_speaks_plain_http_wherever_it_listens() {
    let clinic = Clinic::new();
    let server = clinic.serve_with(&["--listen", "0.0.0.0:0", "--behind-proxy"]);
    assert!(server.url.starts_with("http://0.0.0.0:"));
    let port = server.url.rsplit(':').next().expect("a port");
    let address = format!("127.0.0.1:{port}");
    assert!(proxied(&address, "203.0.113.7, 10.0.0.1").starts_with("HTTP/1.1 200"));
    // TLS ends at the proxy: a handshake is no request.
    let mut stream = TcpStream::connect(&address).expect("a connection");
    stream
        .write_all(&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3])
        .expect("it is sent");
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(&[0x16]) && !answer.starts_with(b"HTTP/1.1 200"));
    // A device on the same machine may talk to it directly; from another one it would not.
    let ana = clinic.enrolled_with(&format!("http://{address}"), "ana", "Ana", &[]);
    ana.ask(&["sync"]);
    let stranger = clinic.device("stranger");
    for url in [
        &server.url,
        "http://clinic.example:8443",
        "http://127.0.0.1.evil.example",
    ] {
        let code = clinic.code("Ana", &[]);
        let refused = stranger.refused(&["enrol", "--server", url, "--code", &code]);
        assert_eq!(refused, (3, "address_refused".to_owned()), "{url}");
    }
}

#[test]
fn a_server_that_cannot_be_trusted_does_not_start() {
    let clinic = Clinic::new();
    let (good, other) = (
        certificate(clinic.path(), "good"),
        certificate(clinic.path(), "other"),
    );
    let broken = write(
        clinic.path().join("broken.pem"),
        "-----BEGIN CERTIFICATE-----\nnão\n",
    );
    let missing = clinic.path().join("missing.pem").display().to_string();
    let store = clinic.store();
    let started = |arguments: &[&str]| {
        let serve = ["serve", "--json", "--store", &store];
        let output = clinic
            .command(&[&serve[..], arguments].concat())
            .output()
            .expect("it ends");
        assert!(output.stdout.is_empty(), "nothing listens");
        let said: serde_json::Value = serde_json::from_slice(&output.stderr).expect("an error");
        let code = said["error"]["code"].as_str().expect("a code").to_owned();
        (output.status.code(), code)
    };
    let unreadable = || (Some(2), "file_unreadable".to_owned());
    let wrong_use = || (Some(2), "wrong_use".to_owned());
    for (chain, key, ending) in [
        (&missing, &good.key, unreadable()),
        (&broken, &good.key, unreadable()),
        (&good.key, &good.key, unreadable()),
        (&good.chain, &missing, unreadable()),
        (&good.chain, &broken, unreadable()),
        (&good.chain, &other.key, wrong_use()),
    ] {
        assert_eq!(
            started(&["--tls-cert", chain, "--tls-key", key]),
            ending,
            "{chain} {key}"
        );
    }
    assert_eq!(started(&["--tls-cert", &good.chain]), wrong_use());
    assert_eq!(started(&["--behind-proxy", "--tls-self"]), wrong_use());
    assert_eq!(started(&["--listen", "somewhere"]), wrong_use());
    let plain_beyond = started(&["--listen", "0.0.0.0:0"]);
    assert_eq!(plain_beyond, (Some(3), "address_refused".to_owned()));
    let running = clinic.serve();
    let taken = running.url.strip_prefix("http://").expect("http").to_owned();
    assert_eq!(started(&["--listen", &taken]), wrong_use());
}
