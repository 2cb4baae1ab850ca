//! A device's file that is older than what the server saw of it, or lives twice: nothing is lost, nothing is forked.

use std::collections::BTreeMap;
use vereda_core::id::PatientId;
use vereda_tests::World;

fn texts(prefix: &str, count: i64) -> Vec<String> {
    (0..count).map(|index| format!("{prefix} {index}")).collect()
}

fn write(world: &mut World, device: usize, patients: &[PatientId], prefix: &str, count: i64) {
    for (index, text) in texts(prefix, count).iter().enumerate() {
        let patient = patients[index % patients.len()];
        // Ids derive from number and instant; no two histories write the same number in the same millisecond.
        world.advance(7);
        world.add(device, patient, index as i64, text);
    }
}

/// All texts of these patients on a device, sorted.
fn all(world: &mut World, device: usize, patients: &[PatientId]) -> Vec<String> {
    let mut found: Vec<String> = patients
        .iter()
        .flat_map(|patient| world.texts(device, *patient))
        .collect();
    found.sort();
    found
}

fn assert_everywhere(world: &mut World, patients: &[PatientId], mut expected: Vec<String>) {
    expected.sort();
    let mut server: Vec<String> = Vec::new();
    for patient in patients {
        server.extend(world.texts_at_server(*patient));
    }
    server.sort();
    assert_eq!(server, expected, "at the server");
    for device in 0..2 {
        assert_eq!(all(world, device, patients), expected, "on device {device}");
        let status = world.status(device);
        assert_eq!(
            (status.pending, status.drawer, status.parked),
            (0, 0, 0),
            "device {device}"
        );
    }
    for device in 0..2 {
        // The audit goes on too: nothing of it waits once it was sent.
        world.sync(device);
        assert_eq!(world.status(device).audit_waiting, 0, "device {device}");
        let verified = world.run(device, |client| async move { client.audit().verify().await });
        assert_eq!(verified.expect("the audit").broken_at, None);
    }
    let mut rows = BTreeMap::new();
    for patient in patients {
        let timelines: Vec<_> = (0..2).map(|device| world.timeline(device, *patient)).collect();
        rows.insert(*patient, timelines);
    }
    for timelines in rows.values() {
        assert_eq!(timelines[0], timelines[1]);
    }
}

/// Written before the copy, after it (and synchronised), and on the restored file.
fn restore_and_write(seed: u64, later: i64, again: i64, contact: bool) {
    let mut world = World::new(seed, 2);
    let patients = [world.patient(0, "Ana Souza"), world.patient(0, "Bento Lima")];
    write(&mut world, 0, &patients, "before", 4);
    world.converge();
    let copy = world.copy_file(0, "older.db");
    write(&mut world, 0, &patients, "later", later);
    if contact {
        world.converge();
    }
    world.restore_file(0, &copy);
    write(&mut world, 0, &patients, "again", again);
    world.converge();
    let mut expected = texts("before", 4);
    if contact {
        expected.extend(texts("later", later));
    }
    expected.extend(texts("again", again));
    assert_everywhere(&mut world, &patients, expected);
}

#[test]
fn a_file_restored_to_an_older_state_with_nothing_written_since_reads_what_it_forgot() {
    restore_and_write(101, 5, 0, true);
}

#[test]
fn a_file_restored_to_an_older_state_then_one_note_loses_nothing_and_forks_nothing() {
    restore_and_write(102, 5, 1, true);
}

#[test]
fn a_file_restored_to_an_older_state_then_as_many_notes_as_were_forgotten() {
    restore_and_write(103, 5, 5, true);
}

#[test]
fn a_file_restored_to_an_older_state_then_fifty_notes_loses_nothing_and_forks_nothing() {
    restore_and_write(104, 5, 50, true);
}

#[test]
fn a_file_restored_before_its_first_contact_goes_on_as_if_nothing_had_been() {
    restore_and_write(105, 5, 3, false);
}

#[test]
fn a_file_restored_with_writes_waiting_that_the_other_history_sent_sends_them_once() {
    let mut world = World::new(106, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    world.network.cut = true;
    write(&mut world, 0, &[patient], "waiting", 3);
    let copy = world.copy_file(0, "older.db");
    world.network.cut = false;
    write(&mut world, 0, &[patient], "later", 3);
    world.converge();
    world.restore_file(0, &copy);
    write(&mut world, 0, &[patient], "again", 2);
    world.converge();
    let mut expected = texts("waiting", 3);
    expected.extend(texts("later", 3));
    expected.extend(texts("again", 2));
    assert_everywhere(&mut world, &[patient], expected);
}

#[test]
fn a_file_restored_twice_loses_nothing() {
    let mut world = World::new(107, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let copy = world.copy_file(0, "older.db");
    let mut expected = Vec::new();
    for round in ["first", "second", "third"] {
        write(&mut world, 0, &[patient], round, 3);
        world.converge();
        expected.extend(texts(round, 3));
        world.restore_file(0, &copy);
        write(&mut world, 0, &[patient], &format!("{round} again"), 2);
        world.converge();
        expected.extend(texts(&format!("{round} again"), 2));
        assert_everywhere(&mut world, &[patient], expected.clone());
    }
}

#[test]
fn a_patient_registered_on_a_restored_file_keeps_the_id_people_saw() {
    let mut world = World::new(108, 2);
    let known = world.patient(0, "Ana Souza");
    world.converge();
    let copy = world.copy_file(0, "older.db");
    let other = world.patient(0, "Bento Lima");
    world.add(0, other, 1, "of the other history");
    world.converge();
    world.restore_file(0, &copy);
    world.advance(60_000);
    let patient = world.patient(0, "Carla Dias");
    let entry = world.add(0, patient, 1, "of this history");
    world.add(0, known, 2, "known");
    world.converge();
    assert_eq!(world.texts(1, patient), ["of this history"]);
    assert_eq!(world.timeline(1, patient)[0].id, entry);
    assert_everywhere(
        &mut world,
        &[known, other, patient],
        ["of the other history", "of this history", "known"]
            .map(str::to_owned)
            .to_vec(),
    );
}

#[test]
fn a_file_that_lives_twice_as_two_devices_loses_nothing_and_forks_nothing() {
    let mut world = World::new(109, 2);
    let patients = [world.patient(0, "Ana Souza"), world.patient(0, "Bento Lima")];
    world.converge();
    let copy = world.copy_file(0, "clone.db");
    let clone = world.add_clone(0, &copy);
    let mut expected = Vec::new();
    for round in 0..3 {
        for (device, name) in [(0, "one"), (clone, "other")] {
            let prefix = format!("{name} {round}");
            write(&mut world, device, &patients, &prefix, 3);
            expected.extend(texts(&prefix, 3));
        }
        world.converge();
    }
    expected.sort();
    assert_eq!(all(&mut world, clone, &patients), expected);
    assert_everywhere(&mut world, &patients, expected);
}
