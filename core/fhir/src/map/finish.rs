//! Gives a draft its id, its patient, its time, its origin, and its digest.

use super::{Draft, draft_of, patient};
use crate::carried::{CarriedChart, CarriedEntry, CarriedPatient};
use crate::datatype::{Reference, full_name, moment_of};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use crate::identity::Origins;
use crate::index::Index;
use crate::plan::{MappedChart, MappedEntry, Position};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use uuid::Uuid;
use vereda_core::error::Code;
use vereda_core::id::{EntryId, PatientId};
use vereda_core::record::{Compartment, Kind, KindRegistry, NewEntry, Origin, PatientField, PatientRecord};
use vereda_core::redact::Sensitive;
use vereda_core::time::Zoned;

/// What a mapping may know besides the resource itself.
pub(crate) struct Context<'a> {
    /// What entries of each kind look like.
    pub(crate) registry: &'a KindRegistry,
    /// How ids derive.
    pub(crate) origins: &'a Origins,
    /// A bundle's `fullUrl`s and the resources (`Type/id`) they stand for.
    pub(crate) addresses: &'a HashMap<String, String>,
    /// Names and times of other resources of the import.
    pub(crate) index: &'a Index,
}

impl Context<'_> {
    /// The patient of a `Patient/id`: the one it carries, where it is an export's.
    pub(crate) fn patient(&self, name: &str) -> PatientId {
        self.index
            .patient(name)
            .unwrap_or_else(|| self.origins.patient(name))
    }

    /// The entry a reference names.
    pub(crate) fn entry_named(&self, reference: &Reference<'_>, expected: &str) -> Option<EntryId> {
        let resource = reference.resource(self.addresses, expected)?;
        Some(self.origins.entry(&resource))
    }

    /// The name of who or what a reference means; the reference itself where nobody says the name.
    pub(crate) fn name_of(&self, reference: &Reference<'_>, expected: &str) -> Option<String> {
        let resource = reference.resource(self.addresses, expected);
        let name = resource.as_deref().and_then(|resource| self.index.name(resource));
        name.or(reference.display).map(str::to_owned).or(resource)
    }
}

/// A patient to be.
pub(crate) struct MappedPatient {
    pub(crate) id: PatientId,
    pub(crate) record: PatientRecord,
    /// The patients it is one person with.
    pub(crate) linked: Vec<PatientId>,
    /// Under which id it was written where it was exported.
    pub(crate) native: Option<PatientId>,
    /// What of it is in doubt.
    pub(crate) doubt: Option<Fault>,
}

/// Maps a Patient to its record, with origin and digest.
pub(crate) fn mapped_patient(
    name: &str,
    resource: &Element,
    context: &Context<'_>,
) -> Result<MappedPatient, Fault> {
    let mut linked = Vec::new();
    for link in resource.children("link")? {
        let other = Reference::of(link, "other")?.filter(|_| link.get("type") == Some(&"seealso".into()));
        let other = other.and_then(|other| other.resource(context.addresses, "Patient"));
        linked.extend(other.map(|other| context.patient(&other)));
    }
    let carried = CarriedPatient::of(resource)?;
    let id = carried
        .as_ref()
        .map_or_else(|| context.patient(name), |carried| carried.id);
    let native = carried.as_ref().and_then(|_| native(name)).map(PatientId);
    let (mut record, doubt) = match carried {
        Some(carried) => (carried.record.validated()?, None),
        None => patient::patient(resource)?,
    };
    let doubt = doubt.map(Fault::from);
    if record.origin.is_some() {
        return Ok(MappedPatient {
            id,
            record,
            linked,
            native,
            doubt,
        });
    }
    let fields = PatientField::ALL.map(|field| record.get(field).0);
    record.origin = Some(Origin {
        resource: name.to_owned(),
        performer: None,
        digest: digest(&fields.each_ref().map(|field| field.as_bytes())),
    });
    Ok(MappedPatient {
        id,
        record,
        linked,
        native,
        doubt,
    })
}

/// The id in a resource's name, where it is one that was made on a device and derives from no source.
pub(crate) fn native(name: &str) -> Option<Uuid> {
    let (_, id) = name.split_once('/')?;
    Uuid::parse_str(id).ok().filter(|id| id.get_version_num() == 7)
}

/// What a resource becomes, and whose it is.
pub(crate) enum Mapped {
    Entry(PatientId, Box<MappedEntry>),
    Chart(PatientId, MappedChart),
    /// Nothing: it is of a type that only an export fills.
    Nothing,
}

/// Maps any resource that becomes an entry or a chart item.
pub(crate) fn mapped(
    kind: &str,
    name: &str,
    resource: &Element,
    position: Position,
    context: &Context<'_>,
) -> Result<Mapped, Fault> {
    let chart = CarriedChart::of(resource)?;
    if let Some(carried) = CarriedEntry::of(resource)? {
        let patient = carried.patient;
        let entry = as_carried(name, carried, chart, position)?;
        return Ok(Mapped::Entry(patient, Box::new(entry)));
    }
    if let Some(carried) = chart {
        return Ok(Mapped::Chart(carried.patient, carried.into()));
    }
    if super::target_of(kind) == super::Target::Carried {
        return Ok(Mapped::Nothing);
    }
    let (patient, entry) = mapped_entry(kind, name, resource, position, context)?;
    Ok(Mapped::Entry(patient, Box::new(entry)))
}

impl From<CarriedChart> for MappedChart {
    fn from(carried: CarriedChart) -> Self {
        Self {
            item: carried.item,
            kind: carried.kind,
            fields: carried.fields,
        }
    }
}

/// An entry as it stood where it was exported; of what was written there, its author is who performed it.
fn as_carried(
    name: &str,
    carried: CarriedEntry,
    chart: Option<CarriedChart>,
    position: Position,
) -> Result<MappedEntry, Fault> {
    // A kind not known here is judged by the store that takes it.
    let registry = KindRegistry::standard().keeping_unknown();
    let mut entry = carried.entry.validated(&registry)?;
    if entry.origin.is_none() {
        entry.origin = Some(Origin {
            resource: name.to_owned(),
            performer: carried.author,
            digest: content_digest(&entry, None),
        });
    }
    Ok(MappedEntry {
        position,
        compartment: carried.compartment,
        entry,
        chart: chart.map(MappedChart::from),
        withdrawn: false,
        is_exact: true,
        native: native(name).map(EntryId),
    })
}

fn mapped_entry(
    kind: &str,
    name: &str,
    resource: &Element,
    position: Position,
    context: &Context<'_>,
) -> Result<(PatientId, MappedEntry), Fault> {
    let patient = subject(kind, resource, context)?;
    let draft = draft_of(kind, resource, context)?;
    let encounter = encounter_reference(resource)?.and_then(|to| to.resource(context.addresses, "Encounter"));
    let (occurred_at, time_inferred) = occurred(&draft, name, encounter.as_deref(), resource, context)?;
    let mut entry = NewEntry::new(Kind(draft.kind.to_owned()), occurred_at, draft.text());
    entry.id = Some(context.origins.entry(name));
    entry.marks.time_inferred = time_inferred;
    let chart_item = draft.chart.as_ref().map(|_| context.origins.chart_item(name));
    let mut body = draft.body;
    body.put_some(
        "encounter",
        encounter.map(|encounter| context.origins.entry(&encounter).to_string()),
    );
    body.put_some("chart_item", chart_item.map(|item| item.to_string()));
    entry.body = Some(Sensitive(body.into_json()));
    let mut entry = entry.validated(context.registry)?;
    let performer = draft.performer;
    entry.origin = Some(Origin {
        resource: name.to_owned(),
        performer: performer_name(performer, resource, context)?.map(Sensitive),
        digest: content_digest(&entry, performer),
    });
    let chart = draft.chart.zip(chart_item);
    let chart = chart.map(|((kind, fields), item)| MappedChart { item, kind, fields });
    Ok((
        patient,
        MappedEntry {
            position,
            compartment: Compartment::Clinical,
            entry,
            chart,
            withdrawn: draft.withdrawn,
            is_exact: false,
            native: None,
        },
    ))
}

fn content_digest(entry: &NewEntry, performer: Option<Reference<'_>>) -> String {
    // The performer as the resource gives it: the name it resolves to depends on what else is imported with it.
    let performer = performer.and_then(|performer| performer.to.or(performer.display));
    digest(&[
        entry.kind.as_str().as_bytes(),
        entry.occurred_at.to_string().as_bytes(),
        entry.text.as_bytes(),
        entry
            .body
            .as_deref()
            .map(|body| body.as_bytes())
            .unwrap_or_default(),
        performer.unwrap_or_default().as_bytes(),
    ])
}

fn subject(kind: &str, resource: &Element, context: &Context<'_>) -> Result<PatientId, Fault> {
    let field = if matches!(kind, "Immunization" | "AllergyIntolerance") {
        "patient"
    } else {
        "subject"
    };
    let reference = Reference::of(resource, field)?.ok_or_else(|| Fault::missing(field))?;
    let named = reference.resource(context.addresses, "Patient");
    let named = named.filter(|named| named.starts_with("Patient/"));
    let named = named.ok_or_else(|| {
        Fault::new(
            Code::FhirReference,
            format!("`{field}` does not point to a patient"),
        )
    })?;
    Ok(context.patient(&named))
}

fn encounter_reference(resource: &Element) -> Result<Option<Reference<'_>>, Fault> {
    if let Some(encounter) = Reference::of(resource, "encounter")? {
        return Ok(Some(encounter));
    }
    match resource.get("context").and_then(|context| context.as_object()) {
        // DocumentReference: a list.
        Some(context) if context.get("encounter").is_some_and(|value| value.is_array()) => {
            Ok(Reference::all_of(context, "encounter")?.into_iter().next())
        }
        _ => Ok(None),
    }
}

/// The resource's own clinical time; else that of a plan or encounter that names it, or that it names; else when
/// its source dealt with it. All but the first are inferred.
fn occurred(
    draft: &Draft<'_>,
    name: &str,
    encounter: Option<&str>,
    resource: &Element,
    context: &Context<'_>,
) -> Result<(Zoned, bool), Fault> {
    if let Some(own) = draft.occurred {
        return Ok((own, false));
    }
    let named = context.index.time_of_naming(context.origins.entry(name));
    let held = encounter.and_then(|encounter| context.index.time_of(context.origins.entry(encounter)));
    if let Some(at) = named.or(held) {
        return Ok((at, true));
    }
    for field in ["issued", "date", "statusDate", "recorded"] {
        if let Some(at) = moment_of(resource, field)? {
            return Ok((at, true));
        }
    }
    Err(Fault::new(
        Code::NotADate,
        "it has no clinical time, and no care plan or encounter that has one names it",
    ))
}

fn performer_name(
    performer: Option<Reference<'_>>,
    resource: &Element,
    context: &Context<'_>,
) -> Result<Option<String>, Fault> {
    let Some(performer) = performer else {
        return Ok(None);
    };
    if let Some(id) = performer.to.and_then(|to| to.strip_prefix('#')) {
        for contained in resource.children("contained")? {
            if contained.text("id")? == Some(id) {
                let name = match contained.get("name") {
                    Some(serde_json::Value::String(name)) => Some(name.clone()),
                    _ => full_name(contained)?,
                };
                return Ok(name.or(performer.display.map(str::to_owned)));
            }
        }
    }
    Ok(context.name_of(&performer, "Practitioner"))
}

/// SHA-256 of the parts, each behind its length, cut to sixteen bytes, in hexadecimal.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..16])
}
