//! The first thing that must work: a note is written, sent, and read on another device.

use vereda_core::client::SyncEnd;
use vereda_tests::World;

#[test]
fn a_note_is_written_offline_sent_and_read_by_a_colleague() {
    let mut world = World::new(1, 2);
    world.network.cut = true;
    let patient = world.patient(0, "Maria da Silva");
    world.add(0, patient, 5, "refere dor de cabeça há dois dias");
    world.devices[0].reopen().expect("the store opens again");
    assert_eq!(world.texts(0, patient), ["refere dor de cabeça há dois dias"]);
    world.network.cut = false;
    assert_eq!(world.sync(0), SyncEnd::Done);
    assert_eq!(world.sync(1), SyncEnd::Done);
    assert_eq!(world.texts(1, patient), ["refere dor de cabeça há dois dias"]);
    let (ours, theirs) = (world.timeline(0, patient), world.timeline(1, patient));
    assert_eq!(ours, theirs);
}
