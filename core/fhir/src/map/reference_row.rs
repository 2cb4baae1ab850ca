//! Practitioner and Organization → rows of the reference data.

use super::finish::digest;
use crate::datatype::full_name;
use crate::element::{Element, Fields};
use crate::fault::Fault;
use crate::identity::Origins;
use crate::plan::{ReferenceKind, ReferenceRow};

/// Maps a Practitioner or an Organization.
pub(crate) fn reference_row(
    kind: &str,
    name: &str,
    resource: &Element,
    origins: &Origins,
) -> Result<ReferenceRow, Fault> {
    let (row_kind, shown) = if kind == "Organization" {
        (
            ReferenceKind::Organization,
            resource.text("name")?.map(str::to_owned),
        )
    } else {
        (ReferenceKind::Practitioner, full_name(resource)?)
    };
    let shown = shown.ok_or_else(|| Fault::missing("name"))?;
    let mut identifiers = Vec::new();
    for identifier in resource.children("identifier")? {
        if let Some(value) = identifier.text("value")? {
            identifiers.push((
                identifier.text("system")?.unwrap_or_default().to_owned(),
                value.to_owned(),
            ));
        }
    }
    let active = resource.flag("active")?.unwrap_or(true);
    let content = serde_json::to_vec(&(row_kind, &shown, &identifiers, active)).unwrap_or_default();
    Ok(ReferenceRow {
        id: origins.reference(name),
        kind: row_kind,
        resource: name.to_owned(),
        name: shown,
        identifiers,
        active,
        digest: digest(&[&content]),
    })
}
