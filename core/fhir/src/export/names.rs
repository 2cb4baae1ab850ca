//! Which resource a patient or entry becomes, and the ids an import gives them. What derives from a source keeps its
//! resource's name and its id; what was written here gets an id that derives from the resource it is exported as.

use super::ExportedRecord;
use crate::carried::CarriedChart;
use crate::identity::Origins;
use serde_json::Value;
use std::collections::HashMap;
use uuid::Uuid;
use vereda_core::id::{ChartItemId, EntryId, PatientId, UserId};
use vereda_core::record::{ChartKind, canonical_text};
use vereda_core::redact::Sensitive;
use vereda_core::store::chart::ChartRow;
use vereda_core::store::entries::EntryRow;

/// The names of the people who signed.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Signatures(pub HashMap<UserId, Sensitive<String>>);

/// The names of what is exported together.
pub(super) struct Names<'a> {
    patients: HashMap<PatientId, String>,
    entries: HashMap<EntryId, String>,
    /// What was written here, by its id, under the id it is going to have.
    renamed: HashMap<Uuid, Uuid>,
    signatures: &'a Signatures,
}

/// Imports derive their ids so unless a source is named.
fn origins() -> Origins {
    Origins::unique()
}

impl<'a> Names<'a> {
    pub(super) fn of(records: &[ExportedRecord], signatures: &'a Signatures) -> Self {
        let mut names = Self {
            patients: HashMap::new(),
            entries: HashMap::new(),
            renamed: HashMap::new(),
            signatures,
        };
        for record in records {
            let id = record.patient.id;
            let origin = record
                .patient
                .record
                .origin
                .as_ref()
                .map(|origin| origin.resource.as_str());
            let kept = origin
                .filter(|name| origins().patient(name) == id)
                .map(str::to_owned);
            let name = kept.unwrap_or_else(|| format!("Patient/{id}"));
            if id.0.get_version_num() != 5 {
                names.renamed.insert(id.0, origins().patient(&name).0);
            }
            names.patients.insert(id, name);
            for entry in &record.entries {
                let name = entry_name(entry);
                if entry.id.0.get_version_num() != 5 {
                    names.renamed.insert(entry.id.0, origins().entry(&name).0);
                }
                names.entries.insert(entry.id, name);
            }
            for item in record
                .chart
                .iter()
                .filter(|item| item.id.0.get_version_num() != 5)
            {
                let name = super::chart::item_name(item);
                names.renamed.insert(item.id.0, origins().chart_item(&name).0);
            }
        }
        names
    }

    pub(super) fn patient(&self, id: &PatientId) -> &str {
        self.patients.get(id).map_or("", String::as_str)
    }

    pub(super) fn entry(&self, entry: &EntryRow) -> &str {
        self.entries.get(&entry.id).map_or("", String::as_str)
    }

    /// The resource of an entry's id as it stands in a body.
    pub(super) fn by_id(&self, id: &str) -> Option<&str> {
        let id = Uuid::parse_str(id).ok()?;
        self.entries.get(&EntryId(id)).map(String::as_str)
    }

    pub(super) fn patient_id(&self, id: PatientId) -> PatientId {
        let derived = || origins().patient(&format!("Patient/{id}")).0;
        PatientId(self.id(id.0, derived))
    }

    pub(super) fn entry_id(&self, id: EntryId) -> EntryId {
        let derived = || origins().entry(&format!("Basic/{id}")).0;
        EntryId(self.id(id.0, derived))
    }

    /// The id an import gives: its own where it derives from a source; of what is not exported along, one nobody has.
    fn id(&self, id: Uuid, derived: impl FnOnce() -> Uuid) -> Uuid {
        if id.get_version_num() == 5 {
            return id;
        }
        self.renamed.get(&id).copied().unwrap_or_else(derived)
    }

    /// A body in which what was written here has the ids it is going to have.
    pub(super) fn renamed(&self, body: &str) -> String {
        let Ok(mut value) = serde_json::from_str::<Value>(body) else {
            return body.to_owned();
        };
        if self.rename(&mut value) {
            canonical_text(&value)
        } else {
            body.to_owned()
        }
    }

    fn rename(&self, value: &mut Value) -> bool {
        match value {
            Value::String(text) if text.len() == 36 => {
                let new = Uuid::parse_str(text).ok().and_then(|id| self.renamed.get(&id));
                if let Some(new) = new {
                    *text = new.to_string();
                }
                new.is_some()
            }
            Value::Array(values) => values
                .iter_mut()
                .fold(false, |any, value| self.rename(value) | any),
            Value::Object(fields) => fields
                .values_mut()
                .fold(false, |any, value| self.rename(value) | any),
            _ => false,
        }
    }

    pub(super) fn carried_chart(&self, item: &ChartRow) -> CarriedChart {
        CarriedChart {
            patient: self.patient_id(item.patient),
            item: ChartItemId(self.renamed.get(&item.id.0).copied().unwrap_or(item.id.0)),
            kind: ChartKind(item.kind.clone()),
            fields: item.fields.clone(),
        }
    }

    pub(super) fn signature(&self, user: UserId) -> Option<Sensitive<String>> {
        self.signatures.0.get(&user).cloned()
    }
}

/// The resource it came as, where its id derives from that; else one of its kind, under its own id.
fn entry_name(entry: &EntryRow) -> String {
    if let Some(origin) = &entry.origin
        && origins().entry(origin) == entry.id
    {
        return origin.clone();
    }
    let came_as = entry.origin.as_deref().and_then(|origin| origin.split_once('/'));
    let kind = match (came_as, entry.kind.as_str()) {
        (Some((kind, _)), _) if crate::map::target_of(kind) == crate::map::Target::Entry => kind,
        (_, "encounter") => "Encounter",
        (_, "vitals" | "lab" | "observation") => "Observation",
        (_, "procedure") => "Procedure",
        (_, "immunization") => "Immunization",
        (_, "imaging") => "DiagnosticReport",
        (_, "medication") => "MedicationRequest",
        (_, "care_plan") => "CarePlan",
        (_, "goal") => "Goal",
        (_, "problem") => "Condition",
        (_, "allergy") => "AllergyIntolerance",
        (_, "task") => "Task",
        (_, "referral") => "ServiceRequest",
        _ => "DocumentReference",
    };
    format!("{kind}/{}", entry.id)
}
