//! Everything is fetched again, and meanwhile the server is restored: the device goes on naming how far it had been.

use crate::{assert_nothing_lost, converge_on};
use std::path::PathBuf;
use vereda_core::id::PatientId;
use vereda_tests::World;

/// Steps after which the device is killed.
const KILLS: std::ops::Range<u64> = 1..15;

const EXPECTED: [&str; 4] = ["before", "before, too", "lost", "after"];

/// A copy that lacks the last write, and a device that fetches everything again and is killed after so many steps.
fn killed_while_fetching(
    seed: u64,
    kill: u64,
    by_segments: bool,
    has_reader: bool,
) -> (World, PatientId, PathBuf) {
    let mut world = World::new(seed, 2);
    world.segments_from_bytes = if by_segments { 1 } else { u64::MAX };
    world.start_server();
    let patient = world.patient(0, "Ana Souza");
    world.add(0, patient, 1, "before");
    world.converge();
    world.add(1, patient, 2, "before, too");
    world.converge();
    let copy = world.copy_server("copy.db");
    world.add(0, patient, 3, "lost");
    world.sync(0);
    world.sync(0);
    if has_reader {
        world.sync(1);
    }
    world
        .run(0, |client| async move { client.resync("teste".into()).await })
        .expect("it is noted");
    world.devices[0].crash_after = Some(kill);
    let crashed = world.try_run(0, |client| async move { client.sync_once(60_000).await });
    world.devices[0].crash_after = None;
    if crashed.is_err() {
        world.devices[0].reopen().expect("the store opens again");
    }
    (world, patient, copy)
}

#[test]
fn d6_a_write_whose_author_fetches_everything_again_survives_a_restore_at_every_step() {
    for by_segments in [false, true] {
        for kill in KILLS {
            println!("killed after {kill} steps, by segments: {by_segments}");
            let (mut world, patient, copy) = killed_while_fetching(381, kill, by_segments, false);
            world.restore_server(&copy);
            world.sync(0);
            world.add(0, patient, 4, "after");
            world.converge();
            assert_nothing_lost(&mut world, &[patient], &EXPECTED);
        }
    }
}

#[test]
fn c4_no_place_is_used_twice_where_a_colleague_had_read_the_lost_write() {
    for kill in KILLS {
        println!("killed after {kill} steps");
        let (mut world, patient, copy) = killed_while_fetching(382, kill, false, true);
        world.restore_server(&copy);
        converge_on(&mut world, &[0]);
        world.add(0, patient, 4, "after");
        converge_on(&mut world, &[0]);
        world.converge();
        assert_nothing_lost(&mut world, &[patient], &EXPECTED);
    }
}

#[test]
fn d6_a_second_restore_at_every_step_of_reading_again_after_the_first_loses_nothing() {
    for has_new_epoch in [false, true] {
        for kill in KILLS {
            println!("killed after {kill} steps, the second copy knows of the epoch: {has_new_epoch}");
            let mut world = World::new(383, 3);
            let patient = world.patient(0, "Ana Souza");
            world.add(0, patient, 1, "before");
            world.converge();
            let copy = world.copy_server("copy.db");
            world.add(0, patient, 2, "lost");
            world.sync(0);
            world.sync(0);
            world.restore_server(&copy);
            // Somebody who knows nothing of it writes, so that what is given back stands elsewhere.
            world.add(2, patient, 3, "taken since");
            world.sync(2);
            if has_new_epoch {
                // The answer to the first question is lost: the server has begun another epoch, and got nothing back.
                world.network.next.push_back(vereda_tests::Fault::AnswerLost);
                world.sync(0);
                world.network.next.clear();
            }
            let second = world.copy_server("second.db");
            world.advance(600_000);
            world.devices[0].crash_after = Some(kill);
            let crashed = world.try_run(0, |client| async move { client.sync_once(60_000).await });
            world.devices[0].crash_after = None;
            if crashed.is_err() {
                world.devices[0].reopen().expect("the store opens again");
            }
            world.restore_server(&second);
            converge_on(&mut world, &[0]);
            world.add(0, patient, 4, "after");
            converge_on(&mut world, &[0]);
            let expected = ["before", "lost", "taken since", "after"];
            world.converge();
            assert_nothing_lost(&mut world, &[patient], &expected);
        }
    }
}
