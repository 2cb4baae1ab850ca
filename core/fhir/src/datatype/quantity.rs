//! Quantity: a number with its unit.

use crate::element::{Element, Fields};
use crate::fault::Fault;
use serde_json::Number;

const UCUM: &str = "http://unitsofmeasure.org";

/// A measured amount.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Quantity {
    /// The number, exact.
    pub(crate) value: Number,
    /// `<`, `<=`, `>=`, `>`: the number is a bound.
    pub(crate) comparator: Option<String>,
    /// The UCUM code where the source gives one, otherwise the unit as written.
    pub(crate) unit: Option<String>,
}

impl Quantity {
    /// The quantity in a field; `None` where it is absent or has no number.
    pub(crate) fn of(element: &Element, field: &str) -> Result<Option<Self>, Fault> {
        element.child(field)?.map_or(Ok(None), Self::read)
    }

    /// A Quantity element.
    pub(crate) fn read(element: &Element) -> Result<Option<Self>, Fault> {
        let Some(value) = element.number("value")? else {
            return Ok(None);
        };
        let unit = match element.text("system")? {
            Some(UCUM) => element.text("code")?.or(element.text("unit")?),
            _ => element.text("unit")?.or(element.text("code")?),
        };
        Ok(Some(Self {
            value: value.clone(),
            comparator: element.text("comparator")?.map(str::to_owned),
            unit: unit.map(str::to_owned),
        }))
    }

    /// What a person reads: `93.916 cm`.
    pub(crate) fn shown(&self) -> String {
        let mut text = self.comparator.clone().unwrap_or_default();
        text.push_str(&shown_number(&self.value));
        // UCUM's annotations in braces ({score}) are for programs.
        if let Some(unit) = self
            .unit
            .as_deref()
            .filter(|unit| *unit != "1" && !unit.starts_with('{'))
        {
            text.push(' ');
            text.push_str(unit);
        }
        text
    }
}

/// A number as a person writes it: three decimals, three significant digits below one. The body keeps all of it.
pub(crate) fn shown_number(number: &Number) -> String {
    let exact = number.to_string();
    let decimals = exact.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let Some(value) = number.as_f64().filter(|_| decimals > 3 || exact.contains('e')) else {
        return exact.strip_suffix(".0").unwrap_or(&exact).to_owned();
    };
    let magnitude = value.abs();
    if magnitude >= 1e9 || (magnitude < 1e-6 && magnitude > 0.0) {
        return exact;
    }
    let leading_zeros = if magnitude < 1.0 && magnitude > 0.0 {
        -magnitude.log10().floor() as usize - 1
    } else {
        0
    };
    let rounded = format!("{value:.*}", 3 + leading_zeros);
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_shown_as_a_person_writes_it() {
        for (exact, shown) in [
            ("93.91622147926836", "93.916"),
            ("80", "80"),
            ("7.0", "7"),
            ("0.0012345", "0.00123"),
            ("-1.50001", "-1.5"),
            ("1.25", "1.25"),
            ("0.00004", "0.00004"),
        ] {
            let number: Number = serde_json::from_str(exact).expect("a number");
            assert_eq!(shown_number(&number), shown);
        }
    }
}
