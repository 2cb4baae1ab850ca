//! What a mapping makes of a resource, before it gets its id, its patient and its place in time.

use super::body::Body;
use crate::datatype::Reference;
use vereda_core::record::{ChartFields, ChartKind};
use vereda_core::redact::Sensitive;
use vereda_core::time::Zoned;

/// An entry to be, and the chart item it tells of.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    /// The kind's name in the registry.
    pub(crate) kind: &'static str,
    /// The resource's own clinical time.
    pub(crate) occurred: Option<Zoned>,
    /// The parts of the line a person reads.
    pub(crate) line: Vec<String>,
    /// Text the resource carries whole (a report), below the line.
    pub(crate) narrative: Option<String>,
    /// The structured part.
    pub(crate) body: Body,
    /// Who did it.
    pub(crate) performer: Option<Reference<'a>>,
    /// Of a Condition or AllergyIntolerance.
    pub(crate) chart: Option<(ChartKind, ChartFields)>,
    /// The source says it should never have been (`entered-in-error`).
    pub(crate) withdrawn: bool,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(kind: &'static str, occurred: Option<Zoned>) -> Self {
        Self {
            kind,
            occurred,
            line: Vec::new(),
            narrative: None,
            body: Body::default(),
            performer: None,
            chart: None,
            withdrawn: false,
        }
    }

    pub(crate) fn say(&mut self, part: impl Into<String>) {
        let part = part.into();
        if !part.is_empty() {
            self.line.push(part);
        }
    }

    pub(crate) fn say_some(&mut self, part: Option<impl Into<String>>) {
        if let Some(part) = part {
            self.say(part);
        }
    }

    /// The status, which may say that the resource was an error.
    pub(crate) fn status(&mut self, key: &str, status: Option<impl Into<String>>) {
        if let Some(status) = status.map(Into::into) {
            self.withdrawn |= status == "entered-in-error";
            self.body.put(key, status);
        }
    }

    /// The text a person reads: the parts, then what the resource carries whole.
    pub(crate) fn text(&self) -> String {
        let mut text = self.line.join("; ");
        if let Some(narrative) = &self.narrative {
            text.push_str("\n\n");
            text.push_str(narrative);
        }
        text
    }
}

/// Sets a chart item's field where there is something to say.
pub(crate) fn set(fields: &mut ChartFields, field: &str, value: Option<impl Into<String>>) {
    if let Some(value) = value {
        fields.insert(field.to_owned(), Sensitive(value.into()));
    }
}
