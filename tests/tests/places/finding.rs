//! Looking for patients of other units: who asked, when and why lies at the server, and nobody tries numbers out.

use crate::clinic::{ANNEX, Clinic, NORTH};
use vereda_core::error::Code;
use vereda_core::limits::FINDS_AT_ONCE;
use vereda_core::protocol::AuditRecord;
use vereda_server::Role;

const CPF: &str = "529.982.247-25";
const NOBODYS: &str = "111.444.777-35";

fn find(clinic: &mut Clinic, cpf: &'static str) -> Result<usize, Code> {
    let found = clinic.world.run(ANNEX, |client| async move {
        let placement = client.placement();
        placement
            .find("cpf", cpf, None, "desacordada na rua".into())
            .await
    });
    found.map(|found| found.len()).map_err(|error| error.code)
}

/// What the server's own chain says of searches: hash and reason, oldest first.
fn searches(clinic: &mut Clinic) -> Vec<(uuid::Uuid, String)> {
    let now_ms = clinic.world.server_clock_ms();
    let mut admin = clinic.world.administration();
    let rows = admin
        .audit(Some("north"), "auditora", None, 10_000, now_ms)
        .expect("it reads");
    let own = rows.into_iter().filter(|row| row.device.is_none());
    own.filter_map(|row| match row.record {
        AuditRecord::Did {
            action,
            subject,
            reason,
            ..
        } if action == "identifier_looked_for" => Some((subject.expect("a hash"), reason.0)),
        _ => None,
    })
    .collect()
}

#[test]
fn a2_a_search_by_identifier_is_audited_at_the_server_also_where_nobody_was_found() {
    let mut clinic = Clinic::new(531);
    clinic.join("north", "auditora", &["unit-north"], Role::Auditor);
    clinic.patient(NORTH, "Nina", CPF);
    clinic.world.converge();
    assert_eq!(find(&mut clinic, NOBODYS), Err(Code::NotFound));
    assert_eq!(find(&mut clinic, CPF), Ok(1));
    assert_eq!(find(&mut clinic, NOBODYS), Err(Code::NotFound));
    let told = searches(&mut clinic);
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|(_, reason)| reason == "desacordada na rua"));
    assert_eq!(told[0].0, told[2].0, "the same identifier is known again");
    assert_ne!(told[0].0, told[1].0);
}

#[test]
fn s1_identifiers_are_not_tried_out_one_after_the_other() {
    let mut clinic = Clinic::new(532);
    clinic.patient(NORTH, "Olga", CPF);
    clinic.world.converge();
    for _ in 0..FINDS_AT_ONCE {
        assert_eq!(find(&mut clinic, NOBODYS), Err(Code::NotFound));
    }
    assert_eq!(find(&mut clinic, CPF), Err(Code::ServerBusy));
    clinic.world.advance(3_600_000);
    assert_eq!(find(&mut clinic, CPF), Ok(1));
}

#[test]
fn records_of_before_the_index_of_identifiers_are_found_too() {
    let mut clinic = Clinic::new(533);
    let patient = clinic.patient(NORTH, "Paula", CPF);
    clinic.world.converge();
    // As the migration leaves a store of before there was an index.
    clinic
        .world
        .server_file()
        .execute_batch(
            "delete from identifier; insert into meta (name, value) values ('identifiers_to_fill', 1)",
        )
        .expect("an earlier store");
    clinic.world.restart_server();
    assert_eq!(find(&mut clinic, CPF), Ok(1));
    clinic.world.converge();
    assert!(clinic.reads(ANNEX, patient).is_some());
}
