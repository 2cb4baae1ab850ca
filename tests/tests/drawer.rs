//! INVARIANTS O1, O2, S6: what was refused is never hidden, every answer has a meaning, and nobody's missing
//! credential costs an unsent write.

use vereda_core::client::{PageRequest, PatientFilter, SyncEnd};
use vereda_core::error::Code;
use vereda_core::id::{PatientId, UserId};
use vereda_core::limits::{OUTBOX_BYTES_MAX, OUTBOX_WRITES_MAX};
use vereda_core::protocol::Problem;
use vereda_core::record::Intent;
use vereda_core::store::held::HeldState;
use vereda_core::store::meta;
use vereda_core::sync::{Reply, TransportError, Verdict, classify};
use vereda_server::Role;
use vereda_tests::{Fault, World, note};

fn foreign(write: &mut vereda_core::record::Write) {
    write.user = UserId::from_bytes([9; 16]);
}

/// A world with a refused note in the drawer.
fn world_with_refusal(seed: u64) -> (World, PatientId) {
    let mut world = World::new(seed, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    world.add(0, patient, 1, "kept");
    world.add(0, patient, 2, "refused");
    world.forge_last_write(0, foreign);
    world.add(0, patient, 3, "written later");
    world.converge();
    (world, patient)
}

#[test]
fn o1_a_refused_write_lies_in_the_drawer_with_reason_detail_payload_and_attempts() {
    let (mut world, patient) = world_with_refusal(700);
    let drawer = world.drawer(0);
    assert_eq!(drawer.len(), 1);
    let item = &drawer[0];
    assert_eq!(
        (item.code.as_str(), item.detail.as_str()),
        ("policy_refused", "signed by another user")
    );
    assert_eq!((item.attempts, item.patient, item.case), (1, patient, item.id));
    assert!(matches!(&item.write.intent, Intent::Add { entries } if entries[0].text.0 == "refused"));
    assert_eq!(
        world.sync(0),
        SyncEnd::NeedsPerson {
            code: "policy_refused".into()
        }
    );
    // Rebuilt: the refused one is gone from the screen, what was written later stays, and both sides are equal.
    assert_eq!(world.texts(0, patient), ["kept", "written later"]);
    assert_eq!(world.timeline(0, patient), world.timeline(1, patient));
    assert_eq!(world.texts_at_server(patient), ["kept", "written later"]);
}

#[test]
fn o1_a_refused_write_is_edited_and_sent_again_under_a_new_id() {
    let (mut world, patient) = world_with_refusal(701);
    let refused = world.drawer(0)[0].id;
    // As it was: it carries the signature of whoever resends it.
    let saved = world
        .run(0, |client| async move {
            client.queue().resend(refused, Some("edited".into()), None).await
        })
        .expect("sent again");
    assert_ne!(saved.write, refused);
    assert_eq!(world.drawer(0)[0].resent_as, Some(saved.write));
    let twice = world.run(0, |client| async move {
        client.queue().resend(refused, None, None).await
    });
    assert_eq!(twice.expect_err("it was sent again").code, Code::UnknownWrite);
    world.network.next.push_back(Fault::AnswerLost);
    world.sync(0);
    world.advance(300_000);
    world.converge();
    assert_eq!(world.drawer(0), []);
    let mut texts = world.texts_at_server(patient);
    texts.sort();
    assert_eq!(texts, ["edited", "kept", "written later"]);
    assert_eq!(world.sync(0), SyncEnd::Done);
}

#[test]
fn o1_a_refused_registration_sent_again_takes_its_notes_with_it() {
    let mut world = World::new(702, 2);
    let patient = world.patient(0, "Ana Souza");
    world.forge_last_write(0, foreign);
    world.add(0, patient, 1, "first note");
    world.add(0, patient, 2, "second note");
    world.converge();
    let drawer = world.drawer(0);
    assert_eq!(drawer.len(), 3);
    assert!(drawer.iter().all(|item| item.case == drawer[0].case));
    let mut waiting: Vec<_> = drawer.iter().map(|item| (item.write.n, item.id)).collect();
    waiting.sort();
    for (_, id) in waiting {
        world
            .run(
                0,
                |client| async move { client.queue().resend(id, None, None).await },
            )
            .expect("sent again");
    }
    world.converge();
    assert_eq!(world.drawer(0), []);
    assert_eq!(world.texts(1, patient), ["first note", "second note"]);
    assert_eq!(world.timeline(0, patient), world.timeline(1, patient));
}

#[test]
fn o1_the_drawer_is_exported_and_discarded_with_a_reason_both_audited() {
    let (mut world, _) = world_with_refusal(703);
    let refused = world.drawer(0)[0].id;
    let json = world
        .run(0, |client| async move { client.queue().export_drawer().await })
        .expect("an export");
    assert!(json.contains("refused") && json.contains("policy_refused"));
    let silent = world.run(0, |client| async move {
        client.queue().discard(refused, "  ".into()).await
    });
    assert_eq!(silent.expect_err("a reason is needed").code, Code::ReasonRequired);
    world
        .run(0, |client| async move {
            client.queue().discard(refused, "written twice".into()).await
        })
        .expect("discarded");
    assert_eq!(world.drawer(0), []);
    let audit = world
        .run(0, |client| async move { client.audit().list(0, 10_000).await })
        .expect("the audit");
    let audit = format!(
        "{:?}",
        audit.iter().map(|entry| &entry.record).collect::<Vec<_>>()
    );
    assert!(audit.contains("discard") && audit.contains("export_drawer"));
    assert_eq!(world.sync(0), SyncEnd::Done);
}

#[test]
fn o1_a_move_whose_content_is_not_what_stands_there_is_refused_and_undone() {
    let mut world = World::new(704, 2);
    let (wrong, right) = (world.patient(0, "Ana Souza"), world.patient(0, "Bento Lima"));
    let entry = world.add(0, wrong, 1, "in the wrong chart");
    world.converge();
    world
        .run(0, |client| async move {
            client
                .timeline()
                .move_to(entry, right, "wrong chart".into())
                .await
        })
        .expect("a move");
    assert_eq!(world.texts(0, right).len(), 1);
    world.forge_last_write(0, |write| {
        if let Intent::Move { header, .. } = &mut write.intent {
            header.entry.text = "something else".to_owned().into();
        }
    });
    world.converge();
    assert_eq!(world.drawer(0)[0].code, "policy_refused");
    assert_eq!(world.texts(0, right), Vec::<String>::new());
    for patient in [wrong, right] {
        assert_eq!(world.timeline(0, patient), world.timeline(1, patient));
    }
}

#[test]
fn o1_what_waits_when_a_scope_is_taken_away_is_held_and_goes_in_when_it_comes_back() {
    let mut world = World::new(705, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    world.add(0, patient, 1, "waits");
    world
        .administration()
        .leave_unit(Some("north"), "user-0", "unit-north")
        .expect("left");
    assert_eq!(world.sync(0), SyncEnd::Done, "the server has it");
    assert_eq!(world.outbox(0).len(), 0);
    let held = world.run(0, |client| async move { client.queue().held().await });
    assert_eq!(held.expect("a list")[0].state, HeldState::Waiting);
    assert_eq!(world.texts_at_server(patient), Vec::<String>::new());
    world.code("north", "user-0", Role::Clinician);
    world.converge();
    let held = world.run(0, |client| async move { client.queue().held().await });
    assert_eq!(held.expect("a list")[0].state, HeldState::Released);
    assert_eq!(world.texts_at_server(patient), ["waits"]);
    assert_eq!(world.texts(0, patient), ["waits"]);
}

#[test]
fn o2_every_status_with_every_content_type_and_every_transport_error_has_a_meaning() {
    let types = [
        "",
        "text/html",
        "application/json",
        "application/vereda",
        Problem::MEDIA_TYPE,
        "application/vereda; x=1",
    ];
    let bodies = [
        Vec::new(),
        b"<html></html>".to_vec(),
        br#"{"type":"about:blank","title":"t","status":1,"code":"device_revoked"}"#.to_vec(),
    ];
    for status in 100..=599_u16 {
        for content_type in types {
            for body in &bodies {
                let reply = Reply {
                    status,
                    content_type: content_type.into(),
                    retry_after: Some("x".into()),
                    body: body.clone(),
                };
                let verdict = classify(&Ok(reply));
                let ours = content_type.starts_with("application/vereda");
                let speaks_of_writes = !matches!(verdict, Verdict::Retry { .. } | Verdict::Split);
                let is_problem = content_type == Problem::MEDIA_TYPE && body.first() == Some(&b'{');
                if matches!(verdict, Verdict::Message) {
                    assert!(ours && matches!(status, 200 | 422), "{status} {content_type}");
                } else if speaks_of_writes {
                    assert!(is_problem, "{status} {content_type}: {verdict:?}");
                }
            }
        }
    }
    for error in [
        TransportError::Unreachable,
        TransportError::TimedOut,
        TransportError::Cut,
        TransportError::Untrusted,
        TransportError::Redirected,
    ] {
        assert!(matches!(classify(&Err(error)), Verdict::Retry { .. }));
    }
}

#[test]
fn o5_the_outbox_is_full_at_its_bound_loud_before_and_reading_goes_on() {
    let mut world = World::new(720, 1);
    let patient = world.patient(0, "Ana Souza");
    world.add(0, patient, 1, "one");
    for (queued, bytes) in [(OUTBOX_WRITES_MAX - 1, 1), (2, OUTBOX_BYTES_MAX - 1)] {
        world.edit_store(0, |store| {
            let mut counters: vereda_core::device::Counters = meta::get(store.connection(), "counters")
                .expect("meta")
                .expect("counters");
            (counters.queued, counters.queued_bytes) = (queued, bytes);
            meta::set(store.connection(), "counters", &counters).expect("meta");
        });
        world.add(0, patient, 2, "the last that fits");
        let entry = note(3, "one too many");
        let refused = world
            .run(
                0,
                |client| async move { client.timeline().add(patient, entry).await },
            )
            .expect_err("the outbox is full");
        assert_eq!(refused.code, Code::OutboxFull);
        assert!(!world.texts(0, patient).contains(&"one too many".to_owned()));
        assert!(world.status(0).outbox_percent >= 80);
    }
}

#[test]
fn s6_neither_401_nor_410_nor_a_revoked_device_deletes_an_unsent_write() {
    for (index, (status, code)) in [
        (401, "unauthenticated"),
        (410, "unauthenticated"),
        (401, "device_revoked"),
        (410, "device_revoked"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut world = World::new(730 + index as u64, 1);
        let patient = world.patient(0, "Ana Souza");
        world.add(0, patient, 1, "unsent");
        let body = format!(r#"{{"type":"about:blank","title":"t","status":{status},"code":"{code}"}}"#);
        let refusal = Reply {
            status,
            content_type: Problem::MEDIA_TYPE.into(),
            retry_after: None,
            body: body.into_bytes(),
        };
        for _ in 0..3 {
            world
                .network
                .next
                .extend([Fault::Instead(refusal.clone()), Fault::Instead(refusal.clone())]);
            let end = world.sync(0);
            assert_eq!(end, SyncEnd::NeedsPerson { code: code.into() });
            world.network.next.clear();
            world.devices[0].reopen().expect("the store opens again");
            world.advance(300_000);
        }
        assert_eq!(world.outbox(0).len(), 2);
        assert_eq!(world.texts(0, patient), ["unsent"]);
        world.converge();
        assert_eq!(world.texts_at_server(patient), ["unsent"]);
    }
}

#[test]
fn s6_a_device_revoked_with_200_unsent_notes_keeps_them_also_signed_out_and_sends_them_enrolled_again() {
    let mut world = World::new(740, 1);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let texts: Vec<String> = (0..200).map(|index| format!("note {index:03}")).collect();
    for (index, text) in texts.iter().enumerate() {
        world.add(0, patient, index as i64, text);
    }
    let now_ms = vereda_core::client::Clock::now(&world.server_clock).wall_ms;
    let mut admin = world.administration();
    let short = admin.devices().expect("devices")[0].0.short;
    admin.revoke(short, now_ms).expect("revoked");
    drop(admin);
    assert_eq!(
        world.sync(0),
        SyncEnd::NeedsPerson {
            code: "device_revoked".into()
        }
    );
    world
        .run(0, |client| async move { client.sign_out().await })
        .expect("signed out");
    assert!(matches!(world.sync(0), SyncEnd::NeedsPerson { .. }));
    assert_eq!(world.outbox(0).len(), 200);
    let code = world.code("north", "user-0", Role::Clinician);
    world
        .run(0, |client| async move {
            client.enrol("http://localhost", &code, "a tablet").await
        })
        .expect("enrolled again");
    world.converge();
    assert_eq!(world.outbox(0).len(), 0);
    assert_eq!(world.texts_at_server(patient), texts);
}

#[test]
fn s6_an_expired_access_token_costs_no_request_and_lost_answers_log_nobody_out() {
    let mut world = World::new(750, 1);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    for round in 0..6 {
        world.advance(11 * 60_000);
        world.add(0, patient, round, &format!("note {round}"));
        // The answer with the new pair is lost, twice in a row in every second round.
        for _ in 0..round % 3 {
            world.network.next.push_back(Fault::AnswerLost);
            world.sync(0);
            world.advance(300_000);
        }
        let (end, messages) = world.counted_sync(0);
        assert_eq!((end, messages), (SyncEnd::Done, 1), "round {round}");
    }
    assert_eq!(world.texts_at_server(patient).len(), 6);
}

#[test]
fn a_patient_registered_and_noted_offline_arrives_whole_under_every_lane_order() {
    for seed in 0..8 {
        let mut world = World::new(760 + seed, 2);
        world.network.cut = true;
        let mut patients = Vec::new();
        for name in ["Ana Souza", "Bento Lima", "Carla Dias"] {
            patients.push(world.patient(0, name));
        }
        for minute in 0..4 {
            for patient in &patients {
                world.add(0, *patient, minute, &format!("note {minute}"));
            }
        }
        let moved = world.add(0, patients[0], 9, "moved");
        let to = patients[2];
        world
            .run(0, |client| async move {
                client.timeline().move_to(moved, to, "wrong chart".into()).await
            })
            .expect("a move");
        world.network.cut = false;
        // Small batches, single failures and a lane held up, in another order each time.
        world.set_batch_limit(0, 1 + seed as usize % 4);
        world.hold_back(0, seed as usize);
        for fault in [Fault::None, Fault::AnswerLost, Fault::None, Fault::Lost] {
            world.network.next.push_back(fault);
        }
        for _ in 0..4 {
            world.sync(0);
            world.advance(20_000);
        }
        world.converge();
        assert_eq!(world.drawer(0), [], "seed {seed}");
        assert_eq!(world.outbox(0).len(), 0);
        for (index, patient) in patients.iter().enumerate() {
            let mut expected: Vec<String> = (0..4).map(|minute| format!("note {minute}")).collect();
            if index == 2 {
                expected.push("moved".into());
            }
            let mut found = world.texts_at_server(*patient);
            found.retain(|text| text.starts_with("note") || (text == "moved" && index == 2));
            assert_eq!(found, expected, "seed {seed}");
            assert_eq!(world.timeline(0, *patient), world.timeline(1, *patient));
        }
        let page = world
            .run(1, |client| async move {
                client
                    .patients()
                    .list(PatientFilter::default(), PageRequest::default())
                    .await
            })
            .expect("patients");
        assert_eq!(page.rows.len(), 3);
    }
}

#[test]
fn s6_a_device_that_synchronises_by_itself_goes_on_once_it_is_enrolled_again_or_updated() {
    let mut world = World::new(780, 1);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    world.make_automatic(0);
    let short = world.administration().devices().expect("devices")[0].0.short;
    let now_ms = vereda_core::client::Clock::now(&world.server_clock).wall_ms;
    world.administration().revoke(short, now_ms).expect("revoked");
    world.add(0, patient, 1, "unsent");
    world.live(0, 300_000);
    assert!(world.status(0).halted);
    let code = world.code("north", "user-0", Role::Clinician);
    world
        .run(0, |client| async move { client.sign_out().await })
        .expect("signed out");
    world
        .run(0, |client| async move {
            client.enrol("http://localhost", &code, "a tablet").await
        })
        .expect("enrolled again");
    world.live(0, 300_000);
    assert_eq!(world.outbox(0).len(), 0);
    // Too old a version halts it too, until it is opened as another one.
    world.add(0, patient, 2, "after the update");
    let body = r#"{"type":"about:blank","title":"t","status":426,"code":"protocol_unsupported"}"#;
    world.network.next.push_back(Fault::Instead(Reply {
        status: 426,
        content_type: Problem::MEDIA_TYPE.into(),
        retry_after: None,
        body: body.as_bytes().to_vec(),
    }));
    world.live(0, 300_000);
    assert!(world.status(0).halted);
    world.devices[0].reopen().expect("the store opens again");
    world.live(0, 300_000);
    assert_eq!(world.texts_at_server(patient), ["unsent", "after the update"]);
}

#[test]
fn o1_a_write_refused_twice_leaves_nothing_in_the_drawer_once_it_is_accepted() {
    let (mut world, patient) = world_with_refusal(760);
    let first = world.drawer(0)[0].id;
    let resend = |id| {
        move |client: vereda_core::client::Client| async move { client.queue().resend(id, None, None).await }
    };
    let second = world.run(0, resend(first)).expect("sent again").write;
    world.forge_last_write(0, foreign);
    world.converge();
    assert_eq!(world.drawer(0).len(), 2, "refused again");
    world.run(0, resend(second)).expect("sent a third time");
    world.converge();
    assert_eq!(world.texts(0, patient).len(), 3);
    assert_eq!(world.drawer(0), []);
    assert_eq!(world.sync(0), SyncEnd::Done);
}

#[test]
fn s6_a_revoked_device_enrols_again_with_a_new_code_and_sends_what_it_kept() {
    let mut world = World::new(790, 1);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let enrol = |code: String| {
        move |client: vereda_core::client::Client| async move {
            client.enrol("http://localhost", &code, "a tablet").await
        }
    };
    let early = world.code("north", "user-0", Role::Clinician);
    let twice = world.run(0, enrol(early)).expect_err("it is enrolled");
    assert_eq!(twice.code, Code::AlreadyEnrolled);
    let short = world.administration().devices().expect("devices")[0].0.short;
    let now_ms = world.server_clock_ms();
    world.administration().revoke(short, now_ms).expect("revoked");
    world.add(0, patient, 1, "unsent");
    let code = "device_revoked".to_owned();
    assert_eq!(world.sync(0), SyncEnd::NeedsPerson { code });
    let code = world.code("north", "user-0", Role::Clinician);
    world.run(0, enrol(code)).expect("enrolled again");
    world.converge();
    assert_eq!(world.texts_at_server(patient), ["unsent"]);
}
