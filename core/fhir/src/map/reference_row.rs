//! Practitioner and Organization → rows of the reference data.

use crate::datatype::full_name;
use crate::element::{Element, Fields};
use crate::fault::Fault;
use crate::identity::Origins;
use serde_json::json;
use vereda_core::record::{ReferenceRow, canonical_text};
use vereda_core::redact::Sensitive;

/// Maps a Practitioner or an Organization.
pub(crate) fn reference_row(
    kind: &str,
    name: &str,
    resource: &Element,
    origins: &Origins,
) -> Result<ReferenceRow, Fault> {
    let (kind, shown) = match kind {
        "Organization" => ("organization", resource.text("name")?.map(str::to_owned)),
        _ => ("practitioner", full_name(resource)?),
    };
    let shown = shown.ok_or_else(|| Fault::missing("name"))?;
    let mut identifiers = Vec::new();
    for identifier in resource.children("identifier")? {
        if let Some(value) = identifier.text("value")? {
            let system = identifier.text("system")?.unwrap_or_default();
            identifiers.push(json!({ "system": system, "value": value }));
        }
    }
    let details = json!({
        "resource": name,
        "active": resource.flag("active")?.unwrap_or(true),
        "identifiers": identifiers,
    });
    Ok(ReferenceRow {
        kind: kind.to_owned(),
        id: origins.reference(name),
        name: Sensitive(shown),
        details: Sensitive(canonical_text(&details)),
    })
}
