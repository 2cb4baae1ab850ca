//! CodeableConcept and Coding: a code of some system, and what a person reads.

use crate::element::{Element, Fields};
use crate::fault::Fault;
use serde_json::{Value, json};

/// A coded notion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Concept {
    /// The code system's URI.
    pub(crate) system: Option<String>,
    /// The code.
    pub(crate) code: Option<String>,
    /// What a person reads; never empty.
    pub(crate) display: String,
}

impl Concept {
    /// The concept in a field; `None` where the field is absent or says nothing.
    pub(crate) fn of(element: &Element, field: &str) -> Result<Option<Self>, Fault> {
        element.child(field)?.map_or(Ok(None), Self::read)
    }

    /// The concepts in a repeated field.
    pub(crate) fn all_of(element: &Element, field: &str) -> Result<Vec<Self>, Fault> {
        let mut concepts = Vec::new();
        for child in element.children(field)? {
            concepts.extend(Self::read(child)?);
        }
        Ok(concepts)
    }

    /// A CodeableConcept, or a Coding by itself.
    pub(crate) fn read(element: &Element) -> Result<Option<Self>, Fault> {
        let codings = element.children("coding")?;
        let coding = codings
            .iter()
            .find(|coding| coding.contains_key("code"))
            .or(codings.first());
        let coding = coding.copied().unwrap_or(element);
        let code = coding.text("code")?;
        let display = match element.text("text")? {
            Some(text) => Some(text),
            None => coding.text("display")?.or(code),
        };
        Ok(display.map(|display| Self {
            system: coding.text("system").ok().flatten().map(str::to_owned),
            code: code.map(str::to_owned),
            display: display.to_owned(),
        }))
    }

    /// `{code, system, display}`, with what is known.
    pub(crate) fn to_json(&self) -> Value {
        let mut value = json!({ "display": self.display });
        if let Some(code) = &self.code {
            value["code"] = json!(code);
        }
        if let Some(system) = &self.system {
            value["system"] = json!(system);
        }
        value
    }
}

/// The bare code in a field (`clinicalStatus`, `category` …).
pub(crate) fn code_of(element: &Element, field: &str) -> Result<Option<String>, Fault> {
    Ok(Concept::of(element, field)?.map(|concept| concept.code.unwrap_or(concept.display)))
}
