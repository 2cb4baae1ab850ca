//! What a supervisor decides about, and how its author hears of it.

use crate::clinic::{ANNEX, Clinic, NORTH, decide};
use vereda_core::limits::QUARANTINED_ASKED_MAX;
use vereda_core::store::held::HeldState;
use vereda_server::Role;
use vereda_server::store::QuarantineDecision;

const CPF: &str = "529.982.247-25";

#[test]
fn s2_a_write_that_names_a_second_patient_who_left_is_held_and_not_refused() {
    let mut clinic = Clinic::new(541);
    let own = clinic.patient(ANNEX, "Rui do Anexo", "111.444.777-35");
    let lent = clinic.patient(NORTH, "Rui Emprestado", CPF);
    let annex = clinic.annex;
    clinic.world.converge();
    clinic.share(NORTH, lent, annex);
    clinic.world.converge();
    let saved = clinic.world.run(ANNEX, |client| async move {
        client.patients().link(own, lent, "o mesmo cartão".into()).await
    });
    assert!(saved.expect("linked").is_some());
    clinic.end_share(NORTH, lent);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    assert!(clinic.world.drawer(ANNEX).is_empty(), "it was made in good faith");
    assert_eq!(clinic.held(ANNEX).len(), 1);
}

#[test]
fn a_held_share_of_the_clinical_compartment_can_be_released() {
    let mut clinic = Clinic::new(542);
    clinic.join("north", "super", &["unit-north"], Role::Supervisor);
    let patient = clinic.patient(NORTH, "Sara Encaminhada", CPF);
    clinic.world.add(NORTH, patient, 1, "antes");
    clinic.world.converge();
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.leave("user-0", "unit-north");
    clinic.world.converge();
    let held = clinic.held(NORTH);
    assert_eq!(held.len(), 1);
    decide(&mut clinic, held[0].write, QuarantineDecision::Released).expect("released");
    clinic.world.converge();
    assert_eq!(clinic.reads(ANNEX, patient).expect("shared"), ["antes"]);
}

#[test]
fn of_many_held_writes_each_ones_author_hears_what_became_of_it() {
    let mut clinic = Clinic::new(543);
    clinic.join("north", "super", &["unit-north"], Role::Supervisor);
    let patient = clinic.patient(NORTH, "Tomás", CPF);
    clinic.world.converge();
    for minute in 0..QUARANTINED_ASKED_MAX as i64 + 5 {
        clinic.world.add(NORTH, patient, minute, "pendente");
    }
    clinic.leave("user-0", "unit-north");
    clinic.world.converge();
    let held = clinic.held(NORTH);
    assert_eq!(held.len(), QUARANTINED_ASKED_MAX + 5);
    let last = held.last().expect("held").write;
    decide(&mut clinic, last, QuarantineDecision::Discarded).expect("decided");
    clinic.world.sync(NORTH);
    clinic.world.sync(NORTH);
    let told = clinic.held(NORTH).into_iter().find(|row| row.write == last);
    assert_eq!(told.expect("held").state, HeldState::Discarded);
}
