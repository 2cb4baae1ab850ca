//! A device of a minor version that has no words for patients who leave: it is told to update, never misled.

use crate::clinic::{ANNEX, Clinic, NORTH};
use vereda_core::document::{LoadedDocument, operations};
use vereda_core::engine::HttpRequest;
use vereda_core::id::{Incarnation, PatientId};
use vereda_core::protocol::{
    ChangeReference, Cursor, Encoding, Frozen, Outcome, PATH_SYNC, PageItem, Problem, PushItem, SyncAnswer,
    SyncRequest, change_check, decode_body, encode_body,
};
use vereda_core::record::{Compartment, Intent, Write};
use vereda_core::store::meta;
use vereda_core::sync::Reply;
use vereda_tests::{at, note};

const CPF: &str = "529.982.247-25";

/// A request of a device of the annex that names this minor version, from the beginning of its streams.
fn request(clinic: &Clinic, minor: u32) -> SyncRequest {
    let enrolment = clinic.world.enrolment(ANNEX);
    let from_the_beginning = enrolment.scope.streams.iter().map(|stream| Cursor {
        stream: *stream,
        seq: 0,
        chain: [0; 8].into(),
    });
    SyncRequest {
        incarnation: 0,
        epoch: enrolment.epoch,
        scope: enrolment.scope.version,
        cursors: from_the_beginning.collect(),
        minor,
        ..SyncRequest::default()
    }
}

fn send(clinic: &mut Clinic, request: &SyncRequest) -> Reply {
    let tokens = clinic.world.enrolment(ANNEX).tokens.expect("signed in");
    clinic.world.ask_server(&HttpRequest {
        server: "http://localhost".into(),
        authority: None,
        method: "POST",
        path: PATH_SYNC,
        bearer: Some(tokens.access.clone()),
        content_type: Encoding::Vereda.media_type(),
        body: encode_body(request, Encoding::Vereda),
    })
}

fn ask(clinic: &mut Clinic, minor: u32) -> Reply {
    let request = request(clinic, minor);
    send(clinic, &request)
}

fn answer(reply: &Reply) -> SyncAnswer {
    assert_eq!(reply.status, 200);
    decode_body(&reply.body, Encoding::Vereda).expect("an answer")
}

/// A note as a device of another incarnation of this store pushes it.
fn pushed(clinic: &Clinic, patient: PatientId) -> (u64, PushItem) {
    let enrolment = clinic.world.enrolment(ANNEX);
    let write = Write {
        n: 1,
        user: enrolment.user,
        unit: clinic.annex,
        compartment: Compartment::Clinical,
        patient,
        recorded_at: at(5),
        hlc: None,
        time_uncertain: false,
        after: Vec::new(),
        part: 0,
        replaces: None,
        first_key: None,
        intent: Intent::Add {
            entries: vec![note(5, "do aplicativo antigo")],
        },
    };
    let own: Option<Incarnation> =
        meta::get(&clinic.world.device_file(ANNEX), "incarnation").expect("the store reads");
    let incarnation = Incarnation {
        number: 4_242,
        ..own.expect("an incarnation")
    };
    let compiled = operations(&write, &incarnation).swap_remove(0);
    let made = LoadedDocument::new()
        .apply(&compiled.operations, &incarnation.actor(0), None)
        .expect("a change");
    let item = PushItem {
        write: Frozen::from_bytes(write.to_bytes()),
        generation: 0,
        changes: vec![ChangeReference {
            check: change_check(&made.hash),
            dependencies: None,
            raw: None,
        }],
    };
    (incarnation.number, item)
}

fn items(reply: &Reply) -> Vec<PageItem> {
    answer(reply)
        .pages
        .into_iter()
        .flat_map(|page| page.items)
        .collect()
}

fn is_of_minor_9(item: &PageItem) -> bool {
    matches!(item, PageItem::Part(_) | PageItem::Withheld { .. })
}

/// Where a reader stands after an answer from the beginning.
fn stands_behind(clinic: &Clinic, answer: &SyncAnswer) -> Vec<Cursor> {
    let file = clinic.world.server_file();
    let enrolment = clinic.world.enrolment(ANNEX);
    let streams = enrolment.scope.streams.iter();
    streams
        .map(|stream| {
            let pages = answer.pages.iter().filter(|page| page.stream == *stream);
            let seq: u64 = pages
                .flat_map(|page| &page.received_ms)
                .map(|(count, _)| u64::from(*count))
                .sum();
            let chain: Option<Vec<u8>> = file
                .query_row(
                    "select chain from log where unit = ?1 and compartment = ?2 and seq = ?3",
                    (stream.unit.as_bytes(), stream.compartment.code(), seq as i64),
                    |row| row.get(0),
                )
                .ok();
            let mut tag = [0; 8];
            if let Some(chain) = chain {
                tag.copy_from_slice(&chain[..8]);
            }
            Cursor {
                stream: *stream,
                seq,
                chain: tag.into(),
            }
        })
        .collect()
}

#[test]
fn a_device_of_minor_version_8_reads_up_to_a_patient_who_left_and_is_then_told_to_update() {
    let mut clinic = Clinic::new(541);
    let own = clinic.patient(ANNEX, "Davi do Anexo", "111.444.777-35");
    clinic.world.add(ANNEX, own, 1, "antes");
    let patient = clinic.patient(NORTH, "Ana Emprestada", CPF);
    clinic.world.add(NORTH, patient, 2, "do norte");
    clinic.world.converge();
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    assert!(
        !items(&ask(&mut clinic, 8)).iter().any(is_of_minor_9),
        "a share that stands is made of items it knows or keeps"
    );
    clinic.end_share(NORTH, patient);
    clinic.world.converge();
    clinic.world.add(ANNEX, own, 3, "depois");
    clinic.world.converge();
    assert!(items(&ask(&mut clinic, 9)).iter().any(is_of_minor_9));
    let read = items(&ask(&mut clinic, 8));
    assert!(!read.is_empty(), "what it can read it reads");
    assert!(!read.iter().any(is_of_minor_9), "and nothing else comes");
    let read = answer(&ask(&mut clinic, 8));
    assert!(
        read.pages.iter().any(|page| page.more),
        "it is not told that this is all"
    );
    let stands = SyncRequest {
        cursors: stands_behind(&clinic, &read),
        ..request(&clinic, 8)
    };
    let (incarnation, item) = pushed(&clinic, own);
    let sends = SyncRequest {
        incarnation,
        push: vec![item],
        ..stands.clone()
    };
    let accepted = answer(&send(&mut clinic, &sends));
    assert!(
        matches!(accepted.outcomes[0].outcome, Outcome::Accepted { .. }),
        "what it has to send goes in"
    );
    assert!(accepted.pages.is_empty());
    let reply = send(&mut clinic, &stands);
    assert_eq!(reply.status, 426);
    let problem: Problem = serde_json::from_slice(&reply.body).expect("a problem document");
    assert_eq!(problem.code, "app_too_old");
    clinic.world.converge();
    let texts = clinic.reads(ANNEX, own).expect("here");
    assert!(texts.contains(&"do aplicativo antigo".to_owned()));
}
