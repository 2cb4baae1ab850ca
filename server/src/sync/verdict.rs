//! Why a write did not go in.

use crate::store::StoreError;
use vereda_core::document::{DocumentError, gate::GateRefusal};
use vereda_core::error::{Code, SyncError};
use vereda_core::protocol::Outcome;

/// Why a write did not go in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No, for ever: stored as its outcome.
    Refused(SyncError),
    /// Nothing was stored; send it again.
    Retry(Code),
    /// Nothing was stored; a person or an update is needed.
    Park(Code),
}

impl Verdict {
    pub(super) fn refused(code: Code, detail: impl Into<String>) -> Self {
        Self::Refused(SyncError::new(code, detail))
    }

    pub(super) fn code(&self) -> Code {
        match self {
            Self::Refused(error) => error.code,
            Self::Retry(code) | Self::Park(code) => *code,
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Refused(error) => Outcome::Refused {
                code: error.code.as_str().into(),
                detail: error.detail.clone(),
            },
            Self::Retry(code) => Outcome::Retry {
                code: code.as_str().into(),
            },
            Self::Park(code) => Outcome::Park {
                code: code.as_str().into(),
            },
        }
    }

    /// Of a change the server computes itself: what Automerge alone dislikes is an encoding the device makes anew.
    pub(super) fn of_computed(error: DocumentError) -> Self {
        match error {
            DocumentError::Automerge => Self::Retry(Code::EncodingMismatch),
            other => Self::of_raw(other),
        }
    }

    /// Of a change that came as bytes.
    pub(super) fn of_raw(error: DocumentError) -> Self {
        match error {
            DocumentError::MissingDependency
            | DocumentError::Gate(GateRefusal::UnknownDependency | GateRefusal::SequenceGap) => {
                Self::Retry(Code::MissingDependency)
            }
            DocumentError::Gate(refusal) => Self::refused(Code::GateRefused, refusal.code()),
            DocumentError::NotPermitted(why) => Self::refused(Code::PolicyRefused, why),
            DocumentError::Empty => Self::refused(Code::PolicyRefused, "the write changes nothing"),
            DocumentError::Automerge => Self::refused(Code::GateRefused, "automerge refused it"),
        }
    }
}

impl From<StoreError> for Verdict {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a write failed inside the server");
        Self::Retry(Code::Internal)
    }
}
