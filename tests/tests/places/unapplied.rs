//! An item of a log that a device cannot apply: it alone waits, and its document comes whole.

use crate::clinic::{ANNEX, Clinic, NORTH, decide};
use vereda_core::client::SyncEnd;
use vereda_core::id::PatientId;
use vereda_core::protocol::PATH_DOCUMENTS;
use vereda_server::Role;
use vereda_server::store::QuarantineDecision;
use vereda_tests::Planted;

const CPF: &str = "529.982.247-25";

/// A device of the north that lost the last change of its one document, and a colleague who wrote behind it.
fn lacking(seed: u64) -> (Clinic, usize, PatientId, PatientId) {
    let mut clinic = Clinic::new(seed);
    let colleague = clinic.join("north", "user-n2", &["unit-north"], Role::Clinician);
    let patient = clinic.patient(NORTH, "Teresa", CPF);
    let other = clinic.patient(colleague, "Ulisses", "111.444.777-35");
    clinic.world.add(NORTH, patient, 1, "um");
    clinic.world.converge();
    clinic.world.add(NORTH, patient, 2, "dois");
    clinic.world.converge();
    assert!(clinic.world.plant(colleague, Planted::LastChange, 0));
    clinic.world.add(NORTH, patient, 3, "três");
    clinic.world.sync(NORTH);
    (clinic, colleague, patient, other)
}

#[test]
fn e4_o5_c6_an_item_that_cannot_be_applied_holds_nothing_up_and_its_document_comes_whole() {
    let (mut clinic, colleague, patient, other) = lacking(580);
    clinic.world.add(NORTH, other, 4, "de outra pessoa");
    clinic.world.sync(NORTH);
    clinic.world.add(colleague, other, 5, "da colega");
    clinic.world.add(colleague, patient, 6, "quatro");
    assert_eq!(clinic.world.sync(colleague), SyncEnd::Done);
    assert!(clinic.world.outbox(colleague).is_empty(), "it was sent");
    let read = clinic.world.texts(colleague, other);
    assert_eq!(read, ["de outra pessoa", "da colega"]);
    let status = clinic.world.status(colleague);
    assert_eq!((status.unapplied, status.unread, status.quarantined), (0, 0, 0));
    assert_eq!((status.differences_found, status.differences_repaired), (1, 1));
    clinic.world.sync(NORTH);
    let read = clinic.reads(colleague, patient).expect("here");
    assert_eq!(read, ["dois", "quatro", "três", "um"]);
    clinic.world.assert_as_the_server(colleague);
    clinic.world.assert_rows_follow_from_documents(colleague);
    let world = &clinic.world;
    world
        .rows(NORTH)
        .assert_same(&world.rows(colleague), "as who wrote it");
}

#[test]
fn o5_an_item_that_cannot_be_applied_is_told_until_its_document_came() {
    let (mut clinic, colleague, patient, other) = lacking(581);
    clinic.world.add(colleague, other, 5, "da colega");
    clinic.world.network.lose_path = Some(PATH_DOCUMENTS);
    clinic.world.sync(colleague);
    clinic.world.network.lose_path = None;
    assert!(clinic.world.outbox(colleague).is_empty(), "it was sent");
    let status = clinic.world.status(colleague);
    assert_eq!((status.unapplied, status.unread), (1, 0));
    assert_eq!(clinic.reads(colleague, patient).expect("here"), ["dois", "um"]);
    clinic.world.add(NORTH, patient, 7, "cinco");
    clinic.world.sync(NORTH);
    clinic.world.converge();
    assert_eq!(clinic.world.status(colleague).unapplied, 0);
    let read = clinic.reads(colleague, patient).expect("here");
    assert_eq!(read, ["cinco", "dois", "três", "um"]);
    clinic.world.assert_as_the_server(colleague);
}

#[test]
fn s2_what_could_not_be_applied_goes_with_its_patient() {
    let mut clinic = Clinic::new(582);
    let colleague = clinic.join("north", "user-a2", &["unit-annex"], Role::Clinician);
    let patient = clinic.patient(NORTH, "Vera Emprestada", CPF);
    let annex = clinic.annex;
    clinic.world.add(NORTH, patient, 1, "um");
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    clinic.world.add(NORTH, patient, 2, "dois");
    clinic.world.converge();
    assert!(clinic.world.plant(colleague, Planted::LastChange, 0));
    clinic.world.add(NORTH, patient, 3, "três");
    clinic.world.sync(NORTH);
    clinic.world.network.lose_path = Some(PATH_DOCUMENTS);
    clinic.world.sync(colleague);
    assert_eq!(clinic.world.status(colleague).unapplied, 1);
    clinic.end_share(NORTH, patient);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    assert_eq!(clinic.reads(colleague, patient), None);
    assert_eq!(clinic.world.status(colleague).unapplied, 0);
    let pages = clinic.world.device_pages(colleague);
    assert!(!pages.windows(5).any(|bytes| bytes == "três".as_bytes()));
}

/// A server's store of before places of entry were kept: what was released in between is shown before what it builds on.
#[test]
fn e4_o5_c6_a_stores_item_before_what_it_builds_on_is_read_and_healed() {
    let mut clinic = Clinic::new(583);
    clinic.join("north", "super", &["unit-annex"], Role::Supervisor);
    let colleague = clinic.join("north", "user-a2", &["unit-annex"], Role::Clinician);
    let patient = clinic.patient(NORTH, "Quirino Emprestado", CPF);
    let own = clinic.patient(ANNEX, "Rosa do Anexo", "111.444.777-35");
    let annex = clinic.annex;
    clinic.world.add(NORTH, patient, 1, "um");
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    clinic.world.add(ANNEX, patient, 2, "dois");
    clinic.end_share(NORTH, patient);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    let held = clinic.held(ANNEX);
    decide(&mut clinic, held[0].write, QuarantineDecision::Released).expect("released");
    clinic.share(NORTH, patient, annex);
    clinic.world.sync(NORTH);
    clinic.world.stop_server();
    let file = clinic.world.server_file();
    assert!(file.execute("DELETE FROM entered", []).expect("taken out") > 0);
    drop(file);
    clinic.world.start_server();
    clinic.world.add(ANNEX, own, 3, "do anexo");
    for device in [colleague, ANNEX] {
        assert_eq!(clinic.world.sync(device), SyncEnd::Done, "device {device}");
    }
    clinic.world.converge();
    for device in [ANNEX, colleague, NORTH] {
        let read = clinic.reads(device, patient).expect("here");
        assert_eq!(read, ["dois", "um"], "device {device}");
        let status = clinic.world.status(device);
        assert_eq!((status.unapplied, status.unread), (0, 0), "device {device}");
        clinic.world.assert_as_the_server(device);
    }
    assert_eq!(clinic.world.texts(colleague, own), ["do anexo"]);
    assert_eq!(clinic.world.status(colleague).differences_repaired, 1);
}
