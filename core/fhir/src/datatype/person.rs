//! HumanName and Address.

use crate::element::{Element, Fields};
use crate::fault::Fault;

/// The name to show: the official one, else the usual one, else the first; an old one only where there is no other.
pub(crate) fn full_name(element: &Element) -> Result<Option<String>, Fault> {
    let names = element.children("name")?;
    let rank = |name: &Element| match name.get("use").and_then(|value| value.as_str()) {
        Some("official") => 0,
        Some("usual") => 1,
        Some("old") => 3,
        _ => 2,
    };
    let mut best: Option<(u8, String)> = None;
    for name in names {
        if let Some(line) = name_line(name)? {
            let rank = rank(name);
            if best.as_ref().is_none_or(|(held, _)| rank < *held) {
                best = Some((rank, line));
            }
        }
    }
    Ok(best.map(|(_, line)| line))
}

fn name_line(name: &Element) -> Result<Option<String>, Fault> {
    if let Some(text) = name.text("text")? {
        return Ok(Some(text.to_owned()));
    }
    let mut parts = name.texts("prefix")?;
    parts.extend(name.texts("given")?);
    parts.extend(name.text("family")?);
    parts.extend(name.texts("suffix")?);
    let line = joined(&parts, " ");
    Ok((!line.is_empty()).then_some(line))
}

/// An address in one line.
pub(crate) fn address_line(address: &Element) -> Result<Option<String>, Fault> {
    if let Some(text) = address.text("text")? {
        return Ok(Some(text.to_owned()));
    }
    let mut parts = address.texts("line")?;
    for field in ["district", "city", "state", "postalCode", "country"] {
        parts.extend(address.text(field)?);
    }
    let line = joined(&parts, ", ");
    Ok((!line.is_empty()).then_some(line))
}

fn joined(parts: &[&str], separator: &str) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(separator)
}
