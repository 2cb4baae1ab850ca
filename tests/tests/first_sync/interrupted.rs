//! First syncs that end early: killed between two steps, cut in the middle of a reply.

use crate::{a_clinic, new_device, rows_only};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use vereda_core::client::{PageRequest, PatientFilter};
use vereda_core::engine::Completeness;
use vereda_core::id::PatientId;
use vereda_core::record::NewEntry;
use vereda_tests::{World, note};

/// Everything of a device is as the log's readers have it: rows, receipts, documents, counts, and the indexes over them.
fn assert_whole(world: &mut World, device: usize, what: &str) {
    world.rows(0).assert_same(&world.rows(device), what);
    assert_eq!(world.receipts(device), world.receipts(0), "{what}: receipts");
    assert_eq!(world.heads(device), world.heads(0), "{what}: documents");
    assert_eq!(rows_only(world, device), 0, "{what}: no document is awaited");
    let status = world.status(device);
    assert_eq!(status.completeness, Completeness::Complete, "{what}");
    assert_eq!((status.first_sync, status.repaired_rows), (None, 0), "{what}");
    let sound: String = world
        .device_file(device)
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .expect("a check");
    assert_eq!(sound, "ok", "{what}: tables and indexes");
    for table in ["segment", "segment_piece"] {
        let left: i64 = world
            .device_file(device)
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .expect("a count");
        assert_eq!(left, 0, "{what}: {table}");
    }
}

/// Whether a list of patients says that it is not all of them.
fn list_is_partial(world: &mut World, device: usize) -> bool {
    let page = world.run(device, |client| async move {
        let filter = PatientFilter::default();
        client.patients().list(filter, PageRequest::default()).await
    });
    page.expect("a page").completeness == Completeness::Partial
}

#[test]
fn d3_a_device_killed_after_any_step_of_its_first_sync_goes_on_and_lacks_nothing() {
    let (mut world, _) = a_clinic(631, 6);
    for crash_after in 1..400 {
        let device = new_device(&mut world);
        world.devices[device].crash_after = Some(crash_after);
        let crashed = world
            .try_run(device, |client| async move { client.sync_once(60_000).await })
            .is_err();
        world.devices[device].crash_after = None;
        if crashed {
            world.devices[device].reopen().expect("it opens");
        }
        let is_through = world.status(device).completeness == Completeness::Complete;
        assert_eq!(list_is_partial(&mut world, device), !is_through, "a list says so");
        world.sync(device);
        world.advance(600_000);
        world.sync(device);
        assert_whole(&mut world, device, &format!("killed after step {crash_after}"));
        if !crashed {
            return;
        }
    }
    panic!("a first sync has more steps than were tried");
}

/// A clinic whose segments have more rows than a step writes: texts that do not shrink, by an import.
fn a_large_clinic(seed: u64, entries: usize) -> World {
    let mut world = World::new(seed, 1);
    let mut random = StdRng::seed_from_u64(seed);
    let patients: Vec<PatientId> = ["Ana", "Bia", "Caio"]
        .iter()
        .map(|name| world.patient(0, name))
        .collect();
    let mut written = 0;
    while written < entries {
        for patient in &patients {
            let notes: Vec<NewEntry> = (0..400)
                .map(|number| {
                    let text: String = (0..120).map(|_| random.random_range('a'..='z')).collect();
                    note((written + number) as i64, &text)
                })
                .collect();
            written += notes.len();
            let patient = *patient;
            world
                .run(
                    0,
                    |client| async move { client.imports().add(patient, notes).await },
                )
                .expect("an import");
        }
        world.sync(0);
    }
    world.converge();
    world.segments_from_bytes = 1;
    world.start_server();
    world
}

#[test]
fn d3_a_device_killed_in_the_middle_of_a_segment_goes_on_from_there() {
    let mut world = a_large_clinic(632, 6_000);
    let device = new_device(&mut world);
    let mut rows_before = 0;
    let mut killed_within = 0;
    for crash_after in 1.. {
        world.devices[device].crash_after = Some(crash_after);
        let ended = world.try_run(device, |client| async move { client.sync_once(60_000).await });
        world.devices[device].crash_after = None;
        if ended.is_ok() {
            break;
        }
        world.devices[device].reopen().expect("it opens");
        let rows = world.rows(device).entries.len();
        assert!(rows >= rows_before, "what was written stays");
        killed_within += usize::from(rows > rows_before && rows < 6_000);
        rows_before = rows;
    }
    assert!(killed_within > 0, "killed when a segment was partly written");
    world.sync(device);
    assert_whole(&mut world, device, "after many lives");
}

#[test]
fn a_first_sync_cut_twenty_times_costs_a_twentieth_more_bytes_at_most() {
    let mut world = a_large_clinic(633, 3_600);
    let mut bytes = Vec::new();
    for cuts in [0, 20] {
        let device = new_device(&mut world);
        world.network.cut_pieces = cuts;
        let before = world.network.bytes;
        // Half of the interruptions are the end of the process, too.
        for crash_after in (cuts > 0).then_some(5..15).into_iter().flatten() {
            world.devices[device].crash_after = Some(crash_after);
            let ended = world.try_run(device, |client| async move { client.sync_once(60_000).await });
            world.devices[device].crash_after = None;
            if ended.is_ok() {
                break;
            }
            world.devices[device].reopen().expect("it opens");
        }
        world.sync(device);
        world.advance(600_000);
        world.sync(device);
        assert_eq!(world.network.cut_pieces, 0, "every reply was cut");
        let after = world.network.bytes;
        bytes.push((after.0 - before.0) + (after.1 - before.1));
        assert_whole(&mut world, device, &format!("cut {cuts} times"));
    }
    let [whole, cut] = bytes[..] else {
        panic!("two first syncs")
    };
    assert!(cut * 20 <= whole * 21, "{cut} bytes instead of {whole}");
}

/// Patients somebody names are usable at once; the rest comes in segments, and the two fit together.
#[test]
fn named_patients_come_first_and_whole_and_the_segments_add_the_rest() {
    let (mut world, patients) = a_clinic(634, 8);
    let device = new_device(&mut world);
    let named = patients[0];
    world
        .run(device, |client| async move { client.snapshot(vec![named]).await })
        .expect("a snapshot");
    let texts = world.texts(device, named);
    assert_eq!(
        texts.len(),
        world.texts(0, named).len(),
        "usable before any log or segment"
    );
    assert!(
        list_is_partial(&mut world, device),
        "others are missing, and it says so"
    );
    let entry = world.add(device, named, 90, "no primeiro minuto");
    world.network.lose_path = Some("/v1/segment");
    world.sync(device);
    assert!(
        world
            .texts(device, named)
            .contains(&"no primeiro minuto".to_owned())
    );
    world.network.lose_path = None;
    world.advance(600_000);
    world.converge();
    assert!(world.rows(0).entries.iter().any(|row| row.id == entry));
    assert_whole(&mut world, device, "after a snapshot");
}
