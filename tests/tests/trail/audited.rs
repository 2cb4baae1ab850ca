//! A1, A2: the audit's chain, what makes an entry in it, and when it may go.

use rand::{Rng, SeedableRng};
use vereda_core::client::{PageRequest, PatientFilter};
use vereda_core::error::SyncError;
use vereda_core::protocol::AuditRecord;
use vereda_core::record::PatientRecord;
use vereda_core::store::entries::EntryFilter;
use vereda_tests::{Fault, World};

fn records(world: &mut World, device: usize) -> Vec<AuditRecord> {
    world
        .run(
            device,
            |client| async move { client.audit().list(0, 10_000).await },
        )
        .expect("a list")
        .into_iter()
        .map(|entry| entry.record)
        .collect()
}

/// A device with a chain the server has nothing of.
fn with_a_chain(seed: u64) -> World {
    let mut world = World::new(seed, 1);
    world.network.cut = true;
    let patient = world.patient(0, "Xênia Prado");
    for index in 0..6 {
        world.add(0, patient, index, &format!("nota {index}"));
        world.timeline(0, patient);
    }
    world
}

#[test]
fn a1_the_chain_verifies_also_after_purges_and_restarts() {
    let mut world = with_a_chain(61);
    let whole = world.verify_audit(0);
    assert_eq!((whole.broken_at, whole.received), (None, 0));
    assert_eq!(whole.records, 13, "a registration, six notes, six openings");
    world.network.cut = false;
    world.converge();
    world.devices[0].reopen().expect("it opens");
    let patient = world.patient(0, "Yara Nunes");
    world.add(0, patient, 1, "mais uma");
    let whole = world.verify_audit(0);
    assert_eq!((whole.broken_at, whole.received, whole.records), (None, 13, 2));
}

#[test]
fn a1_an_edited_deleted_moved_or_cut_off_record_in_the_file_shows() {
    let ways = [
        (
            "edited",
            "UPDATE audit SET record = (SELECT record FROM audit WHERE k = 3) WHERE k = 5",
            5,
        ),
        ("deleted", "DELETE FROM audit WHERE k = 4", 4),
        (
            "deleted, and the gap closed",
            "DELETE FROM audit WHERE k = 4; UPDATE audit SET k = -k WHERE k > 4;
             UPDATE audit SET k = -k - 1 WHERE k < 0",
            4,
        ),
        (
            "moved",
            "UPDATE audit SET k = -1 WHERE k = 6; UPDATE audit SET k = 6 WHERE k = 7; UPDATE audit SET k = 7 WHERE k = -1",
            6,
        ),
        ("cut off", "DELETE FROM audit WHERE k > 10", 11),
        ("all cut off", "DELETE FROM audit", 1),
        (
            "a head changed",
            "UPDATE audit SET head = zeroblob(32) WHERE k = 2",
            2,
        ),
    ];
    for (index, (way, sql, at)) in ways.into_iter().enumerate() {
        let mut world = with_a_chain(620 + index as u64);
        world.device_file(0).execute_batch(sql).expect(way);
        assert_eq!(world.verify_audit(0).broken_at, Some(at), "{way}");
    }
}

#[test]
fn a1_the_server_takes_no_chain_that_does_not_hold() {
    let mut world = with_a_chain(63);
    world
        .device_file(0)
        .execute_batch("UPDATE audit SET record = (SELECT record FROM audit WHERE k = 3) WHERE k = 5")
        .expect("somebody edits the file");
    world.network.cut = false;
    world.sync(0);
    let status = world
        .run(0, |client| async move { client.status().await })
        .expect("a status");
    assert_eq!(status.pending, 0, "notes go through all the same");
    assert!(status.audit_waiting >= 13, "the audit does not");
    let held: i64 = world
        .server_file()
        .query_row("SELECT count(*) FROM audit", [], |row| row.get(0))
        .expect("a count");
    assert_eq!(held, 0);
    assert_eq!(
        world
            .device_file(0)
            .query_row("SELECT count(*) FROM audit", [], |row| row.get::<_, i64>(0)),
        Ok(13)
    );
}

#[test]
fn a1_the_server_anchors_each_devices_chain() {
    let mut world = World::new(64, 2);
    for device in 0..2 {
        let patient = world.patient(device, "Zilda Cruz");
        world.add(device, patient, 1, "nota");
    }
    world.converge();
    for device in 0..2 {
        let counters: vereda_core::device::Counters =
            vereda_core::store::meta::get(&world.device_file(device), "counters")
                .expect("the store reads")
                .expect("counters");
        let store = vereda_core::store::meta::get::<vereda_core::id::Incarnation>(
            &world.device_file(device),
            "incarnation",
        )
        .expect("the store reads")
        .expect("an incarnation")
        .store;
        let (k, chain): (i64, Vec<u8>) = world
            .server_file()
            .query_row(
                "SELECT k, chain FROM audit WHERE store = ?1 ORDER BY k DESC LIMIT 1",
                [store.as_bytes().as_slice()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .expect("an anchor");
        assert_eq!(k as u64, counters.audit_last);
        assert_eq!(chain, counters.audit_head.to_vec());
    }
}

#[test]
fn a2_one_entry_per_mutation_per_opening_and_per_list() {
    let mut world = World::new(65, 1);
    world.network.cut = true;
    let patient = world.patient(0, "Alba Melo");
    let before = records(&mut world, 0).len();
    world
        .run(0, |client| async move {
            client
                .patients()
                .list(PatientFilter::default(), PageRequest::default())
                .await?;
            client
                .patients()
                .duplicates(PatientRecord::named("Alba"), None)
                .await?;
            client.conflicts().list().await?;
            client.conflicts().undecided().await?;
            client.queue().drawer().await?;
            let view = client.open_patient(patient, "consulta").await?;
            for _ in 0..5 {
                view.timeline(EntryFilter::default(), PageRequest::default())
                    .await?;
                view.chart().await?;
                view.record().await?;
            }
            client
                .timeline()
                .add(patient, vereda_tests::note(1, "uma nota"))
                .await?;
            Ok::<_, SyncError>(())
        })
        .expect("done");
    let records = records(&mut world, 0).split_off(before);
    let names: Vec<String> = records
        .iter()
        .map(|record| match record {
            AuditRecord::Wrote { .. } => "wrote".to_owned(),
            AuditRecord::Opened { purpose, .. } => format!("opened for {purpose}"),
            AuditRecord::Listed { list, .. } => list.clone(),
            AuditRecord::Did { action, .. } => action.clone(),
        })
        .collect();
    let expected = [
        "patients",
        "duplicates",
        "conflicts",
        "undecided",
        "drawer",
        "opened for consulta",
        "wrote",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a2_nothing_that_failed_leaves_an_entry_and_no_patient_opens_without_a_purpose() {
    let mut world = World::new(66, 1);
    let patient = world.patient(0, "Bruna Dias");
    let before = records(&mut world, 0);
    let codes = world.run(0, |client| async move {
        let no_purpose = client.open_patient(patient, " ").await.expect_err("refused").code;
        let empty = client
            .timeline()
            .add(patient, vereda_tests::note(1, " "))
            .await
            .expect_err("refused")
            .code;
        (no_purpose.as_str(), empty.as_str())
    });
    assert_eq!(codes, ("purpose_required", "text_empty"));
    assert_eq!(records(&mut world, 0), before);
}

#[test]
fn a_view_left_idle_closes() {
    let mut world = World::new(67, 1);
    let patient = world.patient(0, "Célia Reis");
    let view = world
        .run(0, |client| async move {
            client.open_patient(patient, "consulta").await
        })
        .expect("a view");
    world.advance(14 * 60_000);
    let again = view.clone();
    world
        .run(0, |_| async move { again.chart().await })
        .expect("still open");
    world.advance(16 * 60_000);
    let refused = world.run(0, |_| async move { view.chart().await });
    assert_eq!(refused.expect_err("closed").code.as_str(), "view_closed");
}

#[test]
fn the_audit_is_purged_only_once_a_verified_copy_of_the_server_holds_it() {
    let mut world = with_a_chain(68);
    let kept = |world: &World| -> i64 {
        let file = world.device_file(0);
        file.query_row("SELECT count(*) FROM audit", [], |row| row.get(0))
            .expect("a count")
    };
    assert_eq!(kept(&world), 13);
    world.network.cut = false;
    world.network.next.push_back(Fault::AnswerLost);
    world.sync(0);
    assert_eq!(kept(&world), 13, "the answer was lost, so nothing may go");
    world.advance(600_000);
    world.converge();
    assert_eq!(world.status(0).audit_waiting, 0);
    assert_eq!(kept(&world), 13, "a server that is restored asks for it again");
    world.back_up_server();
    world.patient(0, "Caio Melo");
    world.sync(0);
    // The last one covered stays: the next receipt is compared with it.
    assert_eq!(kept(&world), 1);
    assert_eq!(world.verify_audit(0).broken_at, None);
}

#[test]
fn the_record_of_a_write_travels_with_it_and_does_not_wait_for_one_that_stands_still() {
    let mut world = World::new(69, 1);
    let patients = [world.patient(0, "Ana Lima"), world.patient(0, "Bia Reis")];
    world.sync(0);
    for minutes in 0..6 {
        world.add(0, patients[minutes as usize % 2], minutes, "Curativo");
    }
    let waiting = |world: &mut World| world.status(0).audit_waiting;
    assert_eq!(waiting(&mut world), 6);
    world.set_batch_limit(0, 2);
    world.network.next.extend([Fault::None, Fault::Lost]);
    world.sync(0);
    assert_eq!(
        waiting(&mut world),
        4,
        "two notes went, and their records with them"
    );
    // The first of what is left is parked: its lane stands still, and everybody's audit goes on.
    world.forge_park(0, "too_large");
    world.advance(600_000);
    world.converge();
    let left: Vec<_> = world.outbox(0).iter().map(|item| item.n).collect();
    assert_eq!(left.len(), 2, "the parked note and the one behind it");
    assert_eq!(waiting(&mut world), 0);
    assert_eq!(world.verify_audit(0).broken_at, None);
}

#[test]
fn a_note_that_went_into_the_drawer_before_it_was_ever_sent_does_not_stop_the_audit() {
    let mut world = World::new(70, 1);
    let patient = world.patient(0, "Ana Lima");
    world.forge_last_write(0, |write| {
        write.user = vereda_core::id::UserId::from_bytes([9; 16])
    });
    world.add(0, patient, 1, "Curativo");
    world.set_batch_limit(0, 1);
    world.converge();
    assert_eq!(world.drawer(0).len(), 2, "the registration, and the note with it");
    world.converge();
    assert_eq!(world.status(0).audit_waiting, 0);
    assert_eq!(world.verify_audit(0).broken_at, None);
}

#[test]
fn a_purpose_or_reason_without_end_is_refused_and_holds_nothing_up() {
    let mut world = World::new(71, 1);
    let patient = world.patient(0, "Ana Lima");
    let mut random = rand::rngs::StdRng::seed_from_u64(71);
    let long: String = (0..2_000_000).map(|_| random.random_range('a'..='z')).collect();
    let opened = world.run(
        0,
        |client| async move { client.open_patient(patient, long).await },
    );
    assert_eq!(opened.expect_err("refused").code.as_str(), "text_too_long");
    world.converge();
    assert_eq!(world.outbox(0).len(), 0);
}
