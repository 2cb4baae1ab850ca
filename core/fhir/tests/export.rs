//! Single resources of an export.

use serde_json::Value;
use uuid::Uuid;
use vereda_core::id::{EntryId, PatientId, UnitId, UserId, WriteId};
use vereda_core::record::{Compartment, PatientRecord};
use vereda_core::redact::Sensitive;
use vereda_core::store::entries::{EntryRow, EntryStatus};
use vereda_core::store::patients::PatientRow;
use vereda_core::time::Zoned;
use vereda_fhir::export::{ExportedRecord, Signatures, resources};

fn id(number: u128) -> Uuid {
    uuid::Builder::from_u128(number)
        .with_version(uuid::Version::SortRand)
        .into_uuid()
}

fn row(number: u128, compartment: Compartment, status: EntryStatus) -> EntryRow {
    let at = Zoned::parse("2026-05-04T10:30:00-03:00").expect("a date");
    EntryRow {
        id: EntryId(id(number)),
        patient: PatientId(id(1)),
        occurred_at: at,
        kind: "vitals".to_owned(),
        status,
        text: Sensitive("PA".to_owned()),
        body: Some(Sensitive("{\"systolic\":120}".to_owned())),
        author: UserId(id(2)),
        unit: UnitId(id(3)),
        compartment,
        recorded_at: at,
        chapter: (2026, 0),
        time_inferred: false,
        time_uncertain: false,
        relation: None,
        origin: None,
        performer: None,
        origin_digest: None,
        write: WriteId(id(4)),
        headers: 1,
        late_edit: None,
        draft_digest: None,
    }
}

fn exported(entries: Vec<EntryRow>) -> Vec<Value> {
    let record = ExportedRecord {
        patient: PatientRow {
            id: PatientId(id(1)),
            unit: UnitId(id(3)),
            record: PatientRecord::named("Maria"),
            accepted: None,
            version: 0,
            field_writers: String::new(),
            refused: String::new(),
            as_of: 0,
        },
        links: Vec::new(),
        chart: Vec::new(),
        entries,
    };
    resources(&[record], &Signatures::default()).split_off(1)
}

#[test]
fn what_only_some_may_read_is_labelled_and_carries_its_compartment() {
    let found = exported(vec![
        row(10, Compartment::Sensitive, EntryStatus::Final),
        row(11, Compartment::Clinical, EntryStatus::Final),
    ]);
    assert_eq!(found[0]["meta"]["security"][0]["code"], "R");
    assert_eq!(found[1]["meta"]["security"], Value::Null);
    assert!(found[0]["extension"].to_string().contains("\"sensitive\""));
}

#[test]
fn a_draft_stays_behind_and_what_was_taken_back_says_so() {
    let statuses = [
        EntryStatus::Draft,
        EntryStatus::EnteredInError,
        EntryStatus::Amended,
        EntryStatus::Final,
    ];
    let rows = (10..)
        .zip(statuses)
        .map(|(number, status)| row(number, Compartment::Clinical, status));
    let found = exported(rows.collect());
    let words: Vec<&str> = found
        .iter()
        .filter_map(|resource| resource["status"].as_str())
        .collect();
    assert_eq!(words, ["entered-in-error", "amended", "final"]);
}

#[test]
fn vital_signs_go_out_as_components_with_their_codes_and_units() {
    let found = exported(vec![row(10, Compartment::Clinical, EntryStatus::Final)]);
    let component = &found[0]["component"][0];
    assert_eq!(component["code"]["coding"][0]["code"], "8480-6");
    assert_eq!(component["valueQuantity"]["value"], 120);
    assert_eq!(component["valueQuantity"]["code"], "mm[Hg]");
}
