//! A device compares by itself, once a day: behind everything else, bounded, and without ever going round in circles.

use vereda_core::client::Clock;
use vereda_core::id::PatientId;
use vereda_core::protocol::{Encoding, SyncRequest, decode_body};
use vereda_tests::{Planted, World, note};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A device that synchronises by itself beside one that does when asked, with something to compare.
fn a_clinic(seed: u64) -> (World, PatientId) {
    let mut world = World::new(seed, 2);
    let patient = world.patient(0, "Rosa");
    for minute in 0..4 {
        world.add(0, patient, minute, "nota");
    }
    world.converge();
    world.devices[1].reopen_automatic().expect("it opens");
    (world, patient)
}

/// Time passes; the device sleeps but for its last twelve minutes. How many requests asked for roots, for a digest, for
/// documents.
fn live(world: &mut World, ms: u64) -> (usize, usize, usize) {
    world.network.heard = Some(Vec::new());
    world.advance(ms - 720_000);
    world.live(1, 720_000);
    let heard = world.network.heard.take().unwrap_or_default();
    let of = |path: &str| heard.iter().filter(|(request, _)| request.path == path).count();
    let asks = heard.iter().filter(|(request, _)| {
        decode_body::<SyncRequest>(&request.body, Encoding::Vereda).is_ok_and(|request| request.digest)
    });
    (asks.count(), of("/v1/digest"), of("/v1/documents"))
}

#[test]
fn once_a_day_one_round_asks_for_the_roots_and_the_others_do_not() {
    let (mut world, _) = a_clinic(760);
    assert_eq!(
        live(&mut world, DAY_MS / 2),
        (0, 0, 0),
        "not before a day is over"
    );
    for _ in 0..3 {
        assert_eq!(live(&mut world, DAY_MS), (1, 0, 0));
        let status = world.status(1);
        let age_ms = world.server_clock_ms() - status.verified_at_ms.expect("compared");
        assert!(age_ms < DAY_MS as i64);
        assert_eq!(status.differences_found, 0);
    }
}

#[test]
fn what_differs_is_repaired_by_itself() {
    for planted in [
        Planted::LastChange,
        Planted::Bit,
        Planted::Document,
        Planted::Version,
    ] {
        let (mut world, patient) = a_clinic(761);
        world.live(1, 60_000);
        assert!(world.plant(1, planted, 0));
        let (_, digests, documents) = live(&mut world, DAY_MS + DAY_MS / 12);
        assert!(
            (1..=2).contains(&digests) && documents == 1,
            "{planted:?}: {digests}, {documents}"
        );
        let status = world.status(1);
        assert_eq!((status.differences_repaired, status.differences_standing), (1, 0));
        world.rows(1).assert_same(&world.rows(0), &format!("{planted:?}"));
        assert_eq!(world.texts(1, patient).len(), 4);
    }
}

#[test]
fn a_difference_that_stays_is_told_once_a_day_and_asked_for_no_more_often() {
    let (mut world, _) = a_clinic(762);
    world.live(1, 60_000);
    world.stop_server();
    let file = world.server_file();
    file.execute_batch(
        "delete from chunk where k = (select max(k) from chunk);
         update document set leaf = null; update record set leaf = null; delete from digest;",
    )
    .expect("planted");
    drop(file);
    world.start_server();
    for _ in 0..3 {
        let (roots, digests, documents) = live(&mut world, DAY_MS + 1);
        assert_eq!((roots, documents), (1, 1));
        assert!(digests <= 2, "{digests}");
        assert_eq!(live(&mut world, DAY_MS / 3), (0, 0, 0), "not twice a day");
    }
    let status = world.status(1);
    assert_eq!(
        (
            status.differences_found,
            status.differences_repaired,
            status.differences_standing
        ),
        (3, 0, 1)
    );
}

#[test]
fn without_a_network_nothing_is_read_and_with_it_again_it_is_made_up_for() {
    let (mut world, patient) = a_clinic(763);
    world.live(1, 60_000);
    world.network.cut = true;
    for _ in 0..2 {
        assert_eq!(live(&mut world, DAY_MS).0, 0);
    }
    assert_eq!(world.status(1).verified_at_ms, None);
    world.network.cut = false;
    world.add(1, patient, 60, "escrito sem rede");
    let (roots, ..) = live(&mut world, DAY_MS / 12);
    assert_eq!(roots, 1);
    assert!(world.status(1).verified_at_ms.is_some());
}

#[test]
fn people_write_while_it_reads_and_a_restart_in_between_only_begins_anew() {
    let (mut world, patient) = a_clinic(764);
    for minute in 100..160 {
        world.add(0, patient, minute, "mais uma");
    }
    world.converge();
    for steps in 0..12 {
        world.advance(DAY_MS - 60_000);
        world.devices[1].crash_after = Some(steps);
        let crashed = world.try_run(1, |client| async move {
            let saved = client
                .timeline()
                .add(patient, note(steps as i64, "entre passos"))
                .await;
            drop(saved);
            client.verifying().with_server(true).await
        });
        world.devices[1].crash_after = None;
        if crashed.is_err() {
            world.devices[1].reopen().expect("it opens");
        }
        world.advance(60_000);
    }
    world.converge();
    world.assert_as_the_server(1);
    assert_eq!(world.status(1).differences_found, 0);
    world.rows(1).assert_same(&world.rows(0), "rows");
}

#[test]
fn a_clock_set_anywhere_neither_puts_it_off_for_ever_nor_repeats_it() {
    let (mut world, _) = a_clinic(765);
    world.live(1, 60_000);
    for years in [10_i64, -10] {
        let now_ms = world.devices[1].clock.now().wall_ms;
        world.devices[1]
            .clock
            .set_wall(now_ms + years * 365 * DAY_MS as i64);
        let roots = live(&mut world, DAY_MS).0 + live(&mut world, DAY_MS + 1).0;
        assert!((1..=3).contains(&roots), "{years} years: {roots}");
    }
}
