//! A record as a Patient.

use super::ExportedRecord;
use super::fields::Resource;
use super::names::Names;
use crate::carried::CarriedPatient;
use serde_json::{Value, json};
use vereda_core::record::PatientRecord;

/// The systems of FHIR's ContactPoint.
const TELECOM: [&str; 7] = ["phone", "fax", "email", "pager", "url", "sms", "other"];

pub(super) fn patient(exported: &ExportedRecord, names: &Names<'_>) -> Value {
    let (id, record) = (exported.patient.id, &exported.patient.record);
    let name = names.patient(&id);
    let mut resource = Resource::new("Patient", name.split_once('/').map_or("", |(_, id)| id));
    resource.put("name", json!([{ "use": "official", "text": record.name.0 }]));
    resource.put_some("birthDate", record.birth_date.as_ref().map(|date| date.0.clone()));
    resource.put_some("gender", record.gender.as_ref().map(|gender| gender.0.clone()));
    let identifiers = record.identifiers.iter();
    let identifiers = identifiers.map(|it| json!({ "system": it.system.0, "value": it.value.0 }));
    resource.put_list("identifier", identifiers.collect());
    contacts(record, &mut resource);
    match record.deceased.as_ref().map(|deceased| deceased.as_str()) {
        Some("true") => resource.put("deceasedBoolean", true),
        Some(moment) => resource.put("deceasedDateTime", moment),
        None => {}
    }
    let others = exported.links.iter().map(|other| names.patient(other));
    let links = others.filter(|other| !other.is_empty());
    let links = links.map(|other| json!({ "other": { "reference": other }, "type": "seealso" }));
    resource.put_list("link", links.collect());
    let carried = CarriedPatient {
        id: names.patient_id(id),
        record: record.clone(),
    };
    resource.extend(carried.to_extension());
    resource.into_value()
}

fn contacts(record: &PatientRecord, resource: &mut Resource) {
    let (mut telecoms, mut addresses) = (Vec::new(), Vec::new());
    for contact in &record.contacts {
        let (system, value) = (contact.system.as_str(), contact.value.as_str());
        if system == "address" {
            addresses.push(json!({ "text": value }));
        } else if TELECOM.contains(&system) {
            telecoms.push(json!({ "system": system, "value": value }));
        } else {
            telecoms.push(json!({ "system": "other", "value": format!("{system}: {value}") }));
        }
    }
    resource.put_list("telecom", telecoms);
    resource.put_list("address", addresses);
}
