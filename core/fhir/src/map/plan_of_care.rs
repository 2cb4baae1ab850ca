//! MedicationRequest, CarePlan and Goal: what was decided to be done.

use super::body::Body;
use super::observation::notes;
use super::report::links;
use super::{Context, Draft};
use crate::datatype::{Concept, Quantity, Reference, code_of, moment_of, period_start, shown_number};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use serde_json::Value;

/// Maps a MedicationRequest.
pub(crate) fn medication<'a>(resource: &'a Element, context: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let mut draft = Draft::new("medication", moment_of(resource, "authoredOn")?);
    let code = match Concept::of(resource, "medicationCodeableConcept")? {
        Some(code) => code,
        None => referenced_medication(resource, context)?
            .ok_or_else(|| Fault::missing("medicationCodeableConcept"))?,
    };
    draft.say(code.display.clone());
    draft.body.put_concept("code", Some(&code));
    draft.status("status", resource.text("status")?);
    draft.body.put_some("intent", resource.text("intent")?);
    if let Some(dosage) = resource.children("dosageInstruction")?.first() {
        put_dosage(dosage, &mut draft)?;
    }
    if let Some(dispense) = resource.child("dispenseRequest")? {
        draft
            .body
            .put_quantity("quantity", Quantity::of(dispense, "quantity")?.as_ref());
        draft.body.put_period("period", dispense, "validityPeriod")?;
    }
    super::reason(resource, context, &mut draft)?;
    draft.narrative = notes(resource)?;
    draft.performer = Reference::of(resource, "requester")?;
    Ok(draft)
}

/// A medication by reference: the contained Medication's code, else the name of one that is imported along, else
/// what the reference shows.
fn referenced_medication(resource: &Element, context: &Context<'_>) -> Result<Option<Concept>, Fault> {
    let Some(reference) = Reference::of(resource, "medicationReference")? else {
        return Ok(None);
    };
    if let Some(id) = reference.to.and_then(|to| to.strip_prefix('#')) {
        for contained in resource.children("contained")? {
            if contained.text("id")? == Some(id) {
                return Concept::of(contained, "code");
            }
        }
    }
    let display = context
        .name_of(&reference, "Medication")
        .or(reference.to.map(str::to_owned));
    Ok(display.map(|display| Concept {
        system: None,
        code: None,
        display,
    }))
}

fn put_dosage(dosage: &Element, draft: &mut Draft<'_>) -> Result<(), Fault> {
    let mut said = Vec::new();
    if let Some(rate) = dosage.children("doseAndRate")?.first() {
        let dose = Quantity::of(rate, "doseQuantity")?;
        said.extend(dose.as_ref().map(Quantity::shown));
        draft.body.put_quantity("dose", dose.as_ref());
    }
    let frequency = match dosage.child("timing")? {
        Some(timing) => frequency(timing)?,
        None => None,
    };
    said.extend(frequency.clone());
    draft.body.put_some("frequency", frequency);
    let route = Concept::of(dosage, "route")?.map(|route| route.display);
    said.extend(route.clone());
    draft.body.put_some("route", route);
    draft.body.put_some("as_needed", dosage.flag("asNeededBoolean")?);
    let mut instructions: Vec<String> = dosage.text("text")?.map(str::to_owned).into_iter().collect();
    let additional = Concept::all_of(dosage, "additionalInstruction")?;
    instructions.extend(additional.into_iter().map(|instruction| instruction.display));
    if !instructions.is_empty() {
        draft.body.put("dosage", instructions.join("; "));
    }
    // The prescriber's own words say it better than the parts.
    draft.say(dosage.text("text")?.map_or_else(|| said.join(" "), str::to_owned));
    Ok(())
}

/// `2/1 d`: how often in which time.
fn frequency(timing: &Element) -> Result<Option<String>, Fault> {
    let code = Concept::of(timing, "code")?.map(|code| code.display);
    let Some(repeat) = timing.child("repeat")? else {
        return Ok(code);
    };
    let (often, period) = (repeat.number("frequency")?, repeat.number("period")?);
    let unit = repeat.text("periodUnit")?;
    Ok(match (often, period, unit) {
        (Some(often), Some(period), Some(unit)) => Some(format!(
            "{}×/{} {unit}",
            shown_number(often),
            shown_number(period)
        )),
        _ => code,
    })
}

/// Maps a CarePlan.
pub(crate) fn care_plan<'a>(resource: &'a Element, context: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let occurred = match period_start(resource, "period")? {
        Some(at) => Some(at),
        None => moment_of(resource, "created")?,
    };
    let mut draft = Draft::new("care_plan", occurred);
    // US Core marks every plan with `assess-plan`, which names none of them.
    let mut categories = Concept::all_of(resource, "category")?;
    if categories.len() > 1 {
        categories.retain(|category| category.code.as_deref() != Some("assess-plan"));
    }
    let title = resource.text("title")?.or(resource.text("description")?);
    let code = categories.first();
    let named = title.map(str::to_owned).or(code.map(|code| code.display.clone()));
    let mut line = named.ok_or_else(|| Fault::missing("category"))?;
    let (mut activities, mut shown) = (Vec::new(), Vec::new());
    for activity in resource.children("activity")? {
        let Some(detail) = activity.child("detail")? else {
            continue;
        };
        let what = Concept::of(detail, "code")?;
        shown.extend(
            what.as_ref()
                .map(|what| what.display.clone())
                .or(detail.text("description")?.map(str::to_owned)),
        );
        let mut body = Body::default();
        body.put_concept("code", what.as_ref());
        body.put_some("status", detail.text("status")?);
        body.put_some("note", detail.text("description")?);
        if let Some(place) = Reference::of(detail, "location")? {
            body.put_some("location", place.display);
        }
        activities.push(body.into_value());
    }
    if !shown.is_empty() {
        line = format!("{line}: {}", shown.join(", "));
    }
    draft.say(line);
    draft.body.put_some("title", title);
    draft.body.put_concept("code", code);
    draft.status("status", resource.text("status")?);
    draft.body.put_some("intent", resource.text("intent")?);
    draft.body.put_period("period", resource, "period")?;
    draft.body.put_list("activities", activities);
    draft
        .body
        .put_list("addresses", shown_references(resource, "addresses")?);
    draft.body.put_list(
        "addresses_entries",
        links(resource, "addresses", "Condition", context)?,
    );
    draft
        .body
        .put_list("goals", links(resource, "goal", "Goal", context)?);
    draft.narrative = notes(resource)?;
    draft.performer = match Reference::of(resource, "author")? {
        Some(author) => Some(author),
        None => Reference::all_of(resource, "contributor")?.into_iter().next(),
    };
    Ok(draft)
}

/// Maps a Goal.
pub(crate) fn goal<'a>(resource: &'a Element, context: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let mut draft = Draft::new("goal", moment_of(resource, "startDate")?);
    let code = Concept::of(resource, "description")?.ok_or_else(|| Fault::missing("description"))?;
    let achievement = Concept::of(resource, "achievementStatus")?.map(|status| status.display);
    draft.say(code.display.clone());
    draft.say_some(achievement.clone());
    draft.body.put_concept("code", Some(&code));
    draft.status("status", resource.text("lifecycleStatus")?);
    draft.body.put_some("achievement", achievement);
    draft.body.put_some("priority", code_of(resource, "priority")?);
    draft
        .body
        .put_list("addresses", shown_references(resource, "addresses")?);
    draft.body.put_list(
        "addresses_entries",
        links(resource, "addresses", "Condition", context)?,
    );
    let mut targets = Vec::new();
    for target in resource.children("target")? {
        let mut body = Body::default();
        body.put_concept("measure", Concept::of(target, "measure")?.as_ref());
        if let Some(quantity) = Quantity::of(target, "detailQuantity")? {
            draft.say(quantity.shown());
            body.put_measured(&quantity);
        }
        if let Some(range) = target.child("detailRange")? {
            for end in ["low", "high"] {
                body.put_some(
                    end,
                    Quantity::of(range, end)?.map(|bound| Value::Number(bound.value)),
                );
            }
        }
        moment_of(target, "dueDate")?;
        body.put_some("due", target.text("dueDate")?);
        targets.push(body.into_value());
    }
    draft.body.put_list("targets", targets);
    draft.body.put_some("start", resource.text("startDate")?);
    draft.narrative = notes(resource)?;
    draft.performer = Reference::of(resource, "expressedBy")?;
    Ok(draft)
}

/// What references show, for a reader; those that show nothing are links alone.
fn shown_references(resource: &Element, field: &str) -> Result<Vec<Value>, Fault> {
    let references = Reference::all_of(resource, field)?;
    let shown = references.iter().filter_map(|reference| reference.display);
    Ok(shown
        .map(|display| serde_json::json!({ "display": display }))
        .collect())
}
