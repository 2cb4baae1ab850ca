//! `vereda verify`, of the real program: what is planted in a device's store is found, told, and repaired.

mod support;

use serde_json::Value;
use support::{Clinic, Device, fits};
use vereda_core::store::{Location, Store, StoreKey};

/// The device's store, past the program. There is one device, so there is one key of a device.
fn plant(clinic: &Clinic, device: &Device<'_>, sql: &str) {
    let keys = std::fs::read_dir(clinic.keys().join("vereda")).expect("a folder of keys");
    let paths = keys.map(|entry| entry.expect("an entry").path());
    let key = paths
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("device-"))
        })
        .map(|path| std::fs::read_to_string(path).expect("a key"))
        .next()
        .expect("a device's key");
    let key: [u8; 32] = hex::decode(key.trim())
        .expect("hex")
        .try_into()
        .expect("32 bytes");
    let location = Location::File(device.home.join("store.db"));
    let mut store = Store::open(&location, &StoreKey::new(key)).expect("it opens");
    let changed = store.connection().execute(sql, []).expect("planted");
    assert_eq!(changed, 1, "{sql}");
}

/// The document, and the exit status.
fn verify(device: &Device<'_>, arguments: &[&str]) -> (Value, i32) {
    let output = device.run(&[&["verify"], arguments].concat());
    let told: Value = serde_json::from_slice(&output.stdout).expect("a document");
    (fits("verify", told), output.status.code().expect("it exits"))
}

#[test]
fn planted_faults_are_found_told_and_repaired() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let patient = ana.patient("Maria da Silva");
    for text in ["um", "dois", "três"] {
        ana.ask(&["event", "add", "--patient", &patient, "--text", text]);
    }
    ana.ask(&["sync"]);
    let (well, exit) = verify(&ana, &[]);
    assert_eq!((&well["whole"], exit), (&Value::Bool(true), 0), "{well}");
    assert!(well["server"]["compared"].as_u64() >= Some(2), "{well}");
    assert_eq!(well["server"]["skipped"], 0, "{well}");

    plant(
        &clinic,
        &ana,
        "DELETE FROM chunk WHERE k = (SELECT max(k) FROM chunk)",
    );
    plant(
        &clinic,
        &ana,
        "UPDATE entry SET text = 'outra coisa' WHERE text = 'um'",
    );
    plant(&clinic, &ana, "UPDATE patient SET version = version + 3");
    let (found, exit) = verify(&ana, &[]);
    assert_eq!((&found["whole"], exit), (&Value::Bool(false), 1), "{found}");
    assert_eq!(found["server"]["standing"], 2, "{found}");
    assert!(found["store"]["rows"].as_u64() >= Some(1), "{found}");
    let (repaired, exit) = verify(&ana, &["--repair"]);
    assert_eq!((&repaired["whole"], exit), (&Value::Bool(true), 0), "{repaired}");
    assert_eq!(repaired["server"]["repaired"], 2, "{repaired}");
    let (well, exit) = verify(&ana, &[]);
    assert_eq!((&well["whole"], exit), (&Value::Bool(true), 0), "{well}");
    let mut texts: Vec<Value> = ana
        .entries(&patient)
        .iter()
        .map(|entry| entry["text"].clone())
        .collect();
    texts.sort_by_key(Value::to_string);
    assert_eq!(texts, ["dois", "três", "um"]);
    let status = ana.ask(&["status"]);
    assert!(status["verified_at_ms"].is_i64(), "{status}");
    assert_eq!(status["differences_repaired"], 2, "{status}");
    assert_eq!(status["differences_standing"], 0, "{status}");

    // Its own part is checked without a network, and the server's is said not to have been.
    drop(server);
    let (offline, exit) = verify(&ana, &[]);
    assert_eq!((&offline["whole"], exit), (&Value::Bool(true), 4), "{offline}");
    assert_eq!(offline["server"]["code"], "no_contact", "{offline}");
    assert_eq!(offline["server"]["streams"], 0, "{offline}");
    let whole = fits("admin-verify", clinic.admin(&["verify"]));
    assert_eq!(whole["whole"], true, "{whole}");
}

#[test]
fn a_damaged_page_of_the_file_is_told() {
    let clinic = Clinic::new();
    let server = clinic.serve();
    let device = clinic.enrolled(&server, "ana", "Ana");
    drop(server);
    let patient = device.patient("Maria da Silva");
    for minute in 0..40 {
        let at = format!("2026-05-04T10:{minute:02}:00Z");
        device.ask(&[
            "event",
            "add",
            "--patient",
            &patient,
            "--text",
            &"x".repeat(2_000),
            "--at",
            &at,
        ]);
    }
    let (well, exit) = verify(&device, &[]);
    assert_eq!((&well["file_whole"], exit), (&Value::Bool(true), 4), "{well}");
    assert_eq!(well["store"]["writes"], 41, "{well}");
    let file = device.home.join("store.db");
    let mut bytes = std::fs::read(&file).expect("a file");
    let at = bytes.len() - 4_096 + 100;
    bytes[at] ^= 1;
    std::fs::write(&file, bytes).expect("written");
    let output = device.run(&["verify"]);
    assert_eq!(output.status.code(), Some(1));
    if let Ok(told) = serde_json::from_slice::<Value>(&output.stdout) {
        assert_eq!(fits("verify", told)["file_whole"], false);
    }
}
