//! Cut answers, crashes in the middle, forged runs.

use crate::{assert_nothing_lost, assert_nothing_lost_on, converge_on};
use vereda_core::engine::HttpRequest;
use vereda_core::id::PatientId;
use vereda_core::protocol::{Encoding, PATH_TAIL, PageItem, TailRequest, decode_body, encode_body};
use vereda_tests::{Fault, World};

/// Two devices that wrote and read a lot, and a server that knows nothing of it.
fn restored(seed: u64) -> (World, PatientId, Vec<String>) {
    let mut world = World::new(seed, 2);
    let copy = world.copy_server("copy.db");
    let patient = world.patient(0, "Ana Souza");
    let mut expected = Vec::new();
    for round in 0..3 {
        for device in 0..2 {
            let text = format!("{round} of {device}");
            world.sync(device);
            world.add(device, patient, round, &text);
            expected.push(text);
        }
        world.converge();
    }
    world.restore_server(&copy);
    (world, patient, expected)
}

fn assert_all(world: &mut World, patient: PatientId, expected: &[String]) {
    world.converge();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    assert_nothing_lost(world, &[patient], &expected);
}

#[test]
fn e1_every_fault_at_every_exchange_of_giving_back_leaves_each_item_once() {
    let faults = [
        Fault::Lost,
        Fault::AnswerLost,
        Fault::Doubled,
        Fault::Cut(10),
        Fault::Rewritten(40),
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        for at in [0, 1, 3] {
            let (mut world, patient, expected) = restored(340 + index as u64);
            for _ in 0..at {
                world.network.next.push_back(Fault::None);
            }
            world.network.next.push_back(fault.clone());
            world.sync(0);
            world.sync(1);
            world.network.next.clear();
            assert_all(&mut world, patient, &expected);
        }
    }
}

#[test]
fn e1_a_crash_after_every_step_of_giving_back_leaves_each_item_once() {
    for crash in [1, 2, 3, 4, 6, 8, 11] {
        let (mut world, patient, expected) = restored(350);
        world.devices[0].crash_after = Some(crash);
        let crashed = world.try_run(0, |client| async move { client.sync_once(60_000).await });
        if crashed.is_err() {
            world.devices[0].reopen().expect("the store opens again");
        }
        world.devices[0].crash_after = None;
        world.restart_server();
        assert_all(&mut world, patient, &expected);
    }
}

/// What a device sends to `/v1/tail`: a run of several items, and what it gave back before.
fn heard_run(world: &mut World, device: usize) -> (HttpRequest, TailRequest, Vec<HttpRequest>) {
    world.network.heard = Some(Vec::new());
    world.sync(device);
    let heard = world.network.heard.take().expect("exchanges");
    let mut before = Vec::new();
    for (request, _) in heard {
        if request.path != PATH_TAIL {
            continue;
        }
        let message: TailRequest = decode_body(&request.body, Encoding::Vereda).expect("a request");
        if message.run.as_ref().is_some_and(|run| run.items.len() > 1) {
            return (request, message, before);
        }
        before.push(request);
    }
    panic!("a run was given back")
}

#[test]
fn s4_a_forged_run_is_refused_whole_and_changes_nothing() {
    let (mut world, patient, expected) = restored(360);
    let empty = world.folder.path().join("copy.db");
    let (request, message, registration) = heard_run(&mut world, 0);
    world.restore_server(&empty);
    for earlier in &registration {
        assert_eq!(world.ask_server(earlier).status, 200);
    }
    let before = world.server_log();
    type Forgery = (&'static str, fn(&mut TailRequest));
    let forgeries: [Forgery; 7] = [
        ("an item is another", |message| {
            let run = message.run.as_mut().expect("a run");
            let other = run.items[0].clone();
            let last = run.items.len() - 1;
            run.items[last] = other;
        }),
        ("an item is missing", |message| {
            message.run.as_mut().expect("a run").items.remove(0);
        }),
        ("the author is another", |message| {
            message.run.as_mut().expect("a run").origins[0].number += 1;
        }),
        ("the time is another", |message| {
            message.run.as_mut().expect("a run").received_ms[0].1 += 1;
        }),
        ("the place is another", |message| {
            message.run.as_mut().expect("a run").first += 1;
        }),
        ("the heads are others", |message| {
            message.run.as_mut().expect("a run").heads.time_ms += 1;
        }),
        ("an item is only named", |message| {
            message.run.as_mut().expect("a run").items[0] = PageItem::Own { n: 1, count: 1 };
        }),
    ];
    for (what, forge) in forgeries {
        let mut forged = message.clone();
        forge(&mut forged);
        let reply = world.ask_server(&HttpRequest {
            body: encode_body(&forged, Encoding::Vereda),
            ..request.clone()
        });
        assert_eq!(reply.status, 422, "{what}");
        let body = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(body.contains("tail_refused"), "{what}: {body}");
        assert_eq!(world.server_log(), before, "{what}");
    }
    let honest = world.ask_server(&request);
    assert_eq!(honest.status, 200);
    let after = world.server_log();
    assert!(after.len() > before.len());
    assert_eq!(world.ask_server(&request).status, 200, "again");
    assert_eq!(world.server_log(), after, "e1: the same again changes nothing");
    assert_all(&mut world, patient, &expected);
}

#[test]
fn s1_nobody_gives_back_or_asks_for_a_stream_out_of_their_scope() {
    let (mut world, patient, expected) = restored(370);
    let (request, ..) = heard_run(&mut world, 0);
    let stranger = world.add_device("south", "user-9", vereda_server::Role::Clinician);
    let tokens = world.enrolment(stranger).tokens.expect("tokens");
    let reply = world.ask_server(&HttpRequest {
        bearer: Some(tokens.access),
        ..request
    });
    assert_eq!(reply.status, 404);
    converge_on(&mut world, &[0, 1]);
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    assert_nothing_lost_on(&mut world, &[0, 1], &[patient], &expected);
}
