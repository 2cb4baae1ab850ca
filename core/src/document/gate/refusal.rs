//! Why bytes were refused.

use super::limits;

/// A refusal at the gate. It names the rule, never a value out of the refused bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum GateRefusal {
    /// The change is longer than [`limits::CHANGE_BYTES_MAX`].
    #[error("a change is larger than {} bytes", limits::CHANGE_BYTES_MAX)]
    ChangeTooLarge,
    /// The document is longer than [`limits::DOCUMENT_BYTES_MAX`], or its columns than
    /// [`limits::DOCUMENT_COLUMN_BYTES_MAX`].
    #[error(
        "a document is larger than {} bytes saved or {} bytes inflated",
        limits::DOCUMENT_BYTES_MAX,
        limits::DOCUMENT_COLUMN_BYTES_MAX
    )]
    DocumentTooLarge,
    /// The data inflate to more than their size allows.
    #[error("deflated data grow more than {}-fold", limits::INFLATE_RATIO_MAX)]
    DecompressionBomb,
    /// The deflated data are damaged.
    #[error("deflated data are damaged")]
    BadCompression,
    /// The checksum is not that of the content.
    #[error("the checksum does not match the content")]
    ChecksumMismatch,
    /// The bytes end before the content does.
    #[error("the bytes end before the content does")]
    Truncated,
    /// Bytes follow where none may.
    #[error("bytes follow behind the end")]
    TrailingBytes,
    /// A chunk that this place does not take: another magic number, an unknown type, a document where a change
    /// belongs.
    #[error("a chunk of another kind was expected")]
    UnexpectedChunk,
    /// The content breaks the format; the text names the rule.
    #[error("the content breaks the format: {0}")]
    Malformed(&'static str),
    /// The content could have been written shorter. Automerge rebuilds changes from their operations; one that was
    /// not written its way would come back with another hash, and the saved document would never load again.
    #[error("the content is not in canonical form: {0}")]
    NotCanonical(&'static str),
    /// More operations than [`limits::CHANGE_OPERATIONS_MAX`], or a document beyond
    /// [`limits::DOCUMENT_OPERATIONS_MAX`].
    #[error(
        "more than {} operations in a change or {} in a document",
        limits::CHANGE_OPERATIONS_MAX,
        limits::DOCUMENT_OPERATIONS_MAX
    )]
    TooManyOperations,
    /// More dependencies or heads than [`limits::DEPENDENCIES_MAX`].
    #[error("more than {} dependencies", limits::DEPENDENCIES_MAX)]
    TooManyDependencies,
    /// More actors than [`limits::CHANGE_ACTORS_MAX`] in a change or [`limits::DOCUMENT_ACTORS_MAX`] in a document.
    #[error("too many actors")]
    TooManyActors,
    /// More changes than [`limits::DOCUMENT_CHANGES_MAX`].
    #[error("more than {} changes in a document", limits::DOCUMENT_CHANGES_MAX)]
    TooManyChanges,
    /// `start_op` is not one more than the highest operation of the dependencies.
    #[error("the first operation does not follow the dependencies")]
    StartOpInvalid,
    /// A dependency is not in the document: an orphan.
    #[error("a dependency is not in the document")]
    UnknownDependency,
    /// The change was written by an actor that is not the sender's.
    #[error("the change was written by another actor")]
    ForeignActor,
    /// The document holds another change under the same actor and sequence number.
    #[error("the sequence number was used by another change")]
    SequenceReused,
    /// An earlier change of the same actor is missing.
    #[error("an earlier change of the same actor is missing")]
    SequenceGap,
    /// The document holds this very change already. Nothing is wrong; there is nothing to apply.
    #[error("the document holds this change already")]
    AlreadyKnown,
    /// An operation that this library never writes (marks, tables).
    #[error("an operation this library never writes")]
    UnsupportedOperation,
    /// An operation refers to one that cannot exist.
    #[error("an operation refers to one that cannot exist")]
    InvalidReference,
    /// The document did not take the change in, or could not give it back unaltered.
    #[error("the document cannot take the change in")]
    Inapplicable,
}

impl GateRefusal {
    /// The stable code for the wire, logs and metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::ChangeTooLarge => "change_too_large",
            Self::DocumentTooLarge => "document_too_large",
            Self::DecompressionBomb => "decompression_bomb",
            Self::BadCompression => "bad_compression",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::Truncated => "truncated",
            Self::TrailingBytes => "trailing_bytes",
            Self::UnexpectedChunk => "unexpected_chunk",
            Self::Malformed(_) => "malformed",
            Self::NotCanonical(_) => "not_canonical",
            Self::TooManyOperations => "too_many_operations",
            Self::TooManyDependencies => "too_many_dependencies",
            Self::TooManyActors => "too_many_actors",
            Self::TooManyChanges => "too_many_changes",
            Self::StartOpInvalid => "start_op_invalid",
            Self::UnknownDependency => "unknown_dependency",
            Self::ForeignActor => "foreign_actor",
            Self::SequenceReused => "sequence_reused",
            Self::SequenceGap => "sequence_gap",
            Self::AlreadyKnown => "already_known",
            Self::UnsupportedOperation => "unsupported_operation",
            Self::InvalidReference => "invalid_reference",
            Self::Inapplicable => "inapplicable",
        }
    }
}
