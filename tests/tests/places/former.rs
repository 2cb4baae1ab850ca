//! A device of a minor version that has no words for patients who leave: it is told to update, never misled.

use crate::clinic::{ANNEX, Clinic, NORTH};
use vereda_core::engine::HttpRequest;
use vereda_core::protocol::{
    Cursor, Encoding, PATH_SYNC, PageItem, Problem, SyncAnswer, SyncRequest, decode_body, encode_body,
};
use vereda_core::sync::Reply;

const CPF: &str = "529.982.247-25";

/// What a device of the annex that names this minor version is answered, from the beginning of its streams.
fn ask(clinic: &mut Clinic, minor: u32, cursors: Option<Vec<Cursor>>) -> Reply {
    let enrolment = clinic.world.enrolment(ANNEX);
    let from_the_beginning = enrolment.scope.streams.iter().map(|stream| Cursor {
        stream: *stream,
        seq: 0,
        chain: [0; 8].into(),
    });
    let request = SyncRequest {
        incarnation: 0,
        epoch: enrolment.epoch,
        scope: enrolment.scope.version,
        cursors: cursors.unwrap_or_else(|| from_the_beginning.collect()),
        minor,
        ..SyncRequest::default()
    };
    clinic.world.ask_server(&HttpRequest {
        server: "http://localhost".into(),
        authority: None,
        method: "POST",
        path: PATH_SYNC,
        bearer: Some(enrolment.tokens.expect("signed in").access.clone()),
        content_type: Encoding::Vereda.media_type(),
        body: encode_body(&request, Encoding::Vereda),
    })
}

fn items(reply: &Reply) -> Vec<PageItem> {
    assert_eq!(reply.status, 200);
    let answer: SyncAnswer = decode_body(&reply.body, Encoding::Vereda).expect("an answer");
    answer.pages.into_iter().flat_map(|page| page.items).collect()
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
        !items(&ask(&mut clinic, 8, None)).iter().any(is_of_minor_9),
        "a share that stands is made of items it knows or keeps"
    );
    clinic.end_share(NORTH, patient);
    clinic.world.converge();
    clinic.world.add(ANNEX, own, 3, "depois");
    clinic.world.converge();
    assert!(items(&ask(&mut clinic, 9, None)).iter().any(is_of_minor_9));
    let read = items(&ask(&mut clinic, 8, None));
    assert!(!read.is_empty(), "what it can read it reads");
    assert!(!read.iter().any(is_of_minor_9), "and nothing else comes");
    let answer: SyncAnswer =
        decode_body(&ask(&mut clinic, 8, None).body, Encoding::Vereda).expect("an answer");
    assert!(
        answer.pages.iter().any(|page| page.more),
        "it is not told that this is all"
    );
    let stands = stands_behind(&clinic, &answer);
    let reply = ask(&mut clinic, 8, Some(stands));
    assert_eq!(reply.status, 426);
    let problem: Problem = serde_json::from_slice(&reply.body).expect("a problem document");
    assert_eq!(problem.code, "app_too_old");
}
