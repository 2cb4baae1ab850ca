//! Putting FHIR's data types together; what is absent is left out.

use serde_json::{Map, Value, json};
use vereda_core::store::entries::EntryStatus;

/// A body's fields.
pub(super) type Json = Map<String, Value>;

/// Of a Condition.
pub(super) const CONDITION_VERIFICATION: &str = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
/// Of an AllergyIntolerance.
pub(super) const ALLERGY_VERIFICATION: &str =
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification";
const UCUM: &str = "http://unitsofmeasure.org";

/// A resource under construction.
pub(super) struct Resource {
    kind: String,
    fields: Json,
}

impl Resource {
    pub(super) fn new(kind: &str, id: &str) -> Self {
        let mut fields = Json::new();
        fields.insert("resourceType".to_owned(), kind.into());
        fields.insert("id".to_owned(), id.into());
        Self {
            kind: kind.to_owned(),
            fields,
        }
    }

    pub(super) fn put(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    pub(super) fn put_some(&mut self, field: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(field, value);
        }
    }

    pub(super) fn put_list(&mut self, field: &str, values: Vec<Value>) {
        if !values.is_empty() {
            self.put(field, values);
        }
    }

    /// `note`, an Annotation.
    pub(super) fn put_note(&mut self, text: Option<&str>) {
        self.put_some("note", text.map(|text| json!([{ "text": text }])));
    }

    pub(super) fn extend(&mut self, extension: Value) {
        match self.fields.get_mut("extension") {
            Some(Value::Array(extensions)) => extensions.push(extension),
            _ => self.put("extension", vec![extension]),
        }
    }

    pub(super) fn extend_some(&mut self, extension: Option<Value>) {
        if let Some(extension) = extension {
            self.extend(extension);
        }
    }

    /// What was entered in error or amended says so, in the word its resource has for it.
    pub(super) fn status_of(&mut self, status: EntryStatus) {
        let word = match (status, self.kind.as_str()) {
            (EntryStatus::EnteredInError, _) => "entered-in-error",
            (EntryStatus::Amended, "Observation" | "DiagnosticReport") => "amended",
            (EntryStatus::Amended, "DocumentReference") => "superseded",
            // R4 has no word for it; the extension of the entry that amends says so.
            _ => return,
        };
        match self.kind.as_str() {
            "Goal" => self.put("lifecycleStatus", word),
            "Condition" => self.put("verificationStatus", coded(word, Some(CONDITION_VERIFICATION))),
            "AllergyIntolerance" => self.put("verificationStatus", coded(word, Some(ALLERGY_VERIFICATION))),
            _ => self.put("status", word),
        }
    }

    pub(super) fn into_value(self) -> Value {
        Value::Object(self.fields)
    }
}

/// The text in a field of a body.
pub(super) fn text<'a>(body: &'a Json, field: &str) -> Option<&'a str> {
    body.get(field).and_then(Value::as_str)
}

/// `{code, system, display}` as a CodeableConcept.
pub(super) fn concept(value: &Value) -> Value {
    let Some(display) = value.get("display").and_then(Value::as_str) else {
        return json!({ "text": value.as_str().unwrap_or_default() });
    };
    match coding(value) {
        coding if coding.contains_key("code") => json!({ "coding": [coding], "text": display }),
        _ => json!({ "text": display }),
    }
}

/// The same as a Coding.
pub(super) fn coding(value: &Value) -> Json {
    ["system", "code", "display"]
        .into_iter()
        .filter_map(|part| Some((part.to_owned(), value.get(part)?.clone())))
        .collect()
}

/// The concept in a field of a body.
pub(super) fn concept_in(body: &Json, field: &str) -> Option<Value> {
    body.get(field).map(concept)
}

/// A concept that is its words alone.
pub(super) fn words(text: Option<&str>) -> Option<Value> {
    text.map(|text| json!({ "text": text }))
}

/// The same, where FHIR has a list.
pub(super) fn words_list(text: Option<&str>) -> Option<Value> {
    words(text).map(|concept| json!([concept]))
}

/// A bare code as a CodeableConcept.
pub(super) fn coded(code: &str, system: Option<&str>) -> Value {
    match system {
        Some(system) => json!({ "coding": [{ "system": system, "code": code }] }),
        None => json!({ "coding": [{ "code": code }] }),
    }
}

/// `{value, unit, comparator}` as a Quantity; its unit is UCUM's where that is known.
pub(super) fn quantity(value: &Value, is_ucum: bool) -> Option<Value> {
    let number = value.get("value").filter(|number| number.is_number())?;
    let mut quantity = json!({ "value": number });
    if let Some(unit) = value.get("unit").and_then(Value::as_str) {
        quantity["unit"] = unit.into();
        if is_ucum {
            quantity["system"] = UCUM.into();
            quantity["code"] = unit.into();
        }
    }
    if let Some(comparator) = value.get("comparator") {
        quantity["comparator"] = comparator.clone();
    }
    Some(quantity)
}

/// The objects of a list in a body.
pub(super) fn objects<'a>(body: &'a Json, field: &str) -> impl Iterator<Item = &'a Json> {
    let list = body.get(field).and_then(Value::as_array).map(Vec::as_slice);
    list.unwrap_or_default().iter().filter_map(Value::as_object)
}
