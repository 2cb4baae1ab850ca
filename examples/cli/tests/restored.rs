//! The server's machine dies; a copy is put back with the real program, and real devices give back what it lacks.

mod support;

use serde_json::Value;
use support::{Clinic, Device, document, fits};

fn texts(device: &Device<'_>, patient: &str) -> Vec<String> {
    let mut texts: Vec<String> = device
        .entries(patient)
        .iter()
        .map(|entry| entry["text"].as_str().expect("a text").to_owned())
        .collect();
    texts.sort();
    texts
}

fn note(device: &Device<'_>, patient: &str, text: &str) {
    device.ask(&["event", "add", "--patient", patient, "--text", text]);
}

fn findings(device: &Device<'_>) -> Vec<String> {
    let output = device.run(&["doctor"]);
    let told: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let told = fits("doctor", told);
    let findings = told["findings"].as_array().expect("findings").iter();
    findings
        .map(|finding| finding["code"].as_str().expect("a code").to_owned())
        .collect()
}

#[test]
fn d6_a_copy_put_back_gets_everything_back_from_two_devices() {
    let clinic = Clinic::new();
    let copies = clinic.path().join("copies").display().to_string();
    let mut server = clinic.serve();
    let listen = server.url.trim_start_matches("http://").to_owned();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let bruno = clinic.enrolled(&server, "bruno", "Bruno");
    let patient = ana.patient("Maria da Silva");
    note(&ana, &patient, "before the copy");
    ana.ask(&["sync"]);
    bruno.ask(&["sync"]);
    assert!(findings(&bruno).contains(&"no_backup".to_owned()));
    let copied = fits("admin-backup", clinic.admin(&["backup", "--to", &copies]));
    note(&ana, &patient, "after it, of Ana");
    ana.ask(&["sync"]);
    bruno.ask(&["sync"]);
    note(&bruno, &patient, "after it, of Bruno");
    bruno.ask(&["sync"]);
    ana.ask(&["sync"]);
    assert!(!findings(&ana).contains(&"no_backup".to_owned()));
    note(&ana, &patient, "never sent before");
    drop(server);

    let copy = copied["copy"].as_str().expect("a file");
    let whole = fits("admin-verify", clinic.admin(&["verify", copy]));
    assert_eq!(whole["whole"], true, "{whole}");
    assert_eq!(fits("admin-verify", clinic.admin(&["verify"]))["whole"], true);
    let restore = [
        "admin",
        "restore",
        "--from",
        copy,
        "--to",
        &clinic.store(),
        "--json",
    ];
    let refused = clinic.command(&restore).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(3), "a store is there");
    let restored = clinic.command(&[&restore[..], &["--replace"]].concat()).output();
    let restored = fits("admin-restore", document(&restored.expect("it runs")));
    assert!(restored["newest_at"].is_string() && restored["put_aside"].is_string());

    server = clinic.serve_with(&["--listen", &listen, "--backup-to", &copies]);
    for device in [&ana, &bruno, &ana] {
        device.ask(&["sync"]);
    }
    let expected = [
        "after it, of Ana",
        "after it, of Bruno",
        "before the copy",
        "never sent before",
    ];
    for device in [&ana, &bruno] {
        device.ask(&["sync"]);
        assert_eq!(texts(device, &patient), expected);
        let status = fits("status", device.ask(&["status"]));
        for nothing in ["pending", "drawer", "giving_back", "not_taken"] {
            assert_eq!(status[nothing], 0, "{nothing}: {status}");
        }
    }
    let reader = clinic.enrolled(&server, "reader", "Bruno");
    reader.ask(&["sync"]);
    assert_eq!(texts(&reader, &patient), expected);
    drop(server);
    let whole = fits("admin-verify", clinic.admin(&["verify"]));
    assert_eq!(whole["whole"], true, "{whole}");
}

#[test]
fn a_damaged_copy_is_not_put_back_and_a_copy_without_its_keys_is_told_so() {
    let clinic = Clinic::new();
    let copies = clinic.path().join("copies").display().to_string();
    let copied = clinic.admin(&["backup", "--to", &copies]);
    let copy = copied["copy"].as_str().expect("a file");
    let elsewhere = format!("sqlite:{}", clinic.path().join("elsewhere.db").display());
    let without_keys = clinic
        .command(&["admin", "restore", "--from", copy, "--to", &elsewhere, "--json"])
        .output()
        .expect("it runs");
    assert_eq!(without_keys.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&without_keys.stderr).contains("key_file_unusable"));
    let mut bytes = std::fs::read(copy).expect("the copy");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(copy, bytes).expect("a damaged copy");
    let restore = [
        "admin",
        "restore",
        "--from",
        copy,
        "--to",
        &clinic.store(),
        "--replace",
        "--json",
    ];
    let damaged = clinic.command(&restore).output().expect("it runs");
    assert!(!damaged.status.success());
    // The store that was there is as it was.
    assert_eq!(clinic.admin(&["verify"])["whole"], true);
}

#[test]
fn a_store_that_a_server_has_open_is_not_replaced_and_after_a_crash_it_is() {
    let clinic = Clinic::new();
    let copies = clinic.path().join("copies").display().to_string();
    let server = clinic.serve();
    let ana = clinic.enrolled(&server, "ana", "Ana");
    let patient = ana.patient("Maria da Silva");
    ana.ask(&["sync"]);
    let copied = clinic.admin(&["backup", "--to", &copies]);
    let copy = copied["copy"].as_str().expect("a file");
    let restore = [
        "admin",
        "restore",
        "--from",
        copy,
        "--to",
        &clinic.store(),
        "--replace",
        "--json",
    ];
    let refused = clinic.command(&restore).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("store_in_use"));
    note(&ana, &patient, "into the store that stayed");
    ana.ask(&["sync"]);
    // It is killed, and had no time to say that it ends.
    drop(server);
    let restored = clinic.command(&restore).output().expect("it runs");
    let restored = fits("admin-restore", document(&restored));
    assert!(restored["put_aside"].is_string());
    let server = clinic.serve();
    assert!(!server.url.is_empty());
}

#[test]
fn d6_who_was_made_after_the_copy_is_made_again_under_the_old_ids_and_everything_comes_back() {
    let clinic = Clinic::new();
    let copies = clinic.path().join("copies").display().to_string();
    let mut server = clinic.serve();
    let listen = server.url.trim_start_matches("http://").to_owned();
    let copied = clinic.admin(&["backup", "--to", &copies]);
    clinic.admin(&["unit", "river"]);
    clinic.admin(&["user", "gil", "--unit", "river"]);
    let gil = clinic.enrolled(&server, "gil", "gil");
    gil.ask(&["sync"]);
    let patient = gil.patient("Maria da Silva");
    note(&gil, &patient, "accepted");
    gil.ask(&["sync"]);
    gil.ask(&["sync"]);
    note(&gil, &patient, "waits");
    drop(server);

    let copy = copied["copy"].as_str().expect("a file");
    let store = clinic.store();
    let restore = ["admin", "restore", "--from", copy, "--to", &store, "--replace"];
    let restored = clinic.command(&restore).output().expect("it runs");
    assert!(restored.status.success());
    server = clinic.serve_with(&["--listen", &listen]);
    assert!(!gil.run(&["sync"]).status.success(), "nobody knows them");
    // The device goes on saying who it is of.
    let status = fits("status", gil.ask(&["status"]));
    let identity = &status["identity"];
    let user = identity["user"].as_str().expect("an id");
    let unit = identity["scope"]["units"][0]["id"].as_str().expect("an id");
    let made = fits("admin-unit", clinic.admin(&["unit", "river", "--id", unit]));
    assert_eq!(made["unit"], unit);
    let made = clinic.admin(&["user", "gil", "--unit", "river", "--id", user]);
    assert_eq!(fits("admin-user", made)["user"], user);
    let another = [
        "admin", "user", "hel", "--unit", "river", "--id", user, "--store", &store,
    ];
    let another = clinic.command(&another).output();
    assert!(
        !another.expect("it runs").status.success(),
        "the id has another name"
    );

    let code = clinic.code("gil", &[]);
    gil.ask(&["enrol", "--server", &server.url, "--code", &code]);
    for _ in 0..3 {
        gil.ask(&["sync"]);
    }
    let reader = clinic.enrolled(&server, "reader", "gil");
    reader.ask(&["sync"]);
    for device in [&gil, &reader] {
        assert_eq!(texts(device, &patient), ["accepted", "waits"]);
        let status = fits("status", device.ask(&["status"]));
        for nothing in ["pending", "drawer", "giving_back", "not_taken"] {
            assert_eq!(status[nothing], 0, "{nothing}: {status}");
        }
    }
    drop(server);
    assert_eq!(clinic.admin(&["verify"])["whole"], true);
}
