//! What the program logs at its finest: lines by which a device's request is found at the server, and never a name,
//! a note, a key or a token.

mod support;

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Output;
use std::sync::{Arc, Mutex};
use support::{Clinic, Device};
use vereda_core::protocol::{Encoding, EnrolAnswer, decode_body};

const NAME: &str = "Zenobia Plantada Quixaba";
const NOTE: &str = "palavra plantada xilofonista";

/// Passes everything on to the server, and keeps what the server answered.
struct Wiretap {
    url: String,
    answers: Arc<Mutex<Vec<u8>>>,
}

impl Wiretap {
    fn before(server: &str) -> Self {
        let upstream = server.strip_prefix("http://").expect("plain http").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let answers = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&answers);
        std::thread::spawn(move || {
            for device in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(&upstream) else {
                    return;
                };
                let (from, to) = (device.try_clone(), server.try_clone());
                let (Ok(from), Ok(to)) = (from, to) else { return };
                std::thread::spawn(move || pass(from, to, |_| {}));
                let heard = Arc::clone(&heard);
                std::thread::spawn(move || {
                    pass(server, device, |bytes| {
                        heard.lock().expect("a lock").extend_from_slice(bytes);
                    });
                });
            }
        });
        Self { url, answers }
    }

    /// The tokens of the first answer, as they could be printed.
    fn tokens(&self) -> Vec<Vec<u8>> {
        let heard = self.answers.lock().expect("a lock").clone();
        let body = heard.windows(4).position(|it| it == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8_lossy(&heard[..body]).to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).expect("a length");
        let length: usize = length
            .split("\r\n")
            .next()
            .expect("a line")
            .parse()
            .expect("a number");
        let answer: EnrolAnswer =
            decode_body(&heard[body..body + length], Encoding::Vereda).expect("an answer");
        [&answer.tokens.access, &answer.tokens.refresh]
            .map(|token| token.0.clone())
            .to_vec()
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut hear: impl FnMut(&[u8])) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        hear(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// Everything a device says on stderr at the finest level.
struct Told<'a> {
    device: Device<'a>,
    stderr: Vec<u8>,
}

impl Told<'_> {
    fn run(&mut self, arguments: &[&str]) -> Output {
        let output = self.device.run(&[&["--log", "trace"], arguments].concat());
        self.stderr.extend_from_slice(&output.stderr);
        output
    }

    fn correlations(&self) -> BTreeSet<String> {
        let lines = self.stderr.split(|byte| *byte == b'\n');
        lines
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
            .filter(|line| line["message"] == "asked")
            .map(|line| line["correlation"].as_str().expect("an id").to_owned())
            .collect()
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// How bytes are printed, by any of the ways at hand.
fn printed(bytes: &[u8]) -> Vec<Vec<u8>> {
    use base64::Engine as _;
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
    vec![
        bytes.to_vec(),
        hex::encode(bytes).into_bytes(),
        hex::encode_upper(bytes).into_bytes(),
        BASE64_STANDARD.encode(bytes).into_bytes(),
        BASE64_URL_SAFE_NO_PAD.encode(bytes).into_bytes(),
        format!("{bytes:?}").into_bytes(),
    ]
}

fn keys(clinic: &Clinic) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    for file in std::fs::read_dir(clinic.keys().join("vereda")).expect("a folder") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        let words = text.split(|character: char| !character.is_ascii_hexdigit());
        keys.extend(
            words
                .filter(|word| word.len() == 64)
                .map(|word| hex::decode(word).expect("hex")),
        );
    }
    keys
}

#[test]
fn s5_the_finest_log_of_server_and_device_names_requests_and_no_person_note_key_or_token() {
    let clinic = Clinic::new();
    let server = clinic.serve_with(&["--listen", "127.0.0.1:0", "--log", "trace"]);
    let wiretap = Wiretap::before(&server.url);
    let code = clinic.code("Ana", &[]);
    let mut ana = Told {
        device: clinic.device("ana"),
        stderr: Vec::new(),
    };
    assert!(
        ana.run(&["enrol", "--server", &wiretap.url, "--code", &code])
            .status
            .success()
    );
    let registered = ana.run(&["patient", "add", "--name", NAME]);
    let registered: Value = serde_json::from_slice(&registered.stdout).expect("a document");
    let patient = registered["id"].as_str().expect("an id").to_owned();
    for arguments in [
        &["event", "add", "--patient", &patient, "--text", NOTE][..],
        &[
            "event",
            "add",
            "--patient",
            &patient,
            "--text",
            NOTE,
            "--kind",
            NOTE,
        ],
        &["event", "add", "--patient", NAME, "--text", NOTE],
        &["patient", "list", "--search", NAME],
        &["sync"],
        &["sync", NOTE],
        &["timeline", "--patient", &patient, "--search", NOTE],
    ] {
        ana.run(arguments);
    }
    clinic.admin(&["revoke", "1"]);
    let refused = ana.run(&["sync"]);
    assert_eq!(refused.status.code(), Some(1));

    let lines = server.log();
    assert!(
        lines.iter().all(|line| line["level"].is_string()),
        "every line is a log line"
    );
    let named = |message: &str| -> BTreeSet<String> {
        let lines = lines.iter().filter(|line| line["message"] == message);
        lines
            .map(|line| line["span"]["correlation"].as_str().expect("an id").to_owned())
            .collect()
    };
    let asked = ana.correlations();
    assert!(named("synchronised").is_subset(&asked) && !named("synchronised").is_empty());
    assert!(
        !named("refused").is_disjoint(&asked),
        "the revoked device's request is found again"
    );

    let mut log = std::fs::read(clinic.path().join("server.log")).expect("a log");
    log.extend_from_slice(&ana.stderr);
    let mut planted: Vec<Vec<u8>> = [NAME, "Plantada", NOTE, "xilofonista", &code]
        .map(|it| it.as_bytes().to_vec())
        .to_vec();
    let secrets = [wiretap.tokens(), keys(&clinic)].concat();
    assert!(
        secrets.len() >= 2 + 1 + 4,
        "tokens, the device's key and the server's keys"
    );
    planted.extend(secrets.iter().flat_map(|secret| printed(secret)));
    for planted in planted {
        assert!(!contains(&log, &planted), "{}", String::from_utf8_lossy(&planted));
    }
}

#[test]
fn what_is_told_is_chosen_and_a_level_that_is_none_is_wrong_use() {
    let clinic = Clinic::new();
    let server = clinic.serve_with(&["--listen", "127.0.0.1:0", "--log", "warn"]);
    let ana = clinic.enrolled(&server, "ana", "Ana");
    assert!(
        ana.run(&["sync"]).stderr.is_empty(),
        "a device tells nothing of an ordinary day"
    );
    assert_eq!(server.log(), Vec::<Value>::new());
    let verbose = ana.run(&["--verbose", "--log-format", "text", "sync"]);
    let told = String::from_utf8(verbose.stderr).expect("text");
    assert!(
        told.lines()
            .all(|line| line.contains("DEBUG") && line.contains("correlation=")),
        "{told}"
    );
    for level in ["loud", "info,loud", "vereda=loud"] {
        assert_eq!(
            ana.refused(&["--log", level, "status"]),
            (2, "wrong_use".to_owned()),
            "{level}"
        );
    }
}
