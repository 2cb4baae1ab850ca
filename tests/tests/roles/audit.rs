//! The audit at the server: for auditors of its tenant alone.

use crate::clinic::{Clinic, PLACES};
use vereda_core::protocol::AuditRecord;
use vereda_server::Role;
use vereda_server::store::{Rule, StoreError};

#[test]
fn only_an_auditor_reads_the_audit_and_only_of_their_tenant() {
    let mut clinic = Clinic::new(61);
    for place in [PLACES[0], PLACES[2]] {
        for role in Role::ALL {
            clinic.join(place, role.name(), role, false);
        }
    }
    let now_ms = clinic.world.server_clock_ms();
    let mut admin = clinic.world.administration();
    let mut read = |tenant: &str, role: Role| admin.audit(Some(tenant), role.name(), None, 10_000, now_ms);
    for role in Role::ALL {
        let expected = crate::table::cell(role, "audit") == crate::table::Cell::Yes;
        let found = read("north", role);
        assert_eq!(found.is_ok(), expected, "{}", role.name());
        if let Err(error) = found {
            assert!(matches!(error, StoreError::Rule(Rule::NotTheirDuty)));
        }
    }
    let (north, south) = (
        read("north", Role::Auditor).expect("it reads"),
        read("south", Role::Auditor).expect("it reads"),
    );
    let places =
        |rows: &[vereda_server::store::AuditRow]| rows.iter().map(|row| row.place).collect::<Vec<_>>();
    assert!(north.len() > 10 && south.len() > 5);
    assert!(places(&south).iter().all(|place| !places(&north).contains(place)));
    // That it was read is a record itself, as is each grant.
    let at_server = |rows: &[vereda_server::store::AuditRow]| -> Vec<String> {
        let own = rows.iter().filter(|row| row.device.is_none());
        own.filter_map(|row| match &row.record {
            AuditRecord::Did { action, .. } => Some(action.clone()),
            _ => None,
        })
        .collect()
    };
    assert_eq!(at_server(&south), ["scope_granted", "audit_listed"]);
    assert_eq!(
        at_server(&north),
        ["scope_granted", "scope_granted", "audit_listed", "audit_listed"]
    );
}

#[test]
fn a1_the_server_tells_an_altered_a_deleted_and_a_moved_record() {
    for damage in [
        "update audit set chain = zeroblob(32) where k = 2",
        "delete from audit where k = 2",
        "delete from audit where k = 1",
    ] {
        let mut clinic = Clinic::new(62);
        clinic.join(PLACES[0], "auditora", Role::Auditor, false);
        let now_ms = clinic.world.server_clock_ms();
        let mut admin = clinic.world.administration();
        let whole = admin
            .verify_audit(Some("north"), "auditora", now_ms)
            .expect("it reads");
        assert!(whole.broken.is_empty() && whole.chains >= 2, "{whole:?}");
        clinic.world.server_file().execute_batch(damage).expect("damaged");
        let found = admin
            .verify_audit(Some("north"), "auditora", now_ms)
            .expect("it reads");
        assert!(!found.broken.is_empty(), "{damage}");
    }
    // A record put into the place of another does not open there.
    let mut clinic = Clinic::new(63);
    clinic.join(PLACES[0], "auditora", Role::Auditor, false);
    let now_ms = clinic.world.server_clock_ms();
    clinic
        .world
        .server_file()
        .execute_batch(
            "update audit set sealed = (select sealed from audit as other where other.store = audit.store and
             other.incarnation = audit.incarnation and other.k = 3)
             where k = 2 and store in (select store from audit where k = 3)",
        )
        .expect("damaged");
    let found = clinic
        .world
        .administration()
        .verify_audit(Some("north"), "auditora", now_ms);
    assert!(matches!(found, Err(StoreError::Damaged("audit"))), "{found:?}");
}

#[test]
fn a_supervisor_lists_what_was_refused_of_their_units_and_nobody_else_does() {
    let mut clinic = Clinic::new(64);
    for place in PLACES {
        for role in Role::ALL {
            clinic.join(place, &format!("{} of {}", role.name(), place.unit), role, false);
        }
    }
    // A note that waits while its author becomes a receptionist who may still read: refused at the server.
    let device = clinic.join(PLACES[0], "changing", Role::Clinician, false);
    let patient = clinic.patients[0];
    clinic
        .world
        .run(device, |client| async move {
            let note = vereda_tests::note(9, "uma nota");
            client.timeline().add(patient, note).await
        })
        .expect("saved");
    let mut entropy = vereda_core::testing::SeededEntropy::new(77);
    clinic
        .world
        .administration()
        .put_user(
            &mut entropy,
            Some("north"),
            "changing",
            Role::Supervisor,
            &["unit-north"],
        )
        .expect("a user");
    clinic.world.sync(device);
    assert_eq!(clinic.world.drawer(device).len(), 1);
    let now_ms = clinic.world.server_clock_ms();
    let mut admin = clinic.world.administration();
    for place in PLACES {
        for role in Role::ALL {
            let user = format!("{} of {}", role.name(), place.unit);
            let found = admin.refused(Some(place.tenant), &user, None, 100, now_ms);
            if crate::table::cell(role, "drawers") == crate::table::Cell::Yes {
                let rows = found.expect("it reads");
                assert_eq!(rows.len(), usize::from(place == PLACES[0]), "{user}");
                assert!(
                    rows.iter()
                        .all(|row| row.user == "changing" && row.code == "policy_refused")
                );
            } else {
                assert!(
                    matches!(found, Err(StoreError::Rule(Rule::NotTheirDuty))),
                    "{user}"
                );
            }
        }
    }
}
