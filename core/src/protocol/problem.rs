//! Errors on the wire: RFC 9457 `application/problem+json`.

use serde::{Deserialize, Serialize};

/// A refused request.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Problem {
    /// `about:blank`: the code says it all.
    #[serde(rename = "type")]
    pub kind: String,
    /// The English message of the code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// Safe to log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Found again in the server's log.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub correlation_id: String,
}

impl Problem {
    /// The media type.
    pub const MEDIA_TYPE: &'static str = "application/problem+json";

    /// A problem of a code.
    pub fn new(status: u16, error: &crate::error::SyncError) -> Self {
        Self {
            kind: "about:blank".into(),
            title: error.code.message(crate::error::Language::English).into(),
            status,
            code: error.code.as_str().into(),
            detail: error.detail.clone(),
            correlation_id: String::new(),
        }
    }
}
