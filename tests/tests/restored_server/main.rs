//! A server whose file was replaced by an older copy: what it acknowledged since comes back from the devices.

mod audit;
mod clinical;
mod copies;
mod faults;
mod gone;
mod ran_on;
mod resync;
mod trimming;
mod units;

use vereda_core::client::SyncEnd;
use vereda_core::id::PatientId;
use vereda_tests::World;

/// All texts of these patients on a device, sorted.
pub(crate) fn all(world: &mut World, device: usize, patients: &[PatientId]) -> Vec<String> {
    let mut found: Vec<String> = patients
        .iter()
        .flat_map(|patient| world.texts(device, *patient))
        .collect();
    found.sort();
    found
}

/// Everybody shows the same, nothing waits, and a new device reads exactly `expected`.
pub(crate) fn assert_nothing_lost(world: &mut World, patients: &[PatientId], expected: &[&str]) {
    let everybody: Vec<usize> = (0..world.devices.len()).collect();
    assert_nothing_lost_on(world, &everybody, patients, expected);
    world.converge();
    world.assert_same_rows();
    world.assert_places_name_one_change();
    let heads = world.heads(0);
    for device in 1..world.devices.len() {
        assert_eq!(heads, world.heads(device), "the documents of device {device}");
    }
}

/// The same of some devices.
pub(crate) fn assert_nothing_lost_on(
    world: &mut World,
    devices: &[usize],
    patients: &[PatientId],
    expected: &[&str],
) {
    let mut expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
    expected.sort();
    for device in devices {
        assert_eq!(all(world, *device, patients), expected, "on device {device}");
        let status = world.status(*device);
        let waiting = (status.pending, status.drawer, status.parked);
        assert_eq!(waiting, (0, 0, 0), "device {device}");
        assert_eq!((status.not_taken, status.giving_back), (0, 0), "device {device}");
        world.assert_rows_follow_from_documents(*device);
        world.assert_as_the_server(*device);
    }
    let mut server: Vec<String> = Vec::new();
    for patient in patients {
        server.extend(world.texts_at_server(*patient));
    }
    server.sort();
    assert_eq!(server, expected, "at the server");
}

/// Synchronises some devices until they have nothing left to do; the others are gone.
pub(crate) fn converge_on(world: &mut World, devices: &[usize]) {
    for _ in 0..40 {
        let waits = devices
            .iter()
            .filter(|device| matches!(world.sync(**device), SyncEnd::AgainLater { .. }))
            .count();
        if waits == 0 {
            for device in devices {
                world.sync(*device);
            }
            return;
        }
        world.advance(5 * 60_000);
    }
    for device in devices {
        println!(
            "device {device}: {:?} {:?}",
            world.sync(*device),
            world.outbox(*device)
        );
    }
    panic!("not converged after 40 rounds");
}

/// Gives a patient another name on a device.
pub(crate) fn rename(world: &mut World, device: usize, patient: PatientId, name: &str) {
    let name = name.to_owned();
    world
        .run(device, |client| async move {
            let shown = client.open_patient(patient, "test").await?.record().await?;
            let mut edited = shown.record.clone();
            edited.name = name.into();
            client.patients().edit(shown, edited).await
        })
        .expect("edited")
        .expect("something changed");
}
