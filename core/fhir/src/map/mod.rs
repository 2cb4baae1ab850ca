//! From one resource to one entry, record or row. Pure: what it needs of other resources is in [`Context`].

mod body;
mod draft;
mod encounter;
mod finish;
mod observation;
mod patient;
mod plan_of_care;
mod problem;
mod procedure;
mod reference_row;
mod report;
pub(crate) mod vitals;

pub(crate) use draft::Draft;
pub(crate) use finish::{Context, Mapped, mapped, mapped_patient, native};
pub(crate) use reference_row::reference_row;

use crate::datatype::{Concept, Reference};
use crate::element::Element;
use crate::fault::Fault;

/// What becomes of a resource type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Record,
    Entry,
    ReferenceRow,
    /// Only what an export put there.
    Carried,
    Skipped,
}

/// What becomes of a resource type.
pub(crate) fn target_of(kind: &str) -> Target {
    match kind {
        "Patient" => Target::Record,
        "Practitioner" | "Organization" => Target::ReferenceRow,
        "Encounter" | "Observation" | "Procedure" | "Immunization" | "DiagnosticReport" | "ImagingStudy"
        | "DocumentReference" | "MedicationRequest" | "CarePlan" | "Goal" | "Condition"
        | "AllergyIntolerance" => Target::Entry,
        "Task" | "ServiceRequest" | "MedicationStatement" | "Flag" => Target::Carried,
        _ => Target::Skipped,
    }
}

fn draft_of<'a>(kind: &str, resource: &'a Element, context: &Context<'_>) -> Result<Draft<'a>, Fault> {
    match kind {
        "Encounter" => encounter::encounter(resource, context),
        "Observation" => observation::observation(resource, context),
        "Procedure" => procedure::procedure(resource, context),
        "Immunization" => procedure::immunization(resource, context),
        "DiagnosticReport" => report::report(resource, context),
        "ImagingStudy" => report::imaging_study(resource, context),
        "DocumentReference" => report::document(resource, context),
        "MedicationRequest" => plan_of_care::medication(resource, context),
        "CarePlan" => plan_of_care::care_plan(resource, context),
        "Goal" => plan_of_care::goal(resource, context),
        "Condition" => problem::condition(resource, context),
        "AllergyIntolerance" => problem::allergy(resource, context),
        _ => Err(Fault::wrong("resourceType", "a type that becomes an entry")),
    }
}

/// `reasonCode` and `reasonReference`: why it was done.
fn reason(resource: &Element, context: &Context<'_>, draft: &mut Draft<'_>) -> Result<(), Fault> {
    let mut reasons = Concept::all_of(resource, "reasonCode")?;
    for reference in Reference::all_of(resource, "reasonReference")? {
        let display = reference.display.map(str::to_owned);
        reasons.extend(display.map(|display| Concept {
            system: None,
            code: None,
            display,
        }));
    }
    draft.say_some(body::displays(&reasons));
    draft.body.put_concept("reason", reasons.first());
    let links = report::links(resource, "reasonReference", "Condition", context)?;
    draft.body.put_list("reason_entries", links);
    Ok(())
}
