//! What people and networks get wrong: each a clear error with a stable code, and nothing lost.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use vereda_core::client::{Client, PageRequest, SyncEnd};
use vereda_core::error::{Code, Result};
use vereda_core::id::{ChartItemId, ConflictId, EntryId, PatientId, WriteId};
use vereda_core::limits::{BODY_BYTES_MAX, TEXT_CHARACTERS_MAX};
use vereda_core::protocol::{Credential, EnrolmentCode, decode, encode};
use vereda_core::record::{ChartKind, Compartment, Kind, NewEntry, PatientRecord};
use vereda_core::redact::Sensitive;
use vereda_core::store::conflicts::{ConflictRow, ConflictSubject};
use vereda_core::store::entries::EntryFilter;
use vereda_core::time::Zoned;
use vereda_server::Role;
use vereda_tests::{Rows, World, at, note};

const NOBODY: uuid::Uuid = uuid::Uuid::from_bytes([0x77; 16]);

/// Everything a failed call must leave as it was.
fn state(world: &mut World, device: usize) -> (Rows, u64, u64) {
    let status = world.status(device);
    (world.rows(device), status.pending, status.audit_waiting)
}

#[track_caller]
fn refused<T, W: Future<Output = Result<T>>>(world: &mut World, work: impl FnOnce(Client) -> W) -> Code {
    let before = state(world, 0);
    let error = world.run(0, work).err().expect("it was taken");
    let after = state(world, 0);
    before.0.assert_same(&after.0, "a refused call");
    assert_eq!(
        (before.1, before.2),
        (after.1, after.2),
        "a refused call left something waiting"
    );
    let said = format!("{error} {error:?}");
    assert!(!said.contains("Plantada"), "the error repeats what was typed");
    error.code
}

fn with_body(kind: &str, body: &str) -> NewEntry {
    NewEntry {
        body: Some(Sensitive(body.into())),
        ..NewEntry::new(Kind(kind.into()), at(1), "Plantada")
    }
}

#[test]
fn what_is_typed_wrong_is_refused_with_its_code_and_saves_nothing() {
    let mut world = World::new(101, 1);
    world.network.cut = true;
    let patient = world.patient(0, "Sofia Plantada");
    let nobody = PatientId(NOBODY);
    let adds: Vec<(&str, PatientId, NewEntry)> = vec![
        ("unknown_patient", nobody, note(1, "Plantada")),
        ("text_empty", patient, note(1, "")),
        ("text_empty", patient, note(1, " \n\t ")),
        (
            "text_too_long",
            patient,
            note(1, &"á".repeat(TEXT_CHARACTERS_MAX + 1)),
        ),
        ("json_malformed", patient, with_body("vitals", "{\"Plantada\": ")),
        ("json_malformed", patient, with_body("vitals", "Plantada")),
        (
            "body_invalid",
            patient,
            with_body("vitals", "{\"systolic\": \"Plantada\"}"),
        ),
        ("body_invalid", patient, with_body("vitals", "[]")),
        (
            "body_too_large",
            patient,
            with_body("note", &format!("{{\"a\":\"{}\"}}", "x".repeat(BODY_BYTES_MAX))),
        ),
        ("kind_unknown", patient, with_body("x-org.test", "{\"a\":1}")),
        (
            "not_a_date",
            patient,
            NewEntry::note(
                Zoned {
                    utc_ms: i64::MIN / 2,
                    offset_minutes: 0,
                },
                "Plantada",
            ),
        ),
        (
            "not_a_date",
            patient,
            NewEntry::note(
                Zoned {
                    utc_ms: at(1).utc_ms,
                    offset_minutes: 5_000,
                },
                "Plantada",
            ),
        ),
        ("occurred_in_future", patient, note(3 * 24 * 60, "Plantada")),
    ];
    for (code, patient, entry) in adds {
        println!("{code}");
        let found = refused(&mut world, |client| async move {
            client.timeline().add(patient, entry).await
        });
        assert_eq!(found.as_str(), code);
    }
    let longest = note(1, &"á".repeat(TEXT_CHARACTERS_MAX));
    world
        .run(0, |client| async move {
            client.timeline().add(patient, longest).await
        })
        .expect("exactly the limit");
}

#[test]
fn what_is_not_there_is_refused_with_its_code() {
    let mut world = World::new(102, 1);
    let patient = world.patient(0, "Téo Plantada");
    let entry = EntryId(NOBODY);
    let mut nobody = world
        .run(0, |client| async move {
            client.open_patient(patient, "test").await?.record().await
        })
        .expect("a record");
    nobody.id = PatientId(NOBODY);
    let no_conflict = ConflictRow {
        id: ConflictId(NOBODY),
        patient,
        compartment: Compartment::Clinical,
        subject: NOBODY,
        subject_kind: ConflictSubject::Entry,
        field: "header".into(),
        needs_person: true,
        choices: Vec::new(),
    };
    macro_rules! codes {
        ($($code:literal: |$client:ident| $call:expr;)*) => {$(
            let found = refused(&mut world, |$client| async move { $call.await.map(|_| ()) });
            assert_eq!(found.as_str(), $code);
        )*};
    }
    codes! {
        "unknown_patient": |client| client.open_patient(PatientId(NOBODY), "consulta");
        "purpose_required": |client| client.open_patient(patient, "");
        "unknown_entry": |client| client.timeline().amend(entry, Some("x".into()), None);
        "unknown_entry": |client| client.timeline().retract(entry, "x".into());
        "unknown_entry": |client| client.timeline().move_to(entry, patient, "x".into());
        "unknown_entry": |client| client.drafts().write(entry, None, "x".into());
        "unknown_entry": |client| client.drafts().finalize(entry, None, false);
        "unknown_entry": |client| client.drafts().dismiss_late_edit(entry);
        "unknown_conflict": |client| client.conflicts().resolve(
            no_conflict.clone(),
            vereda_core::client::Resolution::Choice(WriteId(NOBODY)));
        "unknown_write": |client| client.queue().resend(WriteId(NOBODY), None, None);
        "unknown_write": |client| client.queue().discard(WriteId(NOBODY), "porque sim".into());
        "reason_required": |client| client.queue().discard(WriteId(NOBODY), " ".into());
        "name_empty": |client| client.patients().register(PatientRecord::named("  "));
        "unknown_patient": |client| client.patients().edit(
            nobody.clone(), PatientRecord::named("Plantada"));
        "kind_unknown": |client| client.chart().set(patient, None, ChartKind("x".into()), Default::default());
        "field_invalid": |client| client.chart().set(
            patient, None, ChartKind("allergy".into()), [("severity".into(), Sensitive("x".into()))].into());
        "unknown_entry": |client| client.chart().set(
            patient, Some(ChartItemId(NOBODY)), ChartKind("allergy".into()),
            [("Plantada!".into(), Sensitive("x".into()))].into());
    }
    let record = PatientRecord {
        birth_date: Some("31/02/1980".to_owned().into()),
        ..PatientRecord::named("Plantada")
    };
    let found = refused(&mut world, |client| async move {
        client.patients().register(record).await
    });
    assert_eq!(found, Code::BirthDateInvalid);
    let view = world
        .run(0, |client| async move {
            client.open_patient(patient, "consulta").await
        })
        .expect("a view");
    let page = PageRequest {
        limit: None,
        after: Some("Plantada".into()),
    };
    let found = refused(&mut world, |_| async move {
        view.timeline(EntryFilter::default(), page).await
    });
    assert_eq!(found, Code::CursorInvalid);
}

#[test]
fn a_wrong_used_or_expired_enrolment_code_enrols_nobody() {
    let mut world = World::new(103, 0);
    let device = world.add_unenrolled_device();
    let code = world.code("north", "user-0", Role::Clinician);
    let mut other: EnrolmentCode =
        decode(&BASE64_URL_SAFE_NO_PAD.decode(&code).expect("base64")).expect("a code");
    other.secret = Credential(vec![9; 16]);
    let wrong_secret = BASE64_URL_SAFE_NO_PAD.encode(encode(&other));
    let enrol = |world: &mut World, device, code: &str| {
        let code = code.to_owned();
        world.run(device, |client| async move {
            client.enrol("http://localhost", &code, "x").await
        })
    };
    for wrong in ["", "x", "ABCD", &code[..code.len() - 4], wrong_secret.as_str()] {
        let refused = enrol(&mut world, device, wrong).expect_err("wrong");
        assert_eq!(refused.code, Code::EnrolmentCodeInvalid, "{wrong}");
    }
    let expired = world.code("north", "user-1", Role::Clinician);
    world.advance(2 * 86_400_000);
    let refused = enrol(&mut world, device, &expired).expect_err("expired");
    assert_eq!(refused.code, Code::EnrolmentCodeInvalid);
    let fresh = world.code("north", "user-0", Role::Clinician);
    enrol(&mut world, device, &fresh).expect("a good one");
    let twice = enrol(&mut world, device, &fresh).expect_err("enrolled");
    assert_eq!(twice.code, Code::AlreadyEnrolled);
    let second = world.add_unenrolled_device();
    let used = enrol(&mut world, second, &fresh).expect_err("used");
    assert_eq!(used.code, Code::EnrolmentCodeInvalid);
    let nobody = world.run(second, |client| async move {
        client.timeline().add(PatientId(NOBODY), note(1, "x")).await
    });
    assert!(matches!(
        nobody.expect_err("not enrolled").code,
        Code::NotEnrolled
    ));
}

#[test]
fn no_byte_goes_to_another_host_by_plain_http() {
    let mut world = World::new(104, 0);
    let device = world.add_unenrolled_device();
    let code = world.code("north", "user-0", Role::Clinician);
    for server in [
        "http://clinic.example",
        "http://10.0.0.1:8080",
        "ftp://localhost",
        "clinic",
    ] {
        let code = code.clone();
        let refused = world.run(
            device,
            |client| async move { client.enrol(server, &code, "x").await },
        );
        assert_eq!(refused.expect_err("refused").code, Code::AddressRefused);
    }
    assert_eq!(world.network.exchanges, 0);
}

#[test]
fn an_expired_access_token_costs_nothing_and_an_expired_device_keeps_what_it_wrote() {
    let mut world = World::new(105, 1);
    let patient = world.patient(0, "Úrsula Lima");
    world.converge();
    world.advance(11 * 60_000);
    world.add(0, patient, 5, "depois do fim do acesso");
    let before = world.network.exchanges;
    assert_eq!(world.sync(0), SyncEnd::Done);
    assert_eq!(world.network.exchanges - before, 1, "one request");

    world.add(0, patient, 6, "antes de dois meses fora");
    world.advance(61 * 86_400_000);
    let end = world.sync(0);
    assert!(
        matches!(&end, SyncEnd::NeedsPerson { code } if code == "unauthenticated"),
        "{end:?}"
    );
    assert_eq!(world.status(0).pending, 1, "S6: what was not sent is kept");
    assert_eq!(world.texts(0, patient).len(), 2, "and is read");
    world
        .run(0, |client| async move { client.sign_out().await })
        .expect("signed out");
    assert_eq!(world.status(0).pending, 1);
    let code = world.code("north", "user-0", Role::Clinician);
    world
        .run(0, |client| async move {
            client.enrol("http://localhost", &code, "x").await
        })
        .expect("enrolled again");
    assert_eq!(world.sync(0), SyncEnd::Done);
    assert_eq!(world.status(0).pending, 0);
    let reader = world.add_device("north", "user-1", Role::Clinician);
    world.sync(reader);
    assert_eq!(world.texts(reader, patient).len(), 2);
}

#[test]
fn a_server_that_is_gone_is_told_and_loses_nothing() {
    let mut world = World::new(106, 1);
    let patient = world.patient(0, "Valter Reis");
    world.network.cut = true;
    let end = world.sync(0);
    assert!(
        matches!(&end, SyncEnd::AgainLater { code: Some(code), .. } if code == "no_contact"),
        "{end:?}"
    );
    world.network.cut = false;
    world.advance(600_000);
    world.stop_server();
    let end = world.sync(0);
    assert!(
        matches!(&end, SyncEnd::AgainLater { code: Some(code), .. } if code == "server_failed"),
        "{end:?}"
    );
    let status = world.status(0);
    assert_eq!(status.pending, 1);
    assert!(!status.online);
    let snapshot = world.run(0, |client| async move { client.snapshot(vec![patient]).await });
    assert_eq!(snapshot.expect_err("gone").code, Code::ServerFailed);
    world.start_server();
    world.converge();
    assert_eq!(world.status(0).pending, 0);
}

#[test]
fn d5_a_full_disk_is_told_and_loses_nothing() {
    let mut world = World::new(107, 2);
    let patient = world.patient(0, "Xavier Prado");
    world.converge();
    let view = world
        .run(0, |client| async move {
            client.open_patient(patient, "consulta").await
        })
        .expect("a view");
    world.devices[0].fill_disk(true);
    let text = "página cheia ".repeat(600);
    let mut saved = 0;
    let refused = loop {
        let entry = note(saved, &text);
        match world.run(
            0,
            |client| async move { client.timeline().add(patient, entry).await },
        ) {
            Ok(_) => saved += 1,
            Err(error) => break error,
        }
        assert!(saved < 100, "the disk does not fill");
    };
    assert_eq!(refused.code, Code::DiskFull);
    // What was acknowledged is there, and nothing else.
    let reading = view.clone();
    let page = world
        .run(0, |_| async move {
            reading
                .timeline(EntryFilter::default(), PageRequest::default())
                .await
        })
        .expect("reading goes on");
    assert_eq!(page.rows.len() as i64, saved);
    assert_eq!(world.status(0).pending as i64, saved);
    assert_eq!(world.verify_audit(0).broken_at, None);
    world.devices[0].fill_disk(false);
    world.add(0, patient, 200, "há lugar de novo");
    world.converge();
    world.assert_same_rows();
    assert_eq!(world.rows(1).entries.len() as i64, saved + 1);
    world.assert_rows_follow_from_documents(0);
}
