//! Observation → an entry of kind `vitals`, `lab` or `observation`.

use super::body::{Body, displays};
use super::vitals::vital;
use super::{Context, Draft};
use crate::datatype::{Concept, Quantity, Reference, moment_of, period_start};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use serde_json::Value;

/// Maps an Observation.
pub(crate) fn observation<'a>(resource: &'a Element, _: &Context<'_>) -> Result<Draft<'a>, Fault> {
    let categories = Concept::all_of(resource, "category")?;
    let is = |names: &[&str]| {
        categories
            .iter()
            .any(|category| category.code.as_deref().is_some_and(|code| names.contains(&code)))
    };
    let code = Concept::of(resource, "code")?.ok_or_else(|| Fault::missing("code"))?;
    let kind = match () {
        () if is(&["vital-signs", "vital-sign"]) => "vitals",
        () if is(&["laboratory"]) => "lab",
        () => "observation",
    };
    let mut draft = Draft::new(kind, occurred(resource)?);
    let mut shown = findings(resource, &code, &mut draft.body)?;
    let mut components = Vec::new();
    for component in resource.children("component")? {
        let code = Concept::of(component, "code")?.ok_or_else(|| Fault::missing("component.code"))?;
        let mut body = Body::default();
        shown.push(findings(component, &code, &mut body)?.join(" "));
        components.push((code, Quantity::of(component, "valueQuantity")?, body));
    }
    if kind == "vitals" {
        let mut measured: Vec<(&Concept, Option<Quantity>)> =
            vec![(&code, Quantity::of(resource, "valueQuantity")?)];
        measured.extend(
            components
                .iter()
                .map(|(code, quantity, _)| (code, quantity.clone())),
        );
        for (code, quantity) in measured {
            if let Some((name, number)) = quantity.as_ref().and_then(|quantity| vital(code, quantity)) {
                draft.body.put(name, number);
            }
        }
    }
    // The panel's name says nothing its values do not.
    if components.is_empty() || shown.len() == 1 {
        draft.say(shown.join(" "));
    } else {
        draft.say(format!("{}: {}", code.display, shown.split_off(1).join(", ")));
    }
    let components = components
        .into_iter()
        .map(|(_, _, body)| body.into_value())
        .collect();
    draft.body.put_list("components", components);
    draft.status("status", resource.text("status")?);
    draft.body.put_some("category", displays(&categories));
    draft.body.put_some(
        "method",
        Concept::of(resource, "method")?.map(|method| method.display),
    );
    draft.body.put_some(
        "body_site",
        Concept::of(resource, "bodySite")?.map(|site| site.display),
    );
    draft.narrative = notes(resource)?;
    draft.performer = Reference::all_of(resource, "performer")?.into_iter().next();
    Ok(draft)
}

fn occurred(resource: &Element) -> Result<Option<vereda_core::time::Zoned>, Fault> {
    if let Some(at) = moment_of(resource, "effectiveDateTime")? {
        return Ok(Some(at));
    }
    if let Some(at) = moment_of(resource, "effectiveInstant")? {
        return Ok(Some(at));
    }
    if let Some(at) = period_start(resource, "effectivePeriod")? {
        return Ok(Some(at));
    }
    let Some(timing) = resource.child("effectiveTiming")? else {
        return Ok(None);
    };
    let events = timing.texts("event")?;
    let first = events.first().map(|event| crate::datatype::moment(event));
    first
        .map(|at| at.ok_or_else(|| Fault::wrong("effectiveTiming", "a date")))
        .transpose()
}

/// Annotations (`note`), which a clinician wrote and a reader needs.
pub(crate) fn notes(resource: &Element) -> Result<Option<String>, Fault> {
    let mut notes = Vec::new();
    for note in resource.children("note")? {
        notes.extend(note.text("text")?);
    }
    Ok((!notes.is_empty()).then(|| notes.join("\n\n")))
}

/// Puts code, value and what belongs to them into a body; gives the line `display value unit` in its parts.
fn findings(element: &Element, code: &Concept, body: &mut Body) -> Result<Vec<String>, Fault> {
    let mut line = vec![code.display.clone()];
    body.put_concept("code", Some(code));
    if let Some(quantity) = Quantity::of(element, "valueQuantity")? {
        line.push(quantity.shown());
        body.put_measured(&quantity);
    } else if let Some(concept) = Concept::of(element, "valueCodeableConcept")? {
        line.push(concept.display.clone());
        body.put_concept("value", Some(&concept));
    } else if let Some((shown, value)) = plain_value(element)? {
        line.push(shown);
        body.put("value", value);
    } else if let Some(reason) = Concept::of(element, "dataAbsentReason")? {
        line.push(reason.display.clone());
        body.put("absent_reason", reason.display);
    }
    if let Some(interpretation) = displays(&Concept::all_of(element, "interpretation")?) {
        line.push(format!("({interpretation})"));
        body.put("interpretation", interpretation);
    }
    if let Some(range) = element.children("referenceRange")?.first() {
        body.put_some("reference_range", reference_range(range)?);
    }
    Ok(vec![line.join(" ")])
}

fn plain_value(element: &Element) -> Result<Option<(String, Value)>, Fault> {
    for field in ["valueString", "valueDateTime", "valueTime"] {
        if let Some(text) = element.text(field)? {
            return Ok(Some((text.to_owned(), text.into())));
        }
    }
    if let Some(number) = element.number("valueInteger")? {
        return Ok(Some((number.to_string(), number.clone().into())));
    }
    if let Some(flag) = element.flag("valueBoolean")? {
        return Ok(Some((if flag { "+" } else { "-" }.to_owned(), flag.into())));
    }
    for (field, ends, between) in [
        ("valueRange", ["low", "high"], " - "),
        ("valueRatio", ["numerator", "denominator"], " / "),
    ] {
        if let Some(pair) = element.child(field)? {
            let mut parts = Vec::new();
            for end in ends {
                parts.extend(Quantity::of(pair, end)?.map(|quantity| quantity.shown()));
            }
            let text = parts.join(between);
            if !text.is_empty() {
                return Ok(Some((text.clone(), text.into())));
            }
        }
    }
    let Some(period) = element.child("valuePeriod")? else {
        return Ok(None);
    };
    let text = [period.text("start")?, period.text("end")?]
        .map(Option::unwrap_or_default)
        .join(" - ");
    Ok((text.len() > 3).then(|| (text.clone(), text.into())))
}

fn reference_range(range: &Element) -> Result<Option<Value>, Fault> {
    let mut body = Body::default();
    body.put_some(
        "low",
        Quantity::of(range, "low")?.map(|low| Value::Number(low.value)),
    );
    body.put_some(
        "high",
        Quantity::of(range, "high")?.map(|high| Value::Number(high.value)),
    );
    body.put_some("text", range.text("text")?);
    Ok(Some(body.into_value()).filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty())))
}
