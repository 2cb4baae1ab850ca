//! A device's audit behind a restored server.

use crate::assert_nothing_lost;
use vereda_tests::World;

#[test]
fn a1_an_audit_gets_its_receipt_again_behind_a_restored_server() {
    let mut world = World::new(381, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let copy = world.copy_server("copy.db");
    let mut expected = Vec::new();
    for round in 0..5 {
        let text = format!("round {round}");
        world.add(0, patient, round, &text);
        world.texts(0, patient);
        expected.push(text);
        world.converge();
    }
    assert_eq!(world.status(0).audit_waiting, 0);
    world.restore_server(&copy);
    world.converge();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    for device in 0..2 {
        world.sync(device);
        assert_eq!(world.status(device).audit_waiting, 0, "device {device}");
        assert_eq!(world.verify_audit(device).broken_at, None, "device {device}");
    }
    assert_nothing_lost(&mut world, &[patient], &expected);
    // What is done from now on is received, too.
    world.texts(0, patient);
    world.sync(0);
    assert_eq!(world.status(0).audit_waiting, 0);
}
