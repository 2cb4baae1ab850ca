//! The one public error: a stable code, a text that is safe to log, and what to tell a person in their language.
//!
//! Floors have errors of their own; they become a [`SyncError`] at the engine's edge.

mod catalogue;

pub use catalogue::{Code, Language};

/// What went wrong. `code` is the contract; `detail` is for developers and never holds patient data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}", code = .code.as_str())]
pub struct SyncError {
    /// The stable code.
    pub code: Code,
    /// Limits, positions and names of fields; never a value a person typed.
    pub detail: String,
}

/// The result of every public call.
pub type Result<T, E = SyncError> = std::result::Result<T, E>;

impl SyncError {
    /// An error with a detail that is safe to log.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    /// What a person reads.
    pub fn message(&self, language: Language) -> &'static str {
        self.code.message(language)
    }
}

impl From<Code> for SyncError {
    fn from(code: Code) -> Self {
        Self::new(code, code.message(Language::English))
    }
}
