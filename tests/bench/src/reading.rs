//! Reading at a size, and writing while entries come in.

use crate::clinic::{Clinic, fill};
use crate::figure::Figure;
use crate::measure::{percentile, seconds};
use std::sync::Arc;
use vereda_core::client::PageRequest;
use vereda_core::redact::Sensitive;
use vereda_core::store::entries::EntryFilter;
use vereda_data::PatientEntry;

/// Pages of 50 and searches in a store of `entries`.
pub(crate) async fn run(entries: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let (clinic, mut code) = Clinic::start(folder.path());
    let code = code("reader");
    let store = clinic
        .device(
            &folder.path().join("device.db"),
            &code,
            "http://localhost",
            Arc::new(clinic.clone()),
        )
        .await;
    let mut patients = Vec::new();
    let mut left = entries;
    while left > 0 {
        let part = left.min(100_000);
        patients.extend(fill(&store, u64::from(left), part).await.0);
        left -= part;
        // What waits to be sent is bounded: a larger store is filled and sent by turns.
        if left > 0 {
            store.sync_once(600_000).await.expect("a round");
        }
    }
    let (mut pages, mut searches) = (Vec::new(), Vec::new());
    for number in 0..2_000usize {
        let patient = patients[number * 7_919 % patients.len()];
        let view = store.open_patient(patient, "bench").await.expect("a view");
        let begun = seconds();
        let page = view
            .timeline(EntryFilter::default(), PageRequest::default())
            .await
            .expect("a page");
        pages.push((seconds() - begun) * 1e3);
        let text = &page.rows[number % page.rows.len()].text.0;
        let words = text
            .split(' ')
            .filter(|word| word.chars().count() > 4)
            .take(2)
            .collect::<Vec<_>>()
            .join(" ");
        let filter = EntryFilter {
            words: Some(Sensitive(words)),
            ..EntryFilter::default()
        };
        let begun = seconds();
        let found = view
            .timeline(filter, PageRequest::default())
            .await
            .expect("a search");
        searches.push((seconds() - begun) * 1e3);
        assert!(!found.rows.is_empty(), "a word of an entry finds it");
    }
    let name = format!("timeline page of 50 at {entries} entries, p99");
    Figure {
        name: &name,
        value: percentile(&mut pages, 0.99),
        unit: "ms",
        goal: Some(("<=", 1.0)),
        floor: None,
    }
    .print();
    let name = format!("timeline page of 50 at {entries} entries, median");
    Figure {
        name: &name,
        value: percentile(&mut pages, 0.5),
        unit: "ms",
        goal: None,
        floor: None,
    }
    .print();
    let name = format!("search of two words at {entries} entries, p99");
    Figure {
        name: &name,
        value: percentile(&mut searches, 0.99),
        unit: "ms",
        goal: Some(("<=", 10.0)),
        floor: None,
    }
    .print();
}

/// Statistics of all patients in a store of `entries`.
pub(crate) async fn statistics(entries: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let (clinic, mut code) = Clinic::start(folder.path());
    let code = code("reader");
    let path = folder.path().join("device.db");
    let transport = Arc::new(clinic.clone());
    let store = clinic.device(&path, &code, "http://localhost", transport).await;
    let mut left = entries;
    while left > 0 {
        let part = left.min(100_000);
        fill(&store, u64::from(left), part).await;
        left -= part;
        if left > 0 {
            store.sync_once(600_000).await.expect("a round");
        }
    }
    let mut took = Vec::new();
    for _ in 0..200 {
        let begun = seconds();
        let found = store.patients().statistics(None).await.expect("statistics");
        took.push((seconds() - begun) * 1e3);
        assert_eq!(found.entries, u64::from(entries), "each counts");
    }
    let name = format!("statistics of all patients at {entries} entries, p99");
    Figure {
        name: &name,
        value: percentile(&mut took, 0.99),
        unit: "ms",
        goal: Some(("<=", 200.0)),
        floor: None,
    }
    .print();
}

/// Local writes while `entries` come in from a colleague.
pub(crate) async fn busy(entries: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let (clinic, mut code) = Clinic::start(folder.path());
    let (first, second) = (code("first"), code("second"));
    let transport = Arc::new(clinic.clone());
    let writer = clinic
        .device(
            &folder.path().join("a.db"),
            &first,
            "http://localhost",
            transport.clone(),
        )
        .await;
    fill(&writer, 1, entries).await;
    writer.sync_once(600_000).await.expect("a round");
    let reader = clinic
        .device(
            &folder.path().join("b.db"),
            &second,
            "http://localhost",
            transport,
        )
        .await;
    let mut latencies = Vec::new();
    let (patient, record) = vereda_data::patients(2, 1).next().expect("a patient");
    reader
        .patients()
        .register_as(Some(patient), record)
        .await
        .expect("a patient");
    let client = reader.client().clone();
    let started = seconds();
    let incoming = tokio::spawn(async move { client.sync_once(600_000).await });
    for (number, PatientEntry { entry, .. }) in (1..).zip(vereda_data::entries(2, 10_000, 100)) {
        let begun = seconds();
        reader.timeline().add(patient, entry).await.expect("a write");
        latencies.push((seconds() - begun) * 1e3);
        // The round sends these as well, and goes on as long as some come: they end when the others are in.
        if number % 50 == 0 && reader.status().await.expect("a status").entries >= u64::from(entries) + number
        {
            break;
        }
        // A person writes now and then.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let took = seconds() - started;
    incoming.await.expect("the round ends").expect("a round");
    let name = format!(
        "local write while {entries} entries come in, p99 of {}",
        latencies.len()
    );
    Figure {
        name: &name,
        value: percentile(&mut latencies, 0.99),
        unit: "ms",
        goal: Some(("<=", 50.0)),
        floor: None,
    }
    .print();
    Figure {
        name: "entries that come in from the log",
        value: f64::from(entries) / took,
        unit: "entries/s",
        goal: None,
        floor: None,
    }
    .print();
    let held = reader.status().await.expect("a status").entries;
    assert!(held >= u64::from(entries), "everything came in");
}
