//! Ids derive from the resource, so that a second import, on whatever device, names the same things.

use uuid::Uuid;
use vereda_core::id::{ChartItemId, EntryId, NAMESPACE, PatientId};

/// Names resources of one origin. Two servers may both have a `Patient/1`: where resources of several servers
/// meet in one tenant, each server gets a name; the empty one is for ids that are unique by themselves (UUIDs).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origins {
    name: String,
}

impl Origins {
    /// Resources whose ids are unique in the world, or the tenant's only source.
    pub fn unique() -> Self {
        Self::default()
    }

    /// Resources of a server, hospital or program that numbers its own.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    fn derive(&self, purpose: &str, resource: &str) -> Uuid {
        let name = format!("{purpose}/{}/{resource}", self.name);
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    }

    /// The entry a resource (`Type/id`) becomes.
    pub fn entry(&self, resource: &str) -> EntryId {
        EntryId(self.derive("fhir", resource))
    }

    /// The chart item a resource (`Condition/id`, `AllergyIntolerance/id`) becomes.
    pub fn chart_item(&self, resource: &str) -> ChartItemId {
        ChartItemId(self.derive("fhir-chart", resource))
    }

    /// The patient of a `Patient/id`.
    pub fn patient(&self, resource: &str) -> PatientId {
        PatientId(self.derive("fhir", resource))
    }

    /// The row of a `Practitioner/id` or `Organization/id`.
    pub fn reference(&self, resource: &str) -> Uuid {
        self.derive("fhir", resource)
    }
}

/// The entry that brings a resource's new content over what is there: its id derives from what it amends and the
/// digest, so that two devices importing the same correction write the same entry.
pub(crate) fn amendment(amended: EntryId, digest: &str) -> EntryId {
    EntryId(Uuid::new_v5(
        &NAMESPACE,
        format!("fhir-amendment/{amended}/{digest}").as_bytes(),
    ))
}
