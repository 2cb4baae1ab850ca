//! A numeric observation: a field of a kind's body, and what a body says in it.

use super::statistics::Finite;
use super::{Kind, parse_json};
use crate::error::{Code, SyncError};
use crate::redact::Sensitive;
use serde::Serialize;
use serde_json::Value;

/// A field of the bodies of a kind: `vitals.systolic`, `observation.value`, `observation.components.value`. A list on
/// the way is walked through: each of its items may have a value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NumericField {
    kind: Kind,
    path: Vec<String>,
}

/// What is measured: the concept beside the value, where the body has one (`observation`, `lab`), and the unit. Values
/// of different measures are never mixed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Measure {
    /// The code's system and the code, as `system|code`; the displayed words of a concept without a code.
    pub code: Option<Sensitive<String>>,
    /// UCUM: the one the kind's schema fixes (`x-unit`), or else the one beside the value.
    pub unit: Option<Sensitive<String>>,
}

/// What a body says in a field.
#[derive(Clone, PartialEq, Debug)]
pub enum Found {
    /// A number.
    Number(Measure, Finite),
    /// Something that is not one exact number: words, yes and no, or `<5`.
    Other,
}

impl NumericField {
    /// Reads `KIND.FIELD`, further fields after further dots. An app's kind is `x-organisation.name`.
    ///
    /// # Errors
    /// `field_invalid`: a part is missing or empty.
    pub fn parse(text: &str) -> Result<Self, SyncError> {
        let mut parts = text.split('.').map(str::to_owned);
        let mut kind = parts.next().unwrap_or_default();
        if kind.starts_with("x-") {
            kind = format!("{kind}.{}", parts.next().unwrap_or_default());
        }
        let path: Vec<String> = parts.collect();
        let empty = |part: &String| part.is_empty();
        if path.is_empty() || path.iter().any(empty) || kind.split('.').any(str::is_empty) {
            return Err(SyncError::new(Code::FieldInvalid, "KIND.FIELD is needed"));
        }
        Ok(Self {
            kind: Kind(kind),
            path,
        })
    }

    /// The kind.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The unit a schema (JSON Schema with `x-unit`) fixes for the field.
    pub fn unit_in<'a>(&self, schema: &'a Value) -> Option<&'a str> {
        let mut place = schema;
        for name in &self.path {
            place = place.get("items").unwrap_or(place).get("properties")?.get(name)?;
        }
        place.get("x-unit")?.as_str()
    }

    /// What a body (JSON) says in the field: nothing where it has none, several where lists are on the way.
    pub fn find(&self, body: &str, unit: Option<&str>) -> Vec<Found> {
        let mut found = Vec::new();
        if let Ok(body) = parse_json(body) {
            collect(&body, &self.path, unit, &mut found);
        }
        found
    }
}

fn collect(place: &Value, path: &[String], unit: Option<&str>, found: &mut Vec<Found>) {
    if let Value::Array(items) = place {
        items.iter().for_each(|item| collect(item, path, unit, found));
        return;
    }
    let [name, rest @ ..] = path else { return };
    match place.get(name) {
        None | Some(Value::Null) => {}
        Some(value) if rest.is_empty() => found.push(read(value, place, unit)),
        Some(inner) => collect(inner, rest, unit, found),
    }
}

fn read(value: &Value, around: &Value, unit: Option<&str>) -> Found {
    let text = |name: &str| around.get(name).and_then(Value::as_str);
    match value.as_f64().and_then(Finite::new) {
        Some(number) if text("comparator").is_none() => {
            let measure = Measure {
                code: around.get("code").and_then(concept).map(Sensitive),
                unit: unit
                    .or_else(|| text("unit"))
                    .map(|unit| Sensitive(unit.to_owned())),
            };
            Found::Number(measure, number)
        }
        _ => Found::Other,
    }
}

fn concept(code: &Value) -> Option<String> {
    let text = |name: &str| code.get(name).and_then(Value::as_str);
    match (text("system"), text("code")) {
        (Some(system), Some(code)) => Some(format!("{system}|{code}")),
        (None, Some(code)) => Some(code.to_owned()),
        _ => text("display").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::KindRegistry;

    fn found(field: &str, body: &str) -> Vec<Found> {
        NumericField::parse(field).expect("a field").find(body, None)
    }

    fn number(code: &str, unit: Option<&str>, value: f64) -> Found {
        let measure = Measure {
            code: Some(Sensitive(code.to_owned())),
            unit: unit.map(|unit| Sensitive(unit.to_owned())),
        };
        Found::Number(measure, Finite::new(value).expect("finite"))
    }

    #[test]
    fn a_kind_and_a_field_are_needed() {
        for wrong in [
            "",
            "vitals",
            "vitals.",
            ".systolic",
            "a..b",
            "x-org.name",
            "x-org..field",
            "x-.a",
        ] {
            let refused = NumericField::parse(wrong).expect_err("no field");
            assert_eq!(refused.code, Code::FieldInvalid, "{wrong:?}");
        }
        let own = NumericField::parse("x-org.river.level.value").expect("a field");
        assert_eq!((own.kind().as_str(), own.path.len()), ("x-org.river", 2));
    }

    #[test]
    fn the_schema_of_a_kind_fixes_units() {
        let kinds = KindRegistry::standard();
        for (field, unit) in [
            ("vitals.systolic", Some("mm[Hg]")),
            ("vitals.position", None),
            ("vitals.nothing", None),
            ("observation.value", None),
        ] {
            let field = NumericField::parse(field).expect("a field");
            let schema = kinds.get(field.kind()).expect("a kind").schema();
            assert_eq!(field.unit_in(schema), unit, "{field:?}");
        }
    }

    #[test]
    fn a_value_has_the_code_and_the_unit_beside_it() {
        let body = r#"{"code":{"display":"PA"},"components":[
            {"code":{"system":"loinc","code":"8480-6"},"value":120,"unit":"mm[Hg]"},
            {"code":{"code":"8462-4"},"value":8.5,"unit":"kPa"},
            {"code":{"code":"8462-4"}},
            {"code":{"code":"8462-4"},"value":5,"comparator":"<"},
            {"code":{"code":"8462-4"},"value":"alta"}]}"#;
        assert_eq!(
            found("observation.components.value", body),
            [
                number("loinc|8480-6", Some("mm[Hg]"), 120.0),
                number("8462-4", Some("kPa"), 8.5),
                Found::Other,
                Found::Other,
            ]
        );
        let body = r#"{"code":{"display":"Peso"},"value":-3}"#;
        assert_eq!(found("observation.value", body), [number("Peso", None, -3.0)]);
        assert_eq!(found("observation.value.further", body), []);
        assert_eq!(found("observation.value", "no JSON"), []);
    }
}
