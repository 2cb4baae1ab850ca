//! Why a change cannot be made or read.

/// Why a change cannot be made or read. Holds no values.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The document lacks what the change builds on.
    #[error("the document lacks a dependency of the change")]
    MissingDependency,
    /// The change touches a draft or entry that is not there, or makes one that is.
    #[error("the change touches what it may not: {0}")]
    NotPermitted(&'static str),
    /// The change refused by the gate.
    #[error("refused by the gate: {0}")]
    Gate(#[from] super::gate::GateRefusal),
    /// The operations made no change at all.
    #[error("the operations change nothing")]
    Empty,
    /// Automerge itself refused.
    #[error("automerge refused the change")]
    Automerge,
}

impl DocumentError {
    /// The stable code.
    pub fn code(&self) -> crate::error::Code {
        use crate::error::Code;
        match self {
            Self::MissingDependency => Code::MissingDependency,
            Self::NotPermitted(_) | Self::Empty => Code::PolicyRefused,
            Self::Gate(_) => Code::GateRefused,
            Self::Automerge => Code::Internal,
        }
    }
}

impl From<automerge::AutomergeError> for DocumentError {
    fn from(_: automerge::AutomergeError) -> Self {
        Self::Automerge
    }
}
