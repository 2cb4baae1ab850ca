//! What the tail forgets, and what of a log only one device still has.

use crate::{assert_nothing_lost, converge_on};
use vereda_core::limits::{TAIL_AGE_MS, TAIL_BYTES_MAX};
use vereda_core::record::{Compartment, Stream};
use vereda_core::store::tail::{self, Stretch};
use vereda_tests::World;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Everything the server has now lies in a verified copy.
fn make_durable(world: &World) {
    let file = world.server_file();
    file.execute_batch("update stream_head set durable = seq")
        .expect("durable");
}

/// How many items of the clinical log a device keeps.
fn kept(world: &World, device: usize) -> usize {
    let unit = world.enrolment(device).scope.units[0].id;
    let file = world.device_file(device);
    let stretches = tail::stretches(&file, &Stream::new(unit, Compartment::Clinical)).expect("stretches");
    let count = |stretch: &Stretch| {
        tail::items(&file, stretch, stretch.base_seq, 1_000)
            .expect("items")
            .len()
    };
    stretches.iter().map(count).sum()
}

#[test]
fn an_item_leaves_the_tail_when_a_verified_copy_holds_it_and_it_is_a_week_old_and_not_before() {
    let mut world = World::new(391, 2);
    let patient = world.patient(0, "Ana Souza");
    for minute in 0..3 {
        world.add(0, patient, minute, "an old note");
    }
    world.converge();
    assert_eq!((kept(&world, 0), kept(&world, 1)), (3, 3));
    // A week passes, and no copy was verified.
    world.advance(TAIL_AGE_MS as u64 + DAY_MS);
    world.add(1, patient, 10, "a new note");
    world.converge();
    assert_eq!(
        (kept(&world, 0), kept(&world, 1)),
        (4, 4),
        "no verified copy holds it"
    );
    make_durable(&world);
    world.add(0, patient, 11, "another one");
    world.converge();
    for device in [0, 1] {
        assert_eq!(
            kept(&world, device),
            2,
            "device {device}: durable, and a week old"
        );
    }
    world.advance(DAY_MS);
    make_durable(&world);
    world.add(0, patient, 12, "the last one");
    world.converge();
    assert_eq!(kept(&world, 0), 3, "durable, and not a week old");
}

#[test]
fn past_its_bound_the_tail_forgets_its_oldest_items_and_the_status_says_so_until_it_is_small_again() {
    let mut world = World::new(392, 1);
    let patient = world.patient(0, "Ana Souza");
    for minute in 0..5 {
        world.add(0, patient, minute, "a note");
    }
    world.converge();
    assert!(!world.status(0).tail_full);
    let unit = world.enrolment(0).scope.units[0].id;
    let stream = Stream::new(unit, Compartment::Clinical);
    let set_bytes = |world: &mut World, bytes: u64| {
        world.edit_store(0, |store| {
            let mut stretches = tail::stretches(store.connection(), &stream).expect("stretches");
            let last = stretches.pop().expect("a stretch");
            let total = last.total + bytes;
            let larger = Stretch { bytes, total, ..last };
            tail::put_stretch(store.connection(), &larger).expect("it is written");
        });
    };
    set_bytes(&mut world, TAIL_BYTES_MAX + 1);
    world.add(0, patient, 10, "one more");
    world.converge();
    assert!(
        world.status(0).tail_full,
        "what the server loses now may not come back"
    );
    assert!(kept(&world, 0) < 6, "the oldest went");
    set_bytes(&mut world, TAIL_BYTES_MAX / 2);
    world.add(0, patient, 11, "and another");
    world.converge();
    assert!(!world.status(0).tail_full);
}

#[test]
fn d6_a_copy_that_ran_on_and_was_copied_itself_makes_nobody_forget_what_it_lost() {
    let mut world = World::new(393, 3);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let copy = world.copy_server("copy.db");
    for minute in 0..3 {
        world.add(0, patient, minute, &format!("lost {minute}"));
    }
    converge_on(&mut world, &[0, 1]);
    // Longer than an item is kept where copies are verified; here none ever was.
    world.advance(TAIL_AGE_MS as u64 + DAY_MS);
    converge_on(&mut world, &[0, 1]);
    world.restore_server(&copy);
    for minute in 10..14 {
        world.add(2, patient, minute, &format!("since {minute}"));
    }
    converge_on(&mut world, &[2]);
    make_durable(&world);
    world.converge();
    assert_nothing_lost(
        &mut world,
        &[patient],
        &[
            "lost 0", "lost 1", "lost 2", "since 10", "since 11", "since 12", "since 13",
        ],
    );
}

#[test]
fn d6_what_rests_on_something_another_device_brings_later_is_offered_again() {
    let mut world = World::new(394, 2);
    let copy = world.copy_server("copy.db");
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    // Device 1 forgets the registration, which a verified copy holds; another copy is put back.
    world.advance(TAIL_AGE_MS as u64 + DAY_MS);
    make_durable(&world);
    world.add(1, patient, 1, "of the one who came first");
    world.sync(1);
    world.sync(1);
    world.restore_server(&copy);
    world.sync(1);
    world.sync(1);
    assert_eq!(world.status(1).not_taken, 1, "it waits, and the status says so");
    world.converge();
    assert_nothing_lost(&mut world, &[patient], &["of the one who came first"]);
}
