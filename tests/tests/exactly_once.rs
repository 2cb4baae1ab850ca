//! INVARIANTS E1-E5: whatever is lost, doubled, swapped, cut, rewritten or answered by somebody else, each write
//! takes effect once.

use vereda_core::client::SyncEnd;
use vereda_core::id::{PatientId, UserId};
use vereda_core::sync::Reply;
use vereda_tests::{Fault, World};

fn reply(status: u16, content_type: &str, body: &[u8]) -> Reply {
    Reply {
        status,
        content_type: content_type.into(),
        retry_after: None,
        body: body.to_vec(),
    }
}

/// A world with a colleague, a patient and a few notes of the first device that wait.
fn world_with_notes(seed: u64) -> (World, PatientId, Vec<String>) {
    let mut world = World::new(seed, 2);
    let patient = world.patient(0, "Ana Souza");
    let texts: Vec<String> = (0..5).map(|index| format!("note {index}")).collect();
    for (index, text) in texts.iter().enumerate() {
        world.add(0, patient, index as i64, text);
    }
    (world, patient, texts)
}

fn assert_once(world: &mut World, patient: PatientId, texts: &[String]) {
    world.converge();
    for device in 0..world.devices.len() {
        assert_eq!(world.texts(device, patient), texts, "device {device}");
        assert_eq!(world.timeline(device, patient), world.timeline(0, patient));
    }
    assert_eq!(world.texts_at_server(patient), texts);
    assert_eq!((world.outbox(0).len(), world.drawer(0).len()), (0, 0));
}

#[test]
fn e1_every_fault_on_the_first_exchanges_leaves_each_write_applied_once() {
    let kinds = [
        Fault::Lost,
        Fault::AnswerLost,
        Fault::Doubled,
        Fault::Cut(0),
        Fault::Cut(10),
        Fault::Cut(150),
        Fault::Rewritten(0),
        Fault::Rewritten(77),
        Fault::Swapped,
    ];
    for (index, first) in kinds.iter().enumerate() {
        for second in [Fault::None, Fault::AnswerLost] {
            let (mut world, patient, texts) = world_with_notes(200 + index as u64);
            world
                .network
                .next
                .extend([first.clone(), second.clone(), second.clone()]);
            println!("{first:?} then {second:?}");
            assert_once(&mut world, patient, &texts);
        }
    }
}

#[test]
fn e1_answers_that_come_one_request_late_for_ever_mark_nothing_wrongly() {
    let (mut world, patient, mut texts) = world_with_notes(230);
    for round in 0..4 {
        world.network.next.push_back(Fault::Swapped);
        let text = format!("round {round}");
        world.add(0, patient, 10 + round, &text);
        texts.push(text);
        world.sync(0);
        world.advance(300_000);
    }
    assert_once(&mut world, patient, &texts);
}

#[test]
fn e1_every_byte_of_an_answer_rewritten_is_noticed_or_harmless() {
    let (mut world, patient, mut texts) = world_with_notes(231);
    world.converge();
    for at in (0..400).step_by(29) {
        let text = format!("rewritten {at}");
        world.add(0, patient, 10 + at as i64, &text);
        texts.push(text);
        world.network.next.push_back(Fault::Rewritten(at));
        world.sync(0);
        world.advance(1_000);
    }
    assert_once(&mut world, patient, &texts);
}

#[test]
fn e2_the_same_key_gets_the_same_outcome_after_a_lost_answer_and_a_restarted_server() {
    let (mut world, patient, texts) = world_with_notes(240);
    for _ in 0..3 {
        world.network.next.push_back(Fault::AnswerLost);
        world.sync(0);
        world.restart_server();
        world.advance(300_000);
    }
    assert_eq!(world.sync(0), SyncEnd::Done);
    let seen: Vec<_> = world.timeline(0, patient);
    world.converge();
    assert_eq!(world.timeline(0, patient), seen);
    assert_once(&mut world, patient, &texts);
}

#[test]
fn e2_a_refused_write_whose_answer_was_lost_is_refused_again_for_the_same_reason() {
    let (mut world, patient, texts) = world_with_notes(241);
    world.converge();
    world.add(0, patient, 20, "signed by somebody else");
    world.forge_last_write(0, |write| write.user = UserId::from_bytes([9; 16]));
    world.network.next.push_back(Fault::AnswerLost);
    world.sync(0);
    world.restart_server();
    world.advance(300_000);
    world.sync(0);
    let drawer = world.drawer(0);
    assert_eq!(drawer.len(), 1);
    assert_eq!(drawer[0].code, "policy_refused");
    assert_eq!(world.texts_at_server(patient), texts);
}

#[test]
fn e3_the_same_key_with_another_payload_has_no_effect_and_the_content_goes_on_under_another_key() {
    let (mut world, patient, mut texts) = world_with_notes(250);
    world.network.next.push_back(Fault::AnswerLost);
    world.sync(0);
    // A file whose row changed after it was sent: what the server holds stands, the other content is not lost.
    let n = world.outbox(0).last().expect("a note waits").n;
    world.forge_write(0, n, |write| {
        if let vereda_core::record::Intent::Add { entries } = &mut write.intent {
            entries[0].text = "another payload".to_owned().into();
        }
        write.recorded_at.utc_ms += 60_000;
    });
    world.advance(300_000);
    world.converge();
    texts.push("another payload".into());
    let mut found = world.texts_at_server(patient);
    found.sort();
    texts.sort();
    assert_eq!(found, texts);
    assert_eq!(world.outbox(0).len(), 0);
}

#[test]
fn e4_a_refused_write_blocks_only_what_depends_on_it() {
    let mut world = World::new(260, 2);
    let (one, other) = (world.patient(0, "Ana Souza"), world.patient(0, "Bento Lima"));
    world.converge();
    world.network.cut = true;
    let refused = world.add(0, one, 1, "refused");
    world.forge_last_write(0, |write| write.user = UserId::from_bytes([9; 16]));
    world
        .run(0, |client| async move {
            client
                .timeline()
                .amend(refused, Some("amends the refused".into()), None)
                .await
        })
        .expect("an amendment");
    world.add(0, one, 2, "later, same patient");
    world.add(0, other, 3, "other patient");
    world.network.cut = false;
    world.converge();
    assert_eq!(world.texts_at_server(one), ["later, same patient"]);
    assert_eq!(world.texts_at_server(other), ["other patient"]);
    let drawer = world.drawer(0);
    let mut codes: Vec<&str> = drawer.iter().map(|item| item.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["needs_refused", "policy_refused"]);
    assert_eq!(drawer[0].case, drawer[1].case);
    assert_eq!(world.texts(0, one), ["later, same patient"]);
    assert_eq!(world.timeline(0, one), world.timeline(1, one));
}

#[test]
fn e4_a_lane_is_applied_in_its_order_however_small_the_batches() {
    for limit in [1, 2, 3] {
        let (mut world, patient, texts) = world_with_notes(261);
        world.set_batch_limit(0, limit);
        world.sync(0);
        let order: Vec<String> = world.texts_at_server(patient);
        assert_eq!(order, texts);
    }
}

#[test]
fn e5_answers_that_are_not_ours_mark_nothing_as_sent() {
    let portals = [
        reply(200, "text/html", b"<html>Bem-vindo ao hotel</html>"),
        reply(200, "application/json", b"{\"ok\":true}"),
        reply(200, "application/vereda", b"<html></html>"),
        reply(200, "application/vereda", b""),
        reply(200, "", b""),
        reply(204, "", b""),
        reply(302, "text/html", b""),
        reply(307, "", b""),
        reply(401, "text/html", b"<html>login</html>"),
        reply(403, "text/html", b"<html>blocked</html>"),
        reply(404, "text/html", b""),
        reply(410, "text/html", b""),
        reply(422, "application/vereda", b"x"),
        reply(511, "text/html", b"<html>sign in</html>"),
    ];
    for (index, portal) in portals.into_iter().enumerate() {
        let (mut world, patient, texts) = world_with_notes(270 + index as u64);
        let before = world.outbox(0);
        println!("{} {}", portal.status, portal.content_type);
        for _ in 0..3 {
            world.network.next.push_back(Fault::Instead(portal.clone()));
            world.network.next.push_back(Fault::Instead(portal.clone()));
            let end = world.sync(0);
            assert!(matches!(end, SyncEnd::AgainLater { .. }), "{end:?}");
            world.network.next.clear();
            world.advance(300_000);
        }
        let after = world.outbox(0);
        assert_eq!(before.len(), after.len());
        assert!(after.iter().all(|item| item.state == "pending"));
        assert!(!world.status(0).online);
        assert_once(&mut world, patient, &texts);
    }
}

#[test]
fn e5_an_answer_signed_by_another_key_marks_nothing_as_sent() {
    let (mut world, patient, texts) = world_with_notes(290);
    // The same store under another signing key: everything fits but the signature.
    world.replace_signing_key();
    for _ in 0..2 {
        assert!(matches!(world.sync(0), SyncEnd::AgainLater { .. }));
        world.advance(300_000);
    }
    assert_eq!(world.outbox(0).len(), 6);
    world.replace_signing_key();
    assert_once(&mut world, patient, &texts);
}

#[test]
fn e1_a_server_that_stops_before_and_after_every_exchange_applies_each_write_once() {
    for down in 0..6 {
        let (mut world, patient, texts) = world_with_notes(300 + down);
        world.set_batch_limit(0, 2);
        let mut exchanges = 0;
        while exchanges < 8 {
            if exchanges == down {
                world.stop_server();
                world.sync(0);
                world.start_server();
                world.network.next.push_back(Fault::AnswerLost);
            }
            world.sync(0);
            world.advance(300_000);
            exchanges += 1;
        }
        assert_once(&mut world, patient, &texts);
    }
}
