//! Real processes, killed without warning in the middle of writing and of synchronising: what was acknowledged is
//! there, once. And several processes on one store, and the files as they lie on the disk.

mod support;

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use support::{Clinic, Device};

const ROUNDS: usize = 25;

/// A process that adds a note for each line it is given, and what it acknowledged so far.
struct Writer {
    process: Child,
    acknowledged: mpsc::Receiver<String>,
}

impl Writer {
    /// Starts writing notes with these texts.
    fn start(device: &Device<'_>, patient: &str, texts: Vec<String>) -> Self {
        let mut process = device
            .command(&["event", "add", "--patient", patient, "--lines"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut input = process.stdin.take().expect("it is piped");
        std::thread::spawn(move || {
            for text in texts {
                // A killed process reads no more.
                if writeln!(input, "{text}").is_err() {
                    return;
                }
            }
        });
        let output = process.stdout.take().expect("it is piped");
        let (sender, acknowledged) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // A line that was cut by the kill acknowledges nothing.
                let saved: Option<Value> = serde_json::from_str(&line).ok();
                if let Some(entry) = saved.as_ref().and_then(|saved| saved["entry"].as_str()) {
                    let _ = sender.send(entry.to_owned());
                }
            }
        });
        Self {
            process,
            acknowledged,
        }
    }

    /// Kills it once it has acknowledged so many (SIGKILL), and gives everything it acknowledged.
    fn kill_after(mut self, count: usize) -> Vec<String> {
        let mut entries: Vec<String> = self.acknowledged.iter().take(count).collect();
        self.process.kill().expect("it is running or over");
        self.process.wait().expect("it ended");
        entries.extend(self.acknowledged.iter());
        entries
    }

    /// Waits for its end.
    fn finish(mut self) -> Vec<String> {
        assert!(self.process.wait().expect("it ended").success());
        self.acknowledged.iter().collect()
    }
}

fn texts(writer: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|number| format!("{writer} nota {number}"))
        .collect()
}

/// Ids of entries, and how often each text is there.
fn shown(device: &Device<'_>, patient: &str) -> (Vec<String>, BTreeMap<String, usize>) {
    let (mut ids, mut count) = (Vec::new(), BTreeMap::new());
    for entry in device.entries(patient) {
        ids.push(entry["id"].as_str().expect("an id").to_owned());
        *count
            .entry(entry["text"].as_str().expect("a text").to_owned())
            .or_default() += 1;
    }
    (ids, count)
}

fn assert_all_there_once(device: &Device<'_>, patient: &str, acknowledged: &[String]) {
    let (ids, count) = shown(device, patient);
    for entry in acknowledged {
        assert!(ids.contains(entry), "acknowledged and missing");
    }
    assert!(count.values().all(|times| *times == 1), "doubled");
}

#[test]
fn d1_e1_kill_9_while_writing_and_while_syncing_loses_nothing_acknowledged_and_doubles_nothing() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let device = clinic.enrolled(&server, "tablet", "Ana");
    let patient = device.patient("Maria das Dores");
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let writer = Writer::start(&device, &patient, texts(&format!("rodada {round}"), 200));
        acknowledged.extend(writer.kill_after(1 + round * 7 % 13));
        kill_while_syncing(&device, round);
    }
    device.ask(&["sync"]);
    assert_all_there_once(&device, &patient, &acknowledged);
    let colleague = clinic.enrolled(&server, "colleague", "Bruno");
    colleague.ask(&["sync"]);
    assert_all_there_once(&colleague, &patient, &acknowledged);
    assert_eq!(device.entries(&patient), colleague.entries(&patient));
    let audit = device.ask(&["audit", "verify"]);
    assert_eq!(audit["broken_at"], Value::Null);
}

/// Kills a synchronisation at another of its points in each round: after so many lines it logged (a request went
/// out, an answer came, …), or at its very start.
fn kill_while_syncing(device: &Device<'_>, round: usize) {
    let mut process = device
        .command(&["--verbose", "sync"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let log = BufReader::new(process.stderr.take().expect("it is piped"));
    let _: Vec<_> = log.lines().take(round % 4).collect();
    // It may be over already.
    let _ = process.kill();
    process.wait().expect("it ended");
}

#[test]
fn d1_two_processes_on_one_store_lose_nothing_and_double_nothing() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let device = clinic.enrolled(&server, "tablet", "Ana");
    let patient = device.patient("Maria das Dores");
    let one = Writer::start(&device, &patient, texts("um", 40));
    let two = Writer::start(&device, &patient, texts("dois", 40));
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(device.run(&["sync"]).status.code());
    }
    let mut acknowledged = one.finish();
    acknowledged.extend(two.finish());
    assert_eq!(acknowledged.len(), 80);
    assert!(
        statuses.iter().all(|status| matches!(status, Some(0 | 4))),
        "{statuses:?}"
    );
    device.ask(&["sync"]);
    assert_all_there_once(&device, &patient, &acknowledged);
    let colleague = clinic.enrolled(&server, "colleague", "Bruno");
    colleague.ask(&["sync"]);
    assert_all_there_once(&colleague, &patient, &acknowledged);
    assert_eq!(shown(&colleague, &patient).0.len(), 80);
}

#[test]
fn s5_files_without_their_key_are_noise_and_hold_no_planted_word() {
    const NAME: &str = "Zenobia Plantada Quixaba";
    const NOTE: &str = "palavra plantada xilofonista";
    let clinic = Clinic::new();
    let server = clinic.serve();
    let device = clinic.enrolled(&server, "tablet", "Ana");
    let patient = device.patient(NAME);
    device.ask(&["event", "add", "--patient", &patient, "--text", NOTE]);
    let synced = device.run(&["--verbose", "sync"]);
    let keys: Vec<String> = files(&clinic.keys())
        .into_iter()
        .map(|file| std::fs::read_to_string(file).expect("a key file is text"))
        .collect();
    let mut markers = vec![NAME.to_owned(), NOTE.to_owned(), "xilofonista".to_owned()];
    markers.extend(
        keys.iter()
            .filter(|key| key.trim().len() == 64)
            .map(|key| key.trim().to_owned()),
    );
    assert!(markers.len() > 3, "the device's key is looked for too");
    let mut looked_at: Vec<(String, Vec<u8>)> = [&device.home, &clinic.path().join("server")]
        .into_iter()
        .flat_map(|folder| files(folder))
        .map(|file| {
            (
                file.display().to_string(),
                std::fs::read(&file).expect("it is readable"),
            )
        })
        .collect();
    assert!(looked_at.len() >= 2);
    looked_at.push(("stderr of sync".to_owned(), synced.stderr));
    for (name, bytes) in &looked_at {
        for marker in &markers {
            assert!(!contains(bytes, marker.as_bytes()), "{name} shows a planted word");
            assert!(!contains(bytes, &raw(marker)), "{name} holds a key");
        }
    }
    for store in [
        device.home.join("store.db"),
        clinic.path().join("server/server.db"),
    ] {
        let bytes = std::fs::read(&store).expect("it is readable");
        assert!(!bytes.starts_with(b"SQLite format 3"), "a plain database");
        refused_by_sqlite(&store);
    }
}

/// A key's bytes, of its hexadecimal text; any other text as it is.
fn raw(text: &str) -> Vec<u8> {
    let digits: Option<Vec<u8>> = (0..text.len() / 2)
        .map(|index| u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok())
        .collect();
    digits.unwrap_or_else(|| text.as_bytes().to_vec())
}

/// A program that knows SQLite and not the key says that this is no database.
fn refused_by_sqlite(store: &std::path::Path) {
    let copy = store.with_extension("copy");
    std::fs::copy(store, &copy).expect("it is copied");
    let read = std::process::Command::new("sqlite3")
        .arg(&copy)
        .arg(".tables")
        .output();
    if let Ok(read) = read {
        let said = String::from_utf8_lossy(&read.stderr).into_owned();
        assert!(said.contains("not a database"), "{said}");
        assert!(read.stdout.iter().all(u8::is_ascii_whitespace));
    }
}

fn files(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn contains(bytes: &[u8], marker: &[u8]) -> bool {
    bytes.windows(marker.len()).any(|window| window == marker)
}
