//! Condition and AllergyIntolerance, and chart items of which no entry tells.

use super::Source;
use super::care::code_or_text;
use super::fields::{
    ALLERGY_VERIFICATION, CONDITION_VERIFICATION, Json, Resource, coded, concept_in, objects, text, words,
    words_list,
};
use super::names::Names;
use serde_json::{Value, json};
use vereda_core::store::chart::ChartRow;

/// The code systems of a Condition's clinical and verification status.
const CONDITION: [&str; 2] = [
    "http://terminology.hl7.org/CodeSystem/condition-clinical",
    CONDITION_VERIFICATION,
];
/// The same of an AllergyIntolerance.
const ALLERGY: [&str; 2] = [
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
    ALLERGY_VERIFICATION,
];

fn shared(source: &Source<'_>, [clinical, verification]: [&str; 2], resource: &mut Resource) {
    let body = &source.body;
    resource.put_some("code", code_or_text(source));
    let status = text(body, "clinical_status").map(|code| coded(code, Some(clinical)));
    resource.put_some("clinicalStatus", status);
    let status = text(body, "verification_status").map(|code| coded(code, Some(verification)));
    resource.put_some("verificationStatus", status);
    match text(body, "onset") {
        Some(onset) => resource.put("onsetDateTime", onset),
        None => resource.put_some("recordedDate", source.own_time()),
    }
    resource.put_some("encounter", source.encounter());
    resource.put_some("asserter", source.performer());
    resource.put_note(source.narrative());
}

pub(super) fn condition(source: &Source<'_>, resource: &mut Resource) {
    shared(source, CONDITION, resource);
    let body = &source.body;
    resource.put_some("abatementDateTime", text(body, "abatement"));
    resource.put_some("severity", words(text(body, "severity")));
    resource.put_some("bodySite", words_list(text(body, "body_site")));
    resource.put_some("category", words_list(text(body, "category")));
}

pub(super) fn allergy(source: &Source<'_>, resource: &mut Resource) {
    shared(source, ALLERGY, resource);
    let body = &source.body;
    resource.put_some("type", text(body, "type"));
    let categories = text(body, "category").map(|line| line.split(", ").map(Value::from).collect::<Vec<_>>());
    resource.put_some("category", categories);
    resource.put_some("criticality", text(body, "criticality"));
    let reactions = objects(body, "reactions").map(|reaction| {
        let mut fields = Json::new();
        let manifestation = concept_in(reaction, "manifestation").map(|concept| json!([concept]));
        fields.extend(manifestation.map(|concepts| ("manifestation".to_owned(), concepts)));
        fields.extend(text(reaction, "severity").map(|severity| ("severity".to_owned(), severity.into())));
        Value::Object(fields)
    });
    resource.put_list("reaction", reactions.collect());
}

/// The resource of an item of which no entry tells.
pub(super) fn item_name(item: &ChartRow) -> String {
    let kind = match item.kind.as_str() {
        "allergy" => "AllergyIntolerance",
        "problem" => "Condition",
        "medication" => "MedicationStatement",
        "task" => "Task",
        _ => "Flag",
    };
    format!("{kind}/{}", item.id)
}

pub(super) fn item_alone(item: &ChartRow, names: &Names<'_>) -> Value {
    let name = item_name(item);
    let (kind, id) = name.split_once('/').unwrap_or((&name, ""));
    let field = |name: &str| item.fields.get(name).map(|value| value.as_str());
    let mut resource = Resource::new(kind, id);
    resource.put("meta", json!({ "lastUpdated": item.recorded_at.to_string() }));
    let subject = json!({ "reference": names.patient(&item.patient) });
    let subject_field = match kind {
        "AllergyIntolerance" => "patient",
        "Task" => "for",
        _ => "subject",
    };
    resource.put(subject_field, subject);
    let display = words(field("display"));
    let status = field("status");
    match kind {
        "AllergyIntolerance" | "Condition" => {
            let [clinical, verification] = if kind == "Condition" { CONDITION } else { ALLERGY };
            resource.put_some("code", display);
            match status {
                Some(status @ "entered-in-error") => {
                    resource.put("verificationStatus", coded(status, Some(verification)));
                }
                Some(status) => resource.put("clinicalStatus", coded(status, Some(clinical))),
                None => {}
            }
            resource.put_some("onsetDateTime", field("onset"));
        }
        "MedicationStatement" => {
            resource.put("status", status.unwrap_or("unknown"));
            resource.put_some("medicationCodeableConcept", display);
            resource.put_some("dosage", field("dose").map(|dose| json!([{ "text": dose }])));
        }
        "Task" => {
            resource.put("status", status.unwrap_or("requested"));
            resource.put("intent", "order");
            resource.put_some("description", field("display"));
        }
        _ => {
            resource.put("status", status.unwrap_or("active"));
            resource.put_some("code", display);
        }
    }
    if kind != "Flag" {
        resource.put_note(field("note"));
    }
    resource.extend(names.carried_chart(item).to_extension());
    resource.into_value()
}
