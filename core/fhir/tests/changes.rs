//! What comes again with other content amends, and what a source takes back is retracted.

mod support;

use serde_json::{Value, json};
use support::{MemoryStore, bundle};
use vereda_core::record::Relation;
use vereda_fhir::{Import, Origins, Source};

fn patient() -> Value {
    json!({ "resourceType": "Patient", "id": "p", "name": [{ "text": "Dalva Teles" }] })
}

fn weight(value: f64) -> Value {
    json!({
        "resourceType": "Observation", "id": "w", "status": "final", "code": { "text": "Peso" },
        "subject": { "reference": "urn:uuid:p" }, "effectiveDateTime": "2026-03-02T09:05:00-04:00",
        "valueQuantity": { "value": value, "unit": "kg" },
    })
}

fn allergy(severity: &str, verification: &str) -> Value {
    json!({
        "resourceType": "AllergyIntolerance", "id": "a", "code": { "text": "Látex" },
        "verificationStatus": { "coding": [{ "code": verification }] }, "criticality": severity,
        "patient": { "reference": "urn:uuid:p" }, "recordedDate": "2026-03-02",
    })
}

async fn store_with(resource: Value) -> MemoryStore {
    let mut store = MemoryStore::default();
    let report = store.import(vec![bundle(&[patient(), resource])]).await;
    assert_eq!(report.entries.added, 1);
    store
}

#[tokio::test]
async fn other_content_amends_what_is_there() {
    let mut store = store_with(weight(61.0)).await;
    let report = store.import(vec![bundle(&[patient(), weight(62.0)])]).await;
    assert_eq!((report.entries.changed, report.entries.added), (1, 0));
    let original = Origins::unique().entry("Observation/w");
    assert_eq!(
        store.current("Observation/w").relation,
        Some(Relation::Amends(original))
    );
    assert_eq!(store.current("Observation/w").text.as_str(), "Peso 62 kg");
    assert_eq!(
        store.entries[&original].1.text.as_str(),
        "Peso 61 kg",
        "what was there stays"
    );

    let before = store.clone();
    store.import(vec![bundle(&[patient(), weight(62.0)])]).await;
    assert_eq!(store, before, "the amendment comes once");
}

#[tokio::test]
async fn a_source_that_goes_back_and_forth_is_followed() {
    let mut store = store_with(weight(61.0)).await;
    for value in [62.0, 61.0, 62.0, 61.0] {
        let report = store.import(vec![bundle(&[patient(), weight(value)])]).await;
        assert_eq!(report.entries.changed, 1);
        assert_eq!(
            store.current("Observation/w").text.as_str(),
            format!("Peso {value} kg")
        );
    }
    assert_eq!(store.entries.len(), 5);
}

#[tokio::test]
async fn of_two_versions_in_one_import_the_last_one_counts() {
    let versions = || {
        let resources = [patient(), weight(61.0), weight(62.0)];
        vec![
            bundle(&resources),
            Source::Bytes("later.ndjson".into(), weight(63.0).to_string().into_bytes()),
        ]
    };
    let mut store = MemoryStore::default();
    let report = store.import(versions()).await;
    assert_eq!((report.entries.added, report.repeated["Observation"]), (1, 2));
    assert_eq!(store.current("Observation/w").text.as_str(), "Peso 63 kg");
    let before = store.clone();
    store.import(versions()).await;
    assert_eq!(store, before);
}

#[tokio::test]
async fn what_a_source_takes_back_is_retracted() {
    let mut store = store_with(weight(61.0)).await;
    let mut withdrawn = weight(61.0);
    withdrawn["status"] = json!("entered-in-error");
    let report = store.import(vec![bundle(&[patient(), withdrawn.clone()])]).await;
    assert_eq!(report.entries.changed, 1);
    let original = Origins::unique().entry("Observation/w");
    assert_eq!(
        store.current("Observation/w").relation,
        Some(Relation::Retracts(original))
    );
    let before = store.clone();
    store.import(vec![bundle(&[patient(), withdrawn])]).await;
    assert_eq!(store, before);
}

#[tokio::test]
async fn what_was_an_error_before_it_was_ever_imported_is_listed() {
    let mut withdrawn = weight(61.0);
    withdrawn["status"] = json!("entered-in-error");
    let mut store = MemoryStore::default();
    let report = store.import(vec![bundle(&[patient(), withdrawn])]).await;
    assert!(store.entries.is_empty());
    assert_eq!(report.problems.len(), 1);
    assert_eq!(report.problems[0].index, Some(1));
}

#[tokio::test]
async fn a_changed_allergy_changes_the_chart_and_tells_of_it() {
    let mut store = store_with(allergy("low", "confirmed")).await;
    let item = Origins::unique().chart_item("AllergyIntolerance/a");
    store
        .import(vec![bundle(&[patient(), allergy("high", "confirmed")])])
        .await;
    assert_eq!(store.chart[&item].1["severity"].as_str(), "high");
    let report = store
        .import(vec![bundle(&[patient(), allergy("high", "entered-in-error")])])
        .await;
    assert_eq!(report.chart.changed, 1);
    assert_eq!(store.chart[&item].1["status"].as_str(), "entered-in-error");
    assert_eq!((store.entries.len(), store.chart.len()), (3, 1));
}

#[tokio::test]
async fn a_changed_patient_is_edited_and_one_edited_here_is_left_alone() {
    let mut store = store_with(weight(61.0)).await;
    let id = Origins::unique().patient("Patient/p");
    let mut renamed = patient();
    renamed["name"][0]["text"] = json!("Dalva Teles Uchoa");
    let report = store.import(vec![bundle(&[renamed.clone()])]).await;
    assert_eq!(report.patients.changed, 1);
    assert_eq!(store.patients[&id].name.as_str(), "Dalva Teles Uchoa");

    store.patients.get_mut(&id).expect("the patient").gender = Some("female".to_owned().into());
    let before = store.clone();
    let report = store.import(vec![bundle(&[renamed])]).await;
    assert_eq!(
        (report.patients.unchanged, store == before),
        (1, true),
        "the source says nothing new"
    );
}

#[tokio::test]
async fn an_import_needs_its_patient_here_or_in_the_store() {
    let mut store = MemoryStore::default();
    let report = store.import(vec![bundle(&[weight(61.0)])]).await;
    assert_eq!((report.problems.len(), store.entries.len()), (1, 0));
    store.import(vec![bundle(&[patient()])]).await;
    let report = store.import(vec![bundle(&[weight(61.0)])]).await;
    assert_eq!((report.problems.len(), store.entries.len()), (0, 1));
}

#[test]
fn servers_that_number_their_own_patients_are_kept_apart() {
    let ids: Vec<_> = [
        Origins::unique(),
        Origins::named("north"),
        Origins::named("south"),
    ]
    .into_iter()
    .map(|origins| {
        let plan = Import::of(vec![bundle(&[patient()])], origins)
            .plans()
            .next()
            .expect("a plan");
        *plan.patients.keys().next().expect("a patient")
    })
    .collect();
    assert_ne!(ids[0], ids[1]);
    assert_ne!(ids[1], ids[2]);
}

#[test]
fn an_import_may_run_on_any_thread() {
    fn is_send(_: &impl Send) {}
    let (import, mut store) = (Import::of(Vec::new(), Origins::unique()), MemoryStore::default());
    is_send(&import.run(&mut store));
}
