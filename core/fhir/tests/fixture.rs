//! A small clinic's folder: one Bundle with every type, one NDJSON file with broken lines, two files that are no
//! FHIR at all.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use support::MemoryStore;
use vereda_core::error::Code;
use vereda_core::id::PatientId;
use vereda_core::record::NewEntry;
use vereda_fhir::{Import, ImportReport, Origins, sources};

fn clinic() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clinic")
}

async fn imported() -> (MemoryStore, ImportReport) {
    let mut store = MemoryStore::default();
    let report = store
        .import(sources(&[clinic()]).expect("the folder is read"))
        .await;
    (store, report)
}

/// The entry of a resource of the Bundle, by its number.
fn entry<'a>(store: &'a MemoryStore, kind: &str, number: u32) -> &'a NewEntry {
    store.current(&format!("{kind}/{number:08x}-0000-4000-8000-000000000000"))
}

fn body(entry: &NewEntry) -> Value {
    serde_json::from_str(entry.body.as_ref().expect("a body")).expect("JSON")
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs
        .iter()
        .map(|(kind, count)| ((*kind).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn the_totals_are_exact() {
    let (store, report) = imported().await;
    assert_eq!((report.files, report.resources), (4, 29));
    assert_eq!(
        report.imported,
        counts(&[
            ("AllergyIntolerance", 1),
            ("CarePlan", 1),
            ("Condition", 1),
            ("DiagnosticReport", 1),
            ("DocumentReference", 1),
            ("Encounter", 1),
            ("Goal", 1),
            ("ImagingStudy", 1),
            ("Immunization", 1),
            ("MedicationRequest", 1),
            ("Observation", 6),
            ("Organization", 1),
            ("Patient", 2),
            ("Practitioner", 1),
            ("Procedure", 1),
        ])
    );
    assert_eq!(
        report.skipped,
        counts(&[("Basic", 1), ("Claim", 1), ("ExplanationOfBenefit", 1)])
    );
    assert_eq!((report.entries.added, report.chart.added), (17, 2));
    assert_eq!(store.entries.len(), 17);

    let again = Import::open(&[clinic()], Origins::unique()).expect("the folder is read");
    let before = store.clone();
    let mut store = store;
    let again = again.run(&mut store).await.expect("the store takes all");
    assert_eq!(store, before, "a second import changes nothing");
    assert_eq!(again.entries.unchanged, 17);
    assert_eq!(again.problems, report.problems);
}

#[tokio::test]
async fn what_is_broken_is_listed_with_file_index_and_reason_and_the_rest_goes_on() {
    let (_, report) = imported().await;
    let listed: Vec<(String, Option<u64>, Code)> = report
        .problems
        .iter()
        .map(|problem| {
            let file = Path::new(problem.file.as_str()).file_name().expect("a name");
            (file.to_string_lossy().into_owned(), problem.index, problem.code)
        })
        .collect();
    let expected = [
        ("cut.json", None, Code::JsonMalformed),
        ("settings.json", None, Code::FhirMalformed),
        ("weights.ndjson", Some(2), Code::JsonMalformed),
        ("weights.ndjson", Some(3), Code::CpfInvalid),
        ("weights.ndjson", Some(4), Code::NotADate),
        ("weights.ndjson", Some(6), Code::FhirReference),
        ("weights.ndjson", Some(7), Code::FhirMalformed),
        ("weights.ndjson", Some(8), Code::FhirMalformed),
    ];
    assert_eq!(
        listed,
        expected.map(|(file, index, code)| (file.to_owned(), index, code))
    );
    let imported: Vec<_> = report
        .problems
        .iter()
        .filter(|problem| problem.imported)
        .collect();
    assert_eq!(
        imported.len(),
        1,
        "the patient with the wrong CPF is in, without it"
    );
    assert_eq!(imported[0].resource, "Patient/p-2");
}

#[tokio::test]
async fn nothing_of_a_patient_is_in_a_problem() {
    let (_, report) = imported().await;
    let printed = format!("{:?}", report.problems);
    for secret in ["Lacerda", "ontem", "sessenta", "111.111", "weights"] {
        assert!(!printed.contains(secret), "{secret} is printed");
    }
}

#[tokio::test]
async fn a_patient_becomes_a_record() {
    let (store, _) = imported().await;
    let id: PatientId = Origins::unique().patient("Patient/00000001-0000-4000-8000-000000000000");
    let record = &store.patients[&id];
    assert_eq!(record.name.as_str(), "Aurora Benedita Vasconcelos");
    assert_eq!(
        record.birth_date.as_ref().map(|date| date.as_str()),
        Some("1961-03")
    );
    let identifiers: Vec<_> = record
        .identifiers
        .iter()
        .map(|one| (one.system.0.as_str(), one.value.as_str()))
        .collect();
    assert_eq!(
        identifiers,
        [("cpf", "52998224725"), ("cns", "898001760661017"), ("MR", "F-17")]
    );
    assert_eq!(record.contacts.len(), 2);

    let other = &store.patients[&Origins::unique().patient("Patient/p-2")];
    assert_eq!(other.identifiers[0].system.0, "cpf-unverified");
}

#[tokio::test]
async fn observations_keep_code_display_value_and_unit() {
    let (store, _) = imported().await;
    let pressure = entry(&store, "Observation", 5);
    assert_eq!(pressure.kind.as_str(), "vitals");
    assert_eq!(
        pressure.text.as_str(),
        "Pressão arterial: Sistólica 142 mm[Hg], Diastólica 91.5 mm[Hg]"
    );
    let pressure = body(pressure);
    assert_eq!(
        (&pressure["systolic"], &pressure["diastolic"]),
        (&json!(142), &json!(91.5))
    );
    assert_eq!(pressure["components"][1]["code"]["code"], "8462-4");

    let glucose = entry(&store, "Observation", 6);
    assert_eq!(glucose.kind.as_str(), "lab");
    assert_eq!(glucose.text.as_str(), "Glicose <20.123 mg/dL (baixa)");
    let glucose = body(glucose);
    assert_eq!(
        (&glucose["value"], &glucose["unit"]),
        (&json!(20.123456), &json!("mg/dL"))
    );
    assert_eq!(
        (&glucose["comparator"], &glucose["code"]["system"]),
        (&json!("<"), &json!("http://loinc.org"))
    );
    assert_eq!(glucose["reference_range"], json!({ "low": 70, "high": 99 }));

    let smoking = entry(&store, "Observation", 7);
    assert_eq!(smoking.text.as_str(), "Tabagismo Nunca fumou");
    assert_eq!(body(smoking)["value"]["code"], "266919005");
    let history = entry(&store, "Observation", 8);
    assert_eq!(
        history.text.as_str(),
        "História pregressa malária em 2019\n\nconfirmada pela filha"
    );
    assert_eq!(body(store.current("Observation/o-7"))["value"], json!(true));
}

#[tokio::test]
async fn reports_carry_their_text_and_point_to_their_results() {
    let (store, _) = imported().await;
    let report = entry(&store, "DiagnosticReport", 11);
    assert_eq!(
        report.text.as_str(),
        "Relatório de laboratório; Hipoglicemia\n\nGlicemia abaixo do método; repetir."
    );
    let result = entry(&store, "Observation", 6).id.expect("an id");
    assert_eq!(body(report)["results"], json!([result.to_string()]));
    let document = entry(&store, "DocumentReference", 13);
    assert_eq!(
        document.text.as_str(),
        "Evolução; Visita\n\nÚlcera limpa, sem sinais de infecção."
    );
    let study = entry(&store, "ImagingStudy", 12);
    assert_eq!(
        (study.text.as_str(), &body(study)["study_uid"]),
        ("Radiografia digital; Perna", &json!("1.2.3.4"))
    );
}

#[tokio::test]
async fn a_resource_without_a_time_takes_that_of_the_plan_or_encounter_that_names_it() {
    let (store, _) = imported().await;
    let goal = entry(&store, "Goal", 15);
    assert_eq!(goal.occurred_at, entry(&store, "CarePlan", 18).occurred_at);
    assert!(goal.marks.time_inferred);
    // A DocumentReference's own date stands.
    let document = entry(&store, "DocumentReference", 13);
    assert_eq!(document.occurred_at.to_string(), "2026-03-02T09:45:00.000-04:00");
    assert!(!document.marks.time_inferred);
    // An observation has only the visit it was made in.
    let history = entry(&store, "Observation", 8);
    assert_eq!(history.occurred_at, entry(&store, "Encounter", 4).occurred_at);
    assert!(history.marks.time_inferred);
    let inferred = store
        .entries
        .values()
        .filter(|(_, entry)| entry.marks.time_inferred);
    assert_eq!(inferred.count(), 2);
}

#[tokio::test]
async fn the_performer_is_a_name_wherever_the_professional_stands() {
    let (store, _) = imported().await;
    let performer = |kind, number| {
        let origin = entry(&store, kind, number).origin.as_ref().expect("an origin");
        origin.performer.as_ref().map(|name| name.0.clone())
    };
    assert_eq!(performer("Encounter", 4).as_deref(), Some("Dra. Tereza Nogueira"));
    assert_eq!(
        performer("MedicationRequest", 14).as_deref(),
        Some("Dra. Tereza Nogueira")
    );
    assert_eq!(performer("Procedure", 9).as_deref(), Some("Iolanda Meira"));
    assert_eq!(
        performer("DocumentReference", 13).as_deref(),
        Some("Caetano Brandão")
    );
    assert_eq!(performer("Immunization", 10), None);
    assert_eq!(
        body(entry(&store, "Encounter", 4))["provider"],
        "Unidade Fluvial Vereda"
    );
    assert_eq!(store.reference.len(), 2);
}

#[tokio::test]
async fn conditions_and_allergies_are_on_the_chart_and_in_the_timeline() {
    let (store, _) = imported().await;
    let allergy = entry(&store, "AllergyIntolerance", 17);
    assert_eq!(
        allergy.text.as_str(),
        "Alergia a penicilina; active; high; urticária"
    );
    let item = Origins::unique().chart_item("AllergyIntolerance/00000011-0000-4000-8000-000000000000");
    assert_eq!(body(allergy)["chart_item"], item.to_string());
    let fields = &store.chart[&item].1;
    assert_eq!(fields["display"].as_str(), "Alergia a penicilina");
    assert_eq!(
        (fields["status"].as_str(), fields["severity"].as_str()),
        ("active", "high")
    );
    let condition = entry(&store, "Condition", 16);
    assert_eq!(
        (condition.kind.as_str(), condition.occurred_at.utc_year()),
        ("problem", 2025)
    );
}
