//! The registry of kinds: what an entry of each kind looks like.
//!
//! A kind is an open string. What this build or its app knows of one lies in a definition: a version, titles, a
//! template that says a body in words, and the body's JSON Schema (2020-12; objects are open, units are UCUM).
//! The definitions of this build are the JSON files beside this one; an app adds its own as `x-org.name`.

mod definition;
mod registry;
mod template;

pub use definition::KindDefinition;
pub use registry::KindRegistry;
pub(super) use registry::canonical_body;

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

impl From<&str> for Kind {
    fn from(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
