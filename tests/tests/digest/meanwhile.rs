//! What goes on while a comparison is under way, and what ends without a write.

use vereda_core::protocol::{DigestAnswer, Encoding, encode_body};
use vereda_core::record::Compartment;
use vereda_core::sync::Reply;
use vereda_server::Role;
use vereda_tests::{Fault, Planted, World};

#[test]
fn lost_and_cut_answers_end_it_with_a_reason_and_change_nothing() {
    let mut world = World::new(770, 2);
    let patient = world.patient(0, "Rosa");
    for minute in 0..4 {
        world.add(0, patient, minute, "nota");
    }
    world.converge();
    assert!(world.plant(1, Planted::LastChange, 0));
    let mut ended_well = 0;
    // The sync, the way down, the documents: each is lost, cut, or somebody else's.
    for place in 0..4 {
        for fault in [Fault::AnswerLost, Fault::Cut(30), Fault::Doubled, Fault::Lost] {
            world.network.next = (0..place).map(|_| Fault::None).collect();
            world.network.next.push_back(fault);
            let report = world.compare(1, false);
            ended_well += usize::from(report.code.is_none());
            assert!(report.found <= 1 && report.repaired == 0, "{report:?}");
            world.network.next.clear();
            world.advance(600_000);
        }
    }
    assert!(ended_well > 0);
    let repaired = world.compare(1, true);
    assert_eq!((repaired.found, repaired.repaired), (1, 1), "{repaired:?}");
    world.assert_as_the_server(1);
}

#[test]
fn a_share_that_ends_by_the_clock_leaves_nothing_to_differ() {
    let mut world = World::new(771, 1);
    let mut entropy = vereda_core::testing::SeededEntropy::new(5);
    world
        .administration()
        .create_unit(&mut entropy, Some("north"), "unit-annex")
        .expect("a unit");
    let annex = world.add_unenrolled_device();
    let expires_ms = world.server_clock_ms() + 86_400_000;
    let mut admin = world.administration();
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
            client.enrol("http://localhost", &code, "a tablet").await
        })
        .expect("it enrols");
    let unit = world.enrolment(annex).scope.units[0].id;
    let patient = world.patient(0, "Rosa");
    world.add(0, patient, 1, "nota");
    let until_ms = world.server_clock_ms() + 3_600_000;
    world
        .run(0, |client| async move {
            let compartments = [Compartment::Clinical].into();
            client
                .placement()
                .share(patient, unit, compartments, "encaminhada".into(), Some(until_ms))
                .await
        })
        .expect("a share");
    world.converge();
    world.assert_as_the_server(annex);
    let shared = world.compare(annex, false).compared;
    assert_eq!(shared, 2, "the record and the chapter");
    world.advance(3_700_000);
    // The device learns of it with the very sync that brings the root.
    world.assert_as_the_server(annex);
    assert_eq!(world.compare(annex, false).compared, 0);
    world.assert_as_the_server(0);
}

/// What the server answers where the stream went on since the root.
fn moved(world: &World) -> Fault {
    let answer = DigestAnswer {
        epoch: world.enrolment(1).epoch,
        moved: true,
        ..DigestAnswer::default()
    };
    Fault::Instead(Reply {
        status: 200,
        content_type: Encoding::Vereda.media_type().into(),
        retry_after: None,
        body: encode_body(&answer, Encoding::Vereda),
    })
}

#[test]
fn a_stream_that_goes_on_meanwhile_makes_it_begin_again_and_not_for_ever() {
    let mut world = World::new(772, 2);
    let patient = world.patient(0, "Rosa");
    for minute in 0..4 {
        world.add(0, patient, minute, "nota");
    }
    world.converge();
    assert!(world.plant(1, Planted::LastChange, 0));
    // Root, then three times: it moved; each time another root.
    world.network.next = (0..3).flat_map(|_| [Fault::None, moved(&world)]).collect();
    let report = world.compare(1, false);
    assert_eq!((report.found, report.skipped), (1, 0), "{report:?}");
    world.network.next = (0..50).flat_map(|_| [Fault::None, moved(&world)]).collect();
    let before = world.network.exchanges;
    let report = world.compare(1, true);
    assert_eq!((report.found, report.skipped), (0, 1), "{report:?}");
    assert!(world.network.exchanges - before <= 12, "it goes on and on");
    world.network.next.clear();
    let report = world.compare(1, true);
    assert_eq!((report.found, report.repaired), (1, 1), "{report:?}");
}

#[test]
fn a_server_of_before_keeps_the_sums_from_its_first_comparisons_on() {
    let mut world = World::new(773, 2);
    for index in 0..30 {
        let patient = world.patient(0, &format!("Paciente {index}"));
        for year in 0..9 {
            world.add(0, patient, -year * 366 * 24 * 60, "nota");
        }
    }
    world.converge();
    world.stop_server();
    world
        .server_file()
        .execute_batch("update document set leaf = null, place = null; update record set leaf = null, place = null; delete from digest;")
        .expect("as before");
    world.start_server();
    // A part is found with each request that asks.
    let first = world.compare(1, false);
    assert_eq!((first.skipped, first.found), (1, 0), "{first:?}");
    for _ in 0..3 {
        world.compare(1, false);
    }
    world.assert_as_the_server(1);
    let keys = world.server_keys();
    world.stop_server();
    let report = vereda_server::verify::verify(&world.server_path(), &keys).expect("it opens");
    assert!(report.is_whole(), "{report:?}");
    // And what is kept is held against the documents.
    for sql in [
        "update digest set sum = sum + 1 where bucket = (select min(bucket) from digest)",
        "update document set leaf = leaf + 1 where id = (select min(id) from document)",
        "update record set leaf = leaf + 1 where patient = (select min(patient) from record)",
    ] {
        let copy = world.folder.path().join("planted.db");
        std::fs::copy(world.server_path(), &copy).expect("a copy");
        vereda_tests::open_file(&copy, &world.server_key())
            .execute_batch(sql)
            .expect("planted");
        let report = vereda_server::verify::verify(&copy, &keys).expect("it opens");
        assert!(
            report.faults.iter().all(|fault| fault.what == "digest") && !report.is_whole(),
            "{sql}: {report:?}"
        );
    }
}

#[test]
fn documents_of_which_only_rows_are_here_are_compared_by_their_segments_leaves() {
    let mut world = World::new(774, 1);
    for index in 0..5 {
        let patient = world.patient(0, &format!("Paciente {index}"));
        for minute in 0..4 {
            world.add(0, patient, minute, "nota");
        }
    }
    world.converge();
    world.segments_from_bytes = 1;
    world.start_server();
    world.network.lose_path = Some("/v1/documents");
    let device = world.add_device("north", "user-9", Role::Clinician);
    world.sync(device);
    let rows_only = |world: &World| {
        let connection = world.device_file(device);
        vereda_core::store::documents::rows_only(&connection, None, 100)
            .expect("a read")
            .len()
    };
    assert_eq!(rows_only(&world), 5, "the documents did not come");
    world.advance(600_000);
    let report = world.compare(device, false);
    assert_eq!(
        (report.compared, report.found, report.skipped),
        (10, 0, 0),
        "{report:?}"
    );
    world.devices[device].close();
    let planted = "UPDATE document SET leaf = leaf + 1 WHERE id = (SELECT min(id) FROM document)";
    world.device_file(device).execute_batch(planted).expect("planted");
    world.devices[device].reopen().expect("it opens");
    world.advance(600_000);
    assert_eq!(world.compare(device, false).found, 1);
    world.network.lose_path = None;
    world.advance(600_000);
    let repaired = world.compare(device, true);
    assert_eq!((repaired.found, repaired.repaired), (1, 1), "{repaired:?}");
    assert_eq!(rows_only(&world), 4, "that one came whole");
    world.converge();
    world.assert_as_the_server(device);
    world.rows(device).assert_same(&world.rows(0), "rows");
}
