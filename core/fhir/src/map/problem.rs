//! Condition and AllergyIntolerance → a chart item, and the entry that tells of it.

use super::body::{Body, displays};
use super::draft::set;
use super::observation::notes;
use super::{Context, Draft};
use crate::datatype::{Concept, Reference, code_of, moment_of, period_end, period_start};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use vereda_core::record::{ChartFields, ChartKind};
use vereda_core::time::Zoned;

/// When it began, else when it was written down.
fn occurred(resource: &Element) -> Result<Option<Zoned>, Fault> {
    if let Some(at) = moment_of(resource, "onsetDateTime")? {
        return Ok(Some(at));
    }
    if let Some(at) = period_start(resource, "onsetPeriod")? {
        return Ok(Some(at));
    }
    moment_of(resource, "recordedDate")
}

/// The onset as the source wrote it.
fn onset(resource: &Element) -> Result<Option<&str>, Fault> {
    if let Some(at) = resource.text("onsetDateTime")? {
        return Ok(Some(at));
    }
    match resource.child("onsetPeriod")? {
        Some(period) => period.text("start"),
        None => Ok(None),
    }
}

fn code_field(concept: &Concept) -> Option<String> {
    let code = concept.code.as_deref()?;
    Some(
        concept
            .system
            .as_deref()
            .map_or_else(|| code.to_owned(), |system| format!("{system}|{code}")),
    )
}

/// What both have: code, statuses, onset, note.
fn shared<'a>(resource: &'a Element, kind: &'static str) -> Result<(Draft<'a>, ChartFields), Fault> {
    let code = Concept::of(resource, "code")?.ok_or_else(|| Fault::missing("code"))?;
    let mut draft = Draft::new(kind, occurred(resource)?);
    let mut fields = ChartFields::new();
    let clinical = code_of(resource, "clinicalStatus")?;
    let verification = code_of(resource, "verificationStatus")?;
    let note = notes(resource)?;
    draft.say(code.display.clone());
    draft.say_some(clinical.clone());
    draft.body.put_concept("code", Some(&code));
    draft.status("clinical_status", clinical.clone());
    draft.status("verification_status", verification.clone());
    draft.body.put_some("onset", onset(resource)?);
    set(&mut fields, "display", Some(code.display.clone()));
    set(&mut fields, "code", code_field(&code));
    set(&mut fields, "status", clinical);
    set(&mut fields, "verification", verification);
    set(&mut fields, "onset", onset(resource)?);
    set(&mut fields, "note", note.clone());
    draft.narrative = note;
    draft.performer = match Reference::of(resource, "asserter")? {
        Some(asserter) => Some(asserter),
        None => Reference::of(resource, "recorder")?,
    };
    Ok((draft, fields))
}

/// Maps a Condition.
pub(crate) fn condition<'a>(resource: &'a Element, _: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let (mut draft, mut fields) = shared(resource, "problem")?;
    moment_of(resource, "abatementDateTime")?;
    let abatement = resource
        .text("abatementDateTime")?
        .or(period_end(resource, "abatementPeriod")?);
    let severity = Concept::of(resource, "severity")?.map(|severity| severity.display);
    let sites = displays(&Concept::all_of(resource, "bodySite")?);
    draft.say_some(severity.clone());
    draft.say_some(sites.clone());
    draft
        .body
        .put_some("category", displays(&Concept::all_of(resource, "category")?));
    draft.body.put_some("severity", severity.clone());
    draft.body.put_some("body_site", sites);
    draft.body.put_some("abatement", abatement);
    set(&mut fields, "severity", severity);
    set(&mut fields, "abatement", abatement);
    draft.chart = Some((ChartKind("problem".to_owned()), fields));
    Ok(draft)
}

/// Maps an AllergyIntolerance.
pub(crate) fn allergy<'a>(resource: &'a Element, _: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let (mut draft, mut fields) = shared(resource, "allergy")?;
    let criticality = resource.text("criticality")?;
    let categories = Some(resource.texts("category")?.join(", ")).filter(|line| !line.is_empty());
    draft.say_some(criticality);
    draft.body.put_some("type", resource.text("type")?);
    draft.body.put_some("category", categories.clone());
    draft.body.put_some("criticality", criticality);
    let (mut reactions, mut shown) = (Vec::new(), Vec::new());
    for reaction in resource.children("reaction")? {
        let manifestations = Concept::all_of(reaction, "manifestation")?;
        for manifestation in &manifestations {
            let mut body = Body::default();
            body.put_concept("manifestation", Some(manifestation));
            body.put_some("severity", reaction.text("severity")?);
            reactions.push(body.into_value());
        }
        shown.extend(displays(&manifestations));
    }
    let shown = Some(shown.join(", ")).filter(|line| !line.is_empty());
    draft.say_some(shown.clone());
    draft.body.put_list("reactions", reactions);
    set(&mut fields, "severity", criticality);
    set(&mut fields, "category", categories);
    set(&mut fields, "reaction", shown);
    draft.chart = Some((ChartKind("allergy".to_owned()), fields));
    Ok(draft)
}
