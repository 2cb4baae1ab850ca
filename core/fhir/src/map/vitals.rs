//! Which LOINC codes are the vital signs that the kind `vitals` names, in which unit, within which bounds. What
//! does not fit keeps its code, value and unit as they came, and gets no name.

use crate::datatype::{Concept, Quantity};
use serde_json::{Number, Value};

/// The code system of the signs.
pub(crate) const LOINC: &str = "http://loinc.org";

struct Sign {
    /// LOINC.
    codes: &'static [&'static str],
    name: &'static str,
    unit: &'static str,
    bounds: (f64, f64),
    whole: bool,
}

const fn sign(
    codes: &'static [&'static str],
    name: &'static str,
    unit: &'static str,
    bounds: (f64, f64),
) -> Sign {
    Sign {
        codes,
        name,
        unit,
        bounds,
        whole: false,
    }
}

const SIGNS: &[Sign] = &[
    sign(&["8480-6"], "systolic", "mm[Hg]", (20.0, 350.0)),
    sign(&["8462-4"], "diastolic", "mm[Hg]", (20.0, 350.0)),
    sign(&["8867-4"], "heart_rate", "/min", (0.0, 400.0)),
    sign(&["9279-1"], "respiratory_rate", "/min", (0.0, 150.0)),
    sign(
        &["8310-5", "8331-1", "8328-7", "8332-9"],
        "temperature",
        "Cel",
        (25.0, 45.0),
    ),
    sign(&["59408-5", "2708-6"], "spo2", "%", (0.0, 100.0)),
    sign(&["29463-7", "3141-9"], "weight", "kg", (0.2, 700.0)),
    sign(&["8302-2", "8306-3"], "height", "cm", (20.0, 280.0)),
    sign(&["9843-4", "8287-5"], "head_circumference", "cm", (15.0, 80.0)),
    sign(&["8280-0", "56086-2"], "waist", "cm", (20.0, 400.0)),
    sign(&["39156-5"], "body_mass_index", "kg/m2", (5.0, 200.0)),
    sign(&["41653-7", "2339-0"], "glucose", "mg/dL", (5.0, 2500.0)),
    Sign {
        codes: &["72514-3"],
        name: "pain",
        unit: "{score}",
        bounds: (0.0, 10.0),
        whole: true,
    },
    Sign {
        codes: &["9269-2"],
        name: "glasgow",
        unit: "{score}",
        bounds: (3.0, 15.0),
        whole: true,
    },
];

/// Each sign's name, its first code and its unit.
pub(crate) fn named_signs() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    SIGNS.iter().map(|sign| (sign.name, sign.codes[0], sign.unit))
}

/// The name and number of a vital sign, where the quantity is one the kind's schema takes.
pub(crate) fn vital(code: &Concept, quantity: &Quantity) -> Option<(&'static str, Value)> {
    let loinc = code
        .code
        .as_deref()
        .filter(|_| code.system.as_deref() == Some(LOINC))?;
    let sign = SIGNS.iter().find(|sign| sign.codes.contains(&loinc))?;
    let value = quantity.value.as_f64()?;
    let fits = quantity.comparator.is_none()
        && quantity.unit.as_deref() == Some(sign.unit)
        && (sign.bounds.0..=sign.bounds.1).contains(&value);
    if !fits {
        return None;
    }
    if sign.whole {
        return (value.fract() == 0.0).then(|| (sign.name, Value::Number(Number::from(value as i64))));
    }
    Some((sign.name, Value::Number(quantity.value.clone())))
}
