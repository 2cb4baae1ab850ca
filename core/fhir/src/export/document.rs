//! DocumentReference, and what has no twin in FHIR: a task, a referral, a note and every other kind.

use super::Source;
use super::fields::{Resource, concept_in, text, words_list};
use super::report::attachments;
use serde_json::json;

const KIND: &str = "urn:vereda:fhir:kind";

/// Task and ServiceRequest: what somebody shall do.
pub(super) fn request(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("active"));
    resource.put("intent", text(body, "intent").unwrap_or("order"));
    let code =
        json!({ "coding": [{ "system": KIND, "code": source.entry.kind }], "text": source.entry.kind });
    resource.put("code", concept_in(body, "code").unwrap_or(code));
    resource.put("authoredOn", source.occurred());
    resource.put_some("encounter", source.encounter());
    resource.put_some("requester", source.performer());
    resource.put_note(Some(source.entry.text.as_str()));
}

/// A document, or an entry as one: its kind is the type, its text the content.
pub(super) fn document(source: &Source<'_>, resource: &mut Resource) {
    let body = &source.body;
    resource.put("status", text(body, "status").unwrap_or("current"));
    let kind =
        json!({ "coding": [{ "system": KIND, "code": source.entry.kind }], "text": source.entry.kind });
    let is_document = source.entry.kind == "document";
    match concept_in(body, "code") {
        Some(code) => resource.put("type", code),
        None if is_document && !source.is_native() => {}
        None => resource.put("type", kind),
    }
    resource.put_some("description", text(body, "title"));
    resource.put_some("category", words_list(text(body, "category")));
    if !source.entry.time_inferred {
        resource.put("date", source.occurred());
    }
    let context = source
        .encounter()
        .map(|encounter| json!({ "encounter": [encounter] }));
    resource.put_some("context", context);
    resource.put_some("author", source.performer().map(|author| json!([author])));
    let forms = attachments(source);
    let content = forms.into_iter().map(|form| json!({ "attachment": form }));
    resource.put_list("content", content.collect());
}
