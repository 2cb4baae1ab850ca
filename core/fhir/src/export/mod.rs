//! FHIR R4 export: a person's records as resources, as the import maps them, each with an extension that carries what
//! FHIR has no field for ([`crate::carried`]). Imported into an empty store they give the same timelines and charts.
//!
//! What other programs read is mapped field by field; a kind without a twin in FHIR becomes a Task, a ServiceRequest or a
//! DocumentReference of that kind. Drafts are nobody's word yet and stay behind.

mod care;
mod chart;
mod document;
mod fields;
mod findings;
mod gather;
mod names;
mod patient;
mod plan;
mod report;

pub use gather::{gather, signatures};
pub use names::Signatures;

use crate::carried::CarriedEntry;
use fields::{Json, Resource};
use names::Names;
use serde_json::{Value, json};
use vereda_core::id::PatientId;
use vereda_core::record::{Compartment, Kind, Marks, NewEntry, Origin, Relation};
use vereda_core::redact::Sensitive;
use vereda_core::store::chart::ChartRow;
use vereda_core::store::entries::{EntryRow, EntryStatus, RelationRow};
use vereda_core::store::patients::PatientRow;

/// What is exported of one record.
#[derive(Clone, PartialEq, Debug)]
pub struct ExportedRecord {
    /// The record.
    pub patient: PatientRow,
    /// The records linked with it directly.
    pub links: Vec<PatientId>,
    /// Its chart.
    pub chart: Vec<ChartRow>,
    /// Its entries.
    pub entries: Vec<EntryRow>,
}

/// The resources of records that are exported together: what they say of one another is kept.
pub fn resources(records: &[ExportedRecord], signatures: &Signatures) -> Vec<Value> {
    let names = Names::of(records, signatures);
    let mut resources = Vec::new();
    for record in records {
        resources.push(patient::patient(record, &names));
        let entries = record
            .entries
            .iter()
            .filter(|entry| entry.status != EntryStatus::Draft);
        resources.extend(entries.map(|entry| resource(entry, &record.chart, &names)));
        let told: Vec<String> = record.entries.iter().filter_map(chart_item_of).collect();
        let untold = record
            .chart
            .iter()
            .filter(|item| !told.contains(&item.id.to_string()));
        resources.extend(untold.map(|item| chart::item_alone(item, &names)));
    }
    resources
}

/// Resources as a transaction: whoever takes it has each once, however often it comes (`PUT`).
pub fn bundle(resources: Vec<Value>) -> Value {
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|resource| {
            let name = format!(
                "{}/{}",
                resource["resourceType"].as_str().unwrap_or_default(),
                resource["id"].as_str().unwrap_or_default()
            );
            json!({
                "fullUrl": format!("urn:vereda:{name}"),
                "resource": resource,
                "request": { "method": "PUT", "url": name },
            })
        })
        .collect();
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries })
}

/// The chart item an imported entry tells of.
fn chart_item_of(entry: &EntryRow) -> Option<String> {
    let body: Value = serde_json::from_str(entry.body.as_ref()?).ok()?;
    Some(body.get("chart_item")?.as_str()?.to_owned())
}

/// An entry's resource.
fn resource(entry: &EntryRow, chart: &[ChartRow], names: &Names<'_>) -> Value {
    let name = names.entry(entry);
    let (kind, id) = name.split_once('/').unwrap_or((name, ""));
    let body = entry
        .body
        .as_ref()
        .and_then(|body| serde_json::from_str(body).ok());
    let source = Source {
        entry,
        body: body.unwrap_or_default(),
        names,
    };
    let mut resource = Resource::new(kind, id);
    let mut meta = json!({ "lastUpdated": entry.recorded_at.to_string() });
    if entry.compartment == Compartment::Sensitive {
        // HL7's word for what only some may read: whoever takes it shall keep it as close.
        meta["security"] = json!([{
            "system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R",
        }]);
    }
    resource.put("meta", meta);
    let subject = if matches!(kind, "Immunization" | "AllergyIntolerance") {
        "patient"
    } else if kind == "Task" {
        "for"
    } else {
        "subject"
    };
    resource.put(subject, json!({ "reference": names.patient(&entry.patient) }));
    match kind {
        "Encounter" => care::encounter(&source, &mut resource),
        "Procedure" => care::procedure(&source, &mut resource),
        "Immunization" => care::immunization(&source, &mut resource),
        "Observation" => findings::observation(&source, &mut resource),
        "DiagnosticReport" => report::report(&source, &mut resource),
        "ImagingStudy" => report::imaging_study(&source, &mut resource),
        "MedicationRequest" => plan::medication(&source, &mut resource),
        "CarePlan" => plan::care_plan(&source, &mut resource),
        "Goal" => plan::goal(&source, &mut resource),
        "Condition" => chart::condition(&source, &mut resource),
        "AllergyIntolerance" => chart::allergy(&source, &mut resource),
        "Task" | "ServiceRequest" => document::request(&source, &mut resource),
        _ => document::document(&source, &mut resource),
    }
    resource.status_of(entry.status);
    resource.extend(carried(&source).to_extension());
    if let Some(item) = source.body.get("chart_item").and_then(Value::as_str) {
        let item = chart.iter().find(|row| row.id.to_string() == item);
        resource.extend_some(item.map(|item| names.carried_chart(item).to_extension()));
    }
    resource.into_value()
}

/// The entry as an import into an empty store shall have it: under the ids it then has.
fn carried(source: &Source<'_>) -> CarriedEntry {
    let (row, names) = (source.entry, source.names);
    let relation = row.relation.map(|relation| match relation {
        RelationRow::Amends(other) => Relation::Amends(names.entry_id(other)),
        RelationRow::Retracts(other) => Relation::Retracts(names.entry_id(other)),
        RelationRow::MovedFrom(patient, entry) => Relation::MovedFrom {
            patient: names.patient_id(patient),
            entry: names.entry_id(entry),
        },
    });
    let origin = row.origin.as_ref().map(|resource| Origin {
        resource: resource.clone(),
        performer: row.performer.clone(),
        digest: row.origin_digest.clone().unwrap_or_default(),
    });
    let author = origin.is_none().then(|| names.signature(row.author)).flatten();
    CarriedEntry {
        patient: names.patient_id(row.patient),
        compartment: row.compartment,
        entry: NewEntry {
            id: Some(names.entry_id(row.id)),
            kind: Kind(row.kind.clone()),
            occurred_at: row.occurred_at,
            text: row.text.clone(),
            body: row.body.as_ref().map(|body| Sensitive(names.renamed(body))),
            relation,
            origin,
            marks: Marks {
                time_inferred: row.time_inferred,
                time_uncertain: row.time_uncertain,
            },
        },
        recorded_at: row.recorded_at,
        author,
    }
}

/// What a resource is made of.
struct Source<'a> {
    entry: &'a EntryRow,
    body: Json,
    names: &'a Names<'a>,
}

impl Source<'_> {
    fn occurred(&self) -> Value {
        self.entry.occurred_at.to_string().into()
    }

    /// The time of occurrence, where it is the source's own.
    fn own_time(&self) -> Option<Value> {
        (!self.entry.time_inferred).then(|| self.occurred())
    }

    /// Whether the entry was written here and never imported.
    fn is_native(&self) -> bool {
        self.entry.origin.is_none()
    }

    /// What a person wrote below the line that an import makes of the fields; of what was written here, all of it.
    fn narrative(&self) -> Option<&str> {
        if self.is_native() {
            return Some(self.entry.text.as_str());
        }
        self.entry.text.split_once("\n\n").map(|(_, narrative)| narrative)
    }

    /// The performer its source names, or who signed it here.
    fn performer(&self) -> Option<Value> {
        let name = match &self.entry.performer {
            Some(name) => Some(name.clone()),
            None if self.is_native() => self.names.signature(self.entry.author),
            None => None,
        };
        name.map(|name| json!({ "display": name.0 }))
    }

    /// The encounter it was part of.
    fn encounter(&self) -> Option<Value> {
        let id = self.body.get("encounter")?.as_str()?;
        Some(json!({ "reference": self.names.by_id(id)? }))
    }

    /// References to the entries a list names.
    fn references(&self, field: &str) -> Vec<Value> {
        let ids = self.body.get(field).and_then(Value::as_array).map(Vec::as_slice);
        ids.unwrap_or_default()
            .iter()
            .filter_map(|id| self.names.by_id(id.as_str()?))
            .map(|name| json!({ "reference": name }))
            .collect()
    }
}
