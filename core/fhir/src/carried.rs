//! What FHIR has no field for, beside a resource that Vereda exported: an import into an empty store then gives the
//! same timeline and chart. Other programs read the resource and may pass this over.

use crate::element::{Element, Fields};
use crate::fault::Fault;
use serde_json::{Map, Value, json};
use uuid::Uuid;
use vereda_core::error::Code;
use vereda_core::id::{ChartItemId, EntryId, PatientId};
use vereda_core::record::{
    ChartFields, ChartKind, Compartment, Kind, Marks, NewEntry, Origin, PatientRecord, Relation,
};
use vereda_core::redact::Sensitive;
use vereda_core::time::Zoned;

const ENTRY: &str = "urn:vereda:fhir:entry";
const CHART: &str = "urn:vereda:fhir:chart-item";
const PATIENT: &str = "urn:vereda:fhir:patient";

/// An entry as it stands in a timeline.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct CarriedEntry {
    pub(crate) patient: PatientId,
    pub(crate) compartment: Compartment,
    pub(crate) entry: NewEntry,
    /// Of an entry that was written here: when it was recorded and who signed it. An import keeps the name as the
    /// performer's; who imports signs.
    pub(crate) recorded_at: Zoned,
    pub(crate) author: Option<Sensitive<String>>,
}

/// A chart item as it stands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct CarriedChart {
    pub(crate) patient: PatientId,
    pub(crate) item: ChartItemId,
    pub(crate) kind: ChartKind,
    pub(crate) fields: ChartFields,
}

/// A patient's record as it stands.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct CarriedPatient {
    pub(crate) id: PatientId,
    pub(crate) record: PatientRecord,
}

fn part(url: &str, value: (&str, Value)) -> Value {
    json!({ "url": url, value.0: value.1 })
}

fn text(value: &str) -> (&'static str, Value) {
    ("valueString", Value::from(value))
}

fn id(value: Uuid) -> (&'static str, Value) {
    ("valueUuid", Value::from(format!("urn:uuid:{value}")))
}

fn extension(url: &str, parts: Vec<Value>) -> Value {
    json!({ "url": url, "extension": parts })
}

impl CarriedEntry {
    pub(crate) fn to_extension(&self) -> Value {
        let entry = &self.entry;
        let mut parts = Vec::new();
        parts.extend(entry.id.map(|entry| part("id", id(entry.0))));
        parts.push(part("patient", id(self.patient.0)));
        parts.push(part("compartment", ("valueCode", self.compartment.name().into())));
        parts.push(part("kind", ("valueCode", entry.kind.as_str().into())));
        parts.push(part("occurred_at", text(&entry.occurred_at.to_string())));
        parts.push(part("recorded_at", text(&self.recorded_at.to_string())));
        parts.push(part("text", text(&entry.text)));
        parts.extend(entry.body.as_ref().map(|body| part("body", text(body))));
        let relation = entry.relation.map(|relation| match relation {
            Relation::Amends(other) => ("amends", other, None),
            Relation::Retracts(other) => ("retracts", other, None),
            Relation::MovedFrom { patient, entry } => ("moved_from", entry, Some(patient)),
        });
        if let Some((name, other, patient)) = relation {
            parts.push(part(name, id(other.0)));
            parts.extend(patient.map(|patient| part("moved_from_patient", id(patient.0))));
        }
        if let Some(origin) = &entry.origin {
            parts.push(part("resource", text(&origin.resource)));
            parts.push(part("digest", text(&origin.digest)));
            parts.extend(
                origin
                    .performer
                    .as_ref()
                    .map(|name| part("performer", text(name))),
            );
        }
        parts.extend(self.author.as_ref().map(|name| part("author", text(name))));
        for (name, holds) in [
            ("time_inferred", entry.marks.time_inferred),
            ("time_uncertain", entry.marks.time_uncertain),
        ] {
            if holds {
                parts.push(part(name, ("valueBoolean", true.into())));
            }
        }
        extension(ENTRY, parts)
    }

    /// The entry a resource carries.
    pub(crate) fn of(resource: &Element) -> Result<Option<Self>, Fault> {
        let Some(parts) = Parts::of(resource, ENTRY)? else {
            return Ok(None);
        };
        let relation = match (
            parts.id("amends")?,
            parts.id("retracts")?,
            parts.id("moved_from")?,
        ) {
            (Some(other), ..) => Some(Relation::Amends(EntryId(other))),
            (_, Some(other), _) => Some(Relation::Retracts(EntryId(other))),
            (_, _, Some(entry)) => Some(Relation::MovedFrom {
                patient: PatientId(parts.needed_id("moved_from_patient")?),
                entry: EntryId(entry),
            }),
            _ => None,
        };
        let entry = NewEntry {
            id: Some(EntryId(parts.derived_id("id")?)),
            kind: Kind(parts.needed("kind")?.to_owned()),
            occurred_at: parts.time("occurred_at")?,
            text: Sensitive(parts.needed("text")?.to_owned()),
            body: parts.text("body").map(|body| Sensitive(body.to_owned())),
            relation,
            origin: parts.text("resource").map(|resource| Origin {
                resource: resource.to_owned(),
                performer: parts.text("performer").map(|name| Sensitive(name.to_owned())),
                digest: parts.text("digest").unwrap_or_default().to_owned(),
            }),
            marks: Marks {
                time_inferred: parts.holds("time_inferred"),
                time_uncertain: parts.holds("time_uncertain"),
            },
        };
        let compartment = parts.needed("compartment")?.parse();
        let compartment = compartment.map_err(|()| Fault::wrong("compartment", "one that is known"))?;
        if !matches!(compartment, Compartment::Clinical | Compartment::Sensitive) {
            return Err(Fault::wrong("compartment", "clinical or sensitive"));
        }
        Ok(Some(Self {
            patient: PatientId(parts.derived_id("patient")?),
            compartment,
            entry,
            recorded_at: parts.time("recorded_at")?,
            author: parts.text("author").map(|name| Sensitive(name.to_owned())),
        }))
    }
}

impl CarriedChart {
    pub(crate) fn to_extension(&self) -> Value {
        let mut parts = vec![
            part("id", id(self.item.0)),
            part("patient", id(self.patient.0)),
            part("kind", ("valueCode", self.kind.0.clone().into())),
        ];
        for (field, value) in &self.fields {
            parts.push(extension(
                "field",
                vec![
                    part("name", ("valueCode", field.clone().into())),
                    part("value", text(value)),
                ],
            ));
        }
        extension(CHART, parts)
    }

    /// The chart item a resource carries.
    pub(crate) fn of(resource: &Element) -> Result<Option<Self>, Fault> {
        let Some(parts) = Parts::of(resource, CHART)? else {
            return Ok(None);
        };
        let mut fields = ChartFields::new();
        for inner in &parts.inner {
            let name = inner.needed("name")?.to_owned();
            fields.insert(
                name,
                Sensitive(inner.text("value").unwrap_or_default().to_owned()),
            );
        }
        Ok(Some(Self {
            patient: PatientId(parts.derived_id("patient")?),
            item: ChartItemId(parts.derived_id("id")?),
            kind: ChartKind(parts.needed("kind")?.to_owned()),
            fields,
        }))
    }
}

impl CarriedPatient {
    pub(crate) fn to_extension(&self) -> Value {
        let record = serde_json::to_string(&self.record).unwrap_or_default();
        extension(
            PATIENT,
            vec![part("id", id(self.id.0)), part("record", text(&record))],
        )
    }

    /// The record a resource carries.
    pub(crate) fn of(resource: &Element) -> Result<Option<Self>, Fault> {
        let Some(parts) = Parts::of(resource, PATIENT)? else {
            return Ok(None);
        };
        let record: PatientRecord =
            serde_json::from_str(parts.needed("record")?).map_err(|_| Fault::wrong("record", "a record"))?;
        Ok(Some(Self {
            id: PatientId(parts.derived_id("id")?),
            record,
        }))
    }
}

/// The parts of an extension, by name; texts as they are, to the last blank.
#[derive(Default)]
struct Parts {
    values: Map<String, Value>,
    inner: Vec<Parts>,
}

impl Parts {
    fn of(resource: &Element, url: &str) -> Result<Option<Self>, Fault> {
        for extension in resource.children("extension")? {
            if extension.get("url").and_then(Value::as_str) == Some(url) {
                return Self::read(extension).map(Some);
            }
        }
        Ok(None)
    }

    fn read(extension: &Element) -> Result<Self, Fault> {
        let mut parts = Self::default();
        for part in extension.children("extension")? {
            let Some(name) = part.get("url").and_then(Value::as_str) else {
                return Err(Fault::missing("extension.url"));
            };
            if part.contains_key("extension") {
                parts.inner.push(Self::read(part)?);
            } else if let Some((_, value)) = part.iter().find(|(key, _)| key.starts_with("value")) {
                parts.values.insert(name.to_owned(), value.clone());
            }
        }
        Ok(parts)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    fn needed(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| Fault::missing(name))
    }

    fn holds(&self, name: &str) -> bool {
        self.values.get(name) == Some(&Value::Bool(true))
    }

    fn time(&self, name: &str) -> Result<Zoned, Fault> {
        Zoned::parse(self.needed(name)?)
            .ok_or_else(|| Fault::new(Code::NotADate, format!("`{name}` is not a date")))
    }

    fn id(&self, name: &str) -> Result<Option<Uuid>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let uuid = text
            .strip_prefix("urn:uuid:")
            .and_then(|text| Uuid::parse_str(text).ok());
        uuid.map(Some).ok_or_else(|| Fault::wrong(name, "a UUID"))
    }

    fn needed_id(&self, name: &str) -> Result<Uuid, Fault> {
        self.id(name)?.ok_or_else(|| Fault::missing(name))
    }

    /// An id of version 5: what a device names itself derives from a source.
    fn derived_id(&self, name: &str) -> Result<Uuid, Fault> {
        let id = self.needed_id(name)?;
        if id.get_version_num() == 5 {
            Ok(id)
        } else {
            Err(Fault::wrong(name, "a UUID of version 5"))
        }
    }
}
