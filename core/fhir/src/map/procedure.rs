//! Procedure and Immunization.

use super::body::displays;
use super::observation::notes;
use super::{Context, Draft};
use crate::datatype::{Concept, Quantity, Reference, moment_of, period_start};
use crate::element::{Element, Fields};
use crate::fault::Fault;

/// Maps a Procedure.
pub(crate) fn procedure<'a>(resource: &'a Element, context: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let occurred = match moment_of(resource, "performedDateTime")? {
        Some(at) => Some(at),
        None => period_start(resource, "performedPeriod")?,
    };
    let code = Concept::of(resource, "code")?.ok_or_else(|| Fault::missing("code"))?;
    let mut draft = Draft::new("procedure", occurred);
    let sites = displays(&Concept::all_of(resource, "bodySite")?);
    let outcome = Concept::of(resource, "outcome")?.map(|outcome| outcome.display);
    draft.say(code.display.clone());
    draft.say_some(sites.clone());
    draft.say_some(outcome.clone());
    draft.body.put_concept("code", Some(&code));
    draft.status("status", resource.text("status")?);
    draft.body.put_period("period", resource, "performedPeriod")?;
    draft.body.put_some("body_site", sites);
    draft.body.put_some("outcome", outcome);
    draft.body.put_some(
        "complications",
        displays(&Concept::all_of(resource, "complication")?),
    );
    super::reason(resource, context, &mut draft)?;
    if let Some(place) = Reference::of(resource, "location")? {
        draft.body.put_some("location", place.display);
    }
    draft.narrative = notes(resource)?;
    draft.performer = first_actor(resource)?;
    Ok(draft)
}

/// Maps an Immunization.
pub(crate) fn immunization<'a>(resource: &'a Element, _: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let code = Concept::of(resource, "vaccineCode")?.ok_or_else(|| Fault::missing("vaccineCode"))?;
    let mut draft = Draft::new("immunization", moment_of(resource, "occurrenceDateTime")?);
    draft.say(code.display.clone());
    draft.body.put_concept("code", Some(&code));
    draft.status("status", resource.text("status")?);
    if let Some(protocol) = resource.children("protocolApplied")?.first() {
        if let Some(number) = protocol.number("doseNumberPositiveInt")? {
            draft.say(format!("dose {number}"));
            draft.body.put("dose_number", number.clone());
        }
        let label = protocol.text("doseNumberString")?;
        draft.say_some(label);
        draft.body.put_some("dose_label", label);
        draft.body.put_some("strategy", protocol.text("series")?);
    }
    let not_done = Concept::of(resource, "statusReason")?.map(|reason| reason.display);
    draft.say_some(not_done.clone());
    draft.body.put_some("reason_not_done", not_done);
    draft.body.put_some("lot", resource.text("lotNumber")?);
    if crate::datatype::moment_of(resource, "expirationDate")?.is_some() {
        draft
            .body
            .put_some("expires_on", resource.text("expirationDate")?);
    }
    if let Some(maker) = Reference::of(resource, "manufacturer")? {
        draft.body.put_some("manufacturer", maker.display);
    }
    draft
        .body
        .put_quantity("dose", Quantity::of(resource, "doseQuantity")?.as_ref());
    draft
        .body
        .put_some("site", Concept::of(resource, "site")?.map(|site| site.display));
    draft.body.put_some(
        "route",
        Concept::of(resource, "route")?.map(|route| route.display),
    );
    draft.narrative = notes(resource)?;
    draft.performer = first_actor(resource)?;
    Ok(draft)
}

fn first_actor(resource: &Element) -> Result<Option<Reference<'_>>, Fault> {
    match resource.children("performer")?.into_iter().next() {
        Some(performer) => Reference::of(performer, "actor"),
        None => Ok(None),
    }
}
