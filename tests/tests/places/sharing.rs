//! A patient with another unit: shared, claimed, moved.

use crate::clinic::{ANNEX, Clinic, NORTH, SOUTH};
use vereda_core::error::Code;
use vereda_core::record::{ChartKind, Compartment};

const CPF: &str = "529.982.247-25";

#[test]
fn a_shared_patient_comes_with_all_that_was_written_and_both_units_go_on() {
    let mut clinic = Clinic::new(501);
    let patient = clinic.patient(NORTH, "Ana Compartilhada", CPF);
    clinic.world.add(NORTH, patient, 1, "antes");
    let (annex, north) = (clinic.annex, clinic.north);
    clinic.world.run(NORTH, |client| async move {
        let fields = [("display".to_owned(), "dipirona".to_owned().into())].into();
        client
            .chart()
            .set(patient, None, ChartKind("allergy".into()), fields)
            .await
            .expect("an allergy");
    });
    clinic.world.converge();
    assert_eq!(clinic.reads(ANNEX, patient), None, "not yet");
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    assert_eq!(clinic.reads(ANNEX, patient).expect("shared"), ["antes"]);
    clinic.world.add(ANNEX, patient, 2, "do anexo");
    clinic.world.add(NORTH, patient, 3, "do norte");
    clinic.world.converge();
    for device in [NORTH, ANNEX] {
        assert_eq!(
            clinic.reads(device, patient).expect("here"),
            ["antes", "do anexo", "do norte"]
        );
    }
    assert_eq!(clinic.reads(SOUTH, patient), None, "another tenant");
    let rows = clinic.world.timeline(NORTH, patient);
    let units: std::collections::BTreeSet<_> = rows.iter().map(|row| row.unit).collect();
    assert_eq!(units, [annex, north].into(), "each wrote in its own unit");
    let (one, other) = (clinic.world.rows(NORTH), clinic.world.rows(ANNEX));
    one.assert_same(&other, "both units show the same");
    assert!(clinic.world.drawer(NORTH).is_empty() && clinic.world.drawer(ANNEX).is_empty());
}

#[test]
fn c3_a_conflict_of_before_the_share_is_there_after_it() {
    let mut clinic = Clinic::new(502);
    let colleague = clinic.join("north", "user-9", &["unit-north"], vereda_server::Role::Clinician);
    let patient = clinic.patient(NORTH, "Bia Conflito", CPF);
    clinic.world.converge();
    for (device, phone) in [(NORTH, "1111"), (colleague, "2222")] {
        clinic
            .world
            .run(device, |client| async move {
                let row = client.open_patient(patient, "test").await?.record().await?;
                let mut edited = row.record.clone();
                edited.birth_date = Some(format!("19{}-01-01", &phone[..2]).into());
                client.patients().edit(row, edited).await
            })
            .expect("an edit");
    }
    clinic.world.converge();
    assert_eq!(clinic.world.rows(NORTH).conflicts.len(), 1);
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    clinic
        .world
        .rows(NORTH)
        .assert_same(&clinic.world.rows(ANNEX), "the conflict too");
}

#[test]
fn s2_a_share_that_ends_takes_the_patient_away_and_what_was_pending_is_held() {
    let mut clinic = Clinic::new(503);
    let patient = clinic.patient(NORTH, "Caio Emprestado", CPF);
    clinic.world.add(NORTH, patient, 1, "marca-antes");
    clinic.world.converge();
    let annex = clinic.annex;
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    clinic.world.add(ANNEX, patient, 2, "marca-pendente");
    clinic.end_share(NORTH, patient);
    clinic.world.sync(NORTH);
    clinic.world.converge();
    assert_eq!(clinic.reads(ANNEX, patient), None, "gone");
    assert_eq!(clinic.held(ANNEX).len(), 1, "its author knows");
    assert!(clinic.world.outbox(ANNEX).is_empty());
    assert_eq!(clinic.reads(NORTH, patient).expect("at home"), ["marca-antes"]);
    let fresh = clinic.join(
        "north",
        "user-late",
        &["unit-annex"],
        vereda_server::Role::Clinician,
    );
    clinic.world.network.heard = Some(Vec::new());
    clinic.world.converge();
    assert_eq!(clinic.reads(fresh, patient), None, "never there");
    for (_, reply) in clinic.world.network.heard.take().expect("heard") {
        let answer: Result<vereda_core::protocol::SyncAnswer, _> =
            vereda_core::protocol::decode_body(&reply.body, vereda_core::protocol::Encoding::Vereda);
        let Ok(answer) = answer else { continue };
        let plain = vereda_core::protocol::encode(&answer);
        for marker in ["marca-antes", "Caio Emprestado", "52998224725"] {
            assert!(
                !plain
                    .windows(marker.len())
                    .any(|window| window == marker.as_bytes()),
                "{marker}"
            );
        }
    }
}

#[test]
fn a_moved_patient_is_at_home_there_and_the_old_unit_still_sends_what_it_had() {
    let mut clinic = Clinic::new(504);
    let patient = clinic.patient(NORTH, "Dora Mudou", CPF);
    let late = clinic.join(
        "north",
        "user-late",
        &["unit-north"],
        vereda_server::Role::Clinician,
    );
    clinic.world.add(NORTH, patient, 1, "antes");
    clinic.world.converge();
    clinic.world.add(late, patient, 2, "de quem estava longe");
    let annex = clinic.annex;
    clinic
        .world
        .run(NORTH, |client| async move {
            client
                .placement()
                .transfer(patient, annex, "mudou de bairro".into())
                .await
        })
        .expect("a move");
    clinic.world.sync(NORTH);
    clinic.world.converge();
    clinic.world.add(ANNEX, patient, 3, "na casa nova");
    clinic.world.converge();
    for device in [NORTH, late, ANNEX] {
        assert_eq!(
            clinic.reads(device, patient).expect("here"),
            ["antes", "de quem estava longe", "na casa nova"]
        );
    }
    // What the old unit keeps comes to its end by itself.
    clinic.world.advance(31 * 86_400_000);
    clinic.world.converge();
    assert_eq!(clinic.reads(NORTH, patient), None);
    assert_eq!(clinic.reads(late, patient), None);
    assert_eq!(clinic.reads(ANNEX, patient).expect("at home").len(), 3);
}

#[test]
fn a_patient_of_another_unit_is_found_by_an_exact_identifier_and_leaves_again() {
    let mut clinic = Clinic::new(505);
    let patient = clinic.patient(NORTH, "Eva Achada", CPF);
    clinic.world.add(NORTH, patient, 1, "história");
    clinic.world.converge();
    let find = |clinic: &mut Clinic, device: usize, cpf: &'static str, reason: &'static str| {
        clinic.world.run(device, |client| async move {
            client.placement().find("cpf", cpf, None, reason.into()).await
        })
    };
    let refused = find(&mut clinic, ANNEX, CPF, " ");
    assert_eq!(
        refused.expect_err("a reason is needed").code,
        Code::ReasonRequired
    );
    let nobody = find(&mut clinic, ANNEX, "111.444.777-35", "urgência");
    assert_eq!(nobody.expect_err("nobody").code, Code::NotFound);
    let tenant = find(&mut clinic, SOUTH, CPF, "urgência");
    assert_eq!(tenant.expect_err("another tenant").code, Code::NotFound);
    let found = find(&mut clinic, ANNEX, CPF, "urgência").expect("found");
    assert_eq!(found[0].patient, patient);
    clinic.world.converge();
    assert_eq!(clinic.reads(ANNEX, patient).expect("claimed"), ["história"]);
    clinic.world.add(ANNEX, patient, 2, "atendida aqui");
    clinic.world.converge();
    assert_eq!(
        clinic.reads(NORTH, patient).expect("at home"),
        ["atendida aqui", "história"]
    );
    let told = clinic.world.run(
        NORTH,
        |client| async move { client.placement().list(patient).await },
    );
    assert_eq!(
        told.expect("places")[0].reason.0,
        "urgência",
        "the patient's own unit is told"
    );
    clinic.world.advance(73 * 3_600_000);
    clinic.world.converge();
    assert_eq!(clinic.reads(ANNEX, patient), None, "it came to its end");
    assert_eq!(clinic.reads(NORTH, patient).expect("at home").len(), 2);
}

#[test]
fn s3_only_the_patients_own_unit_shares_and_a_grant_is_for_whom_it_was_made() {
    let mut clinic = Clinic::new(506);
    let patient = clinic.patient(NORTH, "Fabio", CPF);
    clinic.world.converge();
    let (annex, north) = (clinic.annex, clinic.north);
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    clinic.share(ANNEX, patient, north);
    clinic.world.sync(ANNEX);
    assert_eq!(clinic.world.drawer(ANNEX)[0].code, "policy_refused");
    let south = clinic.world.enrolment(SOUTH).scope.units[0].id;
    clinic.share(NORTH, patient, south);
    clinic.world.sync(NORTH);
    assert_eq!(
        clinic.world.drawer(NORTH)[0].code,
        "policy_refused",
        "no unit of another tenant"
    );
    assert_eq!(clinic.reads(SOUTH, patient), None);
}

#[test]
fn c6_an_own_write_whose_answer_was_lost_comes_back_in_two_logs_and_wedges_nothing() {
    let mut clinic = Clinic::new(507);
    let units = ["unit-annex", "unit-north"];
    let both = clinic.join("north", "user-both", &units, vereda_server::Role::Clinician);
    let patient = clinic.patient(NORTH, "Gal", CPF);
    let annex = clinic.annex;
    clinic.world.converge();
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    for minute in 1..4 {
        clinic.world.add(both, patient, minute, &format!("nota {minute}"));
    }
    clinic
        .world
        .network
        .next
        .push_back(vereda_tests::Fault::AnswerLost);
    clinic.world.sync(both);
    // It asks without its writes first: a failure opened the breaker.
    clinic.world.restart_server();
    clinic.world.converge();
    assert_eq!(clinic.world.outbox(both).len(), 0);
    for device in [both, NORTH, ANNEX] {
        assert_eq!(
            clinic.reads(device, patient).expect("here"),
            ["nota 1", "nota 2", "nota 3"]
        );
    }
}

#[test]
fn what_the_device_knows_of_a_share_or_a_move_is_refused_at_once() {
    let mut clinic = Clinic::new(575);
    let patient = clinic.patient(NORTH, "Hugo", CPF);
    clinic.world.converge();
    let transfer = |clinic: &mut Clinic, to| {
        clinic.world.run(NORTH, |client| async move {
            let placement = client.placement();
            let moved = placement.transfer(patient, to, "mudou-se".into());
            moved.await.map(drop).map_err(|error| error.code)
        })
    };
    let (north, annex) = (clinic.north, clinic.annex);
    let now_ms = clinic.world.server_clock_ms();
    let mut share = |compartments: &[Compartment], to, until_ms| {
        let compartments = compartments.iter().copied().collect();
        clinic.world.run(NORTH, |client| async move {
            let placement = client.placement();
            let shared = placement.share(patient, to, compartments, "encaminhado".into(), until_ms);
            shared.await.map(drop).map_err(|error| error.code)
        })
    };
    let clinical = &[Compartment::Clinical][..];
    assert_eq!(share(clinical, annex, Some(now_ms - 1)), Err(Code::FieldInvalid));
    assert_eq!(share(clinical, annex, Some(now_ms)), Err(Code::FieldInvalid));
    assert_eq!(share(clinical, north, None), Err(Code::FieldInvalid));
    let sensitive = &[Compartment::Sensitive][..];
    assert_eq!(share(sensitive, annex, None), Err(Code::OutOfScope));
    assert_eq!(transfer(&mut clinic, north), Err(Code::FieldInvalid));
    assert!(clinic.world.outbox(NORTH).is_empty(), "nothing was saved");
    clinic.share(NORTH, patient, annex);
    clinic.world.converge();
    assert!(clinic.reads(ANNEX, patient).is_some());
    assert_eq!(transfer(&mut clinic, annex), Ok(()), "a share is no home");
    clinic.world.converge();
    assert_eq!(
        transfer(&mut clinic, annex),
        Err(Code::FieldInvalid),
        "they are there already"
    );
    assert!(clinic.world.drawer(NORTH).is_empty());
}
