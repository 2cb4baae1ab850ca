//! Differences that are planted past the engine are found, told, and repaired.

use vereda_core::id::PatientId;
use vereda_core::record::ChartKind;
use vereda_server::Role;
use vereda_tests::{Planted, World};

/// Two devices of one unit, one of another tenant, with notes, a chart and an edited record.
fn a_clinic(seed: u64) -> (World, PatientId) {
    let mut world = World::new(seed, 2);
    let south = world.add_device("south", "user-south", Role::Clinician);
    let patient = world.patient(0, "Rosa");
    let other = world.patient(south, "Sul");
    for minute in 0..5 {
        world.add(0, patient, minute, "nota");
        world.add(south, other, minute, "nota do sul");
    }
    world.run(0, |client| async move {
        for name in ["penicilina", "látex"] {
            let fields = [("display".to_owned(), name.to_owned().into())].into();
            let item = client
                .chart()
                .set(patient, None, ChartKind("allergy".into()), fields)
                .await;
            item.expect("a chart item");
        }
    });
    world.converge();
    (world, patient)
}

fn rename(world: &mut World, device: usize, patient: PatientId, name: &str) {
    let name = name.to_owned();
    let renamed = world.run(device, |client| async move {
        let shown = client.open_patient(patient, "test").await?.record().await?;
        let mut edited = shown.record.clone();
        edited.name = name.into();
        client.patients().edit(shown, edited).await
    });
    renamed.expect("edited").expect("something changed");
}

#[test]
fn a_device_in_sync_has_what_the_server_has_and_unsent_writes_make_no_difference() {
    let (mut world, patient) = a_clinic(701);
    world.add(1, patient, 2, "dois");
    world.converge();
    for device in 0..3 {
        world.assert_as_the_server(device);
    }
    world.network.cut = true;
    world.add(1, patient, 3, "não enviado");
    let offline = world.compare(1, false);
    assert_eq!((offline.streams, offline.found), (0, 0), "{offline:?}");
    assert_eq!(offline.code.as_deref(), Some("no_contact"), "{offline:?}");
    world.network.cut = false;
    world.converge();
    world.assert_as_the_server(1);
}

#[test]
fn each_planted_difference_is_found_told_and_repaired_in_either_tenant() {
    for (case, planted) in Planted::ALL.into_iter().enumerate() {
        for device in [1, 2] {
            let (mut world, patient) = a_clinic(710 + case as u64);
            let before = world.rows(device);
            let heads = world.heads(device);
            assert!(world.plant(device, planted, 0), "{planted:?}");
            let found = world.compare(device, false);
            assert_eq!((found.found, found.repaired), (1, 0), "{planted:?}: {found:?}");
            assert_eq!(world.status(device).differences_standing, 1, "{planted:?}");
            let repaired = world.compare(device, true);
            assert_eq!(
                (repaired.found, repaired.repaired),
                (1, 1),
                "{planted:?}: {repaired:?}"
            );
            world.assert_as_the_server(device);
            let status = world.status(device);
            assert_eq!(
                (
                    status.differences_found,
                    status.differences_repaired,
                    status.differences_standing
                ),
                (2, 1, 0),
                "{planted:?}"
            );
            assert!(status.verified_at_ms.is_some());
            world.rows(device).assert_same(&before, &format!("{planted:?}"));
            assert_eq!(world.heads(device), heads, "{planted:?}");
            // And everybody goes on as before.
            if device == 1 {
                world.add(1, patient, 30, "depois");
                world.add(0, patient, 31, "também");
                rename(&mut world, 0, patient, "Rosa Maria");
                world.converge();
                rename(&mut world, 1, patient, "Rosa Maria Lima");
                world.converge();
                world.rows(1).assert_same(&world.rows(0), "afterwards");
                world.assert_as_the_server(1);
            }
        }
    }
}

#[test]
fn unsent_writes_survive_the_repair_of_their_document() {
    for planted in [Planted::LastChange, Planted::FirstChange, Planted::Bit] {
        let (mut world, patient) = a_clinic(730);
        assert!(world.plant(1, planted, 0));
        world.network.lose_path = Some("/v1/sync");
        let unsent = world.run(1, |client| async move {
            let note = vereda_tests::note(40, "não enviado");
            client.timeline().add(patient, note).await
        });
        world.network.lose_path = None;
        world.advance(600_000);
        // Where the document does not open, writing waits for the repair.
        let repaired = world.compare(1, true);
        assert_eq!(repaired.standing(), 0, "{planted:?}: {repaired:?}");
        world.advance(600_000);
        world.converge();
        world.rows(1).assert_same(&world.rows(0), &format!("{planted:?}"));
        let texts = world.texts(0, patient);
        assert_eq!(
            texts.iter().any(|text| text == "não enviado"),
            unsent.is_ok(),
            "{planted:?}"
        );
        world.assert_as_the_server(1);
    }
}

#[test]
fn a_row_that_is_not_as_its_document_has_it_is_written_anew_without_a_network() {
    let (mut world, _) = a_clinic(740);
    world.network.cut = true;
    let before = world.rows(1);
    for sql in [
        "UPDATE entry SET text = 'outra' WHERE id = (SELECT min(id) FROM entry)",
        "DELETE FROM entry WHERE id = (SELECT max(id) FROM entry)",
        "UPDATE chart_item SET kind = 'alert' WHERE id = (SELECT min(id) FROM chart_item)",
    ] {
        world.devices[1].close();
        assert_eq!(world.device_file(1).execute(sql, []).expect("planted"), 1);
        world.devices[1].reopen().expect("it opens");
        let found = world.check_store(1, false);
        assert_eq!((found.rows, found.is_whole()), (1, false), "{sql}: {found:?}");
        let repaired = world.check_store(1, true);
        assert_eq!((repaired.rows_repaired, repaired.is_whole()), (1, true), "{sql}");
        assert!(world.check_store(1, false).is_whole());
        world.rows(1).assert_same(&before, sql);
    }
    assert_eq!(world.status(1).repaired_rows, 3);
}

#[test]
fn a_write_that_is_not_as_it_was_saved_is_told() {
    let (mut world, patient) = a_clinic(741);
    world.network.cut = true;
    world.add(1, patient, 50, "não enviado");
    assert_eq!(world.check_store(1, false).writes, 1);
    world.devices[1].close();
    let planted = world
        .device_file(1)
        .execute("UPDATE outbox SET bytes = CAST(bytes || x'00' AS BLOB)", []);
    assert_eq!(planted.expect("planted"), 1);
    world.devices[1].reopen().expect("it opens");
    let found = world.check_store(1, false);
    assert_eq!((found.writes_broken, found.is_whole()), (1, false), "{found:?}");
}

#[test]
fn what_only_the_device_has_is_kept_and_told_every_time() {
    let (mut world, patient) = a_clinic(750);
    world.stop_server();
    // The server's document loses its last change, and its sums say so.
    let file = world.server_file();
    let id: Vec<u8> = file
        .query_row(
            "select id from document where kind = 'chapter' order by id limit 1",
            [],
            |row| row.get(0),
        )
        .expect("a document");
    file.execute(
        "delete from chunk where document = ?1 and k = (select max(k) from chunk where document = ?1)",
        [&id],
    )
    .expect("planted");
    file.execute_batch("update document set leaf = null; update record set leaf = null; delete from digest;")
        .expect("planted");
    drop(file);
    world.start_server();
    let theirs = [0, 1, 2].map(|device| world.compare(device, true));
    let standing: Vec<u64> = theirs.iter().map(|report| report.standing()).collect();
    assert!(standing == [1, 1, 0] || standing == [0, 0, 1], "{theirs:?}");
    let device = if standing[1] == 1 { 1 } else { 2 };
    assert_eq!(
        (theirs[device].only_here, theirs[device].repaired),
        (1, 0),
        "{theirs:?}"
    );
    assert_eq!(world.status(device).differences_standing, 1);
    if device == 1 {
        assert_eq!(world.texts(1, patient).len(), 5, "nothing was taken away");
    }
    assert!(world.check_store(device, false).is_whole());
    let again = world.compare(device, true);
    assert_eq!((again.standing(), again.repaired), (1, 0), "{again:?}");
}
