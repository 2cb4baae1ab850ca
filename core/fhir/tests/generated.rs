//! The generated clinic imports whole.

mod support;

use support::MemoryStore;
use vereda_fhir::Source;

#[tokio::test]
async fn a_generated_clinic_imports_without_a_problem() {
    let files = || -> Vec<Source> {
        vereda_data::fhir_bundles(11, 12)
            .enumerate()
            .map(|(number, bundle)| Source::Bytes(format!("{number}.json"), bundle.into_bytes()))
            .collect()
    };
    let mut store = MemoryStore::default();
    let report = store.import(files()).await;
    assert_eq!(report.problems, []);
    assert!(report.skipped.is_empty());
    assert_eq!(report.patients.added, 12);
    assert!(report.imported.len() >= 12, "as many types as a clinic has");
    assert!(
        store
            .patients
            .values()
            .all(|record| record.identifiers.len() == 2)
    );

    let before = store.clone();
    store.import(files()).await;
    assert_eq!(store, before);
}
