//! S1, S3: what is not in scope never reaches a device, and no label of a write is believed.

use vereda_core::client::SyncEnd;
use vereda_core::document::{LoadedDocument, operations};
use vereda_core::engine::{Completeness, HttpRequest};
use vereda_core::error::Code;
use vereda_core::id::{Incarnation, PatientId, UnitId, UserId};
use vereda_core::protocol::{
    ChangeReference, Cursor, Encoding, EnrolAnswer, Frozen, Outcome, PATH_SNAPSHOT, PATH_SYNC, PushItem,
    SnapshotAnswer, SnapshotRequest, SyncAnswer, SyncRequest, change_check, decode_body, encode, encode_body,
};
use vereda_core::record::{ChartKind, Compartment, Intent, PatientRecord, Stream, Write};
use vereda_core::redact::Sensitive;
use vereda_core::store::meta;
use vereda_core::sync::Reply;
use vereda_core::testing::SeededEntropy;
use vereda_server::Role;
use vereda_tests::{World, at, note};

/// Devices: 0 and 1 in the north's unit, 2 in the south's, 3 in another unit of the north's.
fn three_units(seed: u64) -> World {
    let mut world = World::new(seed, 2);
    world.add_device("south", "user-south", Role::Clinician);
    let annex = world.add_unenrolled_device();
    let mut entropy = SeededEntropy::new(seed + 7);
    let expires_ms = world.server_clock_ms() + 86_400_000;
    let mut admin = world.administration();
    admin
        .create_unit(&mut entropy, Some("north"), "unit-annex")
        .expect("a unit");
    admin
        .put_user(
            &mut entropy,
            Some("north"),
            "user-annex",
            Role::Clinician,
            &["unit-annex"],
        )
        .expect("a user");
    let code = admin
        .enrolment_code(&mut entropy, Some("north"), "user-annex", expires_ms, None)
        .expect("a code");
    drop(admin);
    world
        .run(annex, |client| async move {
            client.enrol("http://localhost", &code, "annex").await
        })
        .expect("it enrols");
    world
}

fn incarnation(world: &World, device: usize) -> Incarnation {
    meta::get(&world.device_file(device), "incarnation")
        .expect("the store reads")
        .expect("an incarnation")
}

fn ask<T: serde::Serialize>(world: &mut World, device: usize, path: &'static str, message: &T) -> Reply {
    let access = world.enrolment(device).tokens.expect("signed in").access.clone();
    world.ask_server(&HttpRequest {
        server: "http://localhost".into(),
        authority: None,
        method: "POST",
        path,
        bearer: Some(access),
        content_type: Encoding::Vereda.media_type(),
        body: encode_body(message, Encoding::Vereda),
    })
}

/// Everything an answer says, decompressed.
fn plain(path: &str, reply: &Reply) -> Vec<u8> {
    if reply.status != 200 {
        return reply.body.clone();
    }
    let body = &reply.body;
    let decoded = match path {
        "/v1/sync" => decode_body::<SyncAnswer>(body, Encoding::Vereda).map(|answer| encode(&answer)),
        "/v1/enrol" => decode_body::<EnrolAnswer>(body, Encoding::Vereda).map(|answer| encode(&answer)),
        _ => decode_body::<SnapshotAnswer>(body, Encoding::Vereda).map(|answer| encode(&answer)),
    };
    decoded.expect("an answer")
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

/// A push of one write as a device would send it, under whatever labels.
fn push(world: &mut World, device: usize, write: &Write, actor: Option<[u8; 16]>) -> Outcome {
    let origin = incarnation(world, device);
    let changes = operations(write, &origin)
        .into_iter()
        .map(|compiled| {
            let mut document = LoadedDocument::new();
            let actor_used = actor.unwrap_or(origin.actor(0));
            let applied = document
                .apply(&compiled.operations, &actor_used, None)
                .expect("a change");
            ChangeReference {
                check: change_check(&applied.hash),
                dependencies: None,
                raw: actor.is_some().then(|| applied.bytes.into()),
            }
        })
        .collect();
    let request = SyncRequest {
        incarnation: origin.number,
        epoch: world.enrolment(device).epoch,
        push: vec![PushItem {
            write: Frozen::from_bytes(write.to_bytes()),
            generation: 0,
            changes,
        }],
        ..SyncRequest::default()
    };
    let reply = ask(world, device, PATH_SYNC, &request);
    let answer: SyncAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
    answer.outcomes[0].outcome.clone()
}

fn forged(world: &World, device: usize, n: u64, unit: UnitId, user: UserId, intent: Intent) -> Write {
    let _ = (world, device);
    Write {
        n,
        user,
        unit,
        compartment: Compartment::Clinical,
        patient: PatientId(uuid::Uuid::from_bytes([7; 16])),
        recorded_at: at(1),
        hlc: None,
        time_uncertain: false,
        after: Vec::new(),
        part: 0,
        replaces: None,
        first_key: None,
        intent,
    }
}

fn add(text: &str) -> Intent {
    Intent::Add {
        entries: vec![note(1, text)],
    }
}

fn refusal(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Accepted { .. } => "accepted",
        Outcome::Refused { code, .. } | Outcome::Retry { code } | Outcome::Park { code } => code,
    }
}

#[test]
fn s1_no_byte_of_another_tenant_or_unit_reaches_a_device() {
    let mut world = three_units(71);
    world.network.heard = Some(Vec::new());
    let record = PatientRecord {
        birth_date: Some("1977-07-17".to_owned().into()),
        ..PatientRecord::named("PLANTADO-NOME")
    };
    let patient = world
        .run(
            0,
            |client| async move { client.patients().register(record).await },
        )
        .expect("registered")
        .patient;
    let entry = world.add(0, patient, 1, "PLANTADA-NOTA");
    let fields = [("display".to_owned(), Sensitive("PLANTADA-ALERGIA".to_owned()))].into();
    let item = world
        .run(0, |client| async move {
            client
                .chart()
                .set(patient, None, ChartKind("allergy".into()), fields)
                .await
        })
        .expect("set")
        .chart_item
        .expect("an item");
    world.converge();
    assert_eq!(world.rows(1).entries.len(), 1, "the colleague has it");

    // Outsiders synchronise, name the patient, push onto it, and answer themselves errors.
    let (unit, user) = (world.enrolment(0).scope.units[0].id, world.enrolment(0).user);
    let mut answers: Vec<Vec<u8>> = Vec::new();
    for device in [2, 3] {
        let heard = world.network.heard.take().expect("listening");
        drop(heard);
        world.network.heard = Some(Vec::new());
        world.sync(device);
        world
            .run(
                device,
                |client| async move { client.snapshot(vec![patient]).await },
            )
            .expect("an empty snapshot");
        for (request, reply) in world.network.heard.take().expect("listening") {
            answers.push(plain(request.path, &reply));
        }
        world.network.heard = Some(Vec::new());
        let snapshot = SnapshotRequest {
            patients: vec![patient],
        };
        answers.push(plain(
            PATH_SNAPSHOT,
            &ask(&mut world, device, PATH_SNAPSHOT, &snapshot),
        ));
        // Cursors of streams that are not the device's.
        for compartment in [
            Compartment::Identity,
            Compartment::Clinical,
            Compartment::Sensitive,
        ] {
            let request = SyncRequest {
                incarnation: incarnation(&world, device).number,
                epoch: world.enrolment(device).epoch,
                cursors: vec![Cursor {
                    stream: Stream::new(unit, compartment),
                    seq: 0,
                    chain: [0; 8].into(),
                }],
                minor: vereda_core::protocol::MINOR,
                ..SyncRequest::default()
            };
            let reply = ask(&mut world, device, PATH_SYNC, &request);
            answers.push(plain(PATH_SYNC, &reply));
        }
        // Another's write number, another's unit, another's patient.
        let mut write = forged(&world, device, 900, unit, user, add("x"));
        write.patient = patient;
        let outcome = push(&mut world, device, &write, None);
        answers.push(encode(&outcome));
        assert_ne!(refusal(&outcome), "accepted");
        let own = world.enrolment(device);
        let mut write = forged(&world, device, 901, own.scope.units[0].id, own.user, add("x"));
        write.patient = patient;
        let outcome = push(&mut world, device, &write, None);
        assert_eq!(refusal(&outcome), "unknown_patient");
        let mut unknown = write.clone();
        unknown.n = 902;
        unknown.patient = PatientId(uuid::Uuid::from_bytes([3; 16]));
        let absent = push(&mut world, device, &unknown, None);
        assert_eq!(outcome, absent, "forbidden and absent look the same");
        answers.push(encode(&outcome));
    }
    let needles: [(&str, &[u8]); 9] = [
        ("name", b"PLANTADO-NOME"),
        ("birth date", b"1977-07-17"),
        ("note", b"PLANTADA-NOTA"),
        ("allergy", b"PLANTADA-ALERGIA"),
        ("patient's id", patient.as_bytes()),
        ("entry's id", entry.as_bytes()),
        ("item's id", item.as_bytes()),
        ("user's id", user.as_bytes()),
        ("user's name", b"user-0"),
    ];
    assert!(answers.len() > 12);
    for (index, answer) in answers.iter().enumerate() {
        for (what, needle) in needles {
            assert!(!holds(answer, needle), "the {what} is in answer {index}");
        }
    }
    // The needles are good ones: the colleague's answers hold them.
    world.network.heard = Some(Vec::new());
    let newcomer = world.add_device("north", "user-5", Role::Clinician);
    world.sync(newcomer);
    let colleague: Vec<u8> = world
        .network
        .heard
        .take()
        .expect("listening")
        .iter()
        .flat_map(|(request, reply)| plain(request.path, reply))
        .collect();
    for (what, needle) in [needles[0], needles[2], needles[3], needles[4]] {
        assert!(holds(&colleague, needle), "the {what} is nowhere");
    }
    for device in [2, 3] {
        world.sync(device);
        let rows = world.rows(device);
        assert!(rows.entries.is_empty() && rows.chart.is_empty() && rows.patients.is_empty());
    }
}

#[test]
fn s3_a_forged_unit_compartment_user_or_actor_is_refused() {
    let mut world = three_units(72);
    let patient = world.patient(0, "Íris Campos");
    world.converge();
    let own = world.enrolment(0);
    let (unit, user) = (own.scope.units[0].id, own.user);
    let colleague = world.enrolment(1).user;
    let annex = world.enrolment(3).scope.units[0].id;
    let mut n = 100;
    let mut write = |unit, user, text: &str| {
        n += 1;
        let mut write = forged(&world, 0, n, unit, user, add(text));
        write.patient = patient;
        write
    };
    let (other_unit, other_user, mut other_compartment, other_actor, honest) = (
        write(annex, user, "outra unidade"),
        write(unit, colleague, "outro usuário"),
        write(unit, user, "outro compartimento"),
        write(unit, user, "outro autor de mudança"),
        write(unit, user, "honesta"),
    );
    other_compartment.compartment = Compartment::Agenda;
    assert_eq!(refusal(&push(&mut world, 0, &other_unit, None)), "out_of_scope");
    assert_eq!(refusal(&push(&mut world, 0, &other_user, None)), "policy_refused");
    let outcome = push(&mut world, 0, &other_compartment, None);
    assert_ne!(refusal(&outcome), "accepted");
    let actor = incarnation(&world, 1).actor(0);
    let outcome = push(&mut world, 0, &other_actor, Some(actor));
    match &outcome {
        // What the server computes itself from the write may stand in the place of the forged change.
        Outcome::Accepted { changes, .. } => assert!(!changes.is_empty(), "the forged change was taken"),
        other => assert_ne!(refusal(other), "accepted"),
    }
    assert_eq!(refusal(&push(&mut world, 0, &honest, None)), "accepted");
    let reader = world.add_device("north", "user-7", Role::Clinician);
    world.sync(reader);
    let texts = world.texts(reader, patient);
    assert!(texts.contains(&"honesta".to_owned()));
    assert!(!texts.contains(&"outra unidade".to_owned()));
    assert!(!texts.contains(&"outro usuário".to_owned()));
    let documents = world.documents(reader);
    let forged_actor = actor.to_vec();
    for document in documents.values() {
        assert!(
            document
                .change_places()
                .iter()
                .all(|(actor, ..)| *actor != forged_actor)
        );
    }
}

#[test]
fn s1_a_store_out_of_scope_gets_the_same_answer_as_one_that_is_absent() {
    let mut world = three_units(73);
    let patient = world.patient(0, "Jonas Pires");
    world.converge();
    let named = |id| SnapshotRequest { patients: vec![id] };
    let absent = PatientId(uuid::Uuid::from_bytes([3; 16]));
    for device in [2, 3] {
        let forbidden = ask(&mut world, device, PATH_SNAPSHOT, &named(patient));
        let missing = ask(&mut world, device, PATH_SNAPSHOT, &named(absent));
        assert_eq!(forbidden.status, missing.status);
        assert_eq!(plain(PATH_SNAPSHOT, &forbidden), plain(PATH_SNAPSHOT, &missing));
    }
}

#[test]
fn who_works_in_two_units_writes_each_patient_in_its_own() {
    let mut world = three_units(74);
    let patients = [world.patient(0, "Karina Reis"), world.patient(3, "Kleber Reis")];
    world.converge();
    let device = world.add_unenrolled_device();
    let mut entropy = SeededEntropy::new(75);
    let expires_ms = world.server_clock_ms() + 86_400_000;
    let mut admin = world.administration();
    let units = ["unit-north", "unit-annex"];
    admin
        .put_user(&mut entropy, Some("north"), "user-both", Role::Clinician, &units)
        .expect("a user");
    let code = admin
        .enrolment_code(&mut entropy, Some("north"), "user-both", expires_ms, None)
        .expect("a code");
    drop(admin);
    world
        .run(device, |client| async move {
            client.enrol("http://localhost", &code, "both").await
        })
        .expect("it enrols");
    world.sync(device);
    for patient in patients {
        let entry = world.add(device, patient, 1, "de quem está nas duas");
        let fields = [("display".to_owned(), Sensitive("Látex".to_owned()))].into();
        world
            .run(device, |client| async move {
                client
                    .chart()
                    .set(patient, None, ChartKind("allergy".into()), fields)
                    .await?;
                client
                    .timeline()
                    .amend(entry, Some("corrigido".into()), None)
                    .await
            })
            .expect("written");
    }
    world.converge();
    assert_eq!(world.drawer(device).len(), 0);
    assert_eq!(world.outbox(device).len(), 0);
    for (reader, patient) in [(1, patients[0]), (3, patients[1])] {
        assert_eq!(world.texts(reader, patient).len(), 2);
        assert_eq!(world.rows(reader).chart.len(), 1);
        assert_eq!(
            world.rows(reader).patients.len(),
            1,
            "and nothing of the other unit"
        );
    }
    assert_eq!(world.rows(device).patients.len(), 2);
}

#[test]
fn whoever_joins_a_unit_is_not_told_that_all_is_here_before_it_is() {
    let mut world = three_units(77);
    let patient = world.patient(3, "Kleber Reis");
    world.add(3, patient, 1, "no anexo");
    world.converge();
    let mut entropy = SeededEntropy::new(78);
    world
        .administration()
        .put_user(
            &mut entropy,
            Some("north"),
            "user-0",
            Role::Clinician,
            &["unit-north", "unit-annex"],
        )
        .expect("a user");
    assert_eq!(world.sync(0), SyncEnd::Done);
    assert_eq!(world.status(0).completeness, Completeness::Complete);
    assert_eq!(world.texts(0, patient), ["no anexo"]);
}

#[test]
fn o6_a_move_to_a_patient_of_another_unit_is_refused_before_it_is_saved() {
    let mut world = three_units(79);
    let here = world.patient(0, "Karina Reis");
    let there = world.patient(3, "Kleber Reis");
    let entry = world.add(0, here, 1, "no prontuário errado");
    world.converge();
    let mut entropy = SeededEntropy::new(80);
    world
        .administration()
        .put_user(
            &mut entropy,
            Some("north"),
            "user-0",
            Role::Clinician,
            &["unit-north", "unit-annex"],
        )
        .expect("a user");
    world.converge();
    let moved = world.run(0, |client| async move {
        client.timeline().move_to(entry, there, "troca".into()).await
    });
    assert_eq!(moved.expect_err("refused").code, Code::OutOfScope);
    world.converge();
    assert_eq!(world.texts(0, here), ["no prontuário errado"]);
}
