//! Encounter → an entry of kind `encounter`.

use super::body::displays;
use super::{Context, Draft};
use crate::datatype::{Concept, Reference, period_start};
use crate::element::{Element, Fields};
use crate::fault::Fault;

/// Maps an Encounter.
pub(crate) fn encounter<'a>(resource: &'a Element, context: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let mut draft = Draft::new("encounter", period_start(resource, "period")?);
    let types = Concept::all_of(resource, "type")?;
    let class = resource.child("class")?.map_or(Ok(None), Concept::read)?;
    let code = types.first().or(class.as_ref()).cloned();
    let code = match code {
        Some(code) => code,
        None => Concept::of(resource, "serviceType")?.ok_or_else(|| Fault::missing("type"))?,
    };
    let mut reasons = Concept::all_of(resource, "reasonCode")?;
    for reference in Reference::all_of(resource, "reasonReference")? {
        reasons.extend(reference.display.map(|display| Concept {
            system: None,
            code: None,
            display: display.to_owned(),
        }));
    }
    draft.say(code.display.clone());
    draft.say_some(displays(&reasons));
    draft.body.put_concept("code", Some(&code));
    draft.body.put_some("class", class.and_then(|class| class.code));
    draft.status("status", resource.text("status")?);
    draft.body.put_period("period", resource, "period")?;
    draft.body.put_concept("reason", reasons.first());
    if let Some(provider) = Reference::of(resource, "serviceProvider")? {
        draft
            .body
            .put_some("provider", context.name_of(&provider, "Organization"));
    }
    if let Some(place) = resource.children("location")?.first() {
        let place = Reference::of(place, "location")?;
        draft
            .body
            .put_some("location", place.and_then(|place| place.display));
    }
    if let Some(stay) = resource.child("hospitalization")? {
        draft
            .body
            .put_concept("disposition", Concept::of(stay, "dischargeDisposition")?.as_ref());
    }
    draft.performer = performer(resource)?;
    Ok(draft)
}

/// The participant who led it: a primary performer if one is named, else the first.
fn performer(resource: &Element) -> Result<Option<Reference<'_>>, Fault> {
    let mut first = None;
    for participant in resource.children("participant")? {
        let Some(individual) = Reference::of(participant, "individual")? else {
            continue;
        };
        let roles = Concept::all_of(participant, "type")?;
        if roles.iter().any(|role| role.code.as_deref() == Some("PPRF")) {
            return Ok(Some(individual));
        }
        first = first.or(Some(individual));
    }
    Ok(first)
}
