//! Clinical records in FHIR come in on one device, once, and are the same on another.

use std::path::{Path, PathBuf};
use vereda_core::client::PageRequest;
use vereda_core::id::PatientId;
use vereda_fhir::{ClientTarget, Import, ImportReport, Origins, Source, sources};
use vereda_tests::World;

fn import(world: &mut World, device: usize, files: Vec<Source>) -> ImportReport {
    let report = world.run(device, |client| async move {
        let import = Import::of(files, Origins::unique());
        import.run(&mut ClientTarget::new(&client, |_| ())).await
    });
    let report = report.expect("the store takes all");
    assert!(report.is_complete(), "{report:?}");
    report
}

fn clinic() -> Vec<Source> {
    let bundles = vereda_data::fhir_bundles(5, 6).enumerate();
    bundles
        .map(|(number, bundle)| Source::Bytes(format!("{number}.json"), bundle.into_bytes()))
        .collect()
}

fn patients(world: &mut World, device: usize) -> Vec<PatientId> {
    let page = world.run(device, |client| async move {
        let request = PageRequest {
            limit: Some(500),
            after: None,
        };
        client.patients().list(Default::default(), request).await
    });
    let mut patients: Vec<PatientId> = page.expect("a list").rows.into_iter().map(|row| row.id).collect();
    patients.sort();
    patients
}

/// Every timeline and chart of a device, as JSON.
fn everything(world: &mut World, device: usize) -> String {
    let mut all = String::new();
    for patient in patients(world, device) {
        let timeline = world.timeline(device, patient);
        let chart = world.run(device, |client| async move {
            client.open_patient(patient, "test").await?.chart().await
        });
        let chart = chart.expect("a chart");
        all.push_str(&serde_json::to_string_pretty(&(timeline, chart)).expect("JSON"));
    }
    all
}

fn comes_in_once_and_is_the_same_elsewhere(files: Vec<Source>, expected: usize) {
    let mut world = World::new(9, 2);
    world.network.cut = true;
    let report = import(&mut world, 0, files.clone());
    assert_eq!(report.problems, []);
    assert_eq!(report.entries.added as usize, expected);
    let imported = everything(&mut world, 0);

    let queued = world
        .run(0, |client| async move { client.queue().outbox().await })
        .expect("a queue")
        .len();
    let again = import(&mut world, 0, files.clone());
    assert_eq!(again.entries.unchanged as usize, expected);
    assert_eq!(
        everything(&mut world, 0),
        imported,
        "a second import changes nothing"
    );
    let still = world
        .run(0, |client| async move { client.queue().outbox().await })
        .expect("a queue")
        .len();
    assert_eq!(still, queued, "and writes nothing");

    world.network.cut = false;
    world.converge();
    let (ours, theirs) = (everything(&mut world, 0), everything(&mut world, 1));
    assert_eq!(ours, theirs, "the other device has the same, byte for byte");
    let there = import(&mut world, 1, files);
    assert_eq!(
        (
            there.entries.unchanged as usize,
            there.patients.unchanged as usize
        ),
        (expected, patients(&mut world, 1).len())
    );
}

#[test]
fn a_clinics_records_come_in_once_and_are_the_same_on_another_device() {
    let expected = Import::of(clinic(), Origins::unique())
        .plans()
        .map(|plan| plan.entries())
        .sum();
    comes_in_once_and_is_the_same_elsewhere(clinic(), expected);
}

#[test]
fn the_synthea_patients_come_in_once_and_are_the_same_on_another_device() {
    use std::io::Write;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let archive: Option<PathBuf> = ["../shared", "../../shared"]
        .iter()
        .map(|shared| root.join(shared).join("data/synthea-r4-30.tar.xz"))
        .find(|path| path.exists());
    let Some(archive) = archive else {
        // Past the test harness, which shows nothing of what passes.
        let _ = writeln!(
            std::io::stderr(),
            "NOT RUN: ../shared/data/synthea-r4-30.tar.xz is not there"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tar = std::process::Command::new("tar")
        .arg("-xJf")
        .arg(archive)
        .arg("-C")
        .arg(folder.path())
        .status();
    assert!(
        tar.expect("tar runs").success(),
        "tar (with xz) unpacks the archive"
    );
    comes_in_once_and_is_the_same_elsewhere(sources(&[folder.path().to_owned()]).expect("a folder"), 4_263);
}
