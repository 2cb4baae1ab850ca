//! Streams with patients of several units, read from segments: who is in them, and who no longer is.

use crate::clinic::{ANNEX, Clinic, NORTH};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use vereda_core::document::segment::Segment;
use vereda_core::engine::HttpRequest;
use vereda_core::id::PatientId;
use vereda_core::protocol::{Encoding, SegmentRequest, decode_body};
use vereda_core::sync::Reply;
use vereda_server::Role;

const CPFS: [&str; 4] = [
    "529.982.247-25",
    "111.444.777-35",
    "935.411.347-80",
    "390.533.447-05",
];
const DAY_MS: u64 = 86_400_000;

/// Every text in the segments somebody was given.
fn texts_in_segments(heard: &[(HttpRequest, Reply)]) -> Vec<String> {
    let pieces = heard
        .iter()
        .filter(|(request, reply)| request.path == "/v1/segment" && reply.status == 200);
    let mut texts = Vec::new();
    for (_, reply) in pieces {
        let mut segment = Segment::decode(&reply.body).expect("a segment in one piece");
        while let Some(document) = segment.take() {
            texts.extend(
                document
                    .entries
                    .into_iter()
                    .map(|entry| entry.header.entry.text.0),
            );
            assert!(document.states.is_empty() && document.items.is_empty());
        }
    }
    texts
}

fn a_patient(clinic: &mut Clinic, device: usize, index: usize, mark: &str) -> PatientId {
    let patient = clinic.patient(device, &format!("Paciente {index}"), CPFS[index]);
    clinic.world.add(device, patient, 1, mark);
    patient
}

#[test]
fn s1_only_who_is_in_a_unit_is_in_its_segments_however_they_came_or_went() {
    let mut clinic = Clinic::new(541);
    let (north, annex) = (clinic.north, clinic.annex);
    let stays = a_patient(&mut clinic, NORTH, 0, "marca-fica");
    let lent = a_patient(&mut clinic, NORTH, 1, "marca-emprestada");
    let back = a_patient(&mut clinic, NORTH, 2, "marca-devolvida");
    let moved = a_patient(&mut clinic, ANNEX, 3, "marca-mudada");
    clinic.world.converge();
    for patient in [lent, back] {
        clinic.share(NORTH, patient, annex);
    }
    clinic
        .world
        .run(ANNEX, |client| async move {
            client.placement().transfer(moved, north, "mudou".into()).await
        })
        .expect("moved");
    clinic.world.converge();
    clinic.world.add(ANNEX, lent, 2, "marca-do-anexo");
    clinic.end_share(NORTH, back);
    clinic.world.converge();
    clinic.offer_segments();
    // What the annex kept of the moved one ends by itself.
    for (days, annex_has) in [
        (
            0,
            vec![
                ("marca-do-anexo", lent),
                ("marca-emprestada", lent),
                ("marca-mudada", moved),
            ],
        ),
        (31, vec![("marca-do-anexo", lent), ("marca-emprestada", lent)]),
    ] {
        clinic.world.advance(days * DAY_MS);
        clinic.world.network.heard = Some(Vec::new());
        let user = format!("late-{days}");
        let late = clinic.join("north", &user, &["unit-annex"], Role::Clinician);
        clinic.world.sync(late);
        let heard = clinic.world.network.heard.take().expect("it listened");
        let mut texts = texts_in_segments(&heard);
        texts.sort();
        let expected: Vec<&str> = annex_has.iter().map(|(text, _)| *text).collect();
        assert_eq!(texts, expected, "in the segments of the annex");
        for (text, patient) in &annex_has {
            let shown = clinic.reads(late, *patient).expect("here");
            assert!(shown.iter().any(|shown| shown == text));
        }
        assert_eq!(clinic.reads(late, stays), None);
        assert_eq!(clinic.reads(late, back), None);
    }
    let late = clinic.join("north", "late-north", &["unit-north"], Role::Clinician);
    clinic.world.converge();
    for patient in [stays, lent, back, moved] {
        assert!(clinic.reads(late, patient).is_some(), "the north has them all");
    }
    clinic
        .world
        .rows(NORTH)
        .assert_same(&clinic.world.rows(late), "by segments");
}

/// A late device of the annex asks for its list, then something happens, then it asks for the segments.
fn between_list_and_segment(seed: u64, what: impl FnOnce(&mut Clinic, PatientId)) {
    let mut clinic = Clinic::new(seed);
    let annex = clinic.annex;
    let lent = a_patient(&mut clinic, NORTH, 0, "marca-emprestada");
    let own = a_patient(&mut clinic, ANNEX, 1, "marca-propria");
    clinic.world.converge();
    clinic.share_for_days(NORTH, lent, annex, 3);
    clinic.world.converge();
    assert!(clinic.reads(ANNEX, lent).is_some());
    clinic.offer_segments();
    let late = clinic.join("north", "user-late", &["unit-annex"], Role::Clinician);
    clinic.world.network.lose_path = Some("/v1/segment");
    clinic.world.network.heard = Some(Vec::new());
    clinic.world.sync(late);
    let heard = clinic.world.network.heard.take().expect("it listened");
    assert!(
        heard.iter().any(|(request, _)| request.path == "/v1/segments"),
        "the list came"
    );
    clinic.world.network.lose_path = None;
    what(&mut clinic, lent);
    clinic.world.network.heard = Some(Vec::new());
    clinic.world.converge();
    let heard = clinic.world.network.heard.take().expect("it listened");
    assert!(
        heard
            .iter()
            .any(|(request, reply)| request.path == "/v1/segment" && reply.status == 404),
        "the segment named before is not given any more"
    );
    assert_eq!(texts_in_segments(&heard), ["marca-propria"]);
    assert_eq!(clinic.reads(late, lent), None);
    assert_eq!(clinic.reads(late, own).expect("here"), ["marca-propria"]);
    let (one, other) = (clinic.world.rows(ANNEX), clinic.world.rows(late));
    one.assert_same(&other, "who read the log, and who came by segments");
}

#[test]
fn s1_a_segment_is_not_given_after_a_share_of_somebody_in_it_ended() {
    between_list_and_segment(542, |clinic, patient| {
        clinic.end_share(NORTH, patient);
        clinic.world.sync(NORTH);
    });
}

#[test]
fn s1_a_segment_is_not_given_after_a_share_of_somebody_in_it_ended_by_itself() {
    between_list_and_segment(543, |clinic, _| clinic.world.advance(4 * DAY_MS));
}

/// The share ends when the segment is here and its rows are not written, or the patient's record is not.
fn while_its_segment_comes(seed: u64, what: impl Fn(&mut Clinic, PatientId)) {
    for crash_after in 1..40 {
        let mut clinic = Clinic::new(seed);
        let annex = clinic.annex;
        let lent = a_patient(&mut clinic, NORTH, 0, "marca-emprestada");
        let own = a_patient(&mut clinic, ANNEX, 1, "marca-propria");
        clinic.share_for_days(NORTH, lent, annex, 3);
        clinic.world.converge();
        clinic.offer_segments();
        let late = clinic.join("north", "user-late", &["unit-annex"], Role::Clinician);
        clinic.world.devices[late].crash_after = Some(crash_after);
        let end = clinic
            .world
            .try_run(late, |client| async move { client.sync_once(60_000).await });
        let crashed = end.is_err();
        what(&mut clinic, lent);
        clinic.world.devices[late].crash_after = None;
        if crashed {
            clinic.world.devices[late].reopen().expect("it opens");
        }
        clinic.world.converge();
        assert_eq!(clinic.reads(late, lent), None, "step {crash_after}");
        assert_eq!(clinic.reads(late, own).expect("here"), ["marca-propria"]);
        let (one, other) = (clinic.world.rows(ANNEX), clinic.world.rows(late));
        one.assert_same(&other, &format!("step {crash_after}"));
        assert_eq!(
            clinic.world.documents(ANNEX).len(),
            clinic.world.documents(late).len(),
            "step {crash_after}: no document without a patient"
        );
        if !crashed {
            return;
        }
    }
    panic!("the round has more steps than were tried");
}

#[test]
fn s2_a_share_that_ends_while_its_patients_segment_is_on_its_way_leaves_nothing() {
    while_its_segment_comes(544, |clinic, patient| {
        clinic.end_share(NORTH, patient);
        clinic.world.sync(NORTH);
    });
}

#[test]
fn s2_a_share_that_ends_by_itself_while_its_patients_segment_is_on_its_way_leaves_nothing() {
    while_its_segment_comes(546, |clinic, _| clinic.world.advance(4 * DAY_MS));
}

/// The list has another segment in one place; the others are not fetched again.
#[test]
fn who_leaves_costs_a_device_on_its_way_only_the_segment_they_were_in() {
    let mut clinic = Clinic::new(547);
    let annex = clinic.annex;
    let mut random = StdRng::seed_from_u64(547);
    // As much text as makes a segment of each; who registered last comes last.
    let own: Vec<PatientId> = (1..4)
        .map(|index| a_patient(&mut clinic, ANNEX, index, "nota"))
        .collect();
    clinic.world.advance(1_000);
    let lent = a_patient(&mut clinic, NORTH, 0, "marca-emprestada");
    clinic.share(NORTH, lent, annex);
    for patient in &own {
        for minute in 0..75 {
            let text: String = (0..30_000).map(|_| random.random_range('a'..='z')).collect();
            clinic.world.add(ANNEX, *patient, minute, &text);
        }
    }
    clinic.world.converge();
    clinic.offer_segments();
    // Somebody came before: the list is whole.
    let before = clinic.join("north", "user-before", &["unit-annex"], Role::Clinician);
    clinic.world.sync(before);
    let late = clinic.join("north", "user-late", &["unit-annex"], Role::Clinician);
    clinic.world.network.heard = Some(Vec::new());
    let pieces = |clinic: &Clinic| {
        let heard = clinic.world.network.heard.as_ref().expect("it listens").iter();
        heard
            .filter(|(request, reply)| request.path == "/v1/segment" && reply.status == 200)
            .map(|(request, _)| {
                decode_body::<SegmentRequest>(&request.body, Encoding::Vereda).expect("a request")
            })
            .map(|request| (*request.hash, request.from))
            .collect::<Vec<_>>()
    };
    while pieces(&clinic).len() < 2 {
        clinic.world.devices[late].crash_after = Some(9);
        drop(
            clinic
                .world
                .try_run(late, |client| async move { client.sync_once(60_000).await }),
        );
        clinic.world.devices[late].crash_after = None;
        clinic.world.devices[late].reopen().expect("it opens");
    }
    clinic.end_share(NORTH, lent);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    let mut heard = clinic.world.network.heard.as_ref().expect("it listens").iter();
    assert!(
        heard.any(|(request, reply)| request.path == "/v1/segment" && reply.status == 404),
        "one was not there any more"
    );
    let mut asked = pieces(&clinic);
    assert!(asked.len() > 3, "several segments: {}", asked.len());
    let all = asked.len();
    asked.sort_unstable();
    asked.dedup();
    assert_eq!(asked.len(), all, "no piece came twice");
    assert_eq!(clinic.reads(late, lent), None);
    let (one, other) = (clinic.world.rows(ANNEX), clinic.world.rows(late));
    one.assert_same(&other, "who read the log, and who came by segments");
}

/// The unit goes when the segment is here, and the log of its records is not.
#[test]
fn s2_who_leaves_a_unit_while_its_segments_come_holds_nothing_of_it() {
    for crash_after in 1..40 {
        let mut clinic = Clinic::new(545);
        a_patient(&mut clinic, ANNEX, 0, "marca-do-anexo");
        a_patient(&mut clinic, NORTH, 1, "marca-do-norte");
        clinic.world.converge();
        clinic.offer_segments();
        let units = ["unit-north", "unit-annex"];
        let late = clinic.join("north", "user-late", &units, Role::Clinician);
        clinic.world.devices[late].crash_after = Some(crash_after);
        let end = clinic
            .world
            .try_run(late, |client| async move { client.sync_once(60_000).await });
        let crashed = end.is_err();
        clinic.leave("user-late", "unit-annex");
        clinic.world.devices[late].crash_after = None;
        if crashed {
            clinic.world.devices[late].reopen().expect("it opens");
        }
        clinic.world.converge();
        let (one, other) = (clinic.world.rows(NORTH), clinic.world.rows(late));
        one.assert_same(&other, &format!("step {crash_after}"));
        let documents = clinic.world.documents(late).len();
        assert_eq!(
            documents,
            clinic.world.documents(NORTH).len(),
            "step {crash_after}"
        );
        if !crashed {
            return;
        }
    }
    panic!("the round has more steps than were tried");
}
