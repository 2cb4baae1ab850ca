//! Why the demonstration stopped.

/// Why the demonstration stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The operating system said no.
    #[error("{0}")]
    System(#[from] std::io::Error),
    /// `vereda` ended with an error.
    #[error("vereda {command} ended with {status}: {said}")]
    Command {
        /// Its first words.
        command: String,
        /// How it ended.
        status: i32,
        /// What it said on stderr.
        said: String,
    },
    /// `vereda` printed something else than was expected.
    #[error("vereda {0} printed something unexpected")]
    Output(String),
}

/// A result of the demonstration.
pub(crate) type Result<T> = std::result::Result<T, Failure>;
