//! MedicationRequest, CarePlan, Goal.

use super::Source;
use super::care::{code_or_text, reason};
use super::fields::{Json, Resource, coded, concept_in, objects, quantity, text, words, words_list};
use serde_json::{Value, json};

pub(super) fn medication(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("active"));
    resource.put("intent", text(body, "intent").unwrap_or("order"));
    resource.put_some("medicationCodeableConcept", code_or_text(source));
    resource.put_some("authoredOn", source.own_time());
    let dosage = dosage(source);
    resource.put_some("dosageInstruction", (!dosage.is_empty()).then(|| json!([dosage])));
    let mut dispense = Json::new();
    let amount = body
        .get("quantity")
        .and_then(|amount| quantity(amount, source.is_native()));
    dispense.extend(amount.map(|amount| ("quantity".to_owned(), amount)));
    dispense.extend(
        body.get("period")
            .map(|period| ("validityPeriod".to_owned(), period.clone())),
    );
    resource.put_some("dispenseRequest", (!dispense.is_empty()).then_some(dispense));
    reason(source, resource);
    resource.put_some("encounter", source.encounter());
    resource.put_some("requester", source.performer());
    resource.put_note(source.narrative());
}

fn dosage(source: &Source<'_>) -> Json {
    let (body, is_ucum) = (&source.body, source.is_native());
    let mut dosage = Json::new();
    let mut put = |field: &str, value: Option<Value>| {
        dosage.extend(value.map(|value| (field.to_owned(), value)));
    };
    if let Some(instructions) = text(body, "dosage") {
        // The prescriber's own words are what a person reads; what was added to them is not.
        let ends = instructions
            .match_indices("; ")
            .map(|(end, _)| end)
            .chain([instructions.len()]);
        let own = ends
            .filter(|end| source.entry.text.contains(&instructions[..*end]))
            .last()
            .unwrap_or(0);
        let (own, added) = instructions.split_at(own);
        put("text", (!own.is_empty()).then(|| own.into()));
        let added = added.trim_start_matches("; ");
        put(
            "additionalInstruction",
            words_list((!added.is_empty()).then_some(added)),
        );
    }
    let dose = body.get("dose").and_then(|dose| quantity(dose, is_ucum));
    put("doseAndRate", dose.map(|dose| json!([{ "doseQuantity": dose }])));
    put("timing", text(body, "frequency").map(timing));
    put("route", words(text(body, "route")));
    put("asNeededBoolean", body.get("as_needed").cloned());
    dosage
}

/// `2×/1 d` as the import writes it; anything else in its words.
fn timing(frequency: &str) -> Value {
    let parts = frequency.split_once("×/").and_then(|(often, rest)| {
        let (period, unit) = rest.split_once(' ')?;
        let often: serde_json::Number = often.parse().ok()?;
        let period: serde_json::Number = period.parse().ok()?;
        Some(json!({ "repeat": { "frequency": often, "period": period, "periodUnit": unit } }))
    });
    parts.unwrap_or_else(|| json!({ "code": { "text": frequency } }))
}

pub(super) fn care_plan(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("active"));
    resource.put("intent", text(body, "intent").unwrap_or("plan"));
    let title = text(body, "title").or_else(|| native_line(source));
    resource.put_some("title", title);
    resource.put_some("category", concept_in(body, "code").map(|code| json!([code])));
    let start = || json!({ "start": source.occurred() });
    resource.put("period", body.get("period").cloned().unwrap_or_else(start));
    let activities = objects(body, "activities").map(|activity| {
        let mut detail = Json::new();
        detail.extend(concept_in(activity, "code").map(|code| ("code".to_owned(), code)));
        for (field, name) in [("status", "status"), ("note", "description")] {
            detail.extend(text(activity, field).map(|text| (name.to_owned(), text.into())));
        }
        let place = text(activity, "location").map(|place| json!({ "display": place }));
        detail.extend(place.map(|place| ("location".to_owned(), place)));
        json!({ "detail": detail })
    });
    resource.put_list("activity", activities.collect());
    resource.put_list("addresses", addresses(source));
    resource.put_list("goal", source.references("goals"));
    resource.put_some("encounter", source.encounter());
    resource.put_some("author", source.performer());
    resource.put_note(source.narrative());
}

pub(super) fn goal(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("lifecycleStatus", text(body, "status").unwrap_or("active"));
    let description = concept_in(body, "code").or_else(|| words(Some(source.entry.text.as_str())));
    resource.put_some("description", description);
    resource.put_some("achievementStatus", words(text(body, "achievement")));
    resource.put_some(
        "priority",
        text(body, "priority").map(|priority| coded(priority, None)),
    );
    let start = text(body, "start").map(Value::from);
    resource.put_some(
        "startDate",
        start.or_else(|| source.is_native().then(|| day(source))),
    );
    resource.put_list("addresses", addresses(source));
    let targets = objects(body, "targets").map(|target| {
        let mut fields = Json::new();
        fields.extend(concept_in(target, "measure").map(|measure| ("measure".to_owned(), measure)));
        let amount = quantity(&Value::Object(target.clone()), source.is_native());
        fields.extend(amount.map(|amount| ("detailQuantity".to_owned(), amount)));
        let mut range = Json::new();
        for end in ["low", "high"] {
            range.extend(
                target
                    .get(end)
                    .map(|bound| (end.to_owned(), json!({ "value": bound }))),
            );
        }
        if !range.is_empty() {
            fields.insert("detailRange".to_owned(), range.into());
        }
        fields.extend(text(target, "due").map(|due| ("dueDate".to_owned(), due.into())));
        Value::Object(fields)
    });
    resource.put_list("target", targets.collect());
    resource.put_some("expressedBy", source.performer());
    resource.put_note(source.narrative());
}

/// FHIR gives a goal a date alone.
fn day(source: &Source<'_>) -> Value {
    let at = source.entry.occurred_at.to_string();
    at.get(..10).unwrap_or(&at).into()
}

fn native_line<'a>(source: &'a Source<'_>) -> Option<&'a str> {
    source.is_native().then(|| source.entry.text.as_str())
}

/// What is addressed: the entries, and what a person reads of them.
fn addresses(source: &Source<'_>) -> Vec<Value> {
    let mut references = source.references("addresses_entries");
    for (index, shown) in objects(&source.body, "addresses").enumerate() {
        let display = shown.get("display").cloned().unwrap_or_default();
        match references.get_mut(index) {
            Some(reference) => reference["display"] = display,
            None => references.push(json!({ "display": display })),
        }
    }
    references
}
