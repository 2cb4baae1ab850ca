//! The thirty Synthea patients beside the repository import with nothing unexplained.

mod support;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::MemoryStore;
use vereda_fhir::{Import, Origins, sources};

/// The archive beside the repository; `None`, said in the output, where it is truly absent.
fn archive() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    // A worktree may lie one folder deeper than a clone.
    let found = ["../shared", "../../shared"]
        .iter()
        .map(|shared| root.join(shared).join("data/synthea-r4-30.tar.xz"))
        .find(|path| path.exists());
    if found.is_none() {
        // Past the test harness, which shows nothing of what passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: ../shared/data/synthea-r4-30.tar.xz is not there"
        );
    }
    found
}

fn unpacked() -> Option<tempfile::TempDir> {
    let archive = archive()?;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let status = Command::new("tar")
        .arg("-xJf")
        .arg(archive)
        .arg("-C")
        .arg(folder.path())
        .status();
    assert!(
        status.expect("tar runs").success(),
        "tar (with xz) unpacks the archive"
    );
    Some(folder)
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs
        .iter()
        .map(|(kind, count)| ((*kind).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn thirty_real_patients_import_with_nothing_unexplained() {
    let Some(folder) = unpacked() else { return };
    let mut store = MemoryStore::default();
    let files = sources(&[folder.path().to_owned()]).expect("the folder is read");
    let report = store.import(files.clone()).await;

    assert_eq!(report.files, 30);
    assert_eq!(report.problems, []);
    assert_eq!(report.resources, 5_573);
    assert_eq!(
        report.imported,
        counts(&[
            ("AllergyIntolerance", 23),
            ("CarePlan", 51),
            ("Condition", 152),
            ("DiagnosticReport", 149),
            ("Encounter", 538),
            ("Goal", 23),
            ("ImagingStudy", 9),
            ("Immunization", 356),
            ("MedicationRequest", 108),
            ("Observation", 2_662),
            ("Organization", 48),
            ("Patient", 30),
            ("Practitioner", 48),
            ("Procedure", 192),
        ])
    );
    assert_eq!(
        report.skipped,
        counts(&[("Claim", 646), ("ExplanationOfBenefit", 538)])
    );
    assert_eq!(
        report.repeated,
        counts(&[("Organization", 12), ("Practitioner", 12)])
    );
    assert_eq!(
        (report.patients.added, report.entries.added, report.chart.added),
        (30, 4_263, 175)
    );
    assert_eq!(store.entries.len(), 4_263);
    assert_eq!(store.chart.len(), 175);
    assert_eq!(store.reference.len(), 36 + 36);

    let inferred = store
        .entries
        .values()
        .filter(|(_, entry)| entry.marks.time_inferred)
        .count();
    assert_eq!(inferred, 23, "the goals alone have no time of their own");
    let performed = store.entries.values().filter(|(_, entry)| {
        entry
            .origin
            .as_ref()
            .and_then(|origin| origin.performer.as_ref())
            .is_some_and(|name| !name.contains(':'))
    });
    assert_eq!(
        performed.count(),
        536 + 108,
        "encounters and prescriptions name who did them"
    );

    let before = store.clone();
    let again = store.import(files).await;
    assert_eq!(store, before, "a second import changes nothing");
    assert_eq!(
        (
            again.entries.added,
            again.entries.changed,
            again.entries.unchanged
        ),
        (0, 0, 4_263)
    );
}

#[tokio::test]
async fn plans_are_grouped_by_patient_and_sorted_by_time() {
    let Some(folder) = unpacked() else { return };
    let import = Import::open(&[folder.path().to_owned()], Origins::unique()).expect("the folder is read");
    for plan in import.plans() {
        assert_eq!(plan.patients.len(), 1, "a Synthea file holds one patient");
        for unit in plan.patients.values() {
            let places: Vec<_> = unit
                .entries
                .iter()
                .map(|mapped| (mapped.entry.occurred_at.utc_ms, mapped.entry.id))
                .collect();
            assert!(places.is_sorted());
        }
    }
}
