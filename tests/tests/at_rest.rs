//! What lies on the disk is noise without its key, on the device and at the server, and a file this version does not
//! understand is left as it is.

use std::path::{Path, PathBuf};
use vereda_core::engine::EngineOptions;
use vereda_core::error::Code;
use vereda_core::id::PatientId;
use vereda_core::record::{Identifier, KindRegistry, PatientRecord};
use vereda_core::store::{Location, StoreKey};
use vereda_core::testing::{SeededEntropy, TestClock, TestDevice};
use vereda_server::ServerKeys;
use vereda_server::admin::open_store;
use vereda_tests::{BEGIN_MS, World, open_file};

const NAME: &str = "Serafina Plantada";
const NOTE: &str = "anotação plantada para ser procurada";
const CPF: &str = "52998224725";

fn planted(seed: u64) -> (World, PatientId) {
    let mut world = World::new(seed, 2);
    let record = PatientRecord {
        identifiers: vec![Identifier::parse("cpf", CPF).expect("valid")],
        ..PatientRecord::named(NAME)
    };
    let patient = world
        .run(
            0,
            |client| async move { client.patients().register(record).await },
        )
        .expect("registered")
        .patient;
    for index in 0..20 {
        world.add(0, patient, index, &format!("{NOTE} {index}"));
    }
    world.converge();
    world.add(1, patient, 30, NOTE);
    (world, patient)
}

fn files(world: &World) -> Vec<(PathBuf, Vec<u8>)> {
    std::fs::read_dir(world.folder.path())
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let bytes = std::fs::read(&path).expect("a file");
            (path, bytes)
        })
        .collect()
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn try_open(path: &Path, key: [u8; 32]) -> Result<TestDevice, vereda_core::error::SyncError> {
    let options = EngineOptions {
        location: Location::File(path.to_owned()),
        key: StoreKey::new(key),
        kinds: KindRegistry::standard(),
        automatic: false,
    };
    TestDevice::open(options, TestClock::at(BEGIN_MS), 1)
}

#[test]
fn no_name_note_number_or_key_lies_in_any_file_of_device_or_server() {
    let (mut world, patient) = planted(1);
    assert_eq!(
        world.timeline(1, patient).len(),
        21,
        "all of it is there, with the key"
    );
    let files = files(&world);
    let names: Vec<String> = files
        .iter()
        .filter_map(|(path, _)| path.file_name())
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    for wanted in [
        "device-0.db",
        "device-1.db",
        "device-1.db-wal",
        "server.db",
        "server.db-wal",
    ] {
        assert!(
            names.contains(&wanted.to_owned()),
            "{wanted} is not among {names:?}"
        );
    }
    let device_key = [1_u8; 32];
    let device_key_hex = "01".repeat(32);
    let server_key = world.server_key();
    let needles: [&[u8]; 9] = [
        NAME.as_bytes(),
        b"Serafina",
        b"serafina",
        NOTE.as_bytes(),
        b"plantada",
        CPF.as_bytes(),
        &device_key,
        device_key_hex.as_bytes(),
        &server_key,
    ];
    for (path, bytes) in &files {
        // The index beside a WAL holds no content.
        if !path.to_string_lossy().ends_with("-shm") {
            assert!(!bytes.starts_with(b"SQLite format 3"), "{}", path.display());
        }
        for needle in needles {
            assert!(!holds(bytes, needle), "{} holds what was planted", path.display());
        }
    }
    for device in &world.devices {
        let log = format!("{:?}", device.log);
        assert!(!log.contains("lantad") && !log.contains(CPF));
    }
}

#[test]
fn without_its_key_a_file_is_no_database() {
    let (mut world, _) = planted(2);
    for device in &mut world.devices {
        device.close();
    }
    world.stop_server();
    for name in ["device-0.db", "server.db"] {
        let path = world.folder.path().join(name);
        let plain = rusqlite::Connection::open(&path).expect("a file");
        let read = plain.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, i64>(0)
        });
        let code = read.expect_err("noise").sqlite_error_code();
        assert_eq!(code, Some(rusqlite::ErrorCode::NotADatabase), "{name}");
        let wrong = open_file(&path, &[0x55; 32]);
        let read = wrong.query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
            row.get::<_, i64>(0)
        });
        assert!(read.is_err(), "{name} opens with any key");
    }
}

#[test]
fn a_wrong_key_is_store_locked_and_changes_no_byte() {
    let (mut world, patient) = planted(3);
    world.devices[0].close();
    let path = world.device_path(0);
    let before = std::fs::read(&path).expect("a file");
    let refused = try_open(&path, [0x55; 32]).expect_err("another key");
    assert_eq!(refused.code, Code::StoreLocked);
    assert_eq!(std::fs::read(&path).expect("a file"), before);
    world.devices[0].reopen().expect("with its own key it opens");
    assert_eq!(world.timeline(0, patient).len(), 20);

    world.stop_server();
    let path = world.server_path();
    let before = std::fs::read(&path).expect("a file");
    let mut entropy = SeededEntropy::new(9);
    let others = ServerKeys::generate(&mut entropy);
    assert!(open_store(&path, &others, &mut entropy).is_err());
    assert_eq!(std::fs::read(&path).expect("a file"), before);
    world.start_server();
    world.converge();
}

#[test]
fn d7_a_newer_schema_is_store_too_new_and_changes_no_byte() {
    let (mut world, patient) = planted(4);
    world.devices[0].close();
    let path = world.device_path(0);
    let known: i64 = {
        let file = open_file(&path, &[1; 32]);
        let known = file
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .expect("a version");
        file.pragma_update(None, "user_version", 99)
            .expect("a newer version");
        known
    };
    let before = files(&world);
    let refused = try_open(&path, [1; 32]).expect_err("newer");
    assert_eq!(refused.code, Code::StoreTooNew);
    for (path, bytes) in before
        .iter()
        .filter(|(path, _)| path.to_string_lossy().contains("device-0"))
    {
        assert_eq!(
            std::fs::read(path).ok().as_ref(),
            Some(bytes),
            "{}",
            path.display()
        );
    }
    open_file(&path, &[1; 32])
        .pragma_update(None, "user_version", known)
        .expect("the version is put back");
    world.devices[0].reopen().expect("it opens");
    assert_eq!(world.timeline(0, patient).len(), 20, "nothing was lost");
}
