//! What a document says, as plain values. A pure function of the document.

use super::operation::{ChartValue, DraftOpening};
use crate::id::{ChartItemId, EntryId, UserId, WriteId};
use crate::record::{EntryHeader, Kind};
use crate::redact::Sensitive;
use crate::time::Zoned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A draft as it stands.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DraftState {
    /// Its kind.
    pub kind: Kind,
    /// Who opened it.
    pub author: UserId,
    /// When.
    pub recorded_at: Zoned,
    /// When it happened; with the values of a conflict after the winner.
    pub occurred_at: Vec<Zoned>,
    /// The merged text.
    pub text: Sensitive<String>,
    /// The body; with the values of a conflict after the winner.
    pub body: Vec<Option<Sensitive<String>>>,
}

impl DraftState {
    /// SHA-256 of what a person sees of the draft: a finalization names it, so that a later edit shows as one.
    pub fn digest(&self) -> [u8; 32] {
        draft_digest(
            &self.text,
            self.body
                .first()
                .and_then(Option::as_ref)
                .map(|body| body.0.as_str()),
            self.occurred_at.first().copied(),
        )
    }
}

/// See [`DraftState::digest`].
pub fn draft_digest(text: &str, body: Option<&str>, occurred_at: Option<Zoned>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [text, body.unwrap_or_default()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(occurred_at.map_or(0, |at| at.utc_ms).to_be_bytes());
    hash.finalize().into()
}

/// An entry as its chapter holds it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EntryState {
    /// Final headers: one, or several when a draft was finalized twice at once. By write id.
    pub headers: BTreeMap<WriteId, EntryHeader>,
    /// The draft it was, or still is.
    pub draft: Option<DraftState>,
    /// The digests of late edits that were dismissed.
    pub dismissed: Vec<[u8; 32]>,
    /// The headers people chose among several.
    pub chosen: Vec<WriteId>,
}

/// A chart item: its fields, each with the values people set at once (one, when they agree).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ChartState {
    /// Automerge's winner first; equal values are listed once.
    pub fields: BTreeMap<String, Vec<ChartValue>>,
}

/// The key of an entry or item in its map.
pub(super) fn entry_key(entry: &EntryId) -> String {
    entry.0.simple().to_string()
}

/// The key of a chart field.
pub(super) fn chart_key(item: &ChartItemId, field: &str) -> String {
    format!("{}/{field}", item.0.simple())
}

pub(super) fn read_opening(bytes: &[u8]) -> Option<DraftOpening> {
    crate::protocol::decode(bytes).ok()
}
