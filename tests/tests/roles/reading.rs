//! What each role reads: nothing it must not by any way, and what it may by those that show it.

use crate::clinic::{Clinic, Needle, PLACES, Place, Reader, holds};
use crate::table::{Cell, cell};
use crate::ways::{FIND, WAYS, Way};
use vereda_core::record::{Compartment, Stream};
use vereda_server::Role;

fn show_role(seed: u64, role: Role, is_granted: bool) {
    let mut clinic = Clinic::new(seed);
    for place in [PLACES[0], PLACES[2]] {
        let user = format!("{} of {}", role.name(), place.unit);
        let device = clinic.join(place, &user, role, is_granted);
        let reader = Reader {
            device,
            place,
            role,
            is_granted,
        };
        check_streams(&clinic, reader, place);
        for way in WAYS {
            let heard = (way.go)(&mut clinic, reader);
            assert!(!heard.bytes.is_empty(), "{}: nothing was heard", way.name);
            for needle in &clinic.needles {
                let case = format!(
                    "{} × {} × {}: {}",
                    role.name(),
                    needle.compartment.name(),
                    way.name,
                    needle.what
                );
                let found = heard.bytes.iter().any(|bytes| holds(bytes, &needle.bytes));
                if is_told_by_design(way, reader, needle) {
                    assert!(found, "{case} may be claimed and is not found");
                    continue;
                }
                if !reader.reads(needle.place, needle.compartment) {
                    assert!(!found, "{case} is out of scope and there");
                } else if needle.is_text && way.shows.contains(&needle.compartment) {
                    assert!(found, "{case} is in scope and nowhere");
                }
            }
        }
    }
}

/// Who may claim a patient of another unit of their tenant is told the id of whoever has the very identifier.
fn is_told_by_design(way: &Way, reader: Reader, needle: &Needle) -> bool {
    way.name == FIND
        && needle.what.starts_with("the patient's id")
        && needle.place.tenant == reader.place.tenant
        && cell(reader.role, "placement") == Cell::Yes
        && reader.reads(reader.place, Compartment::Identity)
}

/// The streams are those of the table, of this unit alone.
fn check_streams(clinic: &Clinic, reader: Reader, place: Place) {
    let unit = clinic.world.enrolment(reader.device).scope.units[0].id;
    // The agenda has nothing to read yet, and the audit is read at the server.
    let opened = [
        Compartment::Identity,
        Compartment::Clinical,
        Compartment::Sensitive,
    ];
    let expected: Vec<Stream> = opened
        .into_iter()
        .filter(|compartment| reader.reads(place, *compartment))
        .map(|compartment| Stream::new(unit, compartment))
        .collect();
    assert_eq!(clinic.world.enrolment(reader.device).scope.streams, expected);
}

#[test]
fn s1_a_clinician_reads_identity_and_clinical_and_nothing_sensitive() {
    show_role(31, Role::Clinician, false);
}

#[test]
fn s1_a_clinician_with_a_grant_reads_the_sensitive_compartment_of_that_unit() {
    show_role(32, Role::Clinician, true);
}

#[test]
fn s1_reception_reads_identity_and_no_clinical_text() {
    show_role(33, Role::Reception, false);
}

#[test]
fn s1_a_supervisor_reads_identity_and_clinical() {
    show_role(34, Role::Supervisor, false);
}

#[test]
fn s1_a_supervisor_with_a_grant_reads_the_sensitive_compartment_too() {
    show_role(35, Role::Supervisor, true);
}

#[test]
fn s1_an_auditors_device_holds_no_patient() {
    show_role(36, Role::Auditor, false);
}

#[test]
fn s1_an_administrators_device_holds_no_patient() {
    show_role(37, Role::Administrator, false);
}
