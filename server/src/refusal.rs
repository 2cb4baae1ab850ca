//! Refusals of whole requests (RFC 9457). Writes inside a request have outcomes instead.

use crate::store::StoreError;
use vereda_core::error::{Code, SyncError};
use vereda_core::protocol::{BodyError, CorrelationId, Problem};

/// Why a whole request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {error}")]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: SyncError,
    /// Seconds after which it may be tried again.
    pub(crate) retry_after: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(status: u16, code: Code, detail: impl Into<String>) -> Self {
        Self {
            status,
            error: SyncError::new(code, detail),
            retry_after: None,
        }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(400, Code::RequestMalformed, detail)
    }

    pub(crate) fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(401, Code::Unauthenticated, detail)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(404, Code::NotFound, "no such resource")
    }

    pub(crate) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(413, Code::TooLarge, detail)
    }

    pub(crate) fn internal(detail: impl Into<String>) -> Self {
        Self::new(500, Code::Internal, detail)
    }

    /// Too many requests from one side.
    pub(crate) fn throttled(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, Code::ServerBusy, "too many requests")
        }
    }

    /// The server itself cannot answer now.
    pub(crate) fn unavailable(detail: impl Into<String>, retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(503, Code::ServerBusy, detail)
        }
    }

    pub(crate) fn problem(&self, correlation: CorrelationId) -> Problem {
        let mut problem = Problem::new(self.status, &self.error);
        problem.correlation_id = correlation.to_string();
        problem
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full | StoreError::Busy => Self::unavailable(error.to_string(), 5),
            _ => Self::internal(error.to_string()),
        }
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::too_large(error.to_string()),
            BodyError::Malformed => Self::malformed(error.to_string()),
        }
    }
}
