//! Notes, drafts, corrections, charts and records of the time the server lost.

use crate::assert_nothing_lost;
use vereda_tests::World;

#[test]
fn d6_a_server_restored_to_an_hour_ago_gets_back_what_it_accepted_since() {
    let mut world = World::new(301, 2);
    let patient = world.patient(0, "Ana Souza");
    world.add(0, patient, 1, "before");
    world.converge();
    let copy = world.copy_server("hour.db");
    world.advance(3_600_000);
    world.add(0, patient, 2, "of the author");
    world.add(1, patient, 3, "of the colleague");
    world.converge();
    let before = world.server_log();
    world.restore_server(&copy);
    world.converge();
    assert_nothing_lost(
        &mut world,
        &[patient],
        &["before", "of the author", "of the colleague"],
    );
    assert_eq!(world.server_log(), before, "the log is as it was, place by place");
}

#[test]
fn d6_a_server_restored_to_before_the_first_clinical_write_gets_everything_back() {
    let mut world = World::new(302, 3);
    let copy = world.copy_server("empty.db");
    let patients = [world.patient(0, "Ana Souza"), world.patient(1, "Bento Lima")];
    world.converge();
    let mut expected = Vec::new();
    for round in 0..4 {
        for device in 0..3 {
            world.advance(60_000);
            let text = format!("round {round} device {device}");
            world.add(device, patients[(round + device) % 2], round as i64, &text);
            expected.push(text);
        }
        world.converge();
    }
    let before = world.server_log();
    world.restore_server(&copy);
    world.converge();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    assert_nothing_lost(&mut world, &patients, &expected);
    assert_eq!(world.server_log(), before);
}

#[test]
fn e2_a_write_that_waited_over_the_restore_is_accepted_once() {
    let mut world = World::new(303, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let copy = world.copy_server("copy.db");
    world.add(0, patient, 1, "accepted");
    world.converge();
    world.add(0, patient, 2, "the answer is lost");
    world.network.next.push_back(vereda_tests::Fault::AnswerLost);
    world.sync(0);
    world.add(0, patient, 3, "waits");
    world.restore_server(&copy);
    world.converge();
    assert_nothing_lost(
        &mut world,
        &[patient],
        &["accepted", "the answer is lost", "waits"],
    );
}
