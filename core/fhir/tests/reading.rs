//! Files: formats, order, bounds.

mod support;

use serde_json::json;
use support::{MemoryStore, ndjson};
use vereda_core::error::Code;
use vereda_fhir::{Import, Origins, PLAN_RESOURCES_MAX, Source, sources};

fn patient(id: &str) -> String {
    json!({ "resourceType": "Patient", "id": id, "name": [{ "text": "Inácio Peixoto" }] }).to_string()
}

fn observation(number: u64, patient: &str) -> String {
    json!({
        "resourceType": "Observation", "id": format!("o-{number}"), "status": "final",
        "code": { "text": "Peso" }, "effectiveDateTime": "2026-03-02T09:05:00-04:00",
        "subject": { "reference": format!("Patient/{patient}") },
        "performer": [{ "reference": "Practitioner/z" }],
    })
    .to_string()
}

#[tokio::test]
async fn patients_and_professionals_may_stand_in_files_that_come_later() {
    let practitioner = json!({ "resourceType": "Practitioner", "id": "z", "name": [{ "text": "Zilda" }] });
    let mut store = MemoryStore::default();
    let report = store
        .import(vec![
            ndjson("Observation.ndjson", &[observation(1, "p")]),
            ndjson("Patient.ndjson", &[patient("p")]),
            ndjson("Practitioner.ndjson", &[practitioner.to_string()]),
        ])
        .await;
    assert_eq!(report.problems, []);
    let origin = store
        .current("Observation/o-1")
        .origin
        .clone()
        .expect("an origin");
    assert_eq!(origin.performer.expect("a performer").as_str(), "Zilda");
}

#[test]
fn a_long_file_is_planned_in_bounded_parts_with_its_patients_first() {
    let mut lines: Vec<String> = (0..PLAN_RESOURCES_MAX * 2)
        .map(|number| observation(number, "p"))
        .collect();
    lines.push(patient("p"));
    let import = Import::of(vec![ndjson("all.ndjson", &lines)], Origins::unique());
    let plans: Vec<_> = import.plans().collect();
    assert!(plans.iter().all(|plan| plan.resources <= PLAN_RESOURCES_MAX));
    assert!(
        plans[0]
            .patients
            .values()
            .next()
            .expect("a patient")
            .record
            .is_some()
    );
    assert_eq!(
        plans.iter().map(|plan| plan.entries() as u64).sum::<u64>(),
        PLAN_RESOURCES_MAX * 2
    );
    assert_eq!(plans.iter().map(|plan| plan.bytes).sum::<u64>(), import.bytes());
}

#[tokio::test]
async fn a_single_resource_is_a_file_too() {
    let mut store = MemoryStore::default();
    let report = store
        .import(vec![Source::Bytes("one.json".into(), patient("p").into_bytes())])
        .await;
    assert_eq!((report.patients.added, report.problems.len()), (1, 0));
}

#[tokio::test]
async fn a_bundle_with_broken_entries_costs_those_entries() {
    let text = format!(
        r#"{{"resourceType":"Bundle","type":"batch","entry":[{{"resource":{}}},3,{{}},{{"resource":null}},
           {{"resource":{{"resourceType":"Observation"}}}},{{"resource":{{"resourceType":7}}}},
           {{"resource":{{"resourceType":"Observation","id":"x y"}}}},
           {{"resource":{{"resourceType":"Observation","id":"deep","code":{}1{}}}}}]}}"#,
        patient("p"),
        "[".repeat(500),
        "]".repeat(500)
    );
    let mut store = MemoryStore::default();
    let report = store
        .import(vec![Source::Bytes("mixed.json".into(), text.into_bytes())])
        .await;
    assert_eq!((report.patients.added, report.resources), (1, 8));
    let places: Vec<_> = report
        .problems
        .iter()
        .filter_map(|problem| problem.index)
        .collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test]
async fn text_that_is_too_long_is_listed_and_not_cut() {
    let long = json!({
        "resourceType": "Observation", "id": "long", "code": { "text": "Relato" },
        "subject": { "reference": "Patient/p" }, "effectiveDateTime": "2026-03-02",
        "note": [{ "text": "a".repeat(40_000) }],
    });
    let mut store = MemoryStore::default();
    let report = store
        .import(vec![ndjson("a.ndjson", &[patient("p"), long.to_string()])])
        .await;
    assert_eq!(report.problems[0].code, Code::TextTooLong);
    assert!(store.entries.is_empty());
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    let error = sources(&["/nonexistent/vereda".into()]).expect_err("no such path");
    assert_eq!(error.code, Code::FileUnreadable);
    assert!(!error.detail.contains("vereda"), "the path may hold a name");
}

#[tokio::test]
async fn names_are_found_through_roles_and_medications() {
    let lines = [
        patient("p"),
        json!({
            "resourceType": "MedicationRequest", "id": "m", "authoredOn": "2026-03-02",
            "medicationReference": { "reference": "Medication/x" }, "subject": { "reference": "Patient/p" },
            "requester": { "reference": "PractitionerRole/r" },
        })
        .to_string(),
        json!({ "resourceType": "Medication", "id": "x", "code": { "text": "Losartana 50 mg" } }).to_string(),
        json!({
            "resourceType": "PractitionerRole", "id": "r", "practitioner": { "reference": "Practitioner/z" },
        })
        .to_string(),
        json!({ "resourceType": "Practitioner", "id": "z", "name": [{ "text": "Zilda" }] }).to_string(),
    ];
    let mut store = MemoryStore::default();
    let report = store.import(vec![ndjson("all.ndjson", &lines)]).await;
    assert_eq!(report.problems, []);
    assert_eq!(
        report.skipped.len(),
        2,
        "what only names others is counted as skipped"
    );
    let entry = store.current("MedicationRequest/m");
    assert_eq!(entry.text.as_str(), "Losartana 50 mg");
    let performer = entry.origin.as_ref().and_then(|origin| origin.performer.clone());
    assert_eq!(performer.expect("a performer").as_str(), "Zilda");
}
