//! The registry of kinds: what an entry of each kind looks like.

use serde::{Deserialize, Serialize};

/// A kind's name: an open string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kind(pub String);

impl Kind {
    /// A free note.
    pub fn note() -> Self {
        Self("note".into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the registry knows of a kind.
#[derive(Clone, Debug)]
pub struct KindDefinition;

/// The kinds a build or an app knows.
#[derive(Clone, Debug)]
pub struct KindRegistry;
