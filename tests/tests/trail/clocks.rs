//! T1-T3: clocks that fall, jump and lie.

use vereda_core::device::Counters;
use vereda_core::error::{Code, SyncError};
use vereda_core::limits::CLOCK_OFFSET_SHOWN_MS;
use vereda_core::record::{NewEntry, Write};
use vereda_core::store::{meta, outbox};
use vereda_core::time::{Hlc, Zoned};
use vereda_tests::{BEGIN_MS, World, at};

/// 1970-01-01T00:05:00Z, what a phone shows whose battery was out.
const YEAR_1970_MS: i64 = 300_000;
/// 2040-01-01T00:00:00Z.
const YEAR_2040_MS: i64 = 2_208_988_800_000;

fn readings(world: &World, device: usize) -> Vec<Hlc> {
    let rows = outbox::list(&world.device_file(device)).expect("the outbox");
    rows.iter()
        .map(|row| Write::from_bytes(&row.bytes).expect("a write").hlc())
        .collect()
}

fn counters(world: &World, device: usize) -> Counters {
    meta::get(&world.device_file(device), "counters")
        .expect("the store reads")
        .expect("counters")
}

#[test]
fn t1_the_hybrid_clock_rises_over_restarts_and_falling_clocks() {
    let mut world = World::new(51, 1);
    world.network.cut = true;
    let patient = world.patient(0, "Saulo Reis");
    for (index, wall_ms) in [BEGIN_MS, YEAR_1970_MS, YEAR_2040_MS, BEGIN_MS, YEAR_1970_MS]
        .into_iter()
        .enumerate()
    {
        world.devices[0].clock.set_wall(wall_ms);
        world.add(0, patient, 1, &format!("nota {index}"));
        world.devices[0].reopen().expect("it opens");
        if index % 2 == 0 {
            world.devices[0].clock.reboot();
        }
        world.add(0, patient, 1, &format!("nota {index}, depois"));
    }
    let readings = readings(&world, 0);
    assert_eq!(readings.len(), 11);
    assert!(
        readings.is_sorted_by(|earlier, later| earlier < later),
        "{readings:?}"
    );
    world.network.cut = false;
    world.converge();
}

#[test]
fn t2_a_remote_time_is_not_followed_past_server_time_and_its_write_is_kept_and_flagged() {
    let mut world = World::new(52, 2);
    let patient = world.patient(0, "Tales Brito");
    world.converge();
    // A tablet that started anew without contact, its clock in 2040.
    world.devices[0].clock.reboot();
    world.devices[0].clock.set_wall(YEAR_2040_MS);
    let entry = world.add(0, patient, 1, "do futuro");
    world.converge();
    let row = world
        .timeline(1, patient)
        .into_iter()
        .find(|row| row.id == entry)
        .expect("kept");
    assert!(row.time_uncertain, "flagged");
    assert_eq!(
        row.recorded_at.utc_ms, YEAR_2040_MS,
        "the claim stays as it was made"
    );
    let limit = world.server_clock_ms() + CLOCK_OFFSET_SHOWN_MS;
    assert!(counters(&world, 1).hlc.ms() <= limit);
    let next = world.add(1, patient, 2, "agora");
    let row = world
        .timeline(1, patient)
        .into_iter()
        .find(|row| row.id == next)
        .expect("kept");
    assert!(row.recorded_at.utc_ms < limit);
    assert!(readings(&world, 1)[0].ms() <= limit);
}

#[test]
fn t3_the_claimed_time_its_zone_and_the_receipt_are_all_kept() {
    let mut world = World::new(53, 2);
    let patient = world.patient(0, "Ugo Dutra");
    let occurred_at = Zoned {
        utc_ms: at(7).utc_ms,
        offset_minutes: 330,
    };
    let entry = world
        .run(0, |client| async move {
            client
                .timeline()
                .add(patient, NewEntry::note(occurred_at, "em Nova Délhi"))
                .await
        })
        .expect("a note")
        .entry
        .expect("an entry");
    world.advance(3 * 3_600_000);
    world.converge();
    for device in 0..2 {
        let detail = world
            .run(device, |client| async move {
                client.open_patient(patient, "test").await?.entry(entry).await
            })
            .expect("a detail");
        assert_eq!(detail.entry.occurred_at, occurred_at);
        assert_eq!(detail.entry.recorded_at, at(0), "the device's claim, in its zone");
        assert_eq!(
            detail.received_ms,
            Some(BEGIN_MS + 3 * 3_600_000),
            "the server's time"
        );
        assert!(detail.seq.is_some());
    }
}

#[test]
fn a_typed_future_asks_for_confirmation_while_server_time_is_known() {
    let mut world = World::new(54, 2);
    let patient = world.patient(0, "Vera Maia");
    world.sync(0);
    let future = NewEntry::note(at(2 * 24 * 60), "consulta de amanhã");
    // The wall clock says nothing: server time of this boot does.
    for wall_ms in [BEGIN_MS, YEAR_1970_MS, YEAR_2040_MS] {
        world.devices[0].clock.set_wall(wall_ms);
        let again = future.clone();
        let refused = world.run(
            0,
            |client| async move { client.timeline().add(patient, again).await },
        );
        assert_eq!(refused.expect_err("asks").code, Code::OccurredInFuture);
    }
    assert_eq!(world.timeline(0, patient).len(), 0, "nothing was saved");
    let saved = world.run(0, |client| async move {
        client
            .timeline()
            .add_in(patient, vereda_core::record::Compartment::Clinical, future, true)
            .await
    });
    let entry = saved.expect("confirmed").entry.expect("an entry");
    world.converge();
    let row = world
        .timeline(1, patient)
        .into_iter()
        .find(|row| row.id == entry)
        .expect("there");
    assert!(!row.time_uncertain);
    world.assert_same_rows();
}

#[test]
fn with_a_clock_at_1970_or_2040_and_no_contact_it_is_saved_flagged_and_accepted() {
    for wall_ms in [YEAR_1970_MS, YEAR_2040_MS] {
        let mut world = World::new(55, 2);
        let patient = world.patient(0, "Wanda Leal");
        world.sync(0);
        world.network.cut = true;
        world.devices[0].clock.reboot();
        world.devices[0].clock.set_wall(wall_ms);
        let future = NewEntry::note(at(400 * 24 * 60), "data digitada no futuro");
        let absurd = NewEntry::note(
            Zoned {
                utc_ms: i64::MAX / 2,
                offset_minutes: 0,
            },
            "fora do calendário",
        );
        let (saved, refused) = world.run(0, |client| async move {
            let saved = client.timeline().add(patient, future).await;
            let refused = client.timeline().add(patient, absurd).await;
            (saved, refused.expect_err("not a date").code)
        });
        let entry = saved.expect("saved").entry.expect("an entry");
        assert_eq!(refused, Code::NotADate);
        let draft = world
            .run(0, |client| async move {
                let kind = vereda_core::record::Kind("note".into());
                let saved = client
                    .drafts()
                    .open(patient, kind, None, "agora".into(), None)
                    .await?;
                let draft = saved.entry.expect("a draft");
                client.drafts().finalize(draft, None, false).await?;
                Ok::<_, SyncError>(draft)
            })
            .expect("a draft without a typed time");
        world.network.cut = false;
        world.converge();
        for id in [entry, draft] {
            let row = world
                .timeline(1, patient)
                .into_iter()
                .find(|row| row.id == id)
                .expect("accepted");
            assert!(row.time_uncertain, "flagged");
        }
        world.assert_same_rows();
    }
}
