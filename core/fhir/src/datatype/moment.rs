//! dateTime, instant, date and Period. A year or a month alone means its first instant.

use crate::element::{Element, Fields};
use crate::fault::Fault;
use vereda_core::error::Code;
use vereda_core::time::Zoned;

/// Reads a FHIR dateTime: a year, a month, a date, or an instant with its zone.
pub(crate) fn moment(text: &str) -> Option<Zoned> {
    match text.len() {
        4 => Zoned::parse(&format!("{text}-01-01")),
        7 => Zoned::parse(&format!("{text}-01")),
        _ => Zoned::parse(text),
    }
}

/// The moment in a field.
pub(crate) fn moment_of(element: &Element, field: &str) -> Result<Option<Zoned>, Fault> {
    let Some(text) = element.text(field)? else {
        return Ok(None);
    };
    let read = moment(text).ok_or_else(|| {
        Fault::new(
            Code::NotADate,
            format!("`{field}` is not a FHIR date between 1900 and 2200"),
        )
    })?;
    Ok(Some(read))
}

/// The first moment a Period in a field gives.
pub(crate) fn period_start(element: &Element, field: &str) -> Result<Option<Zoned>, Fault> {
    let Some(period) = element.child(field)? else {
        return Ok(None);
    };
    Ok(moment_of(period, "start")?.or(moment_of(period, "end")?))
}

/// The end of a Period in a field, as written.
pub(crate) fn period_end<'a>(element: &'a Element, field: &str) -> Result<Option<&'a str>, Fault> {
    let Some(period) = element.child(field)? else {
        return Ok(None);
    };
    moment_of(period, "end")?;
    period.text("end")
}
