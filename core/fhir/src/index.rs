//! The first pass over an import: what resources say of one another across files. It holds names of
//! professionals, times of encounters and plans, and where each resource stands last; never content.

use crate::carried::CarriedPatient;
use crate::datatype::{Concept, Reference, full_name, period_start};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use crate::identity::Origins;
use crate::plan::Position;
use std::collections::{HashMap, HashSet};
use vereda_core::id::{EntryId, PatientId};
use vereda_core::time::Zoned;

/// What resources say of one another.
#[derive(Default, Debug)]
pub(crate) struct Index {
    names: HashMap<String, String>,
    patients: HashMap<String, PatientId>,
    roles: HashMap<String, String>,
    times: HashMap<EntryId, Zoned>,
    namings: HashMap<EntryId, Zoned>,
    last: HashMap<EntryId, Position>,
    with_patients: HashSet<u32>,
}

impl Index {
    /// The name of a Practitioner, a PractitionerRole, an Organization or a Medication.
    pub(crate) fn name(&self, resource: &str) -> Option<&str> {
        let person = self
            .roles
            .get(resource)
            .and_then(|practitioner| self.names.get(practitioner));
        person.or_else(|| self.names.get(resource)).map(String::as_str)
    }

    /// The patient a Patient carries.
    pub(crate) fn patient(&self, resource: &str) -> Option<PatientId> {
        self.patients.get(resource).copied()
    }

    /// When an encounter or plan was.
    pub(crate) fn time_of(&self, resource: EntryId) -> Option<Zoned> {
        self.times.get(&resource).copied()
    }

    /// When a plan or encounter was that names the resource.
    pub(crate) fn time_of_naming(&self, resource: EntryId) -> Option<Zoned> {
        self.namings.get(&resource).copied()
    }

    /// Whether the resource comes again after this position.
    pub(crate) fn comes_again(&self, resource: EntryId, position: Position) -> bool {
        self.last.get(&resource).is_some_and(|last| *last > position)
    }

    /// Whether a file holds Patients: it goes before those that only name them.
    pub(crate) fn has_patients(&self, file: u32) -> bool {
        self.with_patients.contains(&file)
    }

    /// Notes where a resource stands.
    pub(crate) fn note_position(&mut self, kind: &str, resource: EntryId, position: Position) {
        if kind == "Patient" {
            self.with_patients.insert(position.file);
        }
        let last = self.last.entry(resource).or_insert(position);
        *last = (*last).max(position);
    }

    /// Whether [`Self::note_content`] has a use for the type.
    pub(crate) fn reads(kind: &str) -> bool {
        matches!(
            kind,
            "Patient"
                | "Practitioner"
                | "PractitionerRole"
                | "Organization"
                | "Medication"
                | "Encounter"
                | "CarePlan"
        )
    }

    /// Notes the names and times a resource gives to others. A broken one gives none; it is listed when mapped.
    pub(crate) fn note_content(
        &mut self,
        kind: &str,
        name: &str,
        resource: &Element,
        addresses: &HashMap<String, String>,
        origins: &Origins,
    ) {
        let _ = self.read(kind, name, resource, addresses, origins);
    }

    fn read(
        &mut self,
        kind: &str,
        name: &str,
        resource: &Element,
        addresses: &HashMap<String, String>,
        origins: &Origins,
    ) -> Result<(), Fault> {
        match kind {
            "Patient" => {
                let carried = CarriedPatient::of(resource)?;
                self.patients
                    .extend(carried.map(|carried| (name.to_owned(), carried.id)));
            }
            "Practitioner" => {
                self.names
                    .extend(full_name(resource)?.map(|shown| (name.to_owned(), shown)));
            }
            "Organization" => {
                self.names.extend(
                    resource
                        .text("name")?
                        .map(|shown| (name.to_owned(), shown.to_owned())),
                );
            }
            "Medication" => {
                let code = Concept::of(resource, "code")?;
                self.names
                    .extend(code.map(|code| (name.to_owned(), code.display)));
            }
            "PractitionerRole" => {
                if let Some(practitioner) = Reference::of(resource, "practitioner")? {
                    let shown = practitioner
                        .display
                        .map(|shown| (name.to_owned(), shown.to_owned()));
                    self.names.extend(shown);
                    let who = practitioner.resource(addresses, "Practitioner");
                    self.roles.extend(who.map(|who| (name.to_owned(), who)));
                }
            }
            _ => {
                let Some(at) = period_start(resource, "period")? else {
                    return Ok(());
                };
                self.times.insert(origins.entry(name), at);
                for (reference, expected) in named_by(kind, resource)? {
                    if let Some(named) = reference.resource(addresses, expected) {
                        self.name_at(origins.entry(&named), at);
                    }
                }
            }
        }
        Ok(())
    }

    /// Of several plans that name a resource, the earliest says when it came up.
    fn name_at(&mut self, resource: EntryId, at: Zoned) {
        let held = self.namings.entry(resource).or_insert(at);
        *held = (*held).min(at);
    }
}

/// The resources a plan or encounter names.
fn named_by<'a>(kind: &str, resource: &'a Element) -> Result<Vec<(Reference<'a>, &'static str)>, Fault> {
    let mut named = Vec::new();
    if kind == "CarePlan" {
        named.extend(
            Reference::all_of(resource, "goal")?
                .into_iter()
                .map(|goal| (goal, "Goal")),
        );
        for activity in resource.children("activity")? {
            named.extend(Reference::of(activity, "reference")?.map(|to| (to, "Procedure")));
            let outcomes = Reference::all_of(activity, "outcomeReference")?;
            named.extend(outcomes.into_iter().map(|outcome| (outcome, "Observation")));
        }
        named.extend(
            Reference::all_of(resource, "addresses")?
                .into_iter()
                .map(|to| (to, "Condition")),
        );
    } else {
        for diagnosis in resource.children("diagnosis")? {
            named.extend(Reference::of(diagnosis, "condition")?.map(|to| (to, "Condition")));
        }
        let reasons = Reference::all_of(resource, "reasonReference")?;
        named.extend(reasons.into_iter().map(|to| (to, "Condition")));
    }
    Ok(named)
}
