//! What benchmarks write is what they say they write.

use std::collections::BTreeSet;
use vereda_core::record::{Intent, KindRegistry};
use vereda_data::{KINDS, entries, fhir_bundles, patients};

#[test]
fn entries_are_twelve_words_of_many_kinds_with_bodies_that_fit() {
    let registry = KindRegistry::standard();
    let (mut kinds, mut count) = (BTreeSet::new(), 0);
    for generated in entries(7, 20, 100) {
        let entry = &generated.entry;
        assert_eq!(entry.text.split_whitespace().count(), 12);
        let intent = Intent::Add {
            entries: vec![entry.clone()],
        };
        intent
            .validate(&registry)
            .expect("an entry that the core takes as it is");
        // Ids, times, author and unit come on top.
        assert!(entry.content_bytes() >= 160, "{} bytes", entry.content_bytes());
        kinds.insert(entry.kind.clone());
        count += 1;
    }
    assert_eq!(count, 2_000);
    assert_eq!(kinds.len(), KINDS.iter().collect::<BTreeSet<_>>().len());
    assert!(kinds.len() >= 8);
}

#[test]
fn the_same_seed_gives_the_same_entries_whoever_else_there_is() {
    let few: Vec<_> = entries(7, 2, 50).collect();
    let many: Vec<_> = entries(7, 5, 50).take(100).collect();
    assert_eq!(few, many);
    assert_ne!(few, entries(8, 2, 50).collect::<Vec<_>>());
}

#[test]
fn a_patient_has_a_hundred_entries_in_order_of_time() {
    let generated: Vec<_> = entries(7, 3, 100).collect();
    for patient in generated.chunks(100) {
        assert!(patient.iter().all(|one| one.patient == patient[0].patient));
        assert!(patient.iter().map(|one| one.entry.occurred_at.utc_ms).is_sorted());
    }
}

#[test]
fn every_patient_has_a_valid_cpf_and_cns() {
    for (_, record) in patients(7, 200) {
        record.check().expect("a record that the core takes as it is");
    }
}

#[test]
fn the_same_seed_gives_the_same_bundles() {
    assert!(fhir_bundles(3, 4).eq(fhir_bundles(3, 4)));
}
