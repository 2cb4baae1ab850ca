//! Named patients before the history: usable at once, and nothing doubled when the log arrives.

use vereda_core::id::PatientId;
use vereda_core::record::{ChartKind, Kind};
use vereda_core::redact::Sensitive;
use vereda_server::Role;
use vereda_tests::{World, at};

/// A patient with notes, an amended one, a draft finalized twice, a chart conflict and a record conflict.
fn a_full_patient(seed: u64) -> (World, PatientId) {
    let mut world = World::new(seed, 2);
    let patient = world.patient(0, "Kátia Moura");
    for index in 0..30 {
        world.add(0, patient, index, &format!("nota {index}"));
    }
    let (draft, item) = world
        .run(0, |client| async move {
            let kind = Kind("note".into());
            let draft = client
                .drafts()
                .open(patient, kind, Some(at(2)), "rascunho".into(), None)
                .await?;
            let fields = [("display".to_owned(), Sensitive("Iodo".to_owned()))].into();
            let item = client
                .chart()
                .set(patient, None, ChartKind("allergy".into()), fields)
                .await?;
            Ok::<_, vereda_core::error::SyncError>((draft.entry.expect("a draft"), item.chart_item))
        })
        .expect("written");
    world.converge();
    for device in 0..2 {
        world
            .run(device, |client| async move {
                client
                    .drafts()
                    .write(draft, None, format!("rascunho de {device}"))
                    .await?;
                client.drafts().finalize(draft, None, false).await?;
                let fields = [("severity".to_owned(), Sensitive(format!("grau {device}")))].into();
                client
                    .chart()
                    .set(patient, item, ChartKind("allergy".into()), fields)
                    .await?;
                let shown = client.open_patient(patient, "test").await?.record().await?;
                let mut record = shown.record.clone();
                record.birth_date = Some(format!("1980-01-0{}", device + 1).into());
                client.patients().edit(shown, record).await
            })
            .expect("written");
    }
    // The one with the higher write id comes first, so that the log's order shows and no other.
    world.sync(1);
    world.converge();
    assert_eq!(world.rows(0).conflicts.len(), 3);
    (world, patient)
}

#[test]
fn a_named_patient_is_usable_at_once_and_the_log_doubles_nothing() {
    for seed in 81..84 {
        let (mut world, patient) = a_full_patient(seed);
        let device = world.add_device("north", "user-2", Role::Clinician);
        world.network.heard = Some(Vec::new());
        let documents = world
            .run(
                device,
                |client| async move { client.snapshot(vec![patient]).await },
            )
            .expect("a snapshot");
        assert_eq!(documents, 2, "one chapter, one chart");
        assert_eq!(
            world.network.heard.take().map(|heard| heard.len()),
            Some(1),
            "one request"
        );
        let (here, there) = (world.texts(device, patient), world.texts(0, patient));
        assert_eq!(here.len(), there.len());
        // Not read from the log yet, and written on all the same.
        let early = world.add(device, patient, 40, "antes do histórico");
        world.add(0, patient, 41, "enquanto isso");
        world.sync(0);
        world.converge();
        world.assert_same_rows();
        assert!(world.rows(0).entries.iter().any(|row| row.id == early));
        assert_eq!(world.rows(device).entries.len(), there.len() + 2);
        assert_eq!(world.heads(device), world.heads(0));
        assert_eq!(world.rows(device).conflicts.len(), 3);
        world.assert_rows_follow_from_documents(device);
        world.assert_places_name_one_change();
    }
}

#[test]
fn a_snapshot_is_merged_with_what_was_not_sent_yet() {
    let mut world = World::new(85, 2);
    let patient = world.patient(0, "Lauro Dias");
    world.add(0, patient, 1, "a primeira");
    world.converge();
    world.network.cut = true;
    let unsent = world.add(1, patient, 2, "ainda não enviada");
    let fields = [("display".to_owned(), Sensitive("Sulfa".to_owned()))].into();
    world
        .run(1, |client| async move {
            client
                .chart()
                .set(patient, None, ChartKind("allergy".into()), fields)
                .await
        })
        .expect("set");
    world.network.cut = false;
    for index in 0..20 {
        world.add(0, patient, 3 + index, &format!("de fora {index}"));
    }
    world.sync(0);
    world
        .run(1, |client| async move { client.snapshot(vec![patient]).await })
        .expect("a snapshot");
    let rows = world.rows(1);
    assert!(
        rows.entries.iter().any(|row| row.id == unsent),
        "the unsent note is there"
    );
    assert_eq!(rows.entries.len(), 22);
    assert_eq!(rows.chart.len(), 1);
    world.devices[1].reopen().expect("it opens");
    world.converge();
    world.assert_same_rows();
    assert_eq!(world.rows(0).entries.len(), 22);
    assert_eq!(world.rows(0).chart.len(), 1);
    world.assert_places_name_one_change();
}

#[test]
fn a_snapshot_that_comes_twice_or_late_changes_nothing() {
    let (mut world, patient) = a_full_patient(86);
    let before = world.rows(1);
    for _ in 0..2 {
        world
            .run(1, |client| async move { client.snapshot(vec![patient]).await })
            .expect("a snapshot");
    }
    before.assert_same(&world.rows(1), "after two snapshots");
    world.converge();
    world.assert_same_rows();
}

#[test]
fn many_patients_are_asked_for_in_as_many_requests_as_it_takes() {
    let mut world = World::new(87, 1);
    let patients: Vec<PatientId> = (0..12)
        .map(|index| world.patient(0, &format!("Paciente {index}")))
        .collect();
    let long = "palavra ".repeat(3_000);
    for patient in &patients {
        for index in 0..6 {
            world.add(0, *patient, index, &format!("{index} {long}"));
        }
    }
    world.converge();
    let device = world.add_device("north", "user-3", Role::Clinician);
    let named = patients.clone();
    let taken = world
        .run(device, |client| async move { client.snapshot(named).await })
        .expect("a snapshot");
    assert_eq!(taken, patients.len());
    assert_eq!(world.rows(device).entries.len(), 6 * patients.len());
}

#[test]
fn c1_of_two_finals_that_say_the_same_a_new_device_shows_the_first_in_the_log() {
    let mut world = World::new(89, 2);
    let patient = world.patient(0, "Kátia Moura");
    let drafts: Vec<_> = (0..8)
        .map(|minutes| {
            let opened = world.run(0, |client| async move {
                let kind = Kind("note".into());
                client
                    .drafts()
                    .open(patient, kind, Some(at(minutes)), "Alta".into(), None)
                    .await
            });
            opened.expect("a draft").entry.expect("an entry")
        })
        .collect();
    world.converge();
    for (index, draft) in drafts.into_iter().enumerate() {
        for device in 0..2 {
            world
                .run(device, |client| async move {
                    client.drafts().finalize(draft, None, false).await
                })
                .expect("final");
        }
        world.sync(index % 2);
        world.converge();
    }
    let newcomer = world.add_device("north", "user-9", Role::Clinician);
    world
        .run(
            newcomer,
            |client| async move { client.snapshot(vec![patient]).await },
        )
        .expect("a snapshot");
    world.converge();
    world.assert_same_rows();
}

#[test]
fn d4_a_kill_in_the_middle_of_a_snapshot_costs_no_patient_and_stops_nothing() {
    for steps in 0..8 {
        let (mut world, patient) = a_full_patient(90 + steps);
        let newcomer = world.add_device("north", "user-9", Role::Clinician);
        world.devices[newcomer].crash_after = Some(steps);
        let _ = world.try_run(
            newcomer,
            |client| async move { client.snapshot(vec![patient]).await },
        );
        world.devices[newcomer].crash_after = None;
        world.devices[newcomer].reopen().expect("it opens");
        world.converge();
        // Asked for again: what killed it once is not opened a second time, and nothing is missing.
        world
            .run(
                newcomer,
                |client| async move { client.snapshot(vec![patient]).await },
            )
            .expect("a snapshot");
        world.add(0, patient, 40, "depois");
        world.converge();
        world.add(newcomer, patient, 41, "do novo");
        world.converge();
        world.assert_same_rows();
        assert_eq!(
            world.status(newcomer).quarantined,
            0,
            "killed after {steps} steps"
        );
    }
}
