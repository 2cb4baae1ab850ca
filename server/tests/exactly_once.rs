//! One write, one effect, one outcome: whatever is lost, doubled or changed on the way.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod support;

use support::{Clinic, codes, unfold};
use vereda_core::protocol::{Outcome, PushItem};

#[test]
fn a_note_written_on_one_device_is_read_on_another() {
    let clinic = Clinic::new();
    let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
    let register = ana.register("Maria da Silva");
    let patient = register.patient;
    let mut note = ana.note(patient, "dor de cabeça");
    note.after = vec![register.n];
    assert_eq!(
        codes(&ana.push(&clinic, &[register, note])),
        ["accepted", "accepted"]
    );
    bia.pull(&clinic);
    assert_eq!(bia.texts(patient), ["dor de cabeça"]);
    let answer = bia.note(patient, "melhorou");
    assert_eq!(codes(&bia.push(&clinic, &[answer])), ["accepted"]);
    ana.pull(&clinic);
    assert_eq!(ana.texts(patient), ["dor de cabeça", "melhorou"]);
    assert_eq!(ana.texts(patient), bia.texts(patient));
}

#[test]
fn e1_e2_a_lost_answer_is_given_again_also_by_a_restarted_server_and_nothing_is_doubled() {
    let mut clinic = Clinic::new();
    let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
    let register = ana.register("Maria");
    let patient = register.patient;
    let writes: Vec<_> = std::iter::once(register)
        .chain((0..20).map(|k| ana.note(patient, &format!("nota {k:02}"))))
        .collect();
    let push = ana.encode(&writes);
    let request = ana.request(push);
    let lost = ana.send(&clinic, &request).unwrap();
    clinic.now_ms += 60_000;
    let again = ana.send(&clinic, &request).unwrap();
    clinic.restart();
    let after_restart = ana.send(&clinic, &request).unwrap();
    assert_eq!(unfold(&lost), unfold(&again));
    assert_eq!(unfold(&lost), unfold(&after_restart));
    assert_eq!(lost.seen, after_restart.seen);
    ana.take(&request, &after_restart);
    bia.pull(&clinic);
    assert_eq!(bia.received.len(), 21);
    assert_eq!(bia.texts(patient).len(), 20);
    assert_eq!(bia.texts(patient), ana.texts(patient));
}

#[test]
fn e3_the_same_number_with_other_bytes_is_refused_and_changes_nothing() {
    let clinic = Clinic::new();
    let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
    let register = ana.register("Maria");
    let patient = register.patient;
    let note = ana.note(patient, "primeira");
    assert_eq!(
        codes(&ana.push(&clinic, &[register, note.clone()])),
        ["accepted", "accepted"]
    );
    let mut forged = ana.note(patient, "outra");
    forged.n = note.n;
    let item = PushItem {
        write: vereda_core::protocol::Frozen::new(forged),
        generation: 0,
        changes: vec![],
    };
    let alone = ana.send(&clinic, &ana.request(vec![item.clone()])).unwrap_err();
    assert_eq!(
        (alone.status, alone.code.as_str()),
        (422, "idempotency_key_reused")
    );
    let mut fresh = ana.note(patient, "segunda");
    fresh.n = note.n + 1;
    let mut push = vec![item];
    push.extend(ana.encode(&[fresh]));
    let answer = ana.send(&clinic, &ana.request(push)).unwrap();
    // The change of the forged note is not there, so what was made on top of the honest one says so itself.
    assert_eq!(codes(&unfold(&answer))[0], "refused idempotency_key_reused");
    bia.pull(&clinic);
    assert!(!bia.texts(patient).contains(&"outra".to_owned()));
}

#[test]
fn e4_a_lane_stands_still_behind_a_write_without_an_outcome_and_other_lanes_go_on() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let (one, two) = (ana.register("Maria"), ana.register("Joana"));
    let (maria, joana) = (one.patient, two.patient);
    ana.push(&clinic, &[one, two]);
    let mut waits = ana.note(maria, "espera");
    // Names a write the server has never seen.
    let missing = ana.note(joana, "nunca enviada");
    waits.n = missing.n + 1;
    waits.after = vec![missing.n];
    ana.next = waits.n + 1;
    let behind = ana.note(maria, "atrás");
    let elsewhere = ana.note(joana, "outra pista");
    let outcomes = ana.push(&clinic, &[waits.clone(), behind.clone(), elsewhere]);
    assert_eq!(
        codes(&outcomes),
        ["retry waiting_for", "retry waiting_for", "accepted"]
    );
}

#[test]
fn e4_a_refused_write_blocks_only_what_names_it() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let register = ana.register("Maria");
    let patient = register.patient;
    ana.push(&clinic, &[register]);
    let stranger = clinic.device("bia").register("Ninguém").patient;
    let refused = ana.note(stranger, "paciente desconhecido");
    let mut needs = ana.note(patient, "depende");
    needs.after = vec![refused.n];
    let outcomes = ana.push(&clinic, &[refused, needs]);
    assert_eq!(
        codes(&outcomes),
        ["refused unknown_patient", "refused needs_refused"]
    );
    // The second device state of this patient was made on top of a refused note: it begins anew.
    ana.documents.clear();
    ana.generation += 1;
    let free = ana.note(patient, "livre");
    assert_eq!(codes(&ana.push(&clinic, &[free])), ["accepted"]);
}

#[test]
fn an_outcome_names_the_changes_only_where_they_are_not_those_referenced() {
    let clinic = Clinic::new();
    let mut ana = clinic.device("ana");
    let register = ana.register("Maria");
    let note = ana.note(register.patient, "uma nota");
    let push = ana.encode(&[register, note]);
    let mut request = ana.request(push);
    let answer = ana.send(&clinic, &request).unwrap();
    assert!(matches!(&unfold(&answer)[1].1, Outcome::Accepted { changes, .. } if changes.is_empty()));
    // The device encodes the same write under the next generation: the server holds the first encoding.
    ana.documents.clear();
    ana.generation = 1;
    let note = request.push[1].write.value().unwrap().clone();
    let again = ana.encode(&[note]);
    request.push = again;
    let answer = ana.send(&clinic, &request).unwrap();
    assert!(matches!(&unfold(&answer)[0].1, Outcome::Accepted { changes, .. } if changes.len() == 1));
}

/// A fault at every call of the store in turn, as an error and as a panic: whatever was answered, once the store works
/// again the writes are there once, with one outcome each.
#[test]
fn e1_a_fault_at_any_call_of_the_store_leaves_each_write_in_or_out_and_never_twice() {
    use std::sync::atomic::Ordering;
    for panics in [false, true] {
        let mut clinic = Clinic::new();
        let (mut ana, mut bia) = (clinic.device("ana"), clinic.device("bia"));
        let patient = ana.push_many(&clinic, 1);
        let faults = clinic.with_faults();
        faults.panics.store(panics, Ordering::SeqCst);
        let (mut written, mut at_call, mut faulted) = (1, 0, 0);
        loop {
            let notes = [ana.note(patient, "um"), ana.note(patient, "dois")];
            written += 2;
            let push = ana.encode(&notes);
            let request = ana.request(push);
            faults.countdown.store(at_call, Ordering::SeqCst);
            let first = ana.send(&clinic, &request);
            let is_over = faults.countdown.swap(-1, Ordering::SeqCst) >= 0;
            if let Err(problem) = &first {
                assert!(matches!(problem.status, 500 | 503), "{problem:?}");
                faulted += 1;
            }
            let second = ana.send(&clinic, &request).unwrap();
            assert_eq!(
                codes(&unfold(&second)),
                ["accepted", "accepted"],
                "after a fault at call {at_call}"
            );
            if let Ok(first) = &first {
                for (given, stored) in unfold(first).iter().zip(unfold(&second)) {
                    if matches!(given.1, Outcome::Accepted { .. }) {
                        assert_eq!(*given, stored);
                    }
                }
            }
            ana.take(&request, &second);
            if is_over {
                break;
            }
            at_call += 1;
        }
        assert!(faulted > 0 && at_call > 20);
        bia.pull(&clinic);
        assert_eq!(bia.texts(patient).len(), written);
        assert_eq!(bia.texts(patient), ana.texts(patient));
    }
}
