//! References: `Type/id`, an address that ends so, `urn:uuid:…` or `#contained`.

use crate::element::{Element, Fields};
use crate::fault::Fault;
use std::collections::HashMap;

/// A reference as the resource gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reference<'a> {
    /// The reference itself.
    pub(crate) to: Option<&'a str>,
    /// What a person reads.
    pub(crate) display: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// The reference in a field.
    pub(crate) fn of(element: &'a Element, field: &str) -> Result<Option<Self>, Fault> {
        element.child(field)?.map(Self::read).transpose()
    }

    /// The references in a repeated field.
    pub(crate) fn all_of(element: &'a Element, field: &str) -> Result<Vec<Self>, Fault> {
        element.children(field)?.into_iter().map(Self::read).collect()
    }

    /// A Reference element.
    pub(crate) fn read(element: &'a Element) -> Result<Self, Fault> {
        Ok(Self {
            to: element.text("reference")?,
            display: element.text("display")?,
        })
    }

    /// The resource meant, as `Type/id`. `urn:uuid:` goes through the bundle's addresses; one the bundle does not
    /// hold is taken for a resource of the `expected` type whose id it is. `None` for what names no resource.
    pub(crate) fn resource(&self, addresses: &HashMap<String, String>, expected: &str) -> Option<String> {
        let to = self.to?;
        if let Some(resource) = addresses.get(to) {
            return Some(resource.clone());
        }
        if let Some(uuid) = to.strip_prefix("urn:uuid:") {
            return is_id(uuid).then(|| format!("{expected}/{uuid}"));
        }
        // A version (`Type/id/_history/3`) is the same resource.
        let address = to.split_once("/_history/").map_or(to, |(address, _)| address);
        let mut parts = address.rsplit('/');
        let (id, kind) = (parts.next()?, parts.next()?);
        (is_id(id) && is_type(kind)).then(|| format!("{kind}/{id}"))
    }
}

/// Whether a text may be a resource's id. FHIR allows 64 characters; programs give more.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// Whether a text may be the name of a resource type.
pub(crate) fn is_type(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_reference_names_the_resource() {
        let addresses = HashMap::from([("urn:uuid:ab-1".to_owned(), "Patient/77".to_owned())]);
        let read = |to| {
            Reference {
                to: Some(to),
                display: None,
            }
            .resource(&addresses, "Patient")
        };
        assert_eq!(read("urn:uuid:ab-1").as_deref(), Some("Patient/77"));
        assert_eq!(read("urn:uuid:cd-2").as_deref(), Some("Patient/cd-2"));
        assert_eq!(read("Encounter/5").as_deref(), Some("Encounter/5"));
        assert_eq!(
            read("https://a.example/fhir/Patient/9/_history/2").as_deref(),
            Some("Patient/9")
        );
        assert_eq!(read("#inside"), None);
        assert_eq!(read("nonsense"), None);
    }
}
