//! DiagnosticReport and ImagingStudy.

use super::Source;
use super::care::code_or_text;
use super::fields::{Resource, coding, concept_in, objects, text};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const SECTION: &str = "http://terminology.hl7.org/CodeSystem/v2-0074";

pub(super) fn report(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("final"));
    let section = if source.entry.kind == "imaging" {
        "RAD"
    } else {
        "LAB"
    };
    let coding = json!([{ "system": SECTION, "code": section }]);
    match text(body, "category") {
        Some(shown) => resource.put("category", json!([{ "coding": coding, "text": shown }])),
        None if section == "RAD" => resource.put("category", json!([{ "coding": coding }])),
        None => {}
    }
    resource.put_some("code", code_or_text(source));
    resource.put_some("effectiveDateTime", source.own_time());
    resource.put_some("issued", text(body, "issued_at"));
    resource.put_some("conclusion", text(body, "conclusion"));
    resource.put_list("result", source.references("results"));
    resource.put_list("presentedForm", attachments(source));
    resource.put_some("encounter", source.encounter());
    resource.put_some(
        "performer",
        source.performer().map(|performer| json!([performer])),
    );
}

/// What came with it, by name; what was text, in the first form that can hold it.
pub(super) fn attachments(source: &Source<'_>) -> Vec<Value> {
    let mut forms: Vec<Value> = objects(&source.body, "attachments")
        .map(|attachment| {
            let mut form = serde_json::Map::new();
            for (field, name) in [
                ("content_type", "contentType"),
                ("title", "title"),
                ("url", "url"),
                ("size", "size"),
            ] {
                form.extend(
                    attachment
                        .get(field)
                        .map(|value| (name.to_owned(), value.clone())),
                );
            }
            Value::Object(form)
        })
        .collect();
    if let Some(narrative) = source.narrative() {
        let data = STANDARD.encode(narrative);
        let is_text = |form: &&mut Value| {
            let media = form["contentType"].as_str().unwrap_or_default();
            media.starts_with("text/") && !media.starts_with("text/html") && !media.starts_with("text/rtf")
        };
        match forms.iter_mut().find(is_text) {
            Some(form) => form["data"] = data.into(),
            None => forms.push(json!({ "contentType": "text/plain", "data": data })),
        }
    }
    forms
}

pub(super) fn imaging_study(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("available"));
    resource.put_some("started", source.own_time());
    let uid = text(body, "study_uid").map(|uid| format!("urn:oid:{uid}"));
    let identifier = uid.map(|uid| json!([{ "system": "urn:dicom:uid", "value": uid }]));
    resource.put_some("identifier", identifier);
    let modality = body.get("modality").map(coding);
    resource.put_some("modality", modality.map(|modality| json!([modality])));
    // Without a procedure's code the first modality stands for it.
    if body.get("code") != body.get("modality") {
        resource.put_some(
            "procedureCode",
            concept_in(body, "code").map(|code| json!([code])),
        );
    }
    let series = objects(body, "series").map(|series| {
        let mut fields = serde_json::Map::new();
        for (field, name) in [
            ("uid", "uid"),
            ("instances", "numberOfInstances"),
            ("description", "description"),
        ] {
            fields.extend(series.get(field).map(|value| (name.to_owned(), value.clone())));
        }
        let modality = series
            .get("modality")
            .map(|modality| Value::Object(coding(modality)));
        fields.extend(modality.map(|modality| ("modality".to_owned(), modality)));
        let site = text(series, "body_site").map(|site| json!({ "display": site }));
        fields.extend(site.map(|site| ("bodySite".to_owned(), site)));
        Value::Object(fields)
    });
    resource.put_list("series", series.collect());
    resource.put_some("encounter", source.encounter());
    resource.put_some(
        "interpreter",
        source.performer().map(|performer| json!([performer])),
    );
    resource.put_note(source.narrative());
}
