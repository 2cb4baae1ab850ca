//! The author's device is gone with its owner; a colleague's device read what it wrote.

use crate::{assert_nothing_lost_on, converge_on};
use vereda_core::record::{ChartFields, ChartKind, Kind};
use vereda_tests::{World, at};

#[test]
fn d6_what_only_a_colleague_read_comes_back_from_the_colleague() {
    let mut world = World::new(331, 2);
    let copy = world.copy_server("copy.db");
    let patient = world.patient(0, "Ana Souza");
    world.add(0, patient, 1, "of the one who is gone");
    world.converge();
    world.restore_server(&copy);
    converge_on(&mut world, &[1]);
    assert_nothing_lost_on(&mut world, &[1], &[patient], &["of the one who is gone"]);
}

#[test]
fn d6_drafts_charts_and_corrections_of_the_one_who_is_gone_come_back() {
    let mut world = World::new(332, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let copy = world.copy_server("copy.db");
    let wrong = world.add(0, patient, 1, "wrong");
    let draft = world
        .run(0, |client| async move {
            let kind = Kind("note".into());
            let draft = client
                .drafts()
                .open(patient, kind, Some(at(2)), "a draft".into(), None)
                .await?
                .entry
                .expect("a draft");
            client
                .drafts()
                .write(draft, None, "a draft of two".into())
                .await?;
            client.timeline().amend(wrong, Some("right".into()), None).await?;
            let fields = ChartFields::from([("display".to_owned(), "dipirona".to_owned().into())]);
            client
                .chart()
                .set(patient, None, ChartKind("allergy".into()), fields)
                .await?;
            Ok::<_, vereda_core::error::SyncError>(draft)
        })
        .expect("all of it is saved");
    world.converge();
    world
        .run(1, |client| async move {
            client.drafts().finalize(draft, None, false).await
        })
        .expect("the colleague signs");
    world.converge();
    let before = world.rows(1);
    let log = world.server_log();
    world.restore_server(&copy);
    converge_on(&mut world, &[1]);
    before.assert_same(&world.rows(1), "before and after");
    assert_eq!(world.server_log(), log);
    let reader = world.add_device("north", "user-9", vereda_server::Role::Clinician);
    converge_on(&mut world, &[reader]);
    before.assert_same(&world.rows(reader), "a new colleague's");
}

#[test]
fn writes_for_a_patient_whose_registration_is_lost_wait_until_somebody_brings_it_back() {
    let mut world = World::new(333, 2);
    let copy = world.copy_server("copy.db");
    let patient = world.patient(0, "Ana Souza");
    world.sync(0);
    // Device 1 has the patient from a snapshot alone, and never read the log.
    world
        .run(1, |client| async move { client.snapshot(vec![patient]).await })
        .expect("a snapshot");
    world.add(1, patient, 1, "of the visitor");
    world.restore_server(&copy);
    // Another device shows the server that it was restored.
    world.add(0, patient, 2, "of the author");
    world.network.next.push_back(vereda_tests::Fault::AnswerLost);
    world.sync(0);
    world.sync(1);
    world.sync(1);
    assert_eq!(world.status(1).drawer, 0, "not refused while it may come back");
    world.converge();
    crate::assert_nothing_lost(&mut world, &[patient], &["of the visitor", "of the author"]);
}
