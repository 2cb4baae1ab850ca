//! INVARIANTS D1-D5: what was acknowledged survives a crash after any step, a full disk and a damaged chunk.

use std::collections::BTreeMap;
use vereda_core::client::SyncEnd;
use vereda_core::error::Code;
use vereda_core::id::{EntryId, PatientId};
use vereda_core::record::{ChartKind, PatientRecord};
use vereda_tests::{World, note};

/// What a workload was told.
#[derive(Default)]
struct Told {
    patients: Vec<PatientId>,
    notes: Vec<(PatientId, EntryId, String)>,
    asked: usize,
}

/// Registers, writes, amends, synchronises; stops at the crash. What was acknowledged is in `told`.
fn workload(world: &mut World, told: &mut Told) -> Result<(), vereda_core::testing::Crashed> {
    for (index, name) in ["Ana Souza", "Bento Lima"].into_iter().enumerate() {
        let record = PatientRecord::named(name);
        let saved = world.try_run(
            0,
            |client| async move { client.patients().register(record).await },
        )?;
        let patient = saved.expect("a registration").patient;
        told.patients.push(patient);
        for minute in 0..2 {
            let text = format!("{name} {minute}");
            told.asked += 1;
            let entry = note(index as i64 * 10 + minute, &text);
            let saved = world.try_run(
                0,
                |client| async move { client.timeline().add(patient, entry).await },
            )?;
            told.notes
                .push((patient, saved.expect("a note").entry.expect("an entry"), text));
        }
        let fields = [("display".to_owned(), "dipirona".to_owned().into())]
            .into_iter()
            .collect();
        world
            .try_run(0, |client| async move {
                client
                    .chart()
                    .set(patient, None, ChartKind("allergy".into()), fields)
                    .await
            })?
            .expect("an allergy");
        world
            .try_run(0, |client| async move { client.sync_once(60_000).await })?
            .expect("a round");
    }
    let (patient, entry, _) = told.notes[0].clone();
    told.asked += 1;
    let saved = world.try_run(0, |client| async move {
        client.timeline().amend(entry, Some("amended".into()), None).await
    })?;
    told.notes.push((
        patient,
        saved.expect("an amendment").entry.expect("an entry"),
        "amended".into(),
    ));
    world
        .try_run(0, |client| async move { client.sync_once(60_000).await })?
        .expect("a round");
    Ok(())
}

fn assert_sound(world: &mut World) {
    let problems: Vec<String> = world.edit_store(0, |store| {
        let mut statement = store
            .connection()
            .prepare("PRAGMA integrity_check")
            .expect("a pragma");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    });
    assert_eq!(problems, ["ok"]);
    assert_eq!(world.status(0).quarantined, 0);
}

fn steps_of_the_workload() -> u64 {
    let mut world = World::new(600, 1);
    let before = world.devices[0].steps;
    workload(&mut world, &mut Told::default()).expect("no crash");
    world.devices[0].steps - before
}

#[test]
fn d1_d2_d3_d4_a_crash_after_every_step_loses_nothing_that_was_acknowledged() {
    let steps = steps_of_the_workload();
    assert!(steps > 15, "{steps} steps");
    for crash_after in 0..steps {
        let mut world = World::new(600, 2);
        let mut told = Told::default();
        world.devices[0].crash_after = Some(crash_after);
        let crashed = workload(&mut world, &mut told).is_err();
        assert!(crashed, "after {crash_after}");
        world.devices[0].reopen().expect("the store opens again");
        assert_sound(&mut world);
        // Acknowledged: there, once. Not acknowledged: wholly there or wholly absent.
        let mut here: BTreeMap<PatientId, Vec<String>> = BTreeMap::new();
        for patient in &told.patients {
            here.insert(*patient, world.texts(0, *patient));
        }
        for (patient, _, text) in &told.notes {
            let found = here[patient].iter().filter(|known| *known == text).count();
            assert_eq!(found, 1, "{text} after step {crash_after}");
        }
        let present: usize = here.values().map(Vec::len).sum();
        assert!(
            present <= told.asked,
            "{present} of {} after step {crash_after}",
            told.asked
        );
        world.converge();
        assert_eq!(world.status(0).pending, 0);
        for (patient, texts) in here {
            let mut server = world.texts_at_server(patient);
            let mut texts = texts;
            server.sort();
            texts.sort();
            assert_eq!(server, texts, "after step {crash_after}");
            assert_eq!(world.timeline(0, patient), world.timeline(1, patient));
        }
    }
}

#[test]
fn d2_a_note_its_row_its_outbox_entry_and_its_audit_are_there_together_or_not_at_all() {
    for crash_after in 0..2 {
        let mut world = World::new(610, 1);
        let patient = world.patient(0, "Ana Souza");
        world.devices[0].crash_after = Some(crash_after);
        let entry = note(1, "together");
        let saved = world.try_run(
            0,
            |client| async move { client.timeline().add(patient, entry).await },
        );
        world.devices[0].crash_after = None;
        if saved.is_err() {
            world.devices[0].reopen().expect("the store opens again");
        }
        let rows = world.texts(0, patient).len();
        let queued = world.outbox(0).len() - 1;
        let audited = world
            .run(0, |client| async move { client.audit().list(0, 1_000).await })
            .expect("the audit")
            .iter()
            .filter(|entry| {
                matches!(
                    entry.record,
                    vereda_core::protocol::AuditRecord::Wrote { n: 2, .. }
                )
            })
            .count();
        assert_eq!((rows, queued), (audited, audited));
        let verified = world
            .run(0, |client| async move { client.audit().verify().await })
            .expect("the audit");
        assert_eq!(verified.broken_at, None);
    }
}

#[test]
fn d4_a_chunk_that_was_flipped_on_disk_is_set_aside_alone_and_the_rest_works() {
    let mut world = World::new(620, 2);
    let (damaged, whole) = (world.patient(0, "Ana Souza"), world.patient(0, "Bento Lima"));
    world.add(0, damaged, 1, "in the damaged chapter");
    world.add(0, whole, 2, "in the whole chapter");
    world.converge();
    // A write that waits in the damaged chapter must not be lost with it.
    world.add(0, damaged, 3, "waits in the damaged chapter");
    world.edit_store(0, |store| {
        let changed = store
            .connection()
            .execute(
                "UPDATE chunk SET bytes = zeroblob(length(bytes)) WHERE write_n IS NULL
                 AND document IN (SELECT id FROM document WHERE patient = ?1)",
                [damaged],
            )
            .expect("a damaged chunk");
        assert!(changed > 0);
    });
    let entry = note(4, "to the damaged chapter");
    let refused = world
        .run(
            0,
            |client| async move { client.timeline().add(damaged, entry).await },
        )
        .expect_err("the chapter is damaged");
    assert!(
        matches!(refused.code, Code::StoreDamaged | Code::DocumentQuarantined),
        "{refused:?}"
    );
    assert_eq!(world.status(0).quarantined, 1);
    let entry = note(5, "again");
    let again = world
        .run(
            0,
            |client| async move { client.timeline().add(damaged, entry).await },
        )
        .expect_err("the chapter is set aside");
    assert_eq!(again.code, Code::DocumentQuarantined);
    // Reading goes on, writing elsewhere too, and a colleague's items neither block nor break the exchange.
    assert_eq!(world.texts(0, damaged).len(), 2);
    world.add(0, whole, 6, "goes on");
    world.add(1, damaged, 7, "of a colleague, to the damaged chapter");
    world.add(1, whole, 8, "of a colleague");
    world.converge();
    assert_eq!(world.outbox(0).len(), 0);
    assert_eq!(
        world.texts(0, whole),
        ["in the whole chapter", "goes on", "of a colleague"]
    );
    assert_eq!(
        world.texts(1, damaged),
        [
            "in the damaged chapter",
            "waits in the damaged chapter",
            "of a colleague, to the damaged chapter"
        ]
    );
}

#[test]
fn d5_on_a_full_disk_a_write_is_refused_reading_and_uploading_go_on_and_nothing_is_lost() {
    let mut world = World::new(630, 2);
    let patient = world.patient(0, "Ana Souza");
    world.add(0, patient, 1, "before the disk was full");
    world.devices[0].fill_disk(true);
    let mut refused = None;
    for index in 0..200 {
        let entry = note(2, &"x".repeat(5_000));
        let saved = world.run(
            0,
            |client| async move { client.timeline().add(patient, entry).await },
        );
        match saved {
            Ok(_) => assert!(index < 199, "the disk never fills"),
            Err(error) => {
                refused = Some(error);
                break;
            }
        }
    }
    let refused = refused.expect("a refusal");
    assert_eq!(refused.code, Code::DiskFull);
    let written = world.outbox(0).len();
    // What was acknowledged is there after a kill, and what was refused is wholly absent.
    world.devices[0].reopen().expect("the store opens again");
    world.devices[0].fill_disk(true);
    assert_eq!(world.outbox(0).len(), written);
    world.sync(0);
    assert_eq!(
        world.texts_at_server(patient).len(),
        written - 1,
        "uploaded from a full disk"
    );
    world.devices[0].fill_disk(false);
    world.advance(300_000);
    world.converge();
    assert_eq!(world.outbox(0).len(), 0);
    assert_eq!(world.timeline(0, patient), world.timeline(1, patient));
    assert_eq!(world.texts(0, patient).len(), written - 1);
    assert_sound(&mut world);
}

#[test]
fn two_engines_on_one_file_at_once_lose_nothing_and_double_nothing() {
    let mut world = World::new(640, 2);
    let patient = world.patient(0, "Ana Souza");
    world.converge();
    let second = world.open_again(0);
    let mut expected = Vec::new();
    for round in 0..6 {
        for (device, name) in [(0, "first"), (second, "second")] {
            let text = format!("{name} {round}");
            world.add(device, patient, round * 2 + i64::from(device == second), &text);
            expected.push(text);
            if round % 2 == 0 {
                world.sync(device);
            }
        }
        world.sync(if round % 3 == 0 { second } else { 0 });
    }
    world.converge();
    for device in [0, 1, second] {
        assert_eq!(world.texts(device, patient), expected, "device {device}");
    }
    assert_eq!(world.texts_at_server(patient), expected);
    assert_eq!(world.outbox(0).len(), 0);
    assert_eq!(world.sync(0), SyncEnd::Done);
}
