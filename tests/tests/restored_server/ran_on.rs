//! A copy that ran on: it was restored, took new writes, and then the others came.

use crate::{assert_nothing_lost, rename};
use vereda_tests::World;

#[test]
fn d6_a_copy_that_ran_on_takes_back_what_it_lost_behind_what_it_took() {
    let mut world = World::new(321, 3);
    let patient = world.patient(0, "Ana Souza");
    world.add(0, patient, 1, "before");
    world.converge();
    let copy = world.copy_server("copy.db");
    world.add(0, patient, 2, "lost of 0");
    world.add(1, patient, 3, "lost of 1");
    // Device 2 knows nothing of that.
    world.sync(0);
    world.sync(1);
    world.sync(0);
    world.restore_server(&copy);
    world.add(2, patient, 4, "taken since");
    world.sync(2);
    world.add(2, patient, 5, "taken since, too");
    world.sync(2);
    world.converge();
    assert_nothing_lost(
        &mut world,
        &[patient],
        &[
            "before",
            "lost of 0",
            "lost of 1",
            "taken since",
            "taken since, too",
        ],
    );
}

#[test]
fn e1_everybody_gives_the_same_back_and_it_is_there_once() {
    let mut world = World::new(322, 4);
    let patients = [world.patient(0, "Ana Souza"), world.patient(3, "Bento Lima")];
    world.converge();
    let copy = world.copy_server("copy.db");
    let mut expected = Vec::new();
    for round in 0..6 {
        for device in 0..4 {
            let text = format!("{round} of {device}");
            world.add(device, patients[device % 2], round, &text);
            expected.push(text);
        }
        world.converge();
    }
    world.restore_server(&copy);
    // A fifth device that has read nothing writes first.
    let fresh = world.add_device("north", "user-9", vereda_server::Role::Clinician);
    world.sync(fresh);
    world.add(fresh, patients[0], 100, "taken since");
    world.sync(fresh);
    expected.push("taken since".into());
    world.converge();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    assert_nothing_lost(&mut world, &patients, &expected);
}

#[test]
fn c6_records_edited_on_both_sides_of_the_restore_end_alike_everywhere() {
    let mut world = World::new(323, 3);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let copy = world.copy_server("copy.db");
    rename(&mut world, 0, patient, "Ana Lost");
    world.sync(0);
    world.sync(1);
    rename(&mut world, 1, patient, "Ana Lost Again");
    world.sync(1);
    world.sync(0);
    world.restore_server(&copy);
    rename(&mut world, 2, patient, "Ana Since");
    world.sync(2);
    world.converge();
    assert_nothing_lost(&mut world, &[patient], &[]);
    let rows = world.rows(0);
    assert_eq!(rows.conflicts.len(), 1, "what no longer fits is a conflict");
    let shown: Vec<String> = rows.conflicts[0]
        .choices
        .iter()
        .map(|choice| serde_json::to_string(choice).expect("JSON"))
        .collect();
    assert!(shown.iter().any(|value| value.contains("Ana Since")), "{shown:?}");
    assert!(shown.iter().any(|value| value.contains("Ana Lost")), "{shown:?}");
}

#[test]
fn what_a_screen_shows_stays_while_the_log_is_read_again() {
    let mut world = World::new(324, 2);
    let patients: Vec<_> = (0..30)
        .map(|index| world.patient(0, &format!("Patient {index}")))
        .collect();
    world.converge();
    let copy = world.copy_server("copy.db");
    for round in 0..10 {
        for patient in &patients {
            world.add(0, *patient, round, "a note");
        }
    }
    world.converge();
    world.restore_server(&copy);
    let other = world.patient(1, "Taken Since");
    let fresh = world.add_device("north", "user-9", vereda_server::Role::Clinician);
    world.sync(fresh);
    let since = world.patient(fresh, "Registered Since");
    world.sync(fresh);
    let count = |world: &World| world.rows(0).entries.len();
    let patients_before = world.rows(0).patients.len();
    let before = count(&world);
    // Crashed at every step on the way, and looked at each time.
    for step in 0.. {
        world.devices[0].crash_after = Some(step % 7);
        let round = world.try_run(0, |client| async move { client.sync_once(60_000).await });
        if round.is_err() {
            world.devices[0].reopen().expect("the store opens again");
        }
        world.devices[0].crash_after = None;
        assert!(count(&world) >= before, "entries vanished");
        assert!(
            world.rows(0).patients.len() >= patients_before,
            "patients vanished"
        );
        if round.is_ok() {
            break;
        }
        assert!(step < 2_000, "it ends");
    }
    world.converge();
    let mut all = patients.clone();
    all.extend([other, since]);
    let expected = vec!["a note"; 300];
    assert_nothing_lost(&mut world, &all, &expected);
}

#[test]
fn a_server_restored_twice_while_it_is_given_back_gets_everything_back() {
    let mut world = World::new(325, 3);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let copy = world.copy_server("copy.db");
    world.add(0, patient, 1, "lost first");
    world.add(1, patient, 2, "lost first, too");
    world.converge();
    world.restore_server(&copy);
    world.add(2, patient, 3, "since");
    world.sync(2);
    world.sync(0);
    let later = world.copy_server("later.db");
    world.add(0, patient, 4, "lost again");
    world.sync(0);
    world.restore_server(&copy);
    world.sync(1);
    world.restore_server(&later);
    world.converge();
    assert_nothing_lost(
        &mut world,
        &[patient],
        &["lost first", "lost first, too", "since", "lost again"],
    );
}
