//! Why a task did not succeed, in words for the person at the terminal.

/// Why a task did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The program is not there, or the system would not start it.
    #[error("{program} could not be started: {source}")]
    NotStarted { program: String, source: std::io::Error },
    /// The program ran and said no.
    #[error("`{command}` failed ({status})")]
    Failed {
        command: String,
        status: std::process::ExitStatus,
    },
    /// Something is missing that this task may not or cannot install.
    #[error("missing: {what}\n  install it with:  {how}")]
    Missing { what: String, how: String },
    /// A file of the project that the task reads is not as it should be.
    #[error("{path}: {reason}")]
    Unreadable { path: String, reason: String },
    /// The rule the task checks is broken; each line names one place.
    #[error("{rule}:\n{}", places.iter().map(|place| format!("  {place}")).collect::<Vec<_>>().join("\n"))]
    Broken { rule: &'static str, places: Vec<String> },
    /// Some steps of a longer task failed; its summary has named them.
    #[error("some steps failed")]
    Steps,
}
