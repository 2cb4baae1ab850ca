//! Writing: single writes, and imports.

use crate::clinic::{Clinic, fill};
use crate::figure::Figure;
use crate::floor;
use crate::measure::{percentile, processor_seconds, seconds};
use std::sync::Arc;
use vereda_core::limits::WRITE_ENTRIES_MAX;
use vereda_core::platform::native::OpenStore;
use vereda_data::PatientEntry;

async fn device(folder: &std::path::Path) -> OpenStore {
    let (clinic, mut code) = Clinic::start(folder);
    let code = code("writer");
    clinic
        .device(
            &folder.join("device.db"),
            &code,
            "http://localhost",
            Arc::new(clinic.clone()),
        )
        .await
}

async fn register(store: &OpenStore, count: u32) {
    for (patient, record) in vereda_data::patients(1, count.div_ceil(100)) {
        store
            .patients()
            .register_as(Some(patient), record)
            .await
            .expect("a patient");
    }
}

/// Single writes through the public API: processor time beside the floor, and latency.
pub(crate) async fn writes(count: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = device(folder.path()).await;
    register(&store, count).await;
    let mut latencies = Vec::new();
    let (started, processor_started) = (seconds(), processor_seconds());
    for PatientEntry { patient, entry, .. } in
        vereda_data::entries(1, count.div_ceil(100), 100).take(count as usize)
    {
        let begun = seconds();
        store.timeline().add(patient, entry).await.expect("a write");
        latencies.push((seconds() - begun) * 1e3);
    }
    let (took, processor) = (seconds() - started, processor_seconds() - processor_started);
    drop(store);
    let floor = floor::replay(
        &folder.path().join("device.db"),
        &folder.path().join("floor.db"),
        count as usize,
    );
    let each = 1e6 / f64::from(count);
    Figure {
        name: "local write, processor time",
        value: processor * each,
        unit: "µs",
        goal: Some(("<=", 4.0 * floor.processor_seconds * each)),
        floor: Some(floor.processor_seconds * each),
    }
    .print();
    Figure {
        name: "local write, wall time",
        value: took * each,
        unit: "µs",
        goal: None,
        floor: Some(floor.seconds * each),
    }
    .print();
    Figure {
        name: "local write, p99",
        value: percentile(&mut latencies, 0.99),
        unit: "ms",
        goal: Some(("<=", 50.0)),
        floor: None,
    }
    .print();
}

/// Writes and nothing else: `cargo xtask bench` counts the system calls of two sizes.
pub(crate) async fn only_writes(count: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = device(folder.path()).await;
    register(&store, count).await;
    let entries = vereda_data::entries(1, count.div_ceil(100), 100);
    for PatientEntry { patient, entry, .. } in entries.take(count as usize) {
        store.timeline().add(patient, entry).await.expect("a write");
    }
}

/// Imports in batches of a patient's entries.
pub(crate) async fn import(entries: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = device(folder.path()).await;
    let (_, took) = fill(&store, 1, entries).await;
    drop(store);
    let floor = floor::replay(
        &folder.path().join("device.db"),
        &folder.path().join("floor.db"),
        (entries as usize).div_ceil(WRITE_ENTRIES_MAX),
    );
    Figure {
        name: "import in batches",
        value: f64::from(entries) / took,
        unit: "entries/s",
        goal: Some((">=", 20_000.0)),
        floor: Some(f64::from(entries) / floor.seconds),
    }
    .print();
}
