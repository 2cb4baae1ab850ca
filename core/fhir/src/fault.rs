//! Why one resource could not be imported. Reasons name fields, never what stands in them.

use vereda_core::error::{Code, SyncError};

/// What is wrong with a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn new(code: Code, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }

    /// A field that is not what FHIR R4 says it is.
    pub(crate) fn wrong(field: &str, expected: &str) -> Self {
        Self::new(Code::FhirMalformed, format!("`{field}` is not {expected}"))
    }

    /// A field that must be there and is not.
    pub(crate) fn missing(field: &str) -> Self {
        Self::new(Code::FhirMalformed, format!("`{field}` is missing"))
    }
}

/// The core's judgement of a value: its details name fields and limits only.
impl From<SyncError> for Fault {
    fn from(error: SyncError) -> Self {
        Self {
            code: error.code,
            reason: error.detail,
        }
    }
}
