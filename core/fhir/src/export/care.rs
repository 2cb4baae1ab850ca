//! Encounter, Procedure, Immunization.

use super::Source;
use super::fields::{Resource, coding, concept, concept_in, quantity, text, words, words_list};
use serde_json::{Value, json};

pub(super) fn encounter(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("finished"));
    let class = text(body, "class").unwrap_or("AMB");
    resource.put(
        "class",
        json!({ "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": class }),
    );
    let code =
        concept_in(body, "code").or_else(|| words(source.is_native().then(|| source.entry.text.as_str())));
    resource.put_some("type", code.map(|code| json!([code])));
    let period = body.get("period").cloned();
    resource.put(
        "period",
        period.unwrap_or_else(|| json!({ "start": source.occurred() })),
    );
    resource.put_some(
        "reasonCode",
        concept_in(body, "reason").map(|reason| json!([reason])),
    );
    resource.put_some(
        "serviceProvider",
        text(body, "provider").map(|name| json!({ "display": name })),
    );
    let location = text(body, "location").map(|name| json!([{ "location": { "display": name } }]));
    resource.put_some("location", location);
    let disposition = concept_in(body, "disposition");
    resource.put_some(
        "hospitalization",
        disposition.map(|disposition| json!({ "dischargeDisposition": disposition })),
    );
    let participant = source
        .performer()
        .map(|performer| json!([{ "individual": performer }]));
    resource.put_some("participant", participant);
}

pub(super) fn procedure(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("completed"));
    resource.put_some("code", code_or_text(source));
    match body.get("period") {
        Some(period) => resource.put("performedPeriod", period.clone()),
        None => resource.put_some("performedDateTime", source.own_time()),
    }
    resource.put_some("bodySite", words_list(text(body, "body_site")));
    resource.put_some("outcome", words(text(body, "outcome")));
    resource.put_some("complication", words_list(text(body, "complications")));
    resource.put_some(
        "location",
        text(body, "location").map(|name| json!({ "display": name })),
    );
    reason(source, resource);
    resource.put_some("encounter", source.encounter());
    resource.put_some(
        "performer",
        source.performer().map(|actor| json!([{ "actor": actor }])),
    );
    resource.put_note(source.narrative());
}

pub(super) fn immunization(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("completed"));
    resource.put_some("vaccineCode", code_or_text(source));
    resource.put_some("occurrenceDateTime", source.own_time());
    let mut protocol = serde_json::Map::new();
    for (field, name) in [
        ("dose_number", "doseNumberPositiveInt"),
        ("dose_label", "doseNumberString"),
        ("strategy", "series"),
    ] {
        if let Some(value) = body.get(field) {
            protocol.insert(name.to_owned(), value.clone());
        }
    }
    resource.put_some(
        "protocolApplied",
        (!protocol.is_empty()).then(|| json!([protocol])),
    );
    resource.put_some("statusReason", words(text(body, "reason_not_done")));
    resource.put_some("lotNumber", text(body, "lot"));
    resource.put_some("expirationDate", text(body, "expires_on"));
    resource.put_some(
        "manufacturer",
        text(body, "manufacturer").map(|name| json!({ "display": name })),
    );
    let dose = body
        .get("dose")
        .and_then(|dose| quantity(dose, source.is_native()));
    resource.put_some("doseQuantity", dose);
    resource.put_some("site", words(text(body, "site")));
    resource.put_some("route", words(text(body, "route")));
    resource.put_some("encounter", source.encounter());
    resource.put_some(
        "performer",
        source.performer().map(|actor| json!([{ "actor": actor }])),
    );
    resource.put_note(source.narrative());
}

/// The code; of what was written here without one, its words.
pub(super) fn code_or_text(source: &Source<'_>) -> Option<Value> {
    concept_in(&source.body, "code").or_else(|| words(Some(source.entry.text.as_str())))
}

/// `reasonCode` and `reasonReference`: a reason without a code is what references show, as often as the text repeats it.
pub(super) fn reason(source: &Source<'_>, resource: &mut Resource) {
    let mut references = source.references("reason_entries");
    if let Some(reason) = source.body.get("reason") {
        let shown = text_of(reason);
        if references.is_empty() || coding(reason).contains_key("code") {
            resource.put("reasonCode", json!([concept(reason)]));
        } else {
            let repeated = |count: &usize| source.entry.text.contains(&vec![shown; *count].join(", "));
            let count = (1..=references.len()).rev().find(repeated).unwrap_or(1);
            for reference in references.iter_mut().take(count) {
                reference["display"] = shown.into();
            }
        }
    }
    resource.put_list("reasonReference", references);
}

fn text_of(concept: &Value) -> &str {
    concept.get("display").and_then(Value::as_str).unwrap_or_default()
}
