//! Patients in several units, brought from state before their history is read.

use crate::clinic::{ANNEX, Clinic, NORTH};
use vereda_core::id::PatientId;
use vereda_server::Role;
use vereda_tests::Fault;

const CPF: &str = "529.982.247-25";

fn rename(clinic: &mut Clinic, device: usize, patient: PatientId, name: &str) {
    let name = name.to_owned();
    clinic
        .world
        .run(device, |client| async move {
            let row = client.open_patient(patient, "test").await?.record().await?;
            let mut edited = row.record.clone();
            edited.name = name.into();
            client.patients().edit(row, edited).await
        })
        .expect("an edit");
}

fn snapshot(clinic: &mut Clinic, device: usize, patient: PatientId) {
    clinic
        .world
        .run(
            device,
            |client| async move { client.snapshot(vec![patient]).await },
        )
        .expect("a snapshot");
}

#[test]
fn s2_a_shared_patient_who_came_from_state_goes_with_the_share() {
    let mut clinic = Clinic::new(521);
    let patient = clinic.patient(NORTH, "Ida Emprestada", CPF);
    clinic.world.add(NORTH, patient, 1, "marca-antes");
    clinic.world.converge();
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    let late = clinic.join("north", "user-late", &["unit-annex"], Role::Clinician);
    snapshot(&mut clinic, late, patient);
    clinic.world.converge();
    assert_eq!(clinic.reads(late, patient).expect("shared"), ["marca-antes"]);
    clinic.end_share(NORTH, patient);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    assert_eq!(clinic.reads(ANNEX, patient), None, "gone");
    assert_eq!(clinic.reads(late, patient), None, "gone here too");
}

#[test]
fn s2_a_share_that_ended_before_the_log_told_of_it_leaves_nothing_that_came_from_state() {
    let mut clinic = Clinic::new(522);
    let patient = clinic.patient(NORTH, "Ivo Emprestado", CPF);
    clinic.world.add(NORTH, patient, 1, "marca-antes");
    clinic.world.converge();
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    let late = clinic.join("north", "user-late", &["unit-annex"], Role::Clinician);
    snapshot(&mut clinic, late, patient);
    clinic.end_share(NORTH, patient);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    assert_eq!(clinic.reads(late, patient), None, "gone");
    let plain = clinic.world.device_pages(late);
    for marker in ["marca-antes", "Ivo Emprestado"] {
        let found = plain
            .windows(marker.len())
            .any(|window| window == marker.as_bytes());
        assert!(!found, "{marker} is left");
    }
}

#[test]
fn c3_who_works_in_two_units_sees_no_conflict_that_nobody_made_after_a_snapshot() {
    for seed in 523..527 {
        let mut clinic = Clinic::new(seed);
        let patient = clinic.patient(NORTH, "Jair Primeiro", CPF);
        clinic.world.converge();
        rename(&mut clinic, NORTH, patient, "Jair Segundo");
        clinic.world.converge();
        let annex = clinic.annex;
        clinic.share(NORTH, patient, annex);
        clinic.world.converge();
        rename(&mut clinic, ANNEX, patient, "Jair Terceiro");
        clinic.world.converge();
        // One of the two logs is longer than the other.
        for index in 0..5 {
            let device = if seed % 2 == 0 { NORTH } else { ANNEX };
            let record = vereda_core::record::PatientRecord::named(format!("Outro {index}"));
            clinic
                .world
                .run(device, |client| async move {
                    client.patients().register(record).await
                })
                .expect("a patient");
        }
        clinic.world.converge();
        let units = ["unit-annex", "unit-north"];
        let both = clinic.join("north", "user-both", &units, Role::Clinician);
        snapshot(&mut clinic, both, patient);
        rename(&mut clinic, NORTH, patient, "Jair Quarto");
        clinic.world.sync(NORTH);
        clinic.world.converge();
        let (here, there) = (clinic.world.rows(both), clinic.world.rows(NORTH));
        assert_eq!(here.conflicts, there.conflicts, "seed {seed}");
        // The other unit's patients are here too.
        assert!(
            there.patients.iter().all(|row| here.patients.contains(row)),
            "seed {seed}"
        );
    }
}

#[test]
fn s2_a_dated_share_that_ended_before_the_log_told_of_it_leaves_nothing_that_came_from_state() {
    let mut clinic = Clinic::new(524);
    let annex = clinic.annex;
    let patient = clinic.patient(NORTH, "Iris Emprestada", CPF);
    clinic.world.add(NORTH, patient, 1, "marca-antes");
    clinic.share_for_days(NORTH, patient, annex, 3);
    clinic.world.converge();
    let late = clinic.join("north", "user-late", &["unit-annex"], Role::Clinician);
    snapshot(&mut clinic, late, patient);
    assert_eq!(clinic.reads(late, patient).expect("shared"), ["marca-antes"]);
    clinic.world.advance(4 * 86_400_000);
    clinic.world.sync(late);
    assert_eq!(clinic.reads(late, patient), None, "gone with the first answer");
    assert!(clinic.world.documents(late).is_empty(), "and what lay behind it");
}

/// The answer is under way when the unit is left, or the share is ended, and comes when the device was told of it.
#[test]
fn s2_a_snapshot_that_comes_after_its_scope_went_brings_nobody_back() {
    for (seed, leaves) in [(525, true), (526, false)] {
        let mut clinic = Clinic::new(seed);
        let annex = clinic.annex;
        let patient = clinic.patient(NORTH, "Ivone Emprestada", CPF);
        clinic.world.add(NORTH, patient, 1, "marca-antes");
        clinic.world.converge();
        clinic.share(NORTH, patient, annex);
        clinic.world.converge();
        let units = ["unit-annex"];
        let late = clinic.join("north", "user-late", &units, Role::Clinician);
        clinic.world.converge();
        clinic.world.network.heard = Some(Vec::new());
        snapshot(&mut clinic, late, patient);
        let heard = clinic.world.network.heard.take().expect("it listened");
        let (_, answer) = heard
            .into_iter()
            .find(|(request, _)| request.path == "/v1/snapshot")
            .expect("an answer");
        if leaves {
            clinic.leave("user-late", "unit-annex");
        } else {
            clinic.end_share(NORTH, patient);
        }
        clinic.world.converge();
        assert_eq!(clinic.reads(late, patient), None, "gone");
        clinic.world.network.next.push_back(Fault::Instead(answer));
        snapshot(&mut clinic, late, patient);
        clinic.world.converge();
        assert_eq!(clinic.reads(late, patient), None, "seed {seed}: not back");
        assert!(clinic.world.documents(late).is_empty());
    }
}
