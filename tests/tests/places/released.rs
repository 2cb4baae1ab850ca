//! A write is released while its author's unit does not have the patient, who then comes back: it is there once, in its
//! place, whoever synchronised when.

use crate::clinic::{ANNEX, Clinic, NORTH, decide};
use vereda_core::id::PatientId;
use vereda_core::store::held::HeldState;
use vereda_server::Role;
use vereda_server::store::QuarantineDecision;

const CPF: &str = "529.982.247-25";

/// Who synchronises between the release and the new share, as bits: the author, a colleague, the patient's own unit.
const ORDERS: u64 = 8;

struct Returning {
    clinic: Clinic,
    patient: PatientId,
    own: PatientId,
    colleague: usize,
}

/// A patient of the north's, shared with the annex, whose share ended while the annex still wrote.
fn held_in_the_annex(seed: u64, writes: impl FnOnce(&mut Clinic, PatientId)) -> Returning {
    let mut clinic = Clinic::new(seed);
    clinic.join("north", "super", &["unit-annex"], Role::Supervisor);
    let colleague = clinic.join("north", "user-a2", &["unit-annex"], Role::Clinician);
    let patient = clinic.patient(NORTH, "Quirino Emprestado", CPF);
    let own = clinic.patient(ANNEX, "Rosa do Anexo", "111.444.777-35");
    clinic.world.add(NORTH, patient, 1, "um");
    let annex = clinic.annex;
    clinic.world.converge();
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    clinic.world.add(ANNEX, patient, 2, "dois");
    clinic.world.converge();
    writes(&mut clinic, patient);
    clinic.end_share(NORTH, patient);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    Returning {
        clinic,
        patient,
        own,
        colleague,
    }
}

impl Returning {
    /// Releases everything held, then those of the bits synchronise.
    fn release(&mut self, order: u64) {
        let held = self.clinic.held(ANNEX);
        assert!(!held.is_empty());
        for row in held {
            decide(&mut self.clinic, row.write, QuarantineDecision::Released).expect("released");
        }
        for (bit, device) in [ANNEX, self.colleague, NORTH].into_iter().enumerate() {
            if order >> bit & 1 == 1 {
                self.clinic.world.sync(device);
            }
        }
    }

    /// Everybody of both units reads the same, and writes of theirs go through at once.
    fn assert_whole(&mut self, texts: &[&str], what: &str) {
        let (patient, own) = (self.patient, self.own);
        let devices = [ANNEX, self.colleague, NORTH];
        for device in devices {
            self.clinic.world.sync(device);
        }
        self.clinic.world.add(ANNEX, own, 9, "do anexo");
        self.clinic.world.converge();
        let fresh = self
            .clinic
            .join("north", "fresh", &["unit-annex"], Role::Clinician);
        self.clinic.world.converge();
        for device in [ANNEX, self.colleague, NORTH, fresh] {
            let read = self.clinic.reads(device, patient).unwrap_or_default();
            assert_eq!(read, texts, "{what}, device {device}");
            let status = self.clinic.world.status(device);
            assert_eq!(
                (status.unread, status.unapplied),
                (0, 0),
                "{what}, device {device}"
            );
            assert_eq!(status.differences_found, 0, "{what}, device {device}");
            assert!(
                self.clinic.world.outbox(device).is_empty(),
                "{what}, device {device}"
            );
            self.clinic.world.assert_as_the_server(device);
        }
        let world = &self.clinic.world;
        world.rows(ANNEX).assert_same(&world.rows(self.colleague), what);
        world.rows(ANNEX).assert_same(&world.rows(fresh), what);
        let told = self.clinic.held(ANNEX);
        assert!(told.iter().all(|row| row.state == HeldState::Released), "{what}");
    }
}

#[test]
fn d1_c6_what_was_released_meanwhile_is_there_once_when_the_patient_is_shared_again() {
    for order in 0..ORDERS {
        let mut returning = held_in_the_annex(560 + order, |clinic, patient| {
            clinic.world.add(ANNEX, patient, 3, "três");
            clinic.world.add(ANNEX, patient, 4, "quatro");
        });
        returning.release(order);
        let (patient, annex) = (returning.patient, returning.clinic.annex);
        returning.clinic.share(NORTH, patient, annex);
        returning.clinic.world.sync(NORTH);
        let texts = ["dois", "quatro", "três", "um"];
        returning.assert_whole(&texts, &format!("order {order}"));
    }
}

#[test]
fn d1_c6_what_was_released_meanwhile_is_there_once_when_the_patient_moves_here() {
    for order in 0..ORDERS {
        let mut returning = held_in_the_annex(570 + order, |clinic, patient| {
            clinic.world.add(ANNEX, patient, 3, "três");
        });
        returning.release(order);
        let (patient, annex) = (returning.patient, returning.clinic.annex);
        returning.clinic.world.add(NORTH, patient, 5, "cinco");
        returning
            .clinic
            .world
            .run(NORTH, |client| async move {
                client.placement().transfer(patient, annex, "mudou".into()).await
            })
            .expect("a move");
        returning.clinic.world.sync(NORTH);
        let texts = ["cinco", "dois", "três", "um"];
        returning.assert_whole(&texts, &format!("order {order}"));
    }
}
