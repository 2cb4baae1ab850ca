//! DiagnosticReport, ImagingStudy and DocumentReference: what came back from somewhere else.

use super::body::{Body, displays};
use super::observation::notes;
use super::{Context, Draft};
use crate::datatype::{Concept, Reference, attached_text, attached_title, moment_of, period_start};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use serde_json::Value;

/// Diagnostic service sections (HL7 v2 table 0074) that look at the patient with a machine, not at a sample.
const IMAGING: [&str; 9] = ["RAD", "CT", "NMR", "CUS", "VUS", "OUS", "RUS", "NMS", "XRC"];

/// Maps a DiagnosticReport.
pub(crate) fn report<'a>(resource: &'a Element, context: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let occurred = match moment_of(resource, "effectiveDateTime")? {
        Some(at) => Some(at),
        None => period_start(resource, "effectivePeriod")?,
    };
    let code = Concept::of(resource, "code")?.ok_or_else(|| Fault::missing("code"))?;
    let categories = Concept::all_of(resource, "category")?;
    let section = categories.iter().find_map(|category| category.code.as_deref());
    let kind = if section.is_some_and(|section| IMAGING.contains(&section)) {
        "imaging"
    } else {
        "lab"
    };
    let mut draft = Draft::new(kind, occurred);
    let conclusion = resource.text("conclusion")?;
    draft.say(code.display.clone());
    draft.say_some(conclusion);
    draft.body.put_concept("code", Some(&code));
    draft.status("status", resource.text("status")?);
    draft.body.put_some("category", displays(&categories));
    draft.body.put_some("conclusion", conclusion);
    draft.body.put_some("issued_at", issued(resource)?);
    draft
        .body
        .put_list("results", links(resource, "result", "Observation", context)?);
    let mut texts = Vec::new();
    for form in resource.children("presentedForm")? {
        texts.extend(attached_text(form)?);
    }
    texts.extend(notes(resource)?);
    draft.narrative = (!texts.is_empty()).then(|| texts.join("\n\n"));
    draft
        .body
        .put_list("attachments", attachments(&resource.children("presentedForm")?)?);
    draft.performer = Reference::all_of(resource, "performer")?.into_iter().next();
    Ok(draft)
}

fn issued(resource: &Element) -> Result<Option<&str>, Fault> {
    moment_of(resource, "issued")?;
    resource.text("issued")
}

/// Maps an ImagingStudy.
pub(crate) fn imaging_study<'a>(resource: &'a Element, _: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let mut draft = Draft::new("imaging", moment_of(resource, "started")?);
    let mut modalities = Vec::new();
    for modality in resource.children("modality")? {
        modalities.extend(Concept::read(modality)?);
    }
    let (mut sites, mut series, mut titles) = (Vec::new(), Vec::new(), Vec::new());
    for element in resource.children("series")? {
        let mut body = Body::default();
        let modality = element.child("modality")?.map_or(Ok(None), Concept::read)?;
        let site = element
            .child("bodySite")?
            .map_or(Ok(None), Concept::read)?
            .map(|site| site.display);
        body.put_some("uid", element.text("uid")?);
        body.put_concept("modality", modality.as_ref());
        body.put_some("body_site", site.clone());
        body.put_some("instances", element.number("numberOfInstances")?.cloned());
        body.put_some("description", element.text("description")?);
        for instance in element.children("instance")? {
            titles.extend(instance.text("title")?);
        }
        series.push(body.into_value());
        modalities.extend(modality.filter(|modality| !modalities.contains(modality)));
        sites.extend(site.filter(|site| !sites.contains(site)));
    }
    let procedures = Concept::all_of(resource, "procedureCode")?;
    draft.say_some(procedures.first().map(|code| code.display.clone()));
    draft.say_some(resource.text("description")?);
    draft.say_some(displays(&modalities));
    draft.say(sites.join(", "));
    titles.dedup();
    draft.say(titles.join(", "));
    if draft.line.is_empty() {
        return Err(Fault::missing("series.modality"));
    }
    draft
        .body
        .put_concept("code", procedures.first().or(modalities.first()));
    draft.body.put_concept("modality", modalities.first());
    draft.body.put_some(
        "body_site",
        Some(sites.join(", ")).filter(|sites| !sites.is_empty()),
    );
    draft.status("status", resource.text("status")?);
    draft.body.put_some("study_uid", study_uid(resource)?);
    draft.body.put_list("series", series);
    draft.narrative = notes(resource)?;
    draft.performer = match Reference::all_of(resource, "interpreter")?.into_iter().next() {
        Some(interpreter) => Some(interpreter),
        None => Reference::of(resource, "referrer")?,
    };
    Ok(draft)
}

fn study_uid(resource: &Element) -> Result<Option<&str>, Fault> {
    for identifier in resource.children("identifier")? {
        let uid = identifier
            .text("value")?
            .and_then(|value| value.strip_prefix("urn:oid:"));
        let dicom = |uid: &&str| {
            uid.len() <= 64 && !uid.is_empty() && uid.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        if let Some(uid) = uid.filter(dicom) {
            return Ok(Some(uid));
        }
    }
    Ok(None)
}

/// Maps a DocumentReference.
pub(crate) fn document<'a>(resource: &'a Element, _: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let about = match resource.child("context")? {
        Some(context) => period_start(context, "period")?,
        None => None,
    };
    let mut draft = Draft::new("document", about.or(moment_of(resource, "date")?));
    let code = Concept::of(resource, "type")?;
    let mut forms = Vec::new();
    for content in resource.children("content")? {
        forms.extend(content.child("attachment")?);
    }
    let title = match resource.text("description")? {
        Some(description) => Some(description),
        None => forms
            .iter()
            .find_map(|form| form.text("title").transpose())
            .transpose()?,
    };
    let categories = displays(&Concept::all_of(resource, "category")?);
    draft.say_some(code.as_ref().map(|code| code.display.clone()));
    draft.say_some(title);
    if draft.line.is_empty() {
        draft.say_some(categories.clone());
    }
    if draft.line.is_empty() {
        draft.say_some(forms.first().map_or(Ok(None), |form| attached_title(form))?);
    }
    if draft.line.is_empty() {
        return Err(Fault::missing("type"));
    }
    draft.body.put_some("title", title);
    draft.body.put_concept("code", code.as_ref());
    draft.status("status", resource.text("status")?);
    draft.body.put_some("category", categories);
    let mut texts = Vec::new();
    for form in &forms {
        texts.extend(attached_text(form)?);
    }
    draft.narrative = (!texts.is_empty()).then(|| texts.join("\n\n"));
    draft.body.put_list("attachments", attachments(&forms)?);
    draft.performer = Reference::all_of(resource, "author")?.into_iter().next();
    Ok(draft)
}

/// Descriptors of what came with a resource; the bytes of what is not text are named, not kept.
fn attachments(forms: &[&Element]) -> Result<Vec<Value>, Fault> {
    let mut descriptors = Vec::new();
    for form in forms {
        let mut body = Body::default();
        body.put_some("content_type", form.text("contentType")?);
        body.put_some("title", form.text("title")?);
        body.put_some("url", form.text("url")?);
        body.put_some("size", form.number("size")?.cloned());
        descriptors.push(body.into_value());
    }
    Ok(descriptors)
}

/// The entries that references in a repeated field name.
pub(crate) fn links(
    resource: &Element,
    field: &str,
    expected: &str,
    context: &Context<'_>,
) -> Result<Vec<Value>, Fault> {
    let references = Reference::all_of(resource, field)?;
    let named = references
        .iter()
        .filter_map(|reference| context.entry_named(reference, expected));
    Ok(named.map(|entry| Value::String(entry.to_string())).collect())
}
