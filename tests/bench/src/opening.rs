//! Opening a store to its first page, in a process of its own.

use crate::clinic::{Clinic, KEY, fill};
use crate::figure::Figure;
use crate::measure::{peak_megabytes, percentile, seconds};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use vereda_core::client::{PageRequest, PatientFilter};
use vereda_core::platform::native::{OpenOptions, open as open_store};
use vereda_core::store::entries::EntryFilter;

/// Opens the store, reads the first 50 rows of the first patient with some, prints milliseconds and megabytes.
pub(crate) async fn open(path: &Path) {
    let started = seconds();
    let store = open_store(OpenOptions::file(path, KEY)).expect("the store opens");
    let patients = store
        .patients()
        .list(PatientFilter::default(), PageRequest::default())
        .await
        .expect("patients");
    let view = store
        .open_patient(patients.rows[0].id, "bench")
        .await
        .expect("a view");
    let page = view
        .timeline(EntryFilter::default(), PageRequest::default())
        .await
        .expect("a page");
    assert_eq!(page.rows.len(), 50);
    println!("{} {}", (seconds() - started) * 1e3, peak_megabytes());
}

/// The figures of several such processes.
pub(crate) async fn run(entries: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("device.db");
    let (clinic, mut code) = Clinic::start(folder.path());
    let code = code("opener");
    let store = clinic
        .device(&path, &code, "http://localhost", Arc::new(clinic.clone()))
        .await;
    fill(&store, 1, entries).await;
    drop(store);
    let (mut times, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..9 {
        let program = std::env::current_exe().expect("this program");
        let output = Command::new(program)
            .arg("open")
            .arg(&path)
            .output()
            .expect("it runs");
        let text = String::from_utf8(output.stdout).expect("two numbers");
        let numbers: Vec<f64> = text
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        times.push(numbers[0]);
        memory.push(numbers[1]);
    }
    let name = format!("opening {entries} entries to the first 50 rows, median");
    Figure {
        name: &name,
        value: percentile(&mut times, 0.5),
        unit: "ms",
        goal: Some(("<=", 100.0)),
        floor: None,
    }
    .print();
    let name = format!("opening {entries} entries to the first 50 rows, peak memory");
    Figure {
        name: &name,
        value: percentile(&mut memory, 0.5),
        unit: "MB",
        goal: Some(("<=", 30.0)),
        floor: None,
    }
    .print();
}
