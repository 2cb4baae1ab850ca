//! Reading the fields of a FHIR element. A field of another type than R4 gives it makes the resource a broken
//! one; a field nobody asks for is passed over.

use crate::fault::Fault;
use serde_json::{Map, Number, Value};

/// A JSON object that is a FHIR resource or element.
pub(crate) type Element = Map<String, Value>;

/// Typed access to the fields of an element.
pub(crate) trait Fields {
    /// A string (also FHIR code, uri, dateTime …); an empty one counts as absent.
    fn text(&self, field: &str) -> Result<Option<&str>, Fault>;
    /// A decimal or integer.
    fn number(&self, field: &str) -> Result<Option<&Number>, Fault>;
    /// A boolean.
    fn flag(&self, field: &str) -> Result<Option<bool>, Fault>;
    /// A nested element.
    fn child(&self, field: &str) -> Result<Option<&Element>, Fault>;
    /// A repeated nested element, in order.
    fn children(&self, field: &str) -> Result<Vec<&Element>, Fault>;
    /// A repeated string, in order.
    fn texts(&self, field: &str) -> Result<Vec<&str>, Fault>;
}

impl Fields for Element {
    fn text(&self, field: &str) -> Result<Option<&str>, Fault> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.trim()).filter(|text| !text.is_empty())),
            Some(_) => Err(Fault::wrong(field, "a string")),
        }
    }

    fn number(&self, field: &str) -> Result<Option<&Number>, Fault> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(Some(number)),
            Some(_) => Err(Fault::wrong(field, "a number")),
        }
    }

    fn flag(&self, field: &str) -> Result<Option<bool>, Fault> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Fault::wrong(field, "true or false")),
        }
    }

    fn child(&self, field: &str) -> Result<Option<&Element>, Fault> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::Object(element)) => Ok(Some(element)),
            Some(_) => Err(Fault::wrong(field, "an element")),
        }
    }

    fn children(&self, field: &str) -> Result<Vec<&Element>, Fault> {
        list(self, field, |value| value.as_object(), "a list of elements")
    }

    fn texts(&self, field: &str) -> Result<Vec<&str>, Fault> {
        list(self, field, |value| value.as_str(), "a list of strings")
    }
}

fn list<'a, T>(
    element: &'a Element,
    field: &str,
    read: impl Fn(&'a Value) -> Option<T>,
    expected: &str,
) -> Result<Vec<T>, Fault> {
    match element.get(field) {
        None => Ok(Vec::new()),
        Some(Value::Array(values)) => values
            .iter()
            .map(|value| read(value).ok_or_else(|| Fault::wrong(field, expected)))
            .collect(),
        Some(_) => Err(Fault::wrong(field, expected)),
    }
}
