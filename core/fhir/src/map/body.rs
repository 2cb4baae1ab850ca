//! The structured part of an entry, in the words of the kinds' schemas (`core/src/record/kind`).

use crate::datatype::{Concept, Quantity};
use crate::element::{Element, Fields};
use crate::fault::Fault;
use serde_json::{Map, Value};

/// A body under construction; keys come out sorted, which makes equal bodies equal bytes.
#[derive(Clone, Default, Debug)]
pub(crate) struct Body(Map<String, Value>);

impl Body {
    pub(crate) fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    pub(crate) fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    pub(crate) fn put_list(&mut self, key: &str, values: Vec<Value>) {
        if !values.is_empty() {
            self.put(key, values);
        }
    }

    pub(crate) fn put_concept(&mut self, key: &str, concept: Option<&Concept>) {
        self.put_some(key, concept.map(Concept::to_json));
    }

    /// A Quantity as `{value, unit, comparator}`.
    pub(crate) fn put_quantity(&mut self, key: &str, quantity: Option<&Quantity>) {
        if let Some(quantity) = quantity {
            let mut inner = Self::default();
            inner.put_measured(quantity);
            self.put(key, inner.0);
        }
    }

    /// `value`, `unit` and `comparator` side by side.
    pub(crate) fn put_measured(&mut self, quantity: &Quantity) {
        self.put("value", Value::Number(quantity.value.clone()));
        self.put_some("unit", quantity.unit.clone());
        self.put_some("comparator", quantity.comparator.clone());
    }

    /// A Period as `{start, end}`, in the source's own precision.
    pub(crate) fn put_period(&mut self, key: &str, element: &Element, field: &str) -> Result<(), Fault> {
        let Some(period) = element.child(field)? else {
            return Ok(());
        };
        let mut inner = Self::default();
        for end in ["start", "end"] {
            crate::datatype::moment_of(period, end)?;
            inner.put_some(end, period.text(end)?);
        }
        if !inner.0.is_empty() {
            self.put(key, inner.0);
        }
        Ok(())
    }

    pub(crate) fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    pub(crate) fn into_json(self) -> String {
        self.into_value().to_string()
    }
}

/// The displays of concepts in one line.
pub(crate) fn displays(concepts: &[Concept]) -> Option<String> {
    let line = concepts
        .iter()
        .map(|concept| concept.display.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    (!line.is_empty()).then_some(line)
}
