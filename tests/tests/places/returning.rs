//! A patient who comes back to a unit that had them: by another share, a move, a released write, a claim.

use crate::clinic::{ANNEX, Clinic, NORTH, decide};
use vereda_core::id::PatientId;
use vereda_core::testing::SeededEntropy;
use vereda_server::Role;
use vereda_server::backup;
use vereda_server::restore::restore;
use vereda_server::store::QuarantineDecision;
use vereda_server::verify::{verify, verify_copy};

const CPF: &str = "529.982.247-25";

/// The annex had the patient and wrote; the share is over.
fn left(seed: u64) -> (Clinic, PatientId) {
    let mut clinic = Clinic::new(seed);
    let patient = clinic.patient(NORTH, "Quem Volta", CPF);
    clinic.world.add(NORTH, patient, 1, "do norte");
    clinic.world.converge();
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    clinic.world.add(ANNEX, patient, 2, "do anexo");
    clinic.world.converge();
    clinic.end_share(NORTH, patient);
    clinic.world.converge();
    assert_eq!(clinic.reads(ANNEX, patient), None);
    (clinic, patient)
}

fn find(clinic: &mut Clinic) {
    let found = clinic.world.run(ANNEX, |client| async move {
        let placement = client.placement();
        placement
            .find("cpf", CPF, None, "desacordada na rua".into())
            .await
    });
    assert!(found.expect("found")[0].claim.is_some());
}

/// The store fits; a copy is made, checks as a copy, and is put back.
fn assert_copies_restore(clinic: &mut Clinic) {
    let keys = clinic.world.server_keys();
    let path = clinic.world.server_path();
    let report = verify(&path, &keys).expect("it opens");
    assert!(report.is_whole(), "{:?}", report.faults);
    let folder = tempfile::tempdir().expect("a folder");
    let copy = backup::run(&path, &keys, folder.path()).expect("a copy is made");
    let report = verify_copy(&copy, &keys).expect("it opens");
    assert!(report.is_whole(), "{:?}", report.faults);
    clinic.world.stop_server();
    let now_ms = clinic.world.server_clock_ms();
    let mut entropy = SeededEntropy::new(311);
    restore(&copy, &path, &keys, &mut entropy, now_ms, true).expect("it is put back");
    clinic.world.start_server();
    clinic.world.converge();
}

#[test]
fn d6_the_copies_of_a_patient_who_is_shared_again_restore() {
    let (mut clinic, patient) = left(571);
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    assert_copies_restore(&mut clinic);
    for device in [NORTH, ANNEX] {
        assert_eq!(
            clinic.reads(device, patient).expect("here"),
            ["do anexo", "do norte"]
        );
        clinic.world.assert_as_the_server(device);
    }
}

#[test]
fn d6_the_copies_of_a_patient_who_moves_to_where_they_were_and_back_restore() {
    let (mut clinic, patient) = left(572);
    let (north, annex) = (clinic.north, clinic.annex);
    for (device, to) in [(NORTH, annex), (ANNEX, north)] {
        clinic
            .world
            .run(device, |client| async move {
                client.placement().transfer(patient, to, "mudou-se".into()).await
            })
            .expect("a move");
        clinic.world.converge();
        // The unit they left keeps them for thirty days.
        clinic.world.advance(31 * 86_400_000);
        clinic.world.converge();
    }
    assert_copies_restore(&mut clinic);
    assert_eq!(
        clinic.reads(NORTH, patient).expect("here"),
        ["do anexo", "do norte"]
    );
    assert_eq!(clinic.reads(ANNEX, patient), None);
}

#[test]
fn d6_the_copies_with_a_released_write_restore() {
    let mut clinic = Clinic::new(573);
    clinic.join("north", "super", &["unit-north", "unit-annex"], Role::Supervisor);
    let patient = clinic.patient(NORTH, "Quem Foi", CPF);
    clinic.world.converge();
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    clinic.world.add(ANNEX, patient, 2, "pendente");
    clinic.end_share(NORTH, patient);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    let held = clinic.held(ANNEX);
    assert_eq!(held.len(), 1);
    decide(&mut clinic, held[0].write, QuarantineDecision::Released).expect("released");
    clinic.world.converge();
    assert_eq!(clinic.reads(NORTH, patient).expect("here"), ["pendente"]);
    assert_copies_restore(&mut clinic);
}

#[test]
fn a_patient_who_is_found_again_after_a_share_or_a_claim_ended_is_opened_again() {
    let (mut clinic, patient) = left(574);
    for round in 0..3 {
        find(&mut clinic);
        clinic.world.converge();
        assert_eq!(
            clinic.held(ANNEX),
            [],
            "round {round}: nobody decides about a claim"
        );
        assert_eq!(
            clinic.reads(ANNEX, patient).expect("claimed"),
            ["do anexo", "do norte"]
        );
        match round {
            0 => clinic.end_share(NORTH, patient),
            // It ends by itself.
            _ => clinic.world.advance(73 * 3_600_000),
        }
        clinic.world.converge();
        assert_eq!(clinic.reads(ANNEX, patient), None, "round {round}");
    }
    find(&mut clinic);
    clinic.world.converge();
    assert_copies_restore(&mut clinic);
}
