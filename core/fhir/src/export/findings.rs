//! Observation.

use super::Source;
use super::care::code_or_text;
use super::fields::{Json, Resource, concept, concept_in, objects, quantity, text, words, words_list};
use crate::map::vitals::{LOINC, named_signs};
use serde_json::{Value, json};

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

pub(super) fn observation(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("final"));
    let code = match source.entry.kind.as_str() {
        "vitals" => Some("vital-signs"),
        "lab" => Some("laboratory"),
        _ => None,
    };
    let mut category = json!({});
    if let Some(code) = code {
        category["coding"] = json!([{ "system": CATEGORY, "code": code }]);
    }
    if let Some(shown) = text(body, "category").or(code) {
        category["text"] = shown.into();
        resource.put("category", vec![category]);
    }
    resource.put_some("effectiveDateTime", source.own_time());
    for (field, value) in findings(body, source.is_native()) {
        resource.put(&field, value);
    }
    resource.put_some("code", code_or_text(source));
    let mut components: Vec<Value> = objects(body, "components")
        .map(|component| {
            let mut fields = findings(component, source.is_native());
            fields.extend(concept_in(component, "code").map(|code| ("code".to_owned(), code)));
            Value::Object(fields)
        })
        .collect();
    // An import names the signs by their codes; those that have none were written here.
    if components.is_empty() && !body.contains_key("value") {
        components = signs(body);
        if !components.is_empty() && !body.contains_key("code") {
            resource.put(
                "code",
                json!({ "coding": [{ "system": LOINC, "code": "85353-1" }], "text": "Vital signs" }),
            );
        }
    }
    resource.put_list("component", components);
    resource.put_some("method", words(text(body, "method")));
    resource.put_some("bodySite", words(text(body, "body_site")));
    resource.put_some("encounter", source.encounter());
    resource.put_some(
        "performer",
        source.performer().map(|performer| json!([performer])),
    );
    resource.put_note(source.narrative());
}

fn signs(body: &Json) -> Vec<Value> {
    named_signs()
        .filter_map(|(name, code, unit)| {
            let value = body.get(name).filter(|value| value.is_number())?;
            let quantity = quantity(&json!({ "value": value, "unit": unit }), true)?;
            let code = json!({ "coding": [{ "system": LOINC, "code": code }], "text": name });
            Some(json!({ "code": code, "valueQuantity": quantity }))
        })
        .collect()
}

/// The value and what belongs to it.
fn findings(body: &Json, is_ucum: bool) -> Json {
    let mut fields = Json::new();
    let mut put = |field: &str, value: Option<Value>| {
        fields.extend(value.map(|value| (field.to_owned(), value)));
    };
    match body.get("value") {
        Some(Value::Number(_)) => put("valueQuantity", quantity(&Value::Object(body.clone()), is_ucum)),
        Some(Value::String(text)) => put("valueString", Some(text.clone().into())),
        Some(Value::Bool(flag)) => put("valueBoolean", Some((*flag).into())),
        Some(value @ Value::Object(_)) => put("valueCodeableConcept", Some(concept(value))),
        _ => put("dataAbsentReason", words(text(body, "absent_reason"))),
    }
    put("interpretation", words_list(text(body, "interpretation")));
    if let Some(range) = body.get("reference_range") {
        let mut shown = json!({});
        for end in ["low", "high"] {
            if let Some(number) = range.get(end) {
                shown[end] = json!({ "value": number });
            }
        }
        if let Some(text) = range.get("text") {
            shown["text"] = text.clone();
        }
        put("referenceRange", Some(json!([shown])));
    }
    fields
}
