//! A user leaves a unit: what is theirs no longer goes, what they had not sent is held, and a supervisor decides.

use crate::clinic::{ANNEX, Clinic, NORTH, decide};
use vereda_core::store::held::HeldState;
use vereda_server::Role;
use vereda_server::store::QuarantineDecision;

const CPF: &str = "529.982.247-25";

#[test]
fn s2_who_leaves_a_unit_holds_nothing_of_it_and_their_pending_writes_wait_for_a_supervisor() {
    let mut clinic = Clinic::new(511);
    clinic.join("north", "super", &["unit-north"], Role::Supervisor);
    let colleague = clinic.join("north", "user-9", &["unit-north"], Role::Clinician);
    let patient = clinic.patient(NORTH, "Gil Particular", CPF);
    for minute in 0..50 {
        clinic.world.add(
            NORTH,
            patient,
            minute,
            &format!("marcador-{minute} palavra secreta"),
        );
    }
    clinic.world.converge();
    clinic.world.add(NORTH, patient, 60, "pendente-um");
    clinic.world.add(NORTH, patient, 61, "pendente-dois");
    clinic.leave("user-0", "unit-north");
    clinic.world.converge();
    assert_eq!(clinic.reads(NORTH, patient), None);
    let held = clinic.held(NORTH);
    assert_eq!(held.len(), 2);
    let plain = clinic.world.device_pages(NORTH);
    for marker in [
        "marcador-",
        "palavra secreta",
        "Gil Particular",
        "52998224725",
        "pendente-",
    ] {
        assert!(
            !plain
                .windows(marker.len())
                .any(|window| window == marker.as_bytes()),
            "{marker} is left in the file's pages"
        );
    }
    assert_eq!(clinic.reads(colleague, patient).expect("in the unit").len(), 50);
    decide(&mut clinic, held[0].write, QuarantineDecision::Released).expect("released");
    decide(&mut clinic, held[1].write, QuarantineDecision::Discarded).expect("discarded");
    clinic.world.converge();
    let texts = clinic.reads(colleague, patient).expect("in the unit");
    assert!(texts.contains(&"pendente-um".to_owned()) && !texts.contains(&"pendente-dois".to_owned()));
    let states: Vec<HeldState> = clinic.held(NORTH).iter().map(|row| row.state).collect();
    assert_eq!(
        states,
        [HeldState::Released, HeldState::Discarded],
        "their author is told"
    );
    clinic.come_back("user-0", "unit-north");
    clinic.world.converge();
    assert_eq!(clinic.reads(NORTH, patient).expect("back"), texts);
    clinic
        .world
        .rows(NORTH)
        .assert_same(&clinic.world.rows(colleague), "as everybody");
}

#[test]
fn who_is_no_supervisor_of_the_unit_decides_nothing() {
    let mut clinic = Clinic::new(512);
    clinic.join("north", "super", &["unit-annex"], Role::Supervisor);
    let patient = clinic.patient(NORTH, "Hugo", CPF);
    clinic.world.converge();
    clinic.world.add(NORTH, patient, 1, "pendente");
    clinic.leave("user-0", "unit-north");
    clinic.world.converge();
    let held = clinic.held(NORTH)[0].write;
    assert!(
        decide(&mut clinic, held, QuarantineDecision::Released).is_err(),
        "another unit's"
    );
    assert_eq!(clinic.reads(ANNEX, patient), None);
}

#[test]
fn s2_older_pages_in_the_log_go_also_where_another_process_reads_from_it_for_a_while() {
    let mut clinic = Clinic::new(513);
    let patient = clinic.patient(NORTH, "Iris", CPF);
    for minute in 0..50 {
        let text = format!("marcador-{minute} palavra secreta");
        clinic.world.add(NORTH, patient, minute, &text);
    }
    clinic.world.converge();
    let log = format!("{}-wal", clinic.world.device_path(NORTH).display());
    let log_bytes = || std::fs::metadata(&log).map_or(0, |file| file.len());
    let reader = clinic.world.device_file(NORTH);
    reader
        .execute_batch("BEGIN; SELECT count(*) FROM entry;")
        .expect("a read");
    clinic.leave("user-0", "unit-north");
    clinic.world.converge();
    assert_eq!(clinic.reads(NORTH, patient), None);
    let full = log_bytes();
    reader.execute_batch("COMMIT").expect("it ends");
    drop(reader);
    clinic.world.converge();
    assert!(log_bytes() < full / 2, "{} of {full} bytes are left", log_bytes());
}

#[test]
fn s2_who_was_away_while_a_patient_moved_and_the_old_units_time_ended_holds_nothing_of_them() {
    for ends_by_itself in [true, false] {
        let mut clinic = Clinic::new(514);
        let away = clinic.join("north", "user-9", &["unit-north"], Role::Clinician);
        let patient = clinic.patient(NORTH, "Jorge Mudou", CPF);
        clinic.world.add(NORTH, patient, 1, "marcador");
        clinic.world.converge();
        assert!(clinic.reads(away, patient).is_some());
        let annex = clinic.annex;
        let moved = clinic.world.run(NORTH, |client| async move {
            client.placement().transfer(patient, annex, "mudou".into()).await
        });
        moved.expect("a move");
        clinic.world.sync(NORTH);
        if ends_by_itself {
            clinic.world.advance(31 * 86_400_000);
        } else {
            clinic.end_share(NORTH, patient);
        }
        clinic.world.converge();
        assert_eq!(clinic.reads(NORTH, patient), None);
        assert_eq!(clinic.reads(away, patient), None, "by itself: {ends_by_itself}");
        let plain = clinic.world.device_pages(away);
        for marker in ["marcador", "Jorge Mudou", "52998224725"] {
            let is_there = plain
                .windows(marker.len())
                .any(|window| window == marker.as_bytes());
            assert!(!is_there, "{marker} is left in the file's pages");
        }
        // They come back, and with them everything.
        clinic.world.advance(60_000);
        let north = clinic.north;
        let back = clinic.world.run(ANNEX, |client| async move {
            client.placement().transfer(patient, north, "voltou".into()).await
        });
        back.expect("a move");
        clinic.world.converge();
        clinic.world.converge();
        for device in [NORTH, away] {
            assert_eq!(clinic.reads(device, patient).expect("back"), ["marcador"]);
        }
    }
}
