//! Differences that are planted past the engine are found, told, and repaired.

use vereda_tests::World;

#[test]
fn a_device_in_sync_has_what_the_server_has_and_unsent_writes_make_no_difference() {
    let mut world = World::new(701, 2);
    let patient = world.patient(0, "Rosa");
    world.add(0, patient, 1, "um");
    world.converge();
    world.add(1, patient, 2, "dois");
    world.converge();
    for device in 0..2 {
        world.assert_as_the_server(device);
    }
    world.network.cut = true;
    world.add(1, patient, 3, "não enviado");
    let offline = world.compare(1, false);
    assert_eq!((offline.streams, offline.found), (0, 0), "{offline:?}");
    assert!(offline.code.is_some(), "{offline:?}");
    world.network.cut = false;
    world.converge();
    world.assert_as_the_server(1);
}

#[test]
fn a_removed_chunk_is_found_and_repaired() {
    let mut world = World::new(702, 2);
    let patient = world.patient(0, "Rosa");
    for minute in 0..5 {
        world.add(0, patient, minute, "nota");
    }
    world.converge();
    world.devices[1].close();
    let file = world.device_file(1);
    let removed = file
        .execute("DELETE FROM chunk WHERE k = 3", [])
        .expect("planted");
    assert_eq!(removed, 1);
    drop(file);
    world.devices[1].reopen().expect("opens");
    let found = world.compare(1, false);
    assert_eq!((found.found, found.repaired), (1, 0), "{found:?}");
    let repaired = world.compare(1, true);
    assert_eq!((repaired.found, repaired.repaired), (1, 1), "{repaired:?}");
    world.assert_as_the_server(1);
    world.assert_same_rows();
}
