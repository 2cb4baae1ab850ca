//! INVARIANTS C6, C7, O3, O4, O5: what waits is tried within bounds, however the server answers and the clocks jump.

use vereda_core::client::{Clock, SyncEnd};
use vereda_core::id::PatientId;
use vereda_core::limits::{REQUEST_TIMEOUT_MS, RETRY_DELAY_MS_MAX};
use vereda_core::protocol::Problem;
use vereda_core::sync::{Breaker, Reply, TransportError};
use vereda_core::testing::TestDevice;
use vereda_tests::{Fault, World};

fn problem(status: u16, code: &str, retry_after: Option<&str>) -> Fault {
    let body = format!(r#"{{"type":"about:blank","title":"t","status":{status},"code":"{code}"}}"#);
    Fault::Instead(Reply {
        status,
        content_type: Problem::MEDIA_TYPE.into(),
        retry_after: retry_after.map(str::to_owned),
        body: body.into_bytes(),
    })
}

fn world_with_notes(seed: u64, count: i64) -> (World, PatientId, Vec<String>) {
    let mut world = World::new(seed, 1);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let texts: Vec<String> = (0..count).map(|index| format!("note {index}")).collect();
    for (index, text) in texts.iter().enumerate() {
        world.add(0, patient, index as i64, text);
    }
    (world, patient, texts)
}

#[test]
fn c6_after_any_status_everything_is_sent_once_the_server_is_well_again() {
    let answers = [
        (409, "internal"),
        (413, "too_large"),
        (429, "server_busy"),
        (500, "internal"),
        (502, "internal"),
        (503, "server_busy"),
        (504, "internal"),
        (404, "not_found"),
        (403, "out_of_scope"),
    ];
    for (index, (status, code)) in answers.into_iter().enumerate() {
        let (mut world, patient, texts) = world_with_notes(400 + index as u64, 3);
        println!("{status}");
        for _ in 0..3 {
            world.network.next.push_back(problem(status, code, None));
            world.sync(0);
            world.network.next.clear();
            assert!(world.devices[0].clock.now().boot_ms > 0);
            world.advance(RETRY_DELAY_MS_MAX);
        }
        world.converge();
        assert_eq!(world.outbox(0).len(), 0, "{status}");
        assert_eq!(world.texts_at_server(patient), texts, "{status}");
    }
}

#[test]
fn c6_a_request_the_server_cannot_read_parks_one_write_at_most_and_sends_the_others() {
    for (index, status) in [400, 415, 422].into_iter().enumerate() {
        let (mut world, patient, mut texts) = world_with_notes(420 + index as u64, 4);
        let poison = texts.remove(2);
        answer_for(&mut world, &poison, status);
        assert_eq!(
            world
                .outbox(0)
                .iter()
                .filter(|item| item.state == "parked")
                .count(),
            1
        );
        world
            .run(0, |client| async move { client.queue().unpark().await })
            .expect("unparked");
        world.converge();
        texts.insert(2, poison);
        assert_eq!(world.texts_at_server(patient), texts);
    }
}

/// Syncs until nothing more goes; whoever asks with this text in the request gets `status` instead of an answer.
fn answer_for(world: &mut World, text: &str, status: u16) -> u64 {
    world.network.refuse_containing = Some((text.as_bytes().to_vec(), status));
    let mut messages = 0;
    for _ in 0..30 {
        let (end, count) = world.counted_sync(0);
        messages += count;
        if !matches!(end, SyncEnd::AgainLater { .. }) {
            break;
        }
        world.advance(20_000);
    }
    world.network.refuse_containing = None;
    messages
}

#[test]
fn o5_a_write_that_makes_the_server_fail_travels_alone_and_blocks_no_other_lane() {
    for (index, status) in [500, 502, 504].into_iter().enumerate() {
        let mut world = World::new(430 + index as u64, 1);
        let patients: Vec<_> = (0..4)
            .map(|index| world.patient(0, &format!("Patient {index}")))
            .collect();
        world.converge();
        for (index, patient) in patients.iter().enumerate() {
            world.add(0, *patient, 1, &format!("first {index}"));
            world.add(0, *patient, 2, &format!("second {index}"));
        }
        let messages = answer_for(&mut world, "first 0", status);
        assert!(messages < 60, "{messages} messages");
        let left: Vec<u64> = world.outbox(0).iter().map(|item| item.n).collect();
        assert_eq!(
            left.len(),
            2,
            "the poisoned one and what stands behind it in its lane: {left:?}"
        );
        // What is written now goes at once, past the one that fails.
        let (_, before) = world.counted_sync(0);
        assert!(before <= 2);
        world.network.refuse_containing = Some((b"first 0".to_vec(), status));
        world.add(0, patients[3], 3, "written later");
        world.advance(RETRY_DELAY_MS_MAX);
        world.sync(0);
        world.network.refuse_containing = None;
        assert_eq!(world.texts_at_server(patients[3]).len(), 3);
        world.converge();
        assert_eq!(world.texts_at_server(patients[0]), ["first 0", "second 0"]);
    }
}

#[test]
fn o3_a_batch_that_fails_twice_is_halved_and_grows_again() {
    let (mut world, patient, texts) = world_with_notes(440, 16);
    let mut sizes = Vec::new();
    for _ in 0..3 {
        world.network.next.push_back(problem(500, "internal", None));
        world.sync(0);
        world.advance(RETRY_DELAY_MS_MAX);
        sizes.push(world.network.last_push);
    }
    world.network.next.clear();
    assert_eq!(sizes, [16, 16, 8]);
    world.converge();
    assert_eq!(world.texts_at_server(patient), texts);
}

#[test]
fn o3_a_batch_that_is_too_large_is_halved_at_once() {
    let (mut world, patient, texts) = world_with_notes(441, 8);
    world
        .network
        .next
        .extend([problem(413, "too_large", None), problem(413, "too_large", None)]);
    let (end, messages) = world.counted_sync(0);
    assert_eq!(end, SyncEnd::Done);
    assert!(messages <= 8, "{messages}");
    assert_eq!(world.texts_at_server(patient), texts);
}

#[test]
fn o3_retry_after_is_waited_for_in_every_form_and_never_past_the_cap() {
    let forms = [
        ("120", 120_000, 120_000),
        ("Mon, 04 May 2026 13:32:00 GMT", 119_000, 120_000),
        ("99999999999", RETRY_DELAY_MS_MAX, RETRY_DELAY_MS_MAX),
        (
            "Tue, 31 Dec 2199 23:59:59 GMT",
            RETRY_DELAY_MS_MAX,
            RETRY_DELAY_MS_MAX,
        ),
        ("-5", 0, 4_000),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0, 4_000),
        ("soon", 0, 4_000),
        ("", 0, 4_000),
    ];
    for (index, (form, least, most)) in forms.into_iter().enumerate() {
        for status in [429, 503] {
            let (mut world, ..) = world_with_notes(450 + index as u64, 1);
            world
                .network
                .next
                .push_back(problem(status, "server_busy", Some(form)));
            let end = world.sync(0);
            let SyncEnd::AgainLater { .. } = end else {
                panic!("{form}: {end:?}")
            };
            let wait_ms = world.status(0).next_attempt_in_ms;
            assert!((least..=most).contains(&wait_ms), "{form}: {wait_ms}");
            // Neither a person nor a hint goes before it.
            if least > 0 {
                let (_, messages) = world.counted_sync(0);
                assert_eq!(messages, 0, "{form}");
            }
            world.advance(wait_ms + 1);
            assert_eq!(world.sync(0), SyncEnd::Done, "{form}");
        }
    }
}

#[test]
fn o3_the_breaker_opens_probes_with_nothing_and_closes() {
    let (mut world, ..) = world_with_notes(470, 3);
    for _ in 0..4 {
        world.network.next.push_back(problem(500, "internal", None));
        world.sync(0);
        world.advance(RETRY_DELAY_MS_MAX);
    }
    world.network.next.clear();
    assert_eq!(world.status(0).breaker, Breaker::HalfOpen);
    world.network.next.push_back(problem(500, "internal", None));
    world.sync(0);
    assert_eq!(world.network.last_push, 0);
    assert_eq!(world.status(0).breaker, Breaker::Open);
    world.advance(RETRY_DELAY_MS_MAX);
    assert_eq!(world.sync(0), SyncEnd::Done);
    assert_eq!(world.status(0).breaker, Breaker::Closed);
    assert_eq!(world.outbox(0).len(), 0);
}

#[test]
fn o3_without_a_network_no_write_is_blamed() {
    let (mut world, ..) = world_with_notes(471, 3);
    world.network.cut = true;
    for _ in 0..12 {
        world.sync(0);
        world.advance(RETRY_DELAY_MS_MAX);
    }
    assert!(world.outbox(0).iter().all(|item| item.attempts == 0));
    world.network.cut = false;
    assert_eq!(world.sync(0), SyncEnd::Done);
}

#[test]
fn c7_one_sync_ends_within_a_bound_of_messages() {
    let (mut world, ..) = world_with_notes(480, 40);
    let (end, messages) = world.counted_sync(0);
    assert_eq!((end, messages), (SyncEnd::Done, 1));
    let (end, messages) = world.counted_sync(0);
    assert_eq!((end, messages), (SyncEnd::Done, 1));
    for seed in 0..6 {
        let (mut world, ..) = world_with_notes(481 + seed, 10);
        world.set_batch_limit(0, 1);
        let faults = [
            Fault::AnswerLost,
            Fault::Rewritten(50 + seed as usize),
            Fault::Doubled,
            Fault::Cut(30),
        ];
        world.network.next.extend(faults);
        for _ in 0..6 {
            let (_, messages) = world.counted_sync(0);
            assert!(messages <= 24, "{messages}");
            world.advance(RETRY_DELAY_MS_MAX);
        }
        assert_eq!(world.sync(0), SyncEnd::Done);
    }
}

#[test]
fn a_round_ends_when_its_budget_is_used_up_however_much_is_left() {
    let (mut world, patient, texts) = world_with_notes(470, 12);
    world.set_batch_limit(0, 1);
    world.network.exchange_ms = 10_000;
    let mut sent = 0;
    while !world.outbox(0).is_empty() {
        let exchanges = world.network.exchanges;
        let budget_ms = 35_000;
        let end = world
            .run(0, |client| async move { client.sync_once(budget_ms).await })
            .expect("a round ends");
        assert!(
            world.network.exchanges - exchanges <= 4,
            "the budget is for four exchanges"
        );
        let held = world.texts_at_server(patient).len();
        assert!(held > sent || held == texts.len(), "each round gets on");
        sent = held;
        if sent < texts.len() {
            assert_eq!(end, SyncEnd::AgainLater { in_ms: 0, code: None });
        }
    }
    assert_eq!(world.texts_at_server(patient), texts);
}

#[test]
fn a_round_without_time_asks_for_nothing_and_loses_nothing() {
    let (mut world, patient, texts) = world_with_notes(471, 2);
    let exchanges = world.network.exchanges;
    let end = world.run(0, |client| async move { client.sync_once(0).await });
    assert_eq!(
        end.expect("a round ends"),
        SyncEnd::AgainLater { in_ms: 0, code: None }
    );
    assert_eq!(world.network.exchanges, exchanges);
    world.converge();
    assert_eq!(world.texts_at_server(patient), texts);
}

/// Runs a device that synchronises by itself; the test brings each wake at its time. Returns attempts made.
fn live(
    device: &mut TestDevice,
    world_ms: u64,
    mut serve: impl FnMut() -> Result<Reply, TransportError>,
) -> Vec<u64> {
    let clock = device.clock.clone();
    let end = clock.now().boot_ms + world_ms;
    let mut attempts = Vec::new();
    let mut network = |_: &vereda_core::engine::HttpRequest| {
        attempts.push(clock.now().boot_ms);
        serve()
    };
    device.wake(&mut network).expect("no crash");
    while device.clock.now().boot_ms < end {
        let now = device.clock.now().boot_ms;
        let wake_ms = device
            .wake_at
            .take()
            .expect("a device that synchronises by itself always has a time to wake");
        device.clock.advance(wake_ms.saturating_sub(now).max(1));
        device.wake(&mut network).expect("no crash");
    }
    attempts
}

#[test]
fn o4_a_clock_jump_of_ten_years_neither_stalls_past_the_cap_nor_loops() {
    let ten_years_ms = 10 * 365 * 24 * 60 * 60 * 1000;
    for (seed, jump_ms) in [(500, ten_years_ms), (501, -ten_years_ms), (502, 0)] {
        let (mut world, ..) = world_with_notes(seed, 2);
        world.make_automatic(0);
        let device = &mut world.devices[0];
        let mut count = 0;
        for _ in 0..4 {
            let wall_ms = device.clock.now().wall_ms;
            device.clock.set_wall(wall_ms + jump_ms);
            let span_ms = 2 * RETRY_DELAY_MS_MAX;
            let started = device.clock.now().boot_ms;
            let attempts = live(device, span_ms, || Err(TransportError::Unreachable));
            count += attempts.len();
            let mut last = started;
            for attempt in attempts {
                assert!(
                    attempt - last <= RETRY_DELAY_MS_MAX + REQUEST_TIMEOUT_MS,
                    "{attempt} after {last}"
                );
                last = attempt;
            }
            // A process killed and opened again after the jump, in this boot and in another one.
            device.reopen().expect("the store opens");
            device.clock.reboot();
            device.reopen().expect("the store opens");
        }
        assert!(count < 120, "{count} attempts in 40 minutes");
        assert!(count >= 8, "{count}");
    }
}

#[test]
fn o4_a_device_that_waits_for_a_person_asks_once_a_minute_and_no_more() {
    let (mut world, ..) = world_with_notes(510, 2);
    world.forge_park(0, "app_too_old");
    world.make_automatic(0);
    let attempts = {
        let device = &mut world.devices[0];
        live(device, 600_000, || Err(TransportError::TimedOut))
    };
    assert!(attempts.len() < 40, "{}", attempts.len());
    world.advance(RETRY_DELAY_MS_MAX);
    let exchanges = world.network.exchanges;
    world.live(0, 600_000);
    let asked = world.network.exchanges - exchanges;
    assert!((9..=13).contains(&asked), "{asked} in ten minutes");
}

#[test]
fn c6_a_device_that_synchronises_by_itself_sends_what_is_written_within_the_bound() {
    let (mut world, patient, mut texts) = world_with_notes(520, 2);
    world.make_automatic(0);
    world
        .network
        .next
        .extend([Fault::Lost, Fault::AnswerLost, Fault::Cut(20)]);
    world.live(0, RETRY_DELAY_MS_MAX + REQUEST_TIMEOUT_MS);
    assert_eq!(world.outbox(0).len(), 0);
    world.add(0, patient, 50, "written later");
    texts.push("written later".into());
    world.live(0, 1_000);
    assert_eq!(world.outbox(0).len(), 0);
    assert_eq!(world.texts_at_server(patient), texts);
}

#[test]
fn c6_whoever_may_not_send_asks_again_and_sends_once_the_other_process_is_gone() {
    let (mut world, patient, texts) = world_with_notes(490, 2);
    world.make_automatic(0);
    world.devices[0].set_may_send(false);
    let before = (world.network.exchanges, world.devices[0].steps);
    world.live(0, 10 * 60_000);
    assert_eq!(world.network.exchanges, before.0, "another process sends");
    assert!(world.devices[0].steps > before.1 + 5, "it asks again by itself");
    world.devices[0].set_may_send(true);
    world.live(0, 2 * 60_000);
    assert_eq!(world.outbox(0).len(), 0);
    assert_eq!(world.texts_at_server(patient), texts);
}
