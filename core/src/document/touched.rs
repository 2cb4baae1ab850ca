//! What a change touched: the keys whose rows must be written again, and nothing else.

use super::Operation;
use crate::id::{ChartItemId, EntryId};
use std::collections::BTreeSet;

/// Entries (final or draft) and chart items.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Touched {
    /// Entries and drafts.
    pub entries: BTreeSet<EntryId>,
    /// Chart items.
    pub chart_items: BTreeSet<ChartItemId>,
}

impl Touched {
    /// What operations touch.
    pub fn by_operations<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> Self {
        let mut touched = Self::default();
        for operation in operations {
            match operation {
                Operation::PutHeader { entry, .. } | Operation::PutMark { entry, .. } => {
                    touched.entries.insert(*entry);
                }
                Operation::OpenDraft { draft, .. } | Operation::EditDraft { draft, .. } => {
                    touched.entries.insert(*draft);
                }
                Operation::PutChart { item, .. } => {
                    touched.chart_items.insert(*item);
                }
            }
        }
        touched
    }

    /// What patches touch. A key that is none of ours (a newer version's) touches nothing here.
    pub(super) fn by_patches(patches: &[automerge::Patch]) -> Self {
        let mut touched = Self::default();
        for patch in patches {
            let mut names = patch.path.iter().filter_map(|(_, prop)| match prop {
                automerge::Prop::Map(name) => Some(name.as_str()),
                automerge::Prop::Seq(_) => None,
            });
            let map = names.next();
            let inner = names.next().map(str::to_owned);
            let key = match &patch.action {
                automerge::PatchAction::PutMap { key, .. } | automerge::PatchAction::DeleteMap { key } => {
                    inner.or(Some(key.clone()))
                }
                automerge::PatchAction::Conflict {
                    prop: automerge::Prop::Map(key),
                } => inner.or(Some(key.clone())),
                _ => inner,
            };
            if let (Some(map), Some(key)) = (map, key) {
                touched.insert(map, &key);
            }
        }
        touched
    }

    pub(super) fn insert(&mut self, map: &str, key: &str) {
        let id = key.split('/').next().unwrap_or_default();
        match map {
            "entries" | "drafts" | "marks" => self.entries.extend(id.parse::<EntryId>()),
            "chart" => self.chart_items.extend(id.parse::<ChartItemId>()),
            _ => {}
        }
    }

    /// Takes in another set.
    pub fn merge(&mut self, other: Self) {
        self.entries.extend(other.entries);
        self.chart_items.extend(other.chart_items);
    }
}
